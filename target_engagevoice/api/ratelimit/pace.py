"""When the next request may go: threads wait in line for a slot in the windows. The clock is an argument."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from target_engagevoice.api.ratelimit.windows import JITTER_MARGIN_SECONDS, SlidingWindows, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_engagevoice.api.ratelimit.windows import InUse, Window
    from target_engagevoice.clock import Clock

NUDGE_SECONDS = 0.001
"""Whoever is not the first in line when a place comes free looks so much later whether they are now."""


@dataclass(frozen=True)
class Place:
    """A request's place in the windows.

    Attributes:
        at: When it counts from, on the clock of who counts.
        taken: The same on our clock.
    """

    at: float
    taken: float


class Quota(Protocol):
    """Who counts the places of an account: this process, or all that share a store. Any thread may call it."""

    def take(self) -> Turn:
        """Take a place now, if there is one.

        Raises:
            QuotaError: Nobody can be asked.
        """

    def left(self, place: float, late: float) -> None:
        """The request of this place left so many seconds later than it was taken. Does not raise."""

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long."""

    def throttled(self, place: float, seconds: float) -> None:
        """The server said 429 to the request of this place, and to wait for so long."""

    def in_use(self) -> tuple[InUse, ...]:
        """What is taken of each window, as far as is known here without asking anybody."""


class OwnQuota:
    """Counts what this process sends. Its lock guards the windows."""

    def __init__(self, windows: SlidingWindows, clock: Clock) -> None:
        self._windows = windows
        self._clock = clock
        self._lock = threading.Lock()

    def take(self) -> Turn:
        """Take a place now, if there is one."""
        with self._lock:
            return self._windows.take(self._clock.monotonic())

    def left(self, place: float, late: float) -> None:
        """The request of this place left so many seconds later than it was taken."""
        with self._lock:
            self._windows.left(place, late)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long."""
        with self._lock:
            self._windows.share = self._windows.share.paused(self._clock.monotonic() + seconds)

    def throttled(self, place: float, seconds: float) -> None:
        """The server said 429 to the request of this place, and to wait for so long."""
        with self._lock:
            self._windows.throttled(place, self._clock.monotonic() + seconds)

    def in_use(self) -> tuple[InUse, ...]:
        """What is taken of each window."""
        with self._lock:
            return self._windows.in_use(self._clock.monotonic())


class Pace:
    """Lets requests through no faster than all its windows allow, in the order they came.

    Any thread may call it; its own lock guards the line of those who wait. Only the first in line asks for a place, so
    that a shared store is asked by one thread a process. Waiting happens outside the lock.

    Args:
        quota: Who counts; or the windows that this process alone is to keep.
        clock: Time.
    """

    def __init__(self, quota: Quota | Sequence[Window], clock: Clock) -> None:
        self._clock = clock
        if isinstance(quota, Sequence):
            quota = OwnQuota(SlidingWindows(quota, JITTER_MARGIN_SECONDS), clock)
        self._quota = quota
        self._line: deque[object] = deque()
        self._ask_again = 0.0
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._line)

    def in_use(self) -> tuple[InUse, ...]:
        """What is taken of each window, for whoever looks on; it asks no shared store."""
        return self._quota.in_use()

    def take(self) -> float:
        """Take a place now, if there is one.

        Returns:
            0 when it is taken; else seconds until it is worth asking again.
        """
        return self._quota.take().wait

    def wait(self, sleep: Callable[[float], None] | None = None) -> Place:
        """Wait for a place and take it.

        Args:
            sleep: Waits, such as one that can be broken off; the clock's own when None.

        Returns:
            The place, for `left` and `throttled`.

        Raises:
            QuotaError: The shared store can not be reached any more.
        """
        sleep = sleep or self._clock.sleep
        ticket = object()
        with self._lock:
            self._line.append(ticket)
        try:
            while True:
                turn = self._ask(ticket)
                if turn.wait <= 0:
                    return Place(turn.at, self._clock.monotonic())
                sleep(turn.wait)
        finally:
            with self._lock:
                self._line.remove(ticket)

    def left(self, place: Place) -> Place:
        """The request has just left: until now the thread had no turn, or there was a connection to be made.

        Returns:
            The place as it counts from now on.
        """
        late = self._clock.monotonic() - place.taken
        self._quota.left(place.at, late)
        return Place(place.at + late, place.taken + late)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long."""
        self._quota.pause(seconds)

    def throttled(self, place: Place, seconds: float) -> None:
        """The server said 429: let nothing through for so long, and less than before after it.

        Args:
            place: What `wait` gave to the request that was refused. Requests that were in flight together count as one
                refusal.
            seconds: What the server asked for.

        Raises:
            QuotaError: The shared store can not be reached any more.
        """
        self._quota.throttled(place.at, seconds)

    def _ask(self, ticket: object) -> Turn:
        with self._lock:
            now = self._clock.monotonic()
            if self._line[0] is not ticket:
                return Turn(now, max(self._ask_again - now, NUDGE_SECONDS))
            turn = self._quota.take()
            self._ask_again = now + turn.wait
            return turn
