"""How far a run is: rates and the time to go, from counts at several moments. Pure: the caller has the clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.outcomes.counts import EFFORTS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_engagevoice.api.ratelimit.windows import InUse
    from target_engagevoice.outcomes.counts import CampaignCounts

RATE_SECONDS = 30.0
"""The longest time that a rate is measured over: outcomes come by whole batches, so a shorter time would flicker."""

MIN_ESTIMATE_SECONDS = 10.0
"""No time to go is given before: the first requests are sent at once, the others at the pace of the quota."""

SHORTEST_SECONDS = 0.001
"""The shortest time that a rate is measured over."""


@dataclass(frozen=True)
class Position:
    """How far the input is read.

    Attributes:
        bytes_total: All there is to read; None when that is unknown.
    """

    bytes_read: int
    bytes_total: int | None


@dataclass(frozen=True)
class Snapshot:
    """The counts of a run at one moment.

    Attributes:
        at: Monotonic seconds.
        read: Records read.
        campaigns: The counts of each campaign.
        windows: How much of the account's quota is taken.
        under_way: Batches being loaded.
        waiting: Those of them that wait for the quota.
        position: Of the input.
    """

    at: float
    read: int
    campaigns: tuple[CampaignCounts, ...]
    windows: tuple[InUse, ...]
    under_way: int
    waiting: int
    position: Position

    @property
    def outcomes(self) -> dict[str, int]:
        """Records by outcome, over all campaigns."""
        return {name: sum(each.outcomes[name] for each in self.campaigns) for name in OUTCOMES}

    @property
    def efforts(self) -> dict[str, int]:
        """Requests, retries and 429 answers, over all campaigns."""
        return {name: sum(each.efforts[name] for each in self.campaigns) for name in EFFORTS}


@dataclass(frozen=True)
class Progress:
    """What a snapshot and those before it show.

    Attributes:
        seconds: Since the start.
        outcomes: Records by outcome.
        efforts: Requests, retries and 429 answers.
        settled: Records that have their outcome.
        read_rate: Records read a second.
        loaded_rate: Leads loaded or updated a second.
        done: The part of the records that have their outcome, 0 to 1; None when it is unknown how many will
            come.
        to_go: Seconds until all have; None when that is unknown.
    """

    snapshot: Snapshot
    seconds: float
    outcomes: Mapping[str, int]
    efforts: Mapping[str, int]
    settled: int
    read_rate: float
    loaded_rate: float
    done: float | None
    to_go: float | None


@dataclass(frozen=True)
class _Mark:
    at: float
    read: int = 0
    settled: int = 0
    loaded: int = 0


class History:
    """The last few snapshots, as many as rates need. Owned by the monitor's thread.

    Args:
        start: Monotonic seconds when nothing had been read.
    """

    def __init__(self, start: float) -> None:
        self._start = start
        self._marks = deque([_Mark(start)])

    def add(self, snapshot: Snapshot) -> Progress:
        """Add a snapshot, which is not older than the last one."""
        outcomes = snapshot.outcomes
        settled = sum(outcomes.values())
        now = _Mark(snapshot.at, snapshot.read, settled, outcomes["loaded"] + outcomes["updated"])
        self._marks.append(now)
        while len(self._marks) > 2 and self._marks[1].at <= now.at - RATE_SECONDS:  # noqa: PLR2004 - two make a rate
            self._marks.popleft()
        before = self._marks[0]
        seconds = now.at - before.at
        expected = expected_records(snapshot.read, snapshot.position)
        return Progress(
            snapshot=snapshot,
            seconds=max(0.0, now.at - self._start),
            outcomes=outcomes,
            efforts=snapshot.efforts,
            settled=settled,
            read_rate=rate(now.read - before.read, seconds),
            loaded_rate=rate(now.loaded - before.loaded, seconds),
            done=None if expected is None else min(1.0, settled / expected),
            to_go=time_to_go(expected, settled, rate(settled - before.settled, seconds))
            if seconds >= MIN_ESTIMATE_SECONDS
            else None,
        )


def rate(count: int, seconds: float) -> float:
    """A count per second; 0 when hardly any time has passed."""
    return max(0, count) / seconds if seconds >= SHORTEST_SECONDS else 0.0


def expected_records(read: int, position: Position) -> float | None:
    """How many records the whole input holds, if the rest of it is like what was read of it.

    Args:
        read: Records read.
        position: Of the input; one that was read to its end holds what was read, exactly.

    Returns:
        At least `read`; None when unknown, because the input is not a file or no record was read from it.
    """
    if position.bytes_total is None or position.bytes_read <= 0 or not read:
        return None
    return read * max(1.0, position.bytes_total / position.bytes_read)


def time_to_go(expected: float | None, settled: int, settled_rate: float) -> float | None:
    """Seconds until every record has its outcome, at this rate.

    Args:
        expected: Records in all; None when unknown.
        settled: Those of them that have their outcome.
        settled_rate: Records a second that get theirs.

    Returns:
        0 or more; None when unknown, or when the rate is 0.
    """
    if expected is None:
        return None
    left = max(0.0, expected - settled)
    if left == 0:
        return 0.0
    return left / settled_rate if settled_rate > 0 else None
