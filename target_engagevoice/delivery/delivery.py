"""From a mapped lead to a batch on its way: buffers, and when they are drained.

One lock guards every buffer, lane and queue here. Reading a record, a buffer growing old, and a batch coming back all
take it, briefly; no request is sent and nothing is waited for while it is held, save a look into the ledger, and in a
dry run at the server.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from target_engagevoice.delivery.buffer import (
    MOST_ROOM_OF_CHANGES,
    ROOM_OF_A_LEAD,
    Batch,
    BufferedLead,
    BufferedRetirement,
    BufferLimits,
    LeadBuffer,
    MoveBatch,
    RetireBatch,
    RetirementBuffer,
    VersionQueue,
)
from target_engagevoice.delivery.workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from target_engagevoice.clock import Clock
    from target_engagevoice.delivery.buffer import AnyBuffer, Buffered
    from target_engagevoice.delivery.drain import Drainer
    from target_engagevoice.halt import Halt
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.outcomes import ReadRecord

TICK_SECONDS = 0.25
"""How often buffers are looked at for their age, and a waiting reader for a reason to stop."""

IN_HAND = 40
"""So many leads are put into their buffers together: the lock, the clock and the limits are asked once for all."""

CHANGES_IN_FLIGHT = 4
"""Threads that change leads: at a second a request, so many use the limit of 150 a minute (reference, section 5)."""

RETIREMENTS_IN_FLIGHT = 2

Again: TypeAlias = "Collection[BufferedLead]"


@dataclass(frozen=True)
class BatchHandlers:
    """What is done with batches, each on a thread of its kind; gives back leads to be compared once more."""

    load: Callable[[Batch], Again]
    change: Callable[[Batch], Again]
    retire: Callable[[RetireBatch | MoveBatch], Again]


class Delivery:
    """Takes leads in and sees them out.

    Args:
        handlers: What brings batches to their outcomes.
        drainer: Decides what is to be done for each lead.
        threads: Loads on their way at the same time.
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
        self._lock = threading.RLock()
        self._buffers: dict[tuple[str, str], LeadBuffer] = {}  # by stream and campaign id
        self._retirement_buffers: dict[str, RetirementBuffer] = {}  # by stream
        self._in_hand: list[tuple[LeadBuffer, ReadRecord, Lead]] = []  # the reading thread's own
        self._lane = VersionQueue(moves=drainer.moves)
        self._room = 0  # bytes taken up by the leads that have no outcome yet, but for those to be changed
        self._room_of_changes = 0
        self._moved = threading.Condition(self._lock)
        shared: dict[str, Any] = {"lock": self._lock, "moved": self._moved, "halt": halt}
        self._loads = WorkerPool[Batch]("sender", handlers.load, self._came_back, number=threads, **shared)
        self._changes = WorkerPool[Batch]("changer", handlers.change, self._changed, number=CHANGES_IN_FLIGHT, **shared)
        self._retirements = WorkerPool[RetireBatch | MoveBatch](
            "retirer", handlers.retire, self._retired, number=RETIREMENTS_IN_FLIGHT, **shared
        )
        drainer.settled = self._leave
        self._closing = threading.Event()
        self._age = threading.Thread(target=self._drain_the_old, name="age", daemon=True)
        self._age.start()

    @property
    def under_way(self) -> int:
        """Batches being loaded; for whoever looks on, who takes no lock."""
        return self._loads.under_way

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> LeadBuffer:
        """The buffer of a stream and campaign; the list options of the first call hold until the next one."""
        with self._lock:
            key = (stream, campaign.campaign_id)
            buffer = self._buffers.get(key)
            if buffer is None:
                buffer = self._buffers[key] = LeadBuffer(
                    stream=stream, lane=self._lane, campaign=campaign, options=options
                )
            buffer.options = options
            return buffer

    def take(self, buffer: LeadBuffer, record: ReadRecord, lead: Lead) -> None:
        """Take a lead in hand; `hand_over` must come before the reading thread waits for anything.

        Raises:
            EngageVoiceError: The run stopped.
        """
        in_hand = self._in_hand
        in_hand.append((buffer, record, lead))
        if len(in_hand) >= IN_HAND:
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
        now, enter = self._now(), self._lane.enter
        with self._lock:
            for buffer, record, lead in in_hand:
                size, extern_id = len(lead.body), lead.extern_id
                room = len(record.source) + size + ROOM_OF_A_LEAD
                self._room += room
                enter(buffer, BufferedLead(record, lead, now, room), extern_id, size + 1)
                if self._drainer.unclear:
                    self._drainer.clear_up(extern_id)
                if buffer.is_full(self._limits):
                    self._drain(buffer)
            self._wait_for_room()

    def retire(self, record: ReadRecord, flagged: FlaggedRecord) -> None:
        """Take in a record whose leads are to be retired, or whose phones are to be listed.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self.hand_over()  # the leads read before it come first
        self._halt.check()
        retirement = BufferedRetirement.of(record, flagged, self._now())
        with self._lock:
            buffer = self._retirement_buffers.get(record.stream)
            if buffer is None:
                buffer = RetirementBuffer(stream=record.stream, lane=self._lane)
                self._retirement_buffers[record.stream] = buffer
            self._room += retirement.room
            self._lane.enter(buffer, retirement, retirement.extern_id, retirement.size)
            if self._drainer.unclear:
                self._drainer.clear_up(retirement.extern_id)
            if buffer.is_full(self._limits):
                self._drain(buffer)
            self._wait_for_room()

    def finish(self) -> None:
        """Nothing more is read: send everything and wait until it is out.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self.hand_over()
        with self._lock:
            self._catch_up()
            while self._drainer.unclear:
                self._drainer.take_as_new()
                self._catch_up()

    def catch_up(self) -> None:
        """Send everything that was read and wait until it is out, but for what only what is read next can tell.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self.hand_over()
        with self._lock:
            self._catch_up()
            self._drainer.see(self._lane.held())

    def close(self, wait_seconds: float) -> None:
        """Stop the threads. Requests under way may finish, for so long; batches in the queue are not sent."""
        self._closing.set()
        everyone: tuple[WorkerPool[Any], ...] = (self._loads, self._changes, self._retirements)
        for senders in everyone:
            senders.stop()
        end = time.monotonic() + wait_seconds  # threads end in real time, whatever clock the run goes by
        for senders in everyone:
            senders.join(end)
        self._age.join(TICK_SECONDS)

    # The rest is done with the lock held

    @property
    def _all_buffers(self) -> list[AnyBuffer]:
        return [*self._buffers.values(), *self._retirement_buffers.values()]

    def _wait_for_room(self) -> None:
        """Wait while the leads without an outcome take up too many bytes."""
        if self._room > self._limits.room:
            self._make_room()
        if self._room_of_changes > MOST_ROOM_OF_CHANGES:
            self._wait_for_changes()

    def _catch_up(self) -> None:
        while True:
            self._halt.check()
            self._enqueue_all(self._all_buffers)
            if self._idle and not any(map(len, self._all_buffers)):
                return
            self._moved.wait(TICK_SECONDS)

    @property
    def _idle(self) -> bool:
        return self._loads.idle and self._changes.idle and self._retirements.idle

    def _drain(self, buffer: AnyBuffer) -> None:
        """Queue what fills a request; wait while enough is queued already."""
        self._enqueue(buffer, everything=False)
        while (crowded := buffer.waiting >= self._limits.rows) or self._loads.waiting >= self._loads.number:
            self._halt.check()
            if crowded:
                self._enqueue_all(self._all_buffers)
                if self._idle:
                    break  # they wait for unclear leads, and what is read next will tell of those
            if buffer.waiting >= self._limits.rows or self._loads.waiting >= self._loads.number:
                self._moved.wait(TICK_SECONDS)
        self._halt.check()

    def _make_room(self) -> None:
        """Many buffers grow and none gets full: queue the fullest, as late as possible, since it still grows."""
        while self._room > self._limits.room:
            self._halt.check()
            fullest = max(self._all_buffers, key=attrgetter("size"))
            if fullest.size and not self._loads.waiting:
                self._enqueue(fullest, everything=True)
            elif not fullest.size and self._idle:
                break  # all of them are unclear, and what is read next will tell
            else:
                self._moved.wait(TICK_SECONDS)

    def _wait_for_changes(self) -> None:
        while self._room_of_changes > MOST_ROOM_OF_CHANGES:
            self._halt.check()
            self._moved.wait(TICK_SECONDS)

    def _enqueue(self, buffer: AnyBuffer, *, everything: bool) -> None:
        """Compare with the ledger, cut, queue."""
        drain = self._drainer.drain(buffer, self._limits, everything=everything)
        changing = sum([lead.room for batch in drain.changes for lead in batch.leads])
        self._room -= changing
        self._room_of_changes += changing
        self._loads.put(drain.loads)
        self._changes.put(drain.changes)
        self._retirements.put(drain.retirements)

    def _came_back(self, batch: Batch | MoveBatch, again: Again) -> None:
        """A load is done, or the run is."""
        buffer = self._buffers[batch.stream, batch.campaign.campaign_id]
        leads: Collection[BufferedLead] = batch.leads
        if again:
            leads = _without(leads, again)
            for lead in again:
                buffer.put(lead)
        self._leave(buffer, leads)

    def _changed(self, batch: Batch, again: Again) -> None:
        """Changes are done; what is to be loaded after all counts among the loads again."""
        room = sum([lead.room for lead in batch.leads])
        self._room_of_changes -= room
        self._room += room
        self._came_back(batch, again)

    def _retired(self, batch: RetireBatch | MoveBatch, again: Again) -> None:
        """Retirements are done: leads that were only to leave another campaign get on in their own."""
        if isinstance(batch, MoveBatch):
            self._came_back(batch, again)
        else:
            self._leave(self._retirement_buffers[batch.stream], batch.retirements)

    def _leave(self, buffer: AnyBuffer, leads: Collection[Buffered]) -> None:
        """Leads have their outcomes."""
        self._room -= sum([buffered.room for buffered in leads])
        self._lane.leave(buffer, [buffered.extern_id for buffered in leads])
        self._moved.notify_all()

    def _enqueue_all(self, buffers: Collection[AnyBuffer]) -> None:
        """Queue everything in these buffers, and what that lets in, so that leads that wait for others get on."""
        again = True
        while again:
            for buffer in list(buffers):
                if len(buffer):
                    self._enqueue(buffer, everything=True)
            again = any(buffer.incoming for buffer in buffers)

    def _drain_the_old(self) -> None:
        try:
            while not self._closing.wait(TICK_SECONDS):
                with self._lock:
                    self._enqueue_the_old()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the run must hear of it
            self._halt.set_for(error)

    def _enqueue_the_old(self) -> None:
        """Queue the buffers whose time has come, the oldest first; those that the queue has no place for still grow.

        What is to be retired needs no place among the loads, and must not wait for one: somebody may not be called.
        """
        due = self._now() - self._limits.age
        old = [
            (oldest, place, buffer)
            for place, buffer in enumerate(self._all_buffers)
            if (oldest := buffer.oldest()) is not None and oldest <= due
        ]
        for _, _, buffer in sorted(old):
            if self._halt.error is not None:
                return
            if isinstance(buffer, RetirementBuffer) or self._loads.waiting < self._loads.number:
                self._enqueue(buffer, everything=True)


def _without(leads: Collection[BufferedLead], others: Again) -> list[BufferedLead]:
    gone = {each.lead.extern_id for each in others}
    return [each for each in leads if each.lead.extern_id not in gone]
