"""A drain: what a buffer holds is compared with the ledger, and cut into batches by what is to be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from target_engagevoice.api.client import load_body
from target_engagevoice.delivery.buffer import Batch, LeadBuffer, MoveBatch, RetireBatch, Work
from target_engagevoice.model.lead import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_engagevoice.delivery.buffer import (
        AnyBuffer,
        Buffer,
        Buffered,
        BufferedLead,
        BufferedRetirement,
        BufferLimits,
        RetirementBuffer,
    )
    from target_engagevoice.delivery.dedupe import Dedupe
    from target_engagevoice.delivery.dry_run import DryRun
    from target_engagevoice.delivery.stream_versions import Versions
    from target_engagevoice.outcomes.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class UnclearLead:
    """A lead that may only be read again, see `dedupe.Division`; it waits in no buffer, and its lane waits for it."""

    buffer: LeadBuffer
    lead: BufferedLead
    later: frozenset[str]

    def put_back(self) -> None:
        """Compare it again, as one that is no version read again."""
        self.buffer.put(replace(self.lead, certain=True))


@dataclass(frozen=True, eq=False)
class UnclearRetirement:
    """The same for a record that must not be called."""

    buffer: RetirementBuffer
    retirement: BufferedRetirement
    later: frozenset[str]

    def put_back(self) -> None:
        """Compare it again, as one that is no version read again."""
        self.buffer.put(replace(self.retirement, certain=True))


Unclear: TypeAlias = "UnclearLead | UnclearRetirement"


@dataclass(frozen=True)
class Drain:
    """Batches that came out of a buffer."""

    loads: list[Batch] = field(default_factory=list)
    changes: list[Batch] = field(default_factory=list)
    retirements: list[RetireBatch | MoveBatch] = field(default_factory=list)


class Drainer:
    """Decides for each lead. Owned by `Delivery`, whose lock guards it.

    Args:
        dedupe: Says which leads their campaign has already.
        dry_run: Counts what would be done; None for a run that does it.
        versions: Notes what they hold; None where nothing comes of it.

    Attributes:
        settled: Told of leads that need no request, once they have their outcome.
        unclear: Leads of which only what is read next can tell, by `externId`.
    """

    settled: Callable[[AnyBuffer, Sequence[Buffered]], None]

    def __init__(
        self, dedupe: Dedupe, outcomes: Outcomes, dry_run: DryRun | None = None, versions: Versions | None = None
    ) -> None:
        self._dedupe = dedupe
        self._outcomes = outcomes
        self._dry_run = dry_run
        self._versions = versions
        self.unclear: dict[str, list[Unclear]] = {}

    @property
    def moves(self) -> bool:
        """Whether a lead that goes to another campaign leaves the one that has it."""
        return self._dedupe.policy.move is not None

    def drain(self, buffer: AnyBuffer, limits: BufferLimits, *, everything: bool) -> Drain:
        """Take out of a buffer what is to be done now.

        Args:
            buffer: It.
            limits: Rows and bytes of a request.
            everything: Whether to leave nothing; otherwise leads to be loaded stay until they fill a request.

        Raises:
            LedgerError: The ledger can not be read.
        """
        drain = Drain()
        if isinstance(buffer, LeadBuffer):
            self._compare(buffer, drain, limits.rows)
            drain.changes.extend(buffer.cut_changes())
            if buffer.ready:
                names = _WIDEST_NAMES | {"stream": buffer.stream, "campaign": buffer.campaign.name}
                overhead = len(load_body(buffer.options.envelope(names), ()))
                drain.loads.extend(buffer.cut(limits, overhead, everything=everything))
            return drain if self._dry_run is None else self._count_leads(self._dry_run, buffer, drain)
        batches = self._compare_retirements(buffer, limits.rows)
        if self._dry_run is None:
            drain.retirements.extend(batches)
            return drain
        for batch in batches:
            self._dry_run.count_retirements(batch)
            self._settle_retirements(buffer, batch.retirements)
        return drain

    def _compare(self, buffer: LeadBuffer, drain: Drain, rows: int) -> None:
        """Settle what the campaign has; that may let a later version in, which is compared as well."""
        stream, campaign = buffer.stream, buffer.campaign
        how = self._dedupe.policy.move
        while incoming := buffer.take_incoming():
            if self._versions is not None:
                self.see([(buffer, each) for each in incoming])
            division = self._dedupe.divide(stream, campaign.campaign_id, incoming)
            buffer.put_ready(division.to_send)
            buffer.changes += division.to_change
            if how is not None:  # otherwise none moves
                drain.retirements.extend(
                    MoveBatch(stream, campaign, tuple(division.moved[start : start + rows]), how)
                    for start in range(0, len(division.moved), rows)
                )
            self._settle(buffer, division.forbidden, Outcome.DO_NOT_CALL)
            if self._dry_run is None:
                self._dedupe.note(stream, campaign.campaign_id, division.there)
            self._settle(buffer, division.there, Outcome.UNCHANGED)
            for lead, later in division.unclear:
                self._wait_for_later(UnclearLead(buffer, lead, later), lead.extern_id)

    def _compare_retirements(self, buffer: RetirementBuffer, rows: int) -> list[RetireBatch]:
        """Settle what is only read again; that may let a later record in, which is compared as well."""
        batches: list[RetireBatch] = []
        while incoming := buffer.take_incoming():
            if self._versions is not None:
                self.see([(buffer, each) for each in incoming])
            division = self._dedupe.divide_retirements(buffer.stream, incoming)
            batches += [
                RetireBatch(buffer.stream, tuple(division.to_retire[start : start + rows]))
                for start in range(0, len(division.to_retire), rows)
            ]
            self._settle_retirements(buffer, division.there)
            for retirement, later in division.unclear:
                self._wait_for_later(UnclearRetirement(buffer, retirement, later), retirement.extern_id)
        return batches

    def _wait_for_later(self, unclear: Unclear, extern_id: str) -> None:
        """Keep what only a later version can settle; it may wait behind this one already."""
        self.unclear.setdefault(extern_id, []).append(unclear)
        self.clear_up(extern_id)

    def see(self, leads: Sequence[tuple[Buffer[Any], Buffered]]) -> None:
        """Note which versions of their streams hold these leads, where anything comes of that."""
        if self._versions is None:
            return
        for stream in {buffer.stream for buffer, _ in leads}:
            records = [(each.record, each.extern_id) for buffer, each in leads if buffer.stream == stream]
            self._versions.see(stream, records)

    def clear_up(self, extern_id: str) -> None:
        """See whether what was read after an unclear lead tells what it is."""
        waiting = self.unclear.get(extern_id, [])
        for unclear in list(waiting):
            buffer = unclear.buffer
            # Others than the later ones say nothing: a version in between may have been refused when it was first read.
            if unclear.later.isdisjoint(buffer.lane.behind(buffer, extern_id)):
                continue
            waiting.remove(unclear)
            if not waiting:
                del self.unclear[extern_id]
            if isinstance(unclear, UnclearLead):
                self._settle(unclear.buffer, [unclear.lead], Outcome.UNCHANGED)
            else:
                self._settle_retirements(unclear.buffer, [unclear.retirement])

    def take_as_new(self) -> None:
        """Nothing more comes that could tell: the source went back to these versions."""
        unclear, self.unclear = self.unclear, {}
        for each in (each for waiting in unclear.values() for each in waiting):
            each.put_back()

    def _settle(self, buffer: LeadBuffer, leads: Sequence[BufferedLead], outcome: Outcome) -> None:
        """Settle leads that need no request."""
        if leads:
            self._outcomes.settle_all([buffered.record for buffered in leads], buffer.campaign, outcome)
            self.settled(buffer, leads)

    def _settle_retirements(self, buffer: RetirementBuffer, retirements: Sequence[BufferedRetirement]) -> None:
        """Settle records that need no request, each with the outcome it was made for."""
        for each in retirements:
            self._outcomes.settle(each.record, each.flagged.campaign, each.flagged.outcome)
        if retirements:
            self.settled(buffer, retirements)

    def _count_leads(self, dry_run: DryRun, buffer: LeadBuffer, drain: Drain) -> Drain:
        """Count what would be done for leads, and settle them."""
        for batch in (*drain.loads, *drain.changes):
            dry_run.count(batch)
            self._settle(buffer, batch.leads, Outcome.SKIPPED)
        for moves in drain.retirements:
            if isinstance(moves, MoveBatch):
                dry_run.count_moves(moves)
                self._count_moved(dry_run, buffer, moves.leads)
                self._settle(buffer, moves.leads, Outcome.SKIPPED)
        return Drain()

    def _count_moved(self, dry_run: DryRun, buffer: LeadBuffer, leads: Sequence[BufferedLead]) -> None:
        """Count what would be done for leads once they left another campaign."""
        stream, campaign = buffer.stream, buffer.campaign
        rest = self._dedupe.divide(stream, campaign.campaign_id, list(leads), moving=False)
        for todo, work in ((rest.to_send, Work.LOAD), (rest.to_change, Work.CHANGE)):
            if todo:
                dry_run.count(Batch(stream, campaign, buffer.options, 0, tuple(todo), work))


_WIDEST_NAMES = dict.fromkeys(("stream", "campaign", "run", "started", "date", "batch"), "-" * 64)
