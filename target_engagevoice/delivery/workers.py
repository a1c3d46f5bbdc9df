"""The threads that send, and the queue of batches before them."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.halt import Halt

B = TypeVar("B")
"""A kind of batch."""


class WorkerPool(Generic[B]):
    """Sees batches of one kind of work through, several at a time. Its threads are started with the first batch.

    Its lock is that of the `Delivery` that owns it, and held by whoever calls it: whether a lead waits, is queued, is
    on its way or is done must be one truth.

    Args:
        name: Of its threads.
        work: Sees one batch through, and gives back the leads of it that are to be compared with the ledger again;
            runs on a sending thread, without the lock.
        done: Told of each batch that came back, and of those leads, with the lock held, whatever became of it.
        number: Batches on their way at the same time.
        moved: Of that lock; told when a batch leaves the queue or comes back.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        name: str,
        work: Callable[[B], Collection[BufferedLead]],
        done: Callable[[B, Collection[BufferedLead]], None],
        *,
        number: int,
        lock: threading.RLock,
        moved: threading.Condition,
        halt: Halt,
    ) -> None:
        self._name = name
        self._work = work
        self._done = done
        self._halt = halt
        self._lock = lock
        self._queued = threading.Condition(lock)
        self._moved = moved
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
            self._threads = [threading.Thread(target=self._send, name=name, daemon=True) for name in names]
            for thread in self._threads:
                thread.start()
        self._queue.extend(batches)
        self._queued.notify(len(batches))

    def stop(self) -> None:
        """Tell the threads to end, without the lock; batches that wait are not sent."""
        with self._lock:
            self._closing = True
            self._queue.clear()
            self._queued.notify_all()

    def join(self, end: float) -> None:
        """Wait for batches on their way, until a moment in monotonic seconds of the machine, without the lock."""
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _send(self) -> None:
        while True:
            with self._lock:
                while not self._queue and not self._closing:
                    self._queued.wait()
                if self._closing:
                    return
                batch = self._queue.popleft()
                self._under_way += 1
                self._moved.notify_all()
            again: Collection[BufferedLead] = ()
            try:
                self._halt.check()
                again = self._work(batch)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the run must hear of it
                self._halt.set_for(error)
            finally:
                with self._lock:
                    self._under_way -= 1
                    self._done(batch, again)
                    self._moved.notify_all()
