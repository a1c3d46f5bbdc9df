"""Sliding windows: whether one more request fits, and when it will.

Why this is not `pyrate-limiter`: it refuses windows that get denser as they get longer, such as 2 in 1 s with 15 in
5 s, which a user may set; and its limits are fixed, while the share that a run uses changes after every 429.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort_right
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

from target_engagevoice.api.ratelimit.share import WIDEST_MARGIN_SECONDS, Share
from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

JITTER_MARGIN_SECONDS = 0.1
"""A window is kept this much longer than asked. The server counts a request when it arrives, this target when it is
written to the socket: a slow request followed by a fast one could otherwise make thirty-one in ten seconds at the
server.

The margin need not cover the latency, only the difference in latency between two requests. The wait for the processor,
the connection and its handshakes do not count: they come before the request is written (`SlidingWindows.move`).
Each full ten seconds cost the margin once, so a tenth of a second costs 1 % of the quota where a quarter would cost
2.5 %. Simulated with 8 senders at 1 to 3 s a request, 100 batches take 1.046 times the shortest schedule in the
median with 0.1 s, 1.059 times with 0.25 s, and 1.037 times with none. The rest is that the ten last requests do not
fit into eight senders (with ten senders it is 1.009). A margin that proves too small is widened after the first 429
(`SlidingWindows.throttled`)."""

UNITS = 1_000_000
"""Slots are stamped in microseconds."""

LONGEST_NAP_SECONDS = 1.0
"""While the share grows a slot may come free earlier than computed. So a waiting thread asks again after this time."""


@dataclass(frozen=True)
class Window:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `"30/10s"`.

        Raises:
            ConfigError: The text has another form, or a number in it is zero.
        """
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)\s*s\s*", text)
        if not match or int(match[1]) == 0 or float(match[2]) == 0:
            msg = f'rate_limits: {text!r} is not a window; write requests/seconds, such as "30/10s".'
            raise ConfigError(msg)
        return cls(int(match[1]), float(match[2]))

    def __str__(self) -> str:
        """The form that the setting `rate_limits` uses."""
        return f"{self.requests}/{self.seconds:g}s"


@dataclass(frozen=True)
class InUse:
    """How much of a window is taken: how many requests were sent within its last seconds."""

    window: Window
    taken: int


@dataclass(frozen=True)
class Turn:
    """The answer to whether a request may go.

    Attributes:
        at: When it may, on the clock that stamps the slots.
        wait: Seconds until it is worth asking again; 0 when the slot is taken.
    """

    at: float
    wait: float


class SlidingWindows:
    """The slots taken, and what one more needs. The owner lets in one thread at a time.

    A slot is taken now or not at all; none is reserved ahead. A 429 or a pause between the reservation and
    its time would waste it, and the share may grow meanwhile.

    Args:
        windows: What the server allows, in any order.
        margin: Seconds that each window is kept longer.
        stamps: The times of slots already taken, in microseconds, ascending.
        share: How much of the windows is used.
    """

    def __init__(
        self, windows: Iterable[Window], margin: float, stamps: Iterable[int] = (), share: Share | None = None
    ) -> None:
        self._windows = _needed(windows)
        self._margin = margin
        self._stamps = list(stamps)
        self.share = share or Share()

    @property
    def stamps(self) -> list[int]:
        """The times of the slots that still count, in microseconds, ascending."""
        return list(self._stamps)

    def in_use(self, now: float) -> tuple[InUse, ...]:
        """What is taken of each window at this moment, the shortest window first."""
        stamps = self._stamps
        return tuple(
            InUse(each, len(stamps) - bisect_right(stamps, floor((now - each.seconds) * UNITS)))
            for each in self._windows
        )

    def take(self, now: float) -> Turn:
        """Take a slot at this moment, if one is free.

        Args:
            now: Seconds, on a clock that is never behind an earlier call's.
        """
        if now < self.share.not_before:
            return Turn(now, self.share.not_before - now)
        stamps, stamp, share = self._stamps, floor(now * UNITS), self.share.at(now)
        longest = self._windows[-1].seconds + WIDEST_MARGIN_SECONDS
        del stamps[: bisect_right(stamps, stamp - ceil(longest * UNITS))]
        for requests, length in self._limits(share):
            if len(stamps) - bisect_left(stamps, stamp - length) >= requests:
                frees = stamps[-requests] + length + 1  # the window includes its first microsecond
                wait = (frees - stamp + 1) / UNITS  # one more for what `floor` took away
                return Turn(now + wait, min(wait, LONGEST_NAP_SECONDS) if share < 1 else wait)
        stamps.append(stamp)
        return Turn(now, 0.0)

    def move(self, at: float, late: float) -> None:
        """Make a slot count from a later time, because its request was sent later than the slot was taken.

        Args:
            at: `Turn.at` of the slot.
            late: How many seconds later.
        """
        stamps, stamp = self._stamps, floor(at * UNITS)
        found = bisect_left(stamps, stamp)
        if late > 0 and found < len(stamps) and stamps[found] == stamp:
            del stamps[found]
            insort_right(stamps, floor((at + late) * UNITS))

    def throttled(self, at: float, until: float) -> None:
        """Use less for a while: the server answered 429 to the request that took this slot.

        The requests that went through before it show how much of the windows is left for this run. Where this run's
        requests alone would have been too many had some been `WIDEST_MARGIN_SECONDS` late on their way, the margin may
        have been too small. Then it is doubled as well, up to that value, and stays so.

        Args:
            at: `Turn.at` of that slot.
            until: Nothing is sent before this time.
        """
        stamps = self._stamps
        ends = bisect_right(stamps, floor(at * UNITS))

        def made(seconds: float) -> int:
            return ends - bisect_right(stamps, floor((at - seconds) * UNITS))

        used = max((made(each.seconds) - 1) / each.requests for each in self._windows)
        alone = any(made(each.seconds + WIDEST_MARGIN_SECONDS) > each.requests for each in self._windows)
        margin = max(self._margin, self.share.margin)
        self.share = self.share.throttled(
            at,
            until,
            used=min(1.0, used),
            least=1 / self._windows[0].requests,
            margin=min(2 * margin, WIDEST_MARGIN_SECONDS) if alone else 0.0,
        )

    def _limits(self, share: float) -> list[tuple[int, int]]:
        """How many requests this share of each window allows, in how many microseconds; the shortest first.

        A small share may allow the same number in two windows. Then the longer window alone is kept.
        """
        margin = max(self._margin, self.share.margin)
        limits: list[tuple[int, int]] = []
        for each in reversed(self._windows):
            requests = max(1, floor(each.requests * share + 1e-9))
            if not limits or requests < limits[-1][0]:
                limits.append((requests, ceil((each.seconds + margin) * UNITS)))
        return limits[::-1]


def _needed(windows: Iterable[Window]) -> list[Window]:
    """The windows without those that a longer window with no more requests implies; the shortest first."""
    needed: list[Window] = []
    for window in sorted(windows, key=lambda window: (window.seconds, -window.requests), reverse=True):
        if not needed or window.requests < needed[-1].requests:
            needed.append(window)
    return needed[::-1]
