"""From a mapped lead to a batch on its way: buffers, drains, and the threads that send.

One condition guards every buffer, lane and queue here. Reading a record, a buffer growing old, and a batch coming
back all take it, briefly; no request is sent and nothing is waited for while it is held, save a look into the
ledger.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.buffers import Batch, Buffer, BufferedLead, BufferLimits, Lane
from target_engagevoice.client import load_body
from target_engagevoice.errors import EngageVoiceError, FatalError
from target_engagevoice.leads import Outcome

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
        self._load = load
        self._dedupe = dedupe
        self._outcomes = outcomes
        self._limits = limits
        self._dry_run = dry_run
        self._clock = clock
        self._halt = halt
        self._changed = threading.Condition()
        self._buffers: dict[tuple[str, str], Buffer] = {}
        self._lanes: dict[str, Lane] = {}
        self._unclear: dict[tuple[str, str], Unclear] = {}
        self._queue: deque[Batch] = deque()
        self._under_way = 0
        self._closing = False
        self._queue_limit = threads
        self._threads = [
            threading.Thread(target=self._send_batches, name=f"sender-{number}", daemon=True)
            for number in range(threads)
        ]
        self._threads.append(threading.Thread(target=self._drain_the_old, name="age", daemon=True))
        for thread in self._threads:
            thread.start()

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> Buffer:
        """The buffer of a stream and campaign; the list options of the first call hold until the next one."""
        with self._changed:
            key = (stream, campaign.campaign_id)
            buffer = self._buffers.get(key)
            if buffer is None:
                lane = self._lanes.setdefault(campaign.campaign_id, Lane())
                buffer = self._buffers[key] = Buffer(stream, campaign, options, lane)
            buffer.options = options
            return buffer

    def add(self, buffer: Buffer, record: ReadRecord, lead: Lead) -> None:
        """Put a lead into its buffer.

        Raises:
            EngageVoiceError: The run stopped.
        """
        self._halt.check()
        with self._changed:
            buffer.lane.enter(buffer, BufferedLead(record, lead, self._clock.monotonic()))
            self._clear_up((buffer.campaign.campaign_id, lead.extern_id))

    def is_full(self, buffer: Buffer) -> bool:
        """Whether rows or bytes say it is time to drain."""
        with self._changed:
            return buffer.is_full(self._limits)

    def drain(self, buffer: Buffer) -> None:
        """Send what fills a request; wait while enough is on its way already, so that memory stays bounded.

        Raises:
            EngageVoiceError: The run stopped.
        """
        with self._changed:
            self._enqueue(buffer, everything=False)
            while (crowded := buffer.lane.waiting >= self._limits.rows) or len(self._queue) >= self._queue_limit:
                self._halt.check()
                if crowded:
                    self._enqueue_all([each for each in self._buffers.values() if each.lane is buffer.lane])
                    if not self._queue and not self._under_way:
                        break  # they wait for unclear leads, and what is read next will tell of those
                if buffer.lane.waiting >= self._limits.rows or len(self._queue) >= self._queue_limit:
                    self._changed.wait(TICK_SECONDS)
        self._halt.check()

    def finish(self) -> None:
        """Send everything and wait until it is out.

        Raises:
            EngageVoiceError: The run stopped.
        """
        with self._changed:
            while True:
                self._halt.check()
                self._enqueue_all(self._buffers.values())
                if not self._queue and not self._under_way and not any(map(len, self._buffers.values())):
                    if not self._unclear:
                        return
                    self._send_unclear()
                    continue
                self._changed.wait(TICK_SECONDS)

    def close(self, wait_seconds: float) -> None:
        """Stop the threads. Requests under way may finish, for so long; batches in the queue are not sent."""
        with self._changed:
            self._closing = True
            self._queue.clear()
            self._changed.notify_all()
        end = time.monotonic() + wait_seconds  # threads end in real time, whatever clock the run goes by
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _enqueue(self, buffer: Buffer, *, everything: bool) -> None:
        """Compare with the ledger, cut, queue. The condition is held."""
        self._compare(buffer)
        names = _WIDEST_NAMES | {"stream": buffer.stream, "campaign": buffer.campaign.name}
        overhead = len(load_body(buffer.options.envelope(names), ()))
        batches = buffer.cut(self._limits, overhead, everything=everything)
        if self._dry_run:
            for batch in batches:
                self._settle(buffer, batch.leads, Outcome.SKIPPED)
        elif batches:
            self._queue.extend(batches)
            self._changed.notify_all()

    def _compare(self, buffer: Buffer) -> None:
        """Let out what the campaign has; that may let a later version in, which is compared as well."""
        while incoming := buffer.take_incoming():
            campaign_id = buffer.campaign.campaign_id
            division = self._dedupe.divide(buffer.stream, campaign_id, incoming)
            for buffered in division.to_send:
                buffer.put_ready(buffered)
            self._settle(buffer, division.there, Outcome.UNCHANGED)
            for buffered, later in division.unclear:
                key = (campaign_id, buffered.lead.extern_id)
                self._unclear[key] = Unclear(buffer, buffered, later)
                self._clear_up(key)

    def _clear_up(self, key: tuple[str, str]) -> None:
        """See whether what was read after an unclear lead tells what it is. The condition is held.

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
        """Nothing more comes that could tell: the source went back to these versions. The condition is held."""
        for unclear in self._unclear.values():
            unclear.buffer.put_ready(unclear.lead)
        self._unclear.clear()

    def _settle(self, buffer: Buffer, leads: Sequence[BufferedLead], outcome: Outcome) -> None:
        """These need no request: out they go."""
        self._outcomes.settle_all([(buffered.record, outcome) for buffered in leads], buffer.campaign)
        for buffered in leads:
            buffer.lane.leave(buffered.lead.extern_id)

    def _enqueue_all(self, buffers: Collection[Buffer]) -> None:
        """Queue everything in these buffers, and what that lets in, so that leads that wait for others get on."""
        again = True
        while again:
            for buffer in buffers:
                self._enqueue(buffer, everything=True)
            again = any(buffer.incoming for buffer in buffers)

    def _send_batches(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                batch = self._queue.popleft()
                self._under_way += 1
                self._changed.notify_all()
            try:
                self._halt.check()
                self._load(batch)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the run must hear of it
                self._stop(error)
            finally:
                with self._changed:
                    self._under_way -= 1
                    lane = self._lanes[batch.campaign.campaign_id]
                    for buffered in batch.leads:
                        lane.leave(buffered.lead.extern_id)
                    self._changed.notify_all()

    def _drain_the_old(self) -> None:
        with self._changed:
            while not self._closing:
                self._changed.wait(TICK_SECONDS)
                due = self._clock.monotonic() - self._limits.age
                for buffer in list(self._buffers.values()):
                    oldest = buffer.oldest()
                    if oldest is not None and oldest <= due and self._halt.error is None:
                        try:
                            self._enqueue(buffer, everything=True)
                        except BaseException as error:  # noqa: BLE001 - whatever it is, the run must hear of it
                            self._stop(error)

    def _stop(self, error: BaseException) -> None:
        if isinstance(error, EngageVoiceError):
            self._halt.set(error)
            return
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{place.tb_lineno}" if place else "?"
        wrapped = FatalError(f"a mistake in target-engagevoice itself: {type(error).__name__} at {where}.")
        wrapped.__cause__ = error
        self._halt.set(wrapped)


_WIDEST_NAMES = dict.fromkeys(("stream", "campaign", "run", "started", "date", "batch"), "-" * 64)
