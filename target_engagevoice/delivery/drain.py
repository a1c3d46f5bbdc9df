"""A drain: what a buffer holds is compared with the ledger, and cut into batches by what is to be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from target_engagevoice.api.client import load_body
from target_engagevoice.delivery.buffer import Batch, RetireBatch, Work
from target_engagevoice.model.lead import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_engagevoice.delivery.buffer import Buffer, BufferedLead, BufferLimits
    from target_engagevoice.delivery.dedupe import Dedupe
    from target_engagevoice.delivery.dry_run import DryRun
    from target_engagevoice.delivery.stream_versions import Versions
    from target_engagevoice.model.retirement import Retirement
    from target_engagevoice.outcomes.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class Unclear:
    """A lead that may only be read again, see `dedupe.Division`; it waits in no buffer, and its lane waits for it."""

    buffer: Buffer
    lead: BufferedLead
    later: frozenset[str]


@dataclass(frozen=True)
class Drain:
    """Batches that came out of a buffer."""

    loads: list[Batch] = field(default_factory=list)
    changes: list[Batch] = field(default_factory=list)
    retirements: list[RetireBatch] = field(default_factory=list)


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

    settled: Callable[[Buffer, Sequence[BufferedLead]], None]

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

    def drain(self, buffer: Buffer, limits: BufferLimits, *, everything: bool) -> Drain:
        """Take out of a buffer what is to be done now.

        Args:
            buffer: It.
            limits: Rows and bytes of a request.
            everything: Whether to leave nothing; otherwise leads to be loaded stay until they fill a request.

        Raises:
            LedgerError: The ledger can not be read.
        """
        drain = Drain()
        self._compare(buffer, drain, limits.rows)
        drain.changes.extend(buffer.cut_changes())
        if buffer.ready and buffer.campaign is not None:
            names = _WIDEST_NAMES | {"stream": buffer.stream, "campaign": buffer.campaign.name}
            overhead = len(load_body(buffer.options.envelope(names), ()))
            drain.loads.extend(buffer.cut(limits, overhead, everything=everything))
        return drain if self._dry_run is None else self._without_doing(self._dry_run, buffer, drain)

    def _compare(self, buffer: Buffer, drain: Drain, rows: int) -> None:
        """Let out what the campaign has; that may let a later version in, which is compared as well."""
        while incoming := buffer.take_incoming():
            if self._versions is not None:
                self.see([(buffer, each) for each in incoming])
            if buffer.campaign is None:
                division = self._dedupe.divide_retirements(buffer.stream, incoming)
            else:
                division = self._dedupe.divide(buffer.stream, buffer.campaign.campaign_id, incoming)
            buffer.put_ready(division.to_send)
            buffer.changes += division.to_change
            for start in range(0, len(division.moved), rows):
                leads = tuple(division.moved[start : start + rows])
                drain.retirements.append(RetireBatch(buffer.stream, leads, (buffer,) * len(leads)))
            self._settle(buffer, division.forbidden, Outcome.DO_NOT_CALL)
            if buffer.campaign is not None and self._dry_run is None:
                self._dedupe.note(buffer.stream, buffer.campaign.campaign_id, division.there)
            self._let_out(buffer, division.there, Outcome.UNCHANGED)
            for buffered, later in division.unclear:
                extern_id = buffered.lead.extern_id
                self.unclear.setdefault(extern_id, []).append(Unclear(buffer, buffered, later))
                self.clear_up(extern_id)

    def see(self, leads: Sequence[tuple[Buffer, BufferedLead]]) -> None:
        """Note which versions of their streams hold these leads, where anything comes of that."""
        if self._versions is None:
            return
        for stream in {buffer.stream for buffer, _ in leads}:
            records = [(each.record, each.lead.extern_id) for buffer, each in leads if buffer.stream == stream]
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
            self._let_out(buffer, [unclear.lead], Outcome.UNCHANGED)

    def take_as_new(self) -> None:
        """Nothing more comes that could tell: the source went back to these versions."""
        unclear, self.unclear = self.unclear, {}
        for each in (each for waiting in unclear.values() for each in waiting):
            each.buffer.put(replace(each.lead, certain=True))

    def _let_out(self, buffer: Buffer, leads: Sequence[BufferedLead], outcome: Outcome) -> None:
        """Leads have this outcome, retirements the one they were made for."""
        if buffer.campaign is not None:
            self._settle(buffer, leads, outcome)
        elif leads:
            for buffered in leads:
                retirement = cast("Retirement", buffered.lead)
                self._outcomes.settle(buffered.record, retirement.campaign, retirement.outcome)
            self.settled(buffer, leads)

    def _settle(self, buffer: Buffer, leads: Sequence[BufferedLead], outcome: Outcome) -> None:
        """These need no request: out they go."""
        if leads:
            self._outcomes.settle_all([buffered.record for buffered in leads], buffer.campaign, outcome)
            self.settled(buffer, leads)

    def _without_doing(self, dry_run: DryRun, buffer: Buffer, drain: Drain) -> Drain:
        """Count what would be done, and settle it."""
        for batch in (*drain.loads, *drain.changes):
            dry_run.count(batch)
            self._settle(buffer, batch.leads, Outcome.SKIPPED)
        for retirements in drain.retirements:
            dry_run.count_retirements(retirements)
            if buffer.campaign is not None:
                self._count_moved(dry_run, buffer, retirements.leads)
            self._let_out(buffer, retirements.leads, Outcome.SKIPPED)
        return Drain()

    def _count_moved(self, dry_run: DryRun, buffer: Buffer, leads: Sequence[BufferedLead]) -> None:
        """Count what would be done for leads once they left another campaign."""
        assert buffer.campaign is not None  # noqa: S101 - a lead moves to one
        stream, campaign = buffer.stream, buffer.campaign
        rest = self._dedupe.divide(stream, campaign.campaign_id, list(leads), moving=False)
        for todo, work in ((rest.to_send, Work.LOAD), (rest.to_change, Work.CHANGE)):
            if todo:
                dry_run.count(Batch(stream, campaign, buffer.options, 0, tuple(todo), work))


_WIDEST_NAMES = dict.fromkeys(("stream", "campaign", "run", "started", "date", "batch"), "-" * 64)
