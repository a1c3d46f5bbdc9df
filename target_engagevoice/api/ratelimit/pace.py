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
"""A slot is free, but another thread is first in line: after this time a waiting thread looks again."""


@dataclass(frozen=True)
class Slot:
    """A request's slot in the windows.

    Attributes:
        at: The time from which it counts, on the clock of the quota: this process's, or the shared store's.
        taken: The same time on this process's clock.
    """

    at: float
    taken: float


class Quota(Protocol):
    """Counts the slots of an account: those of this process, or of all that share a store. Any thread may call it."""

    def take(self) -> Turn:
        """Take a slot now, if one is free.

        Raises:
            QuotaError: The shared store cannot be reached.
        """

    def move(self, at: float, late: float) -> None:
        """Make the slot that was taken at `at` count from `late` seconds later. Does not raise."""

    def pause(self, seconds: float) -> None:
        """Let no request through for so many seconds."""

    def throttled(self, at: float, seconds: float) -> None:
        """The server answered 429 to the request of the slot taken at `at`, and asked to wait for so many seconds."""

    def in_use(self) -> tuple[InUse, ...]:
        """How much of each window is taken, as far as this process knows without asking a store."""


class OwnQuota:
    """Counts what this process sends. Its lock guards the windows."""

    def __init__(self, windows: SlidingWindows, clock: Clock) -> None:
        self._windows = windows
        self._clock = clock
        self._lock = threading.Lock()

    def take(self) -> Turn:
        """Take a slot now, if one is free."""
        with self._lock:
            return self._windows.take(self._clock.monotonic())

    def move(self, at: float, late: float) -> None:
        """Make the slot that was taken at `at` count from `late` seconds later."""
        with self._lock:
            self._windows.move(at, late)

    def pause(self, seconds: float) -> None:
        """Let no request through for so many seconds."""
        with self._lock:
            self._windows.share = self._windows.share.paused(self._clock.monotonic() + seconds)

    def throttled(self, at: float, seconds: float) -> None:
        """The server answered 429 to the request of the slot taken at `at`, and asked to wait for so many seconds."""
        with self._lock:
            self._windows.throttled(at, self._clock.monotonic() + seconds)

    def in_use(self) -> tuple[InUse, ...]:
        """How much of each window is taken."""
        with self._lock:
            return self._windows.in_use(self._clock.monotonic())


class Pace:
    """Lets requests through no faster than all its windows allow, in the order in which they came.

    Any thread may call it; its lock guards the line of waiting threads. Only the first in line asks for a slot, so
    that one thread per process asks a shared store. Threads wait outside the lock.

    Args:
        quota: Counts the slots; or the windows, which this process then keeps alone.
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
        """How many threads wait for a slot."""
        return len(self._line)

    def in_use(self) -> tuple[InUse, ...]:
        """How much of each window is taken, for the progress display; it asks no shared store."""
        return self._quota.in_use()

    def take(self) -> float:
        """Take a slot now, if one is free.

        Returns:
            0 when it is taken; else seconds until it is worth asking again.
        """
        return self._quota.take().wait

    def wait(self, sleep: Callable[[float], None] | None = None) -> Slot:
        """Wait for a slot and take it.

        Args:
            sleep: Waits so many seconds, such as `Halt.sleep`, which may raise; the clock's own sleep when None.

        Returns:
            The slot, for `mark_sent` and `throttled`.

        Raises:
            QuotaError: The shared store has become unreachable.
        """
        sleep = sleep or self._clock.sleep
        ticket = object()
        with self._lock:
            self._line.append(ticket)
        try:
            while True:
                turn = self._ask(ticket)
                if turn.wait <= 0:
                    return Slot(turn.at, self._clock.monotonic())
                sleep(turn.wait)
        finally:
            with self._lock:
                self._line.remove(ticket)

    def mark_sent(self, slot: Slot) -> Slot:
        """Make a slot count from now, since its request has just been written to the connection.

        Between the two the thread may have waited for the processor, or for a connection to be made.

        Returns:
            The slot as it counts from now on.
        """
        late = self._clock.monotonic() - slot.taken
        self._quota.move(slot.at, late)
        return Slot(slot.at + late, slot.taken + late)

    def pause(self, seconds: float) -> None:
        """Let no request through for so many seconds."""
        self._quota.pause(seconds)

    def throttled(self, slot: Slot, seconds: float) -> None:
        """The server answered 429: let no request through for so many seconds, and fewer than before after that.

        Args:
            slot: That of the request that was refused. Requests that were in flight together count as one refusal.
            seconds: What the server asked for.

        Raises:
            QuotaError: The shared store has become unreachable.
        """
        self._quota.throttled(slot.at, seconds)

    def _ask(self, ticket: object) -> Turn:
        with self._lock:
            now = self._clock.monotonic()
            if self._line[0] is not ticket:
                return Turn(now, max(self._ask_again - now, NUDGE_SECONDS))
            turn = self._quota.take()
            self._ask_again = now + turn.wait
            return turn
