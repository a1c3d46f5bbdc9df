"""The threads that handle batches, and the queue of batches before them."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from target_engagevoice.delivery.backlog import Backlog
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.halt import Halt

B = TypeVar("B")
"""A kind of batch."""


class WorkerPool(Generic[B]):
    """Handles batches of one kind, several at a time. Its threads are started with the first batch.

    The lock of the backlog guards the queue. It is held by the caller of every method but `stop` and `join`: whether a
    lead waits, is queued, is on its way or is done must be one consistent state.

    Args:
        name: Of its threads.
        handle: Brings the leads of a batch to their outcomes, and returns those that are to be compared with the
            ledger again. Runs on a thread of the pool, without the lock.
        done: Receives each batch that came back, and those leads, also when the batch failed. Called with the lock.
        number: Batches on their way at the same time.
        backlog: Its `changed` is notified when a batch leaves the queue or comes back.
        halt: Stops the run when a batch fails.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[B], Collection[BufferedLead]],
        done: Callable[[B, Collection[BufferedLead]], None],
        *,
        number: int,
        backlog: Backlog,
        halt: Halt,
    ) -> None:
        self._name = name
        self._handle = handle
        self._done = done
        self._halt = halt
        self._lock = backlog.lock
        self._queued = threading.Condition(backlog.lock)
        self._changed = backlog.changed
        self._queue: deque[B] = deque()
        self._under_way = 0
        self._closing = False
        self.number = number
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        """Batches in the queue."""
        return len(self._queue)

    @property
    def under_way(self) -> int:
        """Batches that left the queue and are not back."""
        return self._under_way

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or on its way."""
        return not self._queue and not self._under_way

    def put(self, batches: Collection[B]) -> None:
        """Queue batches."""
        if batches and not self._threads and not self._closing:
            names = [f"{self._name}-{count}" for count in range(self.number)]
            self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
            for thread in self._threads:
                thread.start()
        self._queue.extend(batches)
        self._queued.notify(len(batches))

    def stop(self) -> None:
        """Make the threads end; batches that wait are not handled. Called without the lock."""
        with self._lock:
            self._closing = True
            self._queue.clear()
            self._queued.notify_all()

    def join(self, end: float) -> None:
        """Wait for batches on their way, until a moment in the machine's monotonic seconds. Called without the lock."""
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._queue and not self._closing:
                    self._queued.wait()
                if self._closing:
                    return
                batch = self._queue.popleft()
                self._under_way += 1
                self._changed.notify_all()
            again: Collection[BufferedLead] = ()
            try:
                self._halt.check()
                again = self._handle(batch)
            except BaseException as error:  # noqa: BLE001 - every error must stop the run
                self._halt.set_for(error)
            finally:
                with self._lock:
                    self._under_way -= 1
                    self._done(batch, again)
                    self._changed.notify_all()
