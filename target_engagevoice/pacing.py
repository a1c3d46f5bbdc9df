"""When the next request may go: sliding windows, back-off, Retry-After. The clock is an argument."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

import backoff

from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

JITTER_MARGIN_SECONDS = 0.25
"""The server counts a request when it arrives, we when it leaves: a window is kept this much longer than
asked, so that a slow request followed by a fast one does not make thirty-one in ten seconds over there."""

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0

LONGEST_RETRY_AFTER_SECONDS = 86_400.0
"""More counts as this much: no run waits that long, and a number without bounds would break `time.sleep`."""


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

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


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


class Pace:
    """Lets requests through no faster than all its windows allow.

    Any thread may call it; its own lock guards the times of past requests. Waiting happens outside the lock.
    """

    def __init__(self, windows: Iterable[Window], clock: Clock) -> None:
        self._clock = clock
        self._windows = [(window, deque[float](maxlen=window.requests)) for window in windows]
        self._not_before = 0.0
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next free place; the seconds to wait until it comes."""
        at, now = self._take()
        return at - now

    def wait(self, sleep: Callable[[float], None] | None = None) -> None:
        """Take the next free place and wait for it.

        A pause that begins meanwhile holds for those who wait as well: a place inside it is given up for a
        new one after it, so that they do not all go at once when it ends.

        Args:
            sleep: Waits, such as one that can be broken off; the clock's own when None.
        """
        sleep = sleep or self._clock.sleep
        waiting = True
        while waiting:
            at, now = self._take()
            if at > now:
                sleep(at - now)
            with self._lock:
                waiting = at < self._not_before

    def _take(self) -> tuple[float, float]:
        """The time of the next free place, now taken, and the present."""
        with self._lock:
            now = self._clock.monotonic()
            at = max(now, self._not_before)
            for window, sent in self._windows:
                if len(sent) == window.requests:
                    at = max(at, sent[0] + window.seconds + JITTER_MARGIN_SECONDS)
            for _, sent in self._windows:
                sent.append(at)
            return at, now

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: the server said 429."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock.monotonic() + seconds)


def waits() -> Generator[float, None, None]:
    """Seconds to wait before each further try: exponential with full jitter (`backoff`), without end."""
    steps = backoff.expo(factor=FIRST_WAIT_SECONDS, max_value=LONGEST_WAIT_SECONDS)
    next(steps)
    for step in steps:
        yield backoff.full_jitter(step)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from a `Retry-After` header in seconds or as an HTTP date (RFC 9110, section 10.2.3).

    Args:
        value: The header, or None.
        now: Epoch seconds, for a date.

    Returns:
        Seconds from 0 to a day; None where there is nothing that can be read.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    seconds = (when - datetime.fromtimestamp(now, tz=timezone.utc)).total_seconds()
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER_SECONDS)
