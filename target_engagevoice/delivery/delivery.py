"""From a mapped lead to a batch on its way: when buffers are drained, and how much may be on the way.

The lock of the backlog guards every buffer and queue. The reading thread, the thread that watches the age of buffers,
and the threads whose batches come back take it briefly. While it is held, no lead is sent and nothing is waited for;
only the ledger is read and, in a dry run, the server is searched.
"""

from __future__ import annotations

import threading
from operator import attrgetter
from typing import TYPE_CHECKING

from target_engagevoice.delivery.buffer import (
    LEAD_OVERHEAD_BYTES,
    BufferedLead,
    BufferedRetirement,
    BufferLimits,
    LeadBuffer,
    RetirementBuffer,
)
from target_engagevoice.delivery.dispatch import Dispatcher

if TYPE_CHECKING:
    from target_engagevoice.clock import Clock
    from target_engagevoice.delivery.buffer import AnyBuffer
    from target_engagevoice.delivery.dispatch import BatchHandlers
    from target_engagevoice.delivery.drain import Drainer
    from target_engagevoice.halt import Halt
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.outcomes import ReadRecord

TICK_SECONDS = 0.25
"""How often the age of buffers is checked, and how often a waiting reader checks whether the run stops."""

MAX_CHANGE_BYTES = 24 << 20
"""Memory of leads to be changed: they go one by one, and must leave the others enough memory to fill a request."""

LEADS_IN_HAND = 40
"""So many leads are put into their buffers together: the lock, the clock and the limits are asked once for all."""


