"""A delivery that loads into a list, for the tests of buffers and drains."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_engagevoice.delivery.batch import Batch, MoveBatch, RetireBatch
from target_engagevoice.delivery.buffer import BufferedLead, BufferLimits
from target_engagevoice.delivery.dedupe import Dedupe
from target_engagevoice.delivery.delivery import Delivery
from target_engagevoice.delivery.dispatch import BatchHandlers
from target_engagevoice.delivery.drain import Drainer
from target_engagevoice.delivery.dry_run import DryRun
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.campaign import Directory
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.list_options import ListOptions
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import Retire, Retirement
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.counts import OUTCOMES, Run
from target_engagevoice.outcomes.outcomes import Outcomes
from target_engagevoice.outcomes.rejects import Rejects
from tests.support.factories import ACCOUNT, RENEWALS, WINBACK, nothing
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_engagevoice.delivery.stream_versions import Versions
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.lead import Lead


LIMITS = BufferLimits(rows=3, size=100_000, age=60.0)


class FakeDelivery:
    """A delivery that loads into a list, at a pace a test may set."""

    def __init__(
        self,
        *,
        load: Callable[[Batch], None] | None = None,
        change: Callable[[Batch], Sequence[BufferedLead]] | None = None,
        policy: Policy | None = None,
        versions: Versions | None = None,
        limits: BufferLimits = LIMITS,
        threads: int = 2,
        skip_unchanged: bool = True,
        dry_run: bool = False,
        ledger: Ledger | None = None,
        write_state: Callable[[str], None] | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.halt = Halt(self.clock)
        self.run = Run(self.clock)
        self.states: list[str] = []
        self.checkpoints = Checkpoints(nothing, write_state or self.states.append)
        self.outcomes = Outcomes(self.run, Rejects(Path("unused"), "run", self.clock), self.checkpoints, 100.0)
        self.ledger = ledger or Ledger.open("sqlite://", Path(), ACCOUNT, self.run.name)
        self.lock = threading.Lock()
        self.batches: list[Batch] = []
        self.gate = threading.Event()
        self.gate.set()
        self.changing = threading.Event()
        self.changing.set()
        self.changes: list[Batch] = []
        self.retirements: list[RetireBatch | MoveBatch] = []
        self._extra = load
        self._extra_change = change
        self.drainer = Drainer(
            Dedupe(self.ledger, policy or Policy(skip_unchanged=skip_unchanged)),
            self.outcomes,
            DryRun(self.run, self.ledger, Directory([RENEWALS, WINBACK])) if dry_run else None,
            versions,
        )
        self.delivery = Delivery(
            handlers=BatchHandlers(self.load, self.change, self.retire_batch),
            drainer=self.drainer,
            limits=limits,
            threads=threads,
            clock=self.clock,
            halt=self.halt,
        )

    def load(self, batch: Batch) -> Sequence[BufferedLead]:
        """Accepts every lead of the batch, once the gate is open."""
        with self.lock:
            self.batches.append(batch)
        self.gate.wait()
        if self._extra is not None:
            self._extra(batch)
        digests = {each.lead.extern_id: each.lead.digest for each in batch.leads}
        self.ledger.settle(batch.stream, batch.campaign.campaign_id, digests, (), self.clock.time())
        self.outcomes.settle_all([each.record for each in batch.leads], batch.campaign, Outcome.LOADED)
        return ()

    def change(self, batch: Batch) -> Sequence[BufferedLead]:
        """Changes every lead of the batch, once that gate is open, but those that a test gives back."""
        with self.lock:
            self.changes.append(batch)
        self.changing.wait()
        again = self._extra_change(batch) if self._extra_change is not None else ()
        done = [each for each in batch.leads if each not in again]
        digests = {each.lead.extern_id: each.lead.digest for each in done}
        if digests:
            self.ledger.leads.record_change(batch.stream, batch.campaign.campaign_id, digests, {})
        self.ledger.leads.record_gone(batch.stream, batch.campaign.campaign_id, [each.lead.extern_id for each in again])
        self.outcomes.settle_all([each.record for each in done], batch.campaign, Outcome.UPDATED)
        return again

    def retire_batch(self, batch: RetireBatch | MoveBatch) -> Sequence[BufferedLead]:
        """Retires every lead of the batch, once that gate is open, and gives back those that only move."""
        with self.lock:
            self.retirements.append(batch)
        self.changing.wait()
        if isinstance(batch, MoveBatch):
            for lead in batch.leads:
                self._retire(batch.stream, lead.extern_id, batch.campaign.campaign_id)
            return batch.leads
        for each in batch.retirements:
            self._retire(batch.stream, each.extern_id, None)
            self.ledger.leads.record_retired_everywhere(batch.stream, [each.extern_id])
            self.outcomes.settle(each.record, None, each.flagged.outcome)
        return ()

    def _retire(self, stream: str, extern_id: str, stays: str | None) -> None:
        for held in self.ledger.leads.locate(stream, [extern_id]):
            if held.in_dialer and held.campaign_id != stays:
                self.ledger.leads.record_retirement(
                    stream, held.campaign_id, [held.extern_id], Retire.SUPPRESS, moved=stays is not None
                )

    def flag(self, number: int, stream: str = "people") -> None:
        """A record that was deleted at the source."""
        retirement = Retirement(f"L{number}", Outcome.DELETED, Retire.SUPPRESS, None)
        self.delivery.retire(self.outcomes.read(stream, {}), retirement)
        self.delivery.hand_over()

    def add(self, one: Lead, campaign: Campaign = RENEWALS, stream: str = "people") -> None:
        """As the sink does: into the buffer."""
        buffer = self.delivery.buffer(stream, campaign, ListOptions())
        self.delivery.take(buffer, self.outcomes.read(stream, {}), one)
        self.delivery.hand_over()

    def add_all(self, leads: list[Lead]) -> None:
        """One after another."""
        for each in leads:
            self.add(each)

    def sent(self) -> list[list[str]]:
        """`externId`s by batch."""
        with self.lock:
            return [[each.lead.extern_id for each in batch.leads] for batch in self.batches]

    def outcome(self) -> dict[str, int]:
        """The outcomes that occurred."""
        return {name: count for name, count in self.run.totals().items() if count and name in OUTCOMES}

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until it holds; sending is done by other threads."""
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "it never came"
            time.sleep(0.002)


@contextmanager
def open_fake_delivery(**options: Any) -> Iterator[FakeDelivery]:
    fake = FakeDelivery(**options)
    try:
        yield fake
    finally:
        fake.gate.set()
        fake.delivery.close(10)
        fake.ledger.close()
