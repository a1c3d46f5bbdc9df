"""From a mapped lead to a batch on its way: buffers, and when they are drained.

One lock guards every buffer, lane and queue here. Reading a record, a buffer growing old, and a batch coming back all
take it, briefly; no request is sent and nothing is waited for while it is held, save a look into the ledger.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from target_engagevoice.buffers import Batch, Buffer, BufferedLead, BufferLimits, Lane
from target_engagevoice.client import load_body
from target_engagevoice.leads import Outcome
from target_engagevoice.senders import Senders

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from target_engagevoice.campaigns import Campaign
    from target_engagevoice.dedupe import Dedupe
    from target_engagevoice.halt import Halt
    from target_engagevoice.leads import Lead
    from target_engagevoice.lists import ListOptions
    from target_engagevoice.outcomes import Outcomes, ReadRecord
    from target_engagevoice.pacing import Clock

TICK_SECONDS = 0.25
"""How often buffers are looked at for their age, and a waiting reader for a reason to stop."""


@dataclass(frozen=True, eq=False)
class Unclear:
    """A lead that may only be read again, see `dedupe.Division`; it waits in no buffer, and its lane waits for it."""

    buffer: Buffer
    lead: BufferedLead
    later: frozenset[str]


class Delivery:
    """Takes leads in and sees them out.

    Args:
        load: Brings one batch to its outcomes; runs on a sending thread.
        threads: Batches on their way at the same time.
        dedupe: Says which leads their campaign has already.
        dry_run: Nothing is sent; what would be is counted as skipped.
    """

    def __init__(  # noqa: PLR0913 - the composition root passes parts, not a bag of them
        self,
        *,
        load: Callable[[Batch], None],
        dedupe: Dedupe,
        outcomes: Outcomes,
        limits: BufferLimits,
        threads: int,
        dry_run: bool,
        clock: Clock,
        halt: Halt,
    ) -> None:
        self._dedupe = dedupe
        self._outcomes = outcomes
        self._limits = limits
        self._dry_run = dry_run
        self._now = clock.monotonic
        self._halt = halt
        self._lock = threading.RLock()
        self._buffers: dict[tuple[str, str], Buffer] = {}
        self._lanes: dict[str, Lane] = {}
        self._unclear: dict[tuple[str, str], Unclear] = {}
        self._room = 0  # bytes taken up by the leads that have no outcome yet
        self._senders = Senders(load, self._came_back, number=threads, lock=self._lock, halt=halt)
        self._closing = threading.Event()
        self._age = threading.Thread(target=self._drain_the_old, name="age", daemon=True)
        self._age.start()

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> Buffer:
        """The buffer of a stream and campaign; the list options of the first call hold until the next one."""
        with self._lock:
            key = (stream, campaign.campaign_id)
            buffer = self._buffers.get(key)
            if buffer is None:
                lane = self._lanes.setdefault(campaign.campaign_id, Lane())
                buffer = self._buffers[key] = Buffer(stream, campaign, options, lane)
            buffer.options = options
            return buffer

    def add(self, buffer: Buffer, record: ReadRecord, lead: Lead) -> None:
        """Put a lead into its buffer, and drain what is full then.

        Waits while enough is on its way already, so that memory stays bounded.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self._halt.check()
        buffered = BufferedLead.of(record, lead, self._now())
        with self._lock:
            self._room += buffered.room
            buffer.lane.enter(buffer, buffered)
            if self._unclear:
                self._clear_up((buffer.campaign.campaign_id, lead.extern_id))
            if buffer.is_full(self._limits):
                self._drain(buffer)
            if self._room > self._limits.room:
                self._make_room()

    def finish(self) -> None:
        """Send everything and wait until it is out.

        Raises:
            EngageVoiceError: The run stopped.
        """
        with self._lock:
            while True:
                self._halt.check()
                self._enqueue_all(self._buffers.values())
                if self._senders.idle and not any(map(len, self._buffers.values())):
                    if not self._unclear:
                        return
                    self._send_unclear()
                    continue
                self._senders.wait(TICK_SECONDS)

    def close(self, wait_seconds: float) -> None:
        """Stop the threads. Requests under way may finish, for so long; batches in the queue are not sent."""
        self._closing.set()
        self._senders.close(wait_seconds)
        self._age.join(TICK_SECONDS)

    # The rest is done with the lock held

    def _drain(self, buffer: Buffer) -> None:
        """Queue what fills a request; wait while enough is queued already."""
        self._enqueue(buffer, everything=False)
        while (crowded := buffer.lane.waiting >= self._limits.rows) or self._senders.waiting >= self._senders.number:
            self._halt.check()
            if crowded:
                self._enqueue_all([each for each in self._buffers.values() if each.lane is buffer.lane])
                if self._senders.idle:
                    break  # they wait for unclear leads, and what is read next will tell of those
            if buffer.lane.waiting >= self._limits.rows or self._senders.waiting >= self._senders.number:
                self._senders.wait(TICK_SECONDS)
        self._halt.check()

    def _make_room(self) -> None:
        """Many buffers grow and none gets full: queue the fullest, as late as possible, since it still grows."""
        while self._room > self._limits.room:
            self._halt.check()
            fullest = max(self._buffers.values(), key=attrgetter("size"))
            if fullest.size and not self._senders.waiting:
                self._enqueue(fullest, everything=True)
            elif not fullest.size and self._senders.idle:
                break  # all of them are unclear, and what is read next will tell
            else:
                self._senders.wait(TICK_SECONDS)

    def _enqueue(self, buffer: Buffer, *, everything: bool) -> None:
        """Compare with the ledger, cut, queue."""
        self._compare(buffer)
        names = _WIDEST_NAMES | {"stream": buffer.stream, "campaign": buffer.campaign.name}
        overhead = len(load_body(buffer.options.envelope(names), ()))
        batches = buffer.cut(self._limits, overhead, everything=everything)
        if self._dry_run:
            for batch in batches:
                self._settle(buffer, batch.leads, Outcome.SKIPPED)
        elif batches:
            self._senders.put(batches)

    def _compare(self, buffer: Buffer) -> None:
        """Let out what the campaign has; that may let a later version in, which is compared as well."""
        while incoming := buffer.take_incoming():
            campaign_id = buffer.campaign.campaign_id
            division = self._dedupe.divide(buffer.stream, campaign_id, incoming)
            buffer.put_ready(division.to_send)
            self._settle(buffer, division.there, Outcome.UNCHANGED)
            for buffered, later in division.unclear:
                key = (campaign_id, buffered.lead.extern_id)
                self._unclear[key] = Unclear(buffer, buffered, later)
                self._clear_up(key)

    def _clear_up(self, key: tuple[str, str]) -> None:
        """See whether what was read after an unclear lead tells what it is.

        Args:
            key: Campaign id and `externId`.
        """
        unclear = self._unclear.get(key)
        if unclear is None:
            return
        # Others than the later ones say nothing: a version in between may have been refused when it was first read.
        if not unclear.later.isdisjoint(unclear.buffer.lane.behind(key[1])):
            del self._unclear[key]
            self._settle(unclear.buffer, [unclear.lead], Outcome.UNCHANGED)

    def _send_unclear(self) -> None:
        """Nothing more comes that could tell: the source went back to these versions."""
        for unclear in self._unclear.values():
            unclear.buffer.put_ready([unclear.lead])
        self._unclear.clear()

    def _settle(self, buffer: Buffer, leads: Sequence[BufferedLead], outcome: Outcome) -> None:
        """These need no request: out they go."""
        self._outcomes.settle_all([buffered.record for buffered in leads], buffer.campaign, outcome)
        self._leave(buffer.lane, leads)

    def _came_back(self, batch: Batch) -> None:
        """A batch is done, or the run is."""
        self._leave(self._lanes[batch.campaign.campaign_id], batch.leads)

    def _leave(self, lane: Lane, leads: Sequence[BufferedLead]) -> None:
        self._room -= sum([buffered.room for buffered in leads])
        lane.leave([buffered.lead.extern_id for buffered in leads])

    def _enqueue_all(self, buffers: Collection[Buffer]) -> None:
        """Queue everything in these buffers, and what that lets in, so that leads that wait for others get on."""
        again = True
        while again:
            for buffer in buffers:
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
        """Queue the buffers whose time has come, the oldest first; those that the queue has no place for still grow."""
        due = self._now() - self._limits.age
        old = [
            (oldest, place, buffer)
            for place, buffer in enumerate(self._buffers.values())
            if (oldest := buffer.oldest()) is not None and oldest <= due
        ]
        for _, _, buffer in sorted(old):
            if self._halt.error is not None or self._senders.waiting >= self._senders.number:
                return
            self._enqueue(buffer, everything=True)


_WIDEST_NAMES = dict.fromkeys(("stream", "campaign", "run", "started", "date", "batch"), "-" * 64)
