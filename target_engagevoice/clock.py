"""The clock that everything asks, so that tests can pass one of their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Time as this package sees it."""

    def time(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    monotonic = staticmethod(time.monotonic)  # itself: it is asked for every record

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
