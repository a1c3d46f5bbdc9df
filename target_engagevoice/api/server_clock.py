"""What the server's clock says now, from the `Date` headers of its answers.

`loadedDts` of a lead is the server's time. To tell whether a lead was loaded by a certain request, the moment it
began must be known on the server's clock, whatever ours says. Each answer bounds the difference: its `Date`, whole
seconds cut off, was true at some moment between sending and receiving. The bounds of all answers are intersected.
"""

from __future__ import annotations

import threading
from email.utils import parsedate_to_datetime

RESOLUTION_SECONDS = 1.0
"""`Date` and, to be safe, `loadedDts` may be cut to whole seconds."""


class ServerClock:
    """Bounds of the server's epoch seconds at a monotonic moment of ours.

    Any thread may call it; its lock guards both bounds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._low: float | None = None
        self._high: float | None = None

    def observe(self, date: str | None, sent: float, received: float) -> None:
        """Learn from an answer.

        Args:
            date: Its `Date` header; one that is missing or unreadable teaches nothing.
            sent: Monotonic seconds when the request left.
            received: Monotonic seconds when the answer was there.
        """
        if date is None:
            return
        try:
            stamp = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return
        low, high = stamp - received, stamp + RESOLUTION_SECONDS - sent
        with self._lock:
            if self._low is None or self._high is None or low > self._high or high < self._low:
                self._low, self._high = low, high
            else:
                self._low, self._high = max(self._low, low), min(self._high, high)

    def earliest(self, moment: float, fallback: float) -> float:
        """The least the server's clock can show at this monotonic moment; `fallback` before any answer."""
        with self._lock:
            return fallback if self._low is None else moment + self._low

    def latest(self, moment: float, fallback: float) -> float:
        """The most the server's clock can show at this monotonic moment; `fallback` before any answer."""
        with self._lock:
            return fallback if self._high is None else moment + self._high
