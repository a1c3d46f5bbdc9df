"""The time on the server's clock, from the `Date` headers of its answers.

`loadedDts` of a lead is the server's time. Whether a certain request loaded a lead follows only from the time when that
request began on the server's clock, which may differ from this machine's. Each answer bounds the difference: its
`Date`, cut to whole seconds, was right at some moment between sending and receiving. The bounds of all answers are
intersected.

Example: a request is sent at 100.0 on the monotonic clock, its answer arrives at 100.4 and says 12:00:00. At 100.4 the
server's clock showed 12:00:00.0 or later, and at 100.0 it showed less than 12:00:01.0. So it is between
12:00:00.0 - 100.4 s and 12:00:01.0 - 100.0 s ahead of the monotonic clock.
"""

from __future__ import annotations

import threading

from target_engagevoice.api.dates import parse_http_date

RESOLUTION_SECONDS = 1.0
"""`Date` and, to be safe, `loadedDts` may be cut to whole seconds."""


class ServerClock:
    """Bounds of the server's epoch seconds at a time on this machine's monotonic clock.

    Any thread may call it; its lock guards both bounds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._low: float | None = None
        self._high: float | None = None

    def observe(self, date: str | None, sent: float, received: float) -> None:
        """Learn from an answer.

        Args:
            date: Its `Date` header; one that is missing or unreadable is ignored.
            sent: Monotonic seconds when the request was sent.
            received: Monotonic seconds when the answer was complete.
        """
        stamp = parse_http_date(date)
        if stamp is None:
            return
        low, high = stamp - received, stamp + RESOLUTION_SECONDS - sent
        with self._lock:
            if self._low is None or self._high is None or low > self._high or high < self._low:
                self._low, self._high = low, high
            else:
                self._low, self._high = max(self._low, low), min(self._high, high)

    def earliest(self, moment: float, fallback: float) -> float:
        """The earliest time that the server's clock may show at this monotonic time; `fallback` before any answer."""
        with self._lock:
            return fallback if self._low is None else moment + self._low

    def latest(self, moment: float, fallback: float) -> float:
        """The latest time that the server's clock may show at this monotonic time; `fallback` before any answer."""
        with self._lock:
            return fallback if self._high is None else moment + self._high