class Delivery:
    """Takes leads in, and drains the buffers when they are full or old, or when the input ends.

    Args:
        handlers: Bring batches to their outcomes.
        drainer: Decides what is to be done for each lead.
        limits: When a buffer is drained.
        threads: Loads on their way at the same time.
        clock: Says how old buffers are.
        halt: Stops the run.
    """

    def __init__(
        self,
        *,
        handlers: BatchHandlers,
        drainer: Drainer,
        limits: BufferLimits,
        threads: int,
        clock: Clock,
        halt: Halt,
    ) -> None:
        self._drainer = drainer
        self._limits = limits
        self._now = clock.monotonic
        self._halt = halt
        self._backlog = drainer.backlog
        self._lock = self._backlog.lock
        self._in_hand: list[tuple[LeadBuffer, ReadRecord, Lead]] = []  # owned by the reading thread
        self._dispatcher = Dispatcher(handlers=handlers, drainer=drainer, limits=limits, threads=threads, halt=halt)
        self._closing = threading.Event()
        self._age = threading.Thread(target=self._drain_the_old, name="age", daemon=True)
        self._age.start()

    @property
    def under_way(self) -> int:
        """Batches being loaded; read without the lock, to show the progress."""
        return self._dispatcher.loads_under_way

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> LeadBuffer:
        """The buffer of a stream and campaign; the list options of the first call hold until the next one."""
        with self._lock:
            return self._backlog.lead_buffer(stream, campaign, options)

    def take(self, buffer: LeadBuffer, record: ReadRecord, lead: Lead) -> None:
        """Take a lead in hand; `hand_over` must be called before the reading thread waits for anything.

        Raises:
            EngageVoiceError: The run stopped.
        """
        in_hand = self._in_hand
        in_hand.append((buffer, record, lead))
        if len(in_hand) >= LEADS_IN_HAND:
            self.hand_over()

    def hand_over(self) -> None:
        """Put what is in hand into its buffers, and drain what is full then.

        Waits while enough is on its way already, so that memory stays bounded.

        Raises:
            EngageVoiceError: The run stopped.
        """
        in_hand, self._in_hand = self._in_hand, []
        if not in_hand:
            return
        self._halt.check()
        now, backlog, enter = self._now(), self._backlog, self._backlog.versions.enter
        with self._lock:
            for buffer, record, lead in in_hand:
                size, extern_id = len(lead.body), lead.extern_id
                memory = len(record.source) + size + LEAD_OVERHEAD_BYTES
                backlog.load_bytes += memory
                enter(buffer, BufferedLead(record, lead, now, memory), extern_id, size + 1)
                if self._drainer.ambiguous:
                    self._drainer.resolve(extern_id)
                if buffer.is_full(self._limits):
                    self._drain(buffer)
            self._wait_for_memory()

    def retire(self, record: ReadRecord, flagged: FlaggedRecord) -> None:
        """Put a record into its buffer whose leads are to be retired, or whose phones are to be listed.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self.hand_over()  # the leads read before it come first
        self._halt.check()
        retirement = BufferedRetirement.of(record, flagged, self._now())
        with self._lock:
            buffer = self._backlog.retirement_buffer(record.stream)
            self._backlog.load_bytes += retirement.memory
            self._backlog.versions.enter(buffer, retirement, retirement.extern_id, retirement.size)
            if self._drainer.ambiguous:
                self._drainer.resolve(retirement.extern_id)
            if buffer.is_full(self._limits):
                self._drain(buffer)
            self._wait_for_memory()

    def finish(self) -> None:
        """Nothing more is read: send everything and wait until it has its outcome.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self.hand_over()
        with self._lock:
            self._catch_up()
            while self._drainer.ambiguous:
                self._drainer.resolve_as_new()
                self._catch_up()

    def catch_up(self) -> None:
        """Send everything that was read, and wait until all of it but ambiguous leads has its outcome.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self.hand_over()
        with self._lock:
            self._catch_up()
            self._drainer.note_versions(self._backlog.versions.waiting())

    def close(self, wait_seconds: float) -> None:
        """Stop the threads. Requests under way have so long to finish; batches in the queue are not sent."""
        self._closing.set()
        self._dispatcher.close(wait_seconds)
        self._age.join(TICK_SECONDS)

    # The rest is called with the lock

    def _catch_up(self) -> None:
        while True:
            self._halt.check()
            self._dispatcher.enqueue_all()
            if self._dispatcher.is_idle and not any(map(len, self._backlog.buffers)):
                return
            self._backlog.changed.wait(TICK_SECONDS)

    def _drain(self, buffer: AnyBuffer) -> None:
        """Queue what fills a request; wait while enough is queued already."""
        self._dispatcher.enqueue(buffer, everything=False)
        while (crowded := buffer.waiting >= self._limits.rows) or self._dispatcher.is_full:
            self._halt.check()
            if crowded:
                self._dispatcher.enqueue_all()
                if self._dispatcher.is_idle:
                    break  # they wait for ambiguous leads, which only the next records can decide
            if buffer.waiting >= self._limits.rows or self._dispatcher.is_full:
                self._backlog.changed.wait(TICK_SECONDS)
        self._halt.check()

    def _wait_for_memory(self) -> None:
        """Wait until the leads use no more memory than they may.

        Where many buffers grow and none gets full, the fullest is queued, as late as possible, since it still grows.
        """
        while self._backlog.load_bytes > self._limits.memory:
            self._halt.check()
            fullest = max(self._backlog.buffers, key=attrgetter("size"))
            if fullest.size and not self._dispatcher.loads_waiting:
                self._dispatcher.enqueue(fullest, everything=True)
            elif not fullest.size and self._dispatcher.is_idle:
                break  # all of them are ambiguous, and only the next records can decide
            else:
                self._backlog.changed.wait(TICK_SECONDS)
        while self._backlog.change_bytes > MAX_CHANGE_BYTES:
            self._halt.check()
            self._backlog.changed.wait(TICK_SECONDS)

    def _drain_the_old(self) -> None:
        try:
            while not self._closing.wait(TICK_SECONDS):
                with self._lock:
                    self._enqueue_the_old()
        except BaseException as error:  # noqa: BLE001 - every error must stop the run
            self._halt.set_for(error)

    def _enqueue_the_old(self) -> None:
        """Queue the buffers that are old enough, the oldest first; while the queue of loads is full, they still grow.

        Retirements do not wait for the queue of loads: until they are done, people may be called who must not be.
        """
        due = self._now() - self._limits.age
        old = [
            (oldest, number, buffer)
            for number, buffer in enumerate(self._backlog.buffers)
            if (oldest := buffer.oldest()) is not None and oldest <= due
        ]
        for _, _, buffer in sorted(old):
            if self._halt.error is not None:
                return
            if isinstance(buffer, RetirementBuffer) or not self._dispatcher.is_full:
                self._dispatcher.enqueue(buffer, everything=True)
