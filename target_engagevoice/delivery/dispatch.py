"""From a buffer to the threads that handle its batches, and back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from target_engagevoice.delivery.batch import Batch, MoveBatch, RetireBatch
from target_engagevoice.delivery.workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from target_engagevoice.delivery.buffer import AnyBuffer, BufferedLead, BufferLimits
    from target_engagevoice.delivery.drain import Drainer
    from target_engagevoice.halt import Halt

CHANGES_IN_FLIGHT = 4
"""Threads that change leads: at a second a request, so many use the limit of 150 a minute (reference, section 5)."""

RETIREMENTS_IN_FLIGHT = 2

Again: TypeAlias = "Collection[BufferedLead]"
"""Leads that are to be compared with the ledger once more."""


@dataclass(frozen=True)
class BatchHandlers:
    """What is done with batches, each on a thread of its kind; returns leads to be compared once more."""

    load: Callable[[Batch], Again]
    change: Callable[[Batch], Again]
    retire: Callable[[RetireBatch | MoveBatch], Again]


class Dispatcher:
    """Drains buffers into the queues of three worker pools. Every method but `close` is called with the backlog's lock.

    Args:
        handlers: Bring batches to their outcomes.
        drainer: Decides what is to be done for each lead.
        limits: Of a request.
        threads: Loads on their way at the same time.
        halt: Stops the run.
    """

    def __init__(
        self, *, handlers: BatchHandlers, drainer: Drainer, limits: BufferLimits, threads: int, halt: Halt
    ) -> None:
        self._drainer = drainer
        self._limits = limits
        backlog = self._backlog = drainer.backlog
        self._loads = WorkerPool[Batch](
            "sender", handlers.load, self._loaded, number=threads, backlog=backlog, halt=halt
        )
        self._changes = WorkerPool[Batch](
            "changer", handlers.change, self._changed, number=CHANGES_IN_FLIGHT, backlog=backlog, halt=halt
        )
        self._retirements = WorkerPool[RetireBatch | MoveBatch](
            "retirer", handlers.retire, self._retired, number=RETIREMENTS_IN_FLIGHT, backlog=backlog, halt=halt
        )

    @property
    def loads_under_way(self) -> int:
        """Batches being loaded; may be read without the lock, to show the progress."""
        return self._loads.under_way

    @property
    def loads_waiting(self) -> int:
        """Loads in the queue."""
        return self._loads.waiting

    @property
    def is_full(self) -> bool:
        """Whether as many loads are queued as can be on their way."""
        return self._loads.waiting >= self._loads.number

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or on its way."""
        return self._loads.idle and self._changes.idle and self._retirements.idle

    def enqueue(self, buffer: AnyBuffer, *, everything: bool) -> None:
        """Compare with the ledger, cut, queue."""
        drained = self._drainer.drain(buffer, self._limits, everything=everything)
        self._backlog.begin_changes(drained.changes)
        self._loads.put(drained.loads)
        self._changes.put(drained.changes)
        self._retirements.put(drained.retirements)

    def enqueue_all(self) -> None:
        """Queue everything in the buffers, and the later versions that come in for what needs no request."""
        again = True
        while again:
            for buffer in self._backlog.buffers:
                if len(buffer):
                    self.enqueue(buffer, everything=True)
            again = any(buffer.incoming for buffer in self._backlog.buffers)

    def close(self, wait_seconds: float) -> None:
        """Stop the threads. Requests under way have so long to finish; batches in the queue are not sent."""
        pools: tuple[WorkerPool[Any], ...] = (self._loads, self._changes, self._retirements)
        for pool in pools:
            pool.stop()
        end = time.monotonic() + wait_seconds  # threads end in real time, whatever clock the run uses
        for pool in pools:
            pool.join(end)

    def _loaded(self, batch: Batch | MoveBatch, again: Again) -> None:
        """A load is done, or has failed."""
        buffer = self._backlog.buffer_of(batch.stream, batch.campaign)
        for lead in again:
            buffer.put(lead)
        self._backlog.leave(buffer, _without(batch.leads, again) if again else batch.leads)

    def _changed(self, batch: Batch, again: Again) -> None:
        """Changes are done, or have failed; leads to be loaded after all go back into their buffer."""
        self._backlog.end_changes(batch)
        self._loaded(batch, again)

    def _retired(self, batch: RetireBatch | MoveBatch, again: Again) -> None:
        """Retirements are done, or have failed; leads that left another campaign go back into the buffer of theirs."""
        if isinstance(batch, MoveBatch):
            self._loaded(batch, again)
        else:
            self._backlog.leave(self._backlog.retirement_buffer(batch.stream), batch.retirements)


def _without(leads: Collection[BufferedLead], others: Again) -> list[BufferedLead]:
    gone = {each.lead.extern_id for each in others}
    return [each for each in leads if each.lead.extern_id not in gone]
