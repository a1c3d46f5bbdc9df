"""The threads that send, and the queue of batches before them."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from target_engagevoice.buffers import Batch
    from target_engagevoice.halt import Halt


class Senders:
    """Loads batches, several at a time.

    Its lock is that of the `Delivery` that owns it, and held by whoever calls it: whether a lead waits, is queued, is
    on its way or is done must be one truth.

    Args:
        load: Brings one batch to its outcomes; runs on a sending thread, without the lock.
        done: Told of each batch that came back, with the lock held, whatever became of it.
        number: Batches on their way at the same time.
    """

    def __init__(
        self,
        load: Callable[[Batch], None],
        done: Callable[[Batch], None],
        *,
        number: int,
        lock: threading.RLock,
        halt: Halt,
    ) -> None:
        self._load = load
        self._done = done
        self._halt = halt
        self._lock = lock
        self._queued = threading.Condition(lock)
        self._moved = threading.Condition(lock)
        self._queue: deque[Batch] = deque()
        self._under_way = 0
        self._closing = False
        self.number = number
        self._threads = [
            threading.Thread(target=self._send, name=f"sender-{count}", daemon=True) for count in range(number)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Batches in the queue."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or on its way."""
        return not self._queue and not self._under_way

    def put(self, batches: Collection[Batch]) -> None:
        """Queue batches."""
        self._queue.extend(batches)
        self._queued.notify(len(batches))

    def wait(self, seconds: float) -> None:
        """Let go of the lock until a batch leaves the queue or comes back, or for so long."""
        self._moved.wait(seconds)

    def close(self, wait_seconds: float) -> None:
        """Stop the threads, without the lock. Batches on their way may finish, for so long; others are not sent."""
        with self._lock:
            self._closing = True
            self._queue.clear()
            self._queued.notify_all()
        end = time.monotonic() + wait_seconds  # threads end in real time, whatever clock the run goes by
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
            try:
                self._halt.check()
                self._load(batch)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the run must hear of it
                self._halt.set_for(error)
            finally:
                with self._lock:
                    self._under_way -= 1
                    self._done(batch)
                    self._moved.notify_all()
