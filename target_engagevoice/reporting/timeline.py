"""Requests against the account's quota, over the time of a run: from a list of requests to curves. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_engagevoice.api.ratelimit.windows import Window
    from target_engagevoice.api.request_journal import Exchange

STEPS = 120
"""The number of steps of a curve."""

ROWS = 12
"""The number of rows in the table with the same numbers."""

ROUNDING = 0.0001
"""Seconds. Without this margin, a thread's next request could appear to begin before its last one ended."""


@dataclass(frozen=True)
class Curve:
    """A number over time: its highest value in each step.

    Attributes:
        name: What is counted.
        limit: The value that it must not exceed.
        steps: The highest value in each of `STEPS` equal parts of the run.
    """

    name: str
    limit: int
    steps: tuple[int, ...]

    @property
    def most(self) -> int:
        """The highest value."""
        return max(self.steps, default=0)


@dataclass(frozen=True)
class Stretch:
    """A row of the table: a part of the run.

    Attributes:
        start: Seconds since the run began; `end` likewise.
        most: The highest value of each curve in it.
    """

    start: float
    end: float
    requests: int
    throttled: int
    retries: int
    most: tuple[int, ...]


@dataclass(frozen=True)
class Timeline:
    """The curves and the table.

    Attributes:
        seconds: From the start of the run to its last answer or its end, whichever is later.
        throttled: The number of 429 answers in each step.
    """

    seconds: float
    curves: tuple[Curve, ...]
    throttled: tuple[int, ...]
    stretches: tuple[Stretch, ...]


class _Sent:
    """The requests of the run, with their times in seconds since it began."""

    def __init__(self, loads: Sequence[Exchange], started: datetime, seconds: float) -> None:
        placed = [((datetime.fromisoformat(load.time) - started).total_seconds(), load) for load in loads]
        placed.sort(key=lambda pair: pair[0])
        self.loads = [load for _, load in placed]
        self.starts = [max(0.0, start) for start, _ in placed]
        self.ends = sorted(
            start + max(0.0, load.seconds - ROUNDING) for start, load in zip(self.starts, self.loads, strict=True)
        )
        self.seconds = max([seconds, *self.starts[-1:], *self.ends[-1:]]) or 1.0

    def in_window(self, length: float, moment: float) -> int:
        """The number of requests sent in the `length` seconds up to a moment."""
        return bisect_right(self.starts, moment) - bisect_right(self.starts, moment - length)

    def in_flight(self, moment: float) -> int:
        """The number of requests without an answer at a moment."""
        return bisect_right(self.starts, moment) - bisect_left(self.ends, moment)

    def steps(self, value: Callable[[float], int]) -> tuple[int, ...]:
        """The highest value of a number in each step; it can rise only when a request is sent."""
        most = [value(self.seconds * step / STEPS) for step in range(STEPS)]
        for start in self.starts:
            step = self.step(start)
            most[step] = max(most[step], value(start))
        return tuple(most)

    def step(self, moment: float) -> int:
        """The step that a moment is in."""
        return min(STEPS - 1, int(moment / self.seconds * STEPS))


def timeline(
    loads: Sequence[Exchange], started: datetime, seconds: float, windows: Sequence[Window], max_in_flight: int
) -> Timeline:
    """The requests of a run against its windows.

    Args:
        loads: The requests to the loader.
        started: When the run began.
        seconds: How long it took.
        windows: The windows of `rate_limits`.
        max_in_flight: The setting.
    """
    sent = _Sent(loads, started, seconds)
    curves = tuple(
        Curve(
            f"requests in the last {window.seconds:g} s",
            window.requests,
            sent.steps(partial(sent.in_window, window.seconds)),
        )
        for window in windows
    )
    curves += (Curve("requests in flight", max_in_flight, sent.steps(sent.in_flight)),)
    by_step: list[list[Exchange]] = [[] for _ in range(STEPS)]
    for start, load in zip(sent.starts, sent.loads, strict=True):
        by_step[sent.step(start)].append(load)
    return Timeline(
        sent.seconds,
        curves,
        tuple(sum(load.throttled for load in step) for step in by_step),
        tuple(_stretch(sent.seconds, row, by_step, curves) for row in range(ROWS)),
    )


def _stretch(seconds: float, row: int, by_step: Sequence[Sequence[Exchange]], curves: Sequence[Curve]) -> Stretch:
    steps = slice(row * STEPS // ROWS, (row + 1) * STEPS // ROWS)
    within = [load for step in by_step[steps] for load in step]
    return Stretch(
        start=seconds * row / ROWS,
        end=seconds * (row + 1) / ROWS,
        requests=len(within),
        throttled=sum(load.throttled for load in within),
        retries=sum(load.retry for load in within),
        most=tuple(max(curve.steps[steps]) for curve in curves),
    )
