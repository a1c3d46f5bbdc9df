"""Simulated time for threads: one runs at a time, and time passes only while all of them sleep."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING

from tests.support.fake_clock import NEW_YEAR_2026

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class SimulatedClock:
    """A clock on which threads sleep. What they do is the same in every run: the one that wakes first runs alone.

    Only the thread whose turn it is touches the heap.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._errors: list[BaseException] = []

    def time(self) -> float:
        """Seconds since the epoch."""
        return NEW_YEAR_2026 + self._now - 1000.0

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait in simulated time; the others run meanwhile."""
        assert seconds >= 0
        woken = threading.Event()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._numbers), woken))
        self._next()
        woken.wait()

    def run(self, functions: Sequence[Callable[[], None]]) -> float:
        """Run each function on a thread of its own to its end; returns the simulated seconds that took."""
        began = self._now

        def run(function: Callable[[], None], begin: threading.Event) -> None:
            begin.wait()
            try:
                function()
            except BaseException as error:  # noqa: BLE001 - every error must fail the test
                self._errors.append(error)
            self._next()

        for function in functions:
            begin = threading.Event()
            heapq.heappush(self._sleepers, (self._now, next(self._numbers), begin))
            threading.Thread(target=run, args=(function, begin), daemon=True).start()
        self._next()
        self._over.wait()
        if self._errors:
            raise self._errors[0]
        return self._now - began

    def _next(self) -> None:
        if not self._sleepers or self._errors:
            self._over.set()
            return
        self._now, _, woken = heapq.heappop(self._sleepers)
        woken.set()
