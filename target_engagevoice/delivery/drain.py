"""A drain: what a buffer holds is compared with the ledger, and cut into batches by what is to be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from target_engagevoice.api.client import load_body
from target_engagevoice.delivery.backlog import Backlog
from target_engagevoice.delivery.batch import Batch, MoveBatch, RetireBatch, Work
from target_engagevoice.delivery.buffer import LeadBuffer
from target_engagevoice.model.lead import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.outcomes.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class AmbiguousLead:
    """A lead that may be a replay, see `dedupe.Comparison`. It is in no buffer, and later versions of it wait.

    Attributes:
        later: Digests of later versions; if one of them is read again, this one is a replay.
    """

    buffer: LeadBuffer
    lead: BufferedLead
    later: frozenset[str]

    def put_back(self) -> None:
        """Compare it again, as a new version."""
        self.buffer.put(replace(self.lead, certain=True))


@dataclass(frozen=True, eq=False)
class AmbiguousRetirement:
    """The same for a record that must not be called."""

    buffer: RetirementBuffer
    retirement: BufferedRetirement
    later: frozenset[str]

    def put_back(self) -> None:
        """Compare it again, as a new version."""
        self.buffer.put(replace(self.retirement, certain=True))


Ambiguous: TypeAlias = "AmbiguousLead | AmbiguousRetirement"


@dataclass(frozen=True)
class DrainedBatches:
    """Batches that came out of a buffer."""

    loads: list[Batch] = field(default_factory=list)
    changes: list[Batch] = field(default_factory=list)
    retirements: list[RetireBatch | MoveBatch] = field(default_factory=list)


class Drainer:
    """Decides what is to be done for each lead of the backlog. Every method is called with the lock of the backlog.

    Args:
        dedupe: Finds what their campaigns have already.
        outcomes: Where leads that need no request end.
        dry_run: Counts what would be done; None for a run that does it.
        versions: Notes which leads the versions of streams hold; None unless `load_method` is `overwrite`.

    Attributes:
        backlog: The leads that have no outcome yet.
        ambiguous: Leads that only the next records can decide, by `externId`.
    """

    def __init__(
        self, dedupe: Dedupe, outcomes: Outcomes, dry_run: DryRun | None = None, versions: Versions | None = None
    ) -> None:
        self._dedupe = dedupe
        self._outcomes = outcomes
        self._dry_run = dry_run
        self._versions = versions
        self.backlog = Backlog(moves=dedupe.policy.move is not None)
        self.ambiguous: dict[str, list[Ambiguous]] = {}

    def drain(self, buffer: AnyBuffer, limits: BufferLimits, *, everything: bool) -> DrainedBatches:
        """Take out of a buffer what is to be done now.

        Args:
            buffer: It.
            limits: Rows and bytes of a request.
            everything: Whether to leave nothing; otherwise leads to be loaded stay until they fill a request.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        drained = DrainedBatches()
        if isinstance(buffer, LeadBuffer):
            drained.retirements.extend(self._compare(buffer, limits.rows))
            drained.changes.extend(buffer.cut_changes())
            if buffer.ready:
                overhead = _largest_envelope(buffer.options, buffer.stream, buffer.campaign.name)
                drained.loads.extend(buffer.cut(limits, overhead, everything=everything))
            return drained if self._dry_run is None else self._count_leads(self._dry_run, buffer, drained)
        batches = self._compare_retirements(buffer, limits.rows)
        if self._dry_run is None:
            drained.retirements.extend(batches)
            return drained
        for batch in batches:
            self._dry_run.count_retirements(batch)
            self._settle_retirements(buffer, batch.retirements)
        return drained

    def note_versions(self, leads: Sequence[tuple[Buffer[Any], Buffered]]) -> None:
        """Note which versions of their streams hold these leads, if the run needs to know."""
        if self._versions is None:
            return
        for stream in {buffer.stream for buffer, _ in leads}:
            records = [(each.record, each.extern_id) for buffer, each in leads if buffer.stream == stream]
            self._versions.note(stream, records)

    def resolve(self, extern_id: str) -> None:
        """Settle what is ambiguous of this id as replays, if a later version of it was read again."""
        waiting = self.ambiguous.get(extern_id, [])
        for ambiguous in list(waiting):
            # Any other version proves nothing: one in between may have been refused when it was first read.
            if ambiguous.later.isdisjoint(self.backlog.versions.behind(ambiguous.buffer, extern_id)):
                continue
            waiting.remove(ambiguous)
            if not waiting:
                del self.ambiguous[extern_id]
            if isinstance(ambiguous, AmbiguousLead):
                self._settle(ambiguous.buffer, [ambiguous.lead], Outcome.UNCHANGED)
            else:
                self._settle_retirements(ambiguous.buffer, [ambiguous.retirement])

    def resolve_as_new(self) -> None:
        """Compare what is ambiguous as new versions: no more records come, so the source has gone back to them."""
        ambiguous, self.ambiguous = self.ambiguous, {}
        for each in (each for waiting in ambiguous.values() for each in waiting):
            each.put_back()

    def _compare(self, buffer: LeadBuffer, rows: int) -> list[MoveBatch]:
        """Settle what the campaign has; later versions that come in for it are compared as well.

        Returns:
            Leads that move here from another campaign.
        """
        stream, campaign = buffer.stream, buffer.campaign
        how = self._dedupe.policy.move
        moves: list[MoveBatch] = []
        while incoming := buffer.take_incoming():
            if self._versions is not None:
                self.note_versions([(buffer, each) for each in incoming])
            result = self._dedupe.compare(stream, campaign.campaign_id, incoming)
            buffer.put_ready(result.to_load)
            buffer.changes += result.to_change
            if how is not None:  # otherwise none moves
                moves += [
                    MoveBatch(stream, campaign, tuple(result.to_move[start : start + rows]), how)
                    for start in range(0, len(result.to_move), rows)
                ]
            self._settle(buffer, result.do_not_call, Outcome.DO_NOT_CALL)
            if self._dry_run is None:
                self._dedupe.note_unchanged(stream, campaign.campaign_id, result.unchanged)
            self._settle(buffer, result.unchanged, Outcome.UNCHANGED)
            for lead, later in result.ambiguous:
                self._wait_for_later(AmbiguousLead(buffer, lead, later), lead.extern_id)
        return moves

    def _compare_retirements(self, buffer: RetirementBuffer, rows: int) -> list[RetireBatch]:
        """Settle replays; later records that come in for them are compared as well."""
        batches: list[RetireBatch] = []
        while incoming := buffer.take_incoming():
            if self._versions is not None:
                self.note_versions([(buffer, each) for each in incoming])
            result = self._dedupe.compare_retirements(buffer.stream, incoming)
            batches += [
                RetireBatch(buffer.stream, tuple(result.to_retire[start : start + rows]))
                for start in range(0, len(result.to_retire), rows)
            ]
            self._settle_retirements(buffer, result.unchanged)
            for retirement, later in result.ambiguous:
                self._wait_for_later(AmbiguousRetirement(buffer, retirement, later), retirement.extern_id)
        return batches

    def _wait_for_later(self, ambiguous: Ambiguous, extern_id: str) -> None:
        """Keep what only a later version can decide; that one may wait behind it already."""
        self.ambiguous.setdefault(extern_id, []).append(ambiguous)
        self.resolve(extern_id)

    def _settle(self, buffer: LeadBuffer, leads: Sequence[BufferedLead], outcome: Outcome) -> None:
        """Settle leads that need no request."""
        if leads:
            self._outcomes.settle_all([buffered.record for buffered in leads], buffer.campaign, outcome)
            self.backlog.leave(buffer, leads)

    def _settle_retirements(self, buffer: RetirementBuffer, retirements: Sequence[BufferedRetirement]) -> None:
        """Settle records that need no request, each with its own outcome."""
        for each in retirements:
            self._outcomes.settle(each.record, each.flagged.campaign, each.flagged.outcome)
        if retirements:
            self.backlog.leave(buffer, retirements)

    def _count_leads(self, dry_run: DryRun, buffer: LeadBuffer, drained: DrainedBatches) -> DrainedBatches:
        """Count what would be done for leads, and settle them."""
        for batch in (*drained.loads, *drained.changes):
            dry_run.count(batch)
            self._settle(buffer, batch.leads, Outcome.SKIPPED)
        for moves in drained.retirements:
            if isinstance(moves, MoveBatch):
                dry_run.count_moves(moves)
                self._count_moved(dry_run, buffer, moves.leads)
                self._settle(buffer, moves.leads, Outcome.SKIPPED)
        return DrainedBatches()

    def _count_moved(self, dry_run: DryRun, buffer: LeadBuffer, leads: Sequence[BufferedLead]) -> None:
        """Count what would be done for leads once another campaign had retired them."""
        stream, campaign = buffer.stream, buffer.campaign
        rest = self._dedupe.compare(stream, campaign.campaign_id, list(leads), moving=False)
        for todo, work in ((rest.to_load, Work.LOAD), (rest.to_change, Work.CHANGE)):
            if todo:
                dry_run.count(Batch(stream, campaign, buffer.options, 0, tuple(todo), work))


@lru_cache(maxsize=256)
def _largest_envelope(options: ListOptions, stream: str, campaign: str) -> int:
    """Bytes of a request body without its leads, at the most."""
    names = _LONGEST_NAMES | {"stream": stream, "campaign": campaign}
    return len(load_body(options.envelope(names), ()))


_LONGEST_NAMES = dict.fromkeys(("stream", "campaign", "run", "started", "date", "batch"), "-" * 64)
