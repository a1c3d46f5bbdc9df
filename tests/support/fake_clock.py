"""A clock that moves only when a test advances it, or when code sleeps on it."""

from __future__ import annotations

import threading

NEW_YEAR_2026 = 1_767_225_600.0


class FakeClock:
    """Time for tests: `sleep` returns at once, having moved the clock.

    Any thread may use it; its lock guards `_now` and `slept`.

    Attributes:
        slept: What was asked of `sleep`, in order.
    """

    def __init__(self, epoch: float = NEW_YEAR_2026) -> None:
        self._epoch = epoch
        self._now = 1000.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def time(self) -> float:
        """Seconds since the epoch."""
        with self._lock:
            return self._epoch + self._now - 1000.0

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; another number than `time`, so that mixing the two shows."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock on."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")  # as time.sleep says it
        with self._lock:
            self._now += seconds
            self.slept.append(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass without a sleep."""
        with self._lock:
            self._now += seconds
