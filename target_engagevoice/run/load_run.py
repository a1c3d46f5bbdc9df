"""Settings → objects: everything a run holds open, opened in order, closed on every way out."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Protocol

from target_engagevoice.api.lead_client import LeadClient
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.windows import JITTER_MARGIN_SECONDS
from target_engagevoice.api.request_journal import RequestJournal
from target_engagevoice.delivery.buffer import BufferLimits
from target_engagevoice.delivery.change import LeadChanges
from target_engagevoice.delivery.context import BatchContext, LeadAccess, LoaderAccess, ServerTime
from target_engagevoice.delivery.dedupe import Dedupe
from target_engagevoice.delivery.delivery import BatchHandlers, Delivery
from target_engagevoice.delivery.drain import Drainer
from target_engagevoice.delivery.dry_run import DryRun
from target_engagevoice.delivery.load import BatchLoad
from target_engagevoice.delivery.lookups import Lookups
from target_engagevoice.delivery.reconcile import Reconciler, recover
from target_engagevoice.delivery.refusals import Refusals
from target_engagevoice.delivery.retire import LeadRetirements, Wanted
from target_engagevoice.delivery.stream_versions import InMemoryVersionStore, Versions
from target_engagevoice.errors import EngageVoiceError, RejectedTooMany
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.logger import logger
from target_engagevoice.mapping.personas import check_mappings
from target_engagevoice.mapping.router import found
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.counts import Run, write_record
from target_engagevoice.outcomes.outcomes import Outcomes
from target_engagevoice.outcomes.rejects import Rejects
from target_engagevoice.private_files import make_state_dir
from target_engagevoice.reporting.past_runs import PastRun
from target_engagevoice.reporting.progress import Snapshot
from target_engagevoice.reporting.summary import log_summary
from target_engagevoice.run.session import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from target_engagevoice.api.ratelimit.postgres import SharedQuota
    from target_engagevoice.clock import Clock
    from target_engagevoice.config.settings import Settings
    from target_engagevoice.delivery.buffer import Batch, BufferedLead, LeadBuffer
    from target_engagevoice.model.campaign import Campaign, Directory
    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.outcomes import ReadRecord
    from target_engagevoice.reporting.progress import Position
    from target_engagevoice.run.session import Connection

LAST_WORDS_SECONDS = 12.0
"""How long requests under way may take to finish when a run is stopped; the whole way out takes less than 20."""


class LeadTaker(Protocol):
    """Where leads go, seen from a sink; see `Delivery`."""

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> LeadBuffer:
        """The buffer of a stream and campaign."""

    def take(self, buffer: LeadBuffer, record: ReadRecord, lead: Lead) -> None:
        """Take a lead over."""

    def hand_over(self) -> None:
        """The reading thread is about to wait: let on their way what was taken."""

    def retire(self, record: ReadRecord, flagged: FlaggedRecord) -> None:
        """Take over a record whose leads are to be retired, or whose phones are to be listed."""


class LoadRun:
    """One run, from the sign-in to the run record. Owned by the main thread.

    Args:
        write_state: Writes one STATE line.
        timed: Times the loading of a batch of a stream, by name, for whoever asks for metrics.

    Attributes:
        run: Its name and numbers.
        outcomes: Where records end.
        halt: What stops it.
        versions: What the versions of streams hold; None unless `load_method` is `overwrite`; only after `open`.
        when_settled: Called on every way out, when all is counted and before the last words; it must not raise.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        version: str,
        write_state: Callable[[str], None],
        timed: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._version = version
        self._timed = timed
        self.halt = Halt(clock)
        self.run = Run(clock)
        self.rejects = Rejects(settings.state_dir / "rejects" / f"{self.run.name}.jsonl", self.run.name, clock)
        self._journal = RequestJournal(settings.state_dir / "requests" / f"{self.run.name}.jsonl", clock)
        self._checkpoints = Checkpoints(self.rejects.make_durable, None if settings.dry_run else write_state)
        self.outcomes = Outcomes(self.run, self.rejects, self._checkpoints, settings.max_rejected_percent)
        self.state = self._checkpoints.state
        self.when_settled: Callable[[], None] = _nothing
        self._complete = False
        self._connection: Connection | None = None
        self._ledger: Ledger | None = None
        self._refusals: Refusals | None = None
        self._shared_quota: SharedQuota | None = None
        self._delivery: Delivery | None = None
        self.versions: Versions | None = None
        self._loader: LoaderAccess | None = None

    @property
    def directory(self) -> Directory:
        """The account's campaigns; only after `open`."""
        assert self._connection is not None  # noqa: S101 - a mistake of this program, not of a user
        return self._connection.directory

    @property
    def delivery(self) -> LeadTaker:
        """Where leads go; only after `open`."""
        assert self._delivery is not None  # noqa: S101 - a mistake of this program, not of a user
        return self._delivery

    def open(self) -> None:
        """Sign in, check every campaign the settings name, open the ledger, settle what a killed run left.

        Raises:
            FatalError: The run can not begin; nothing was read.
        """
        settings, clock = self._settings, self._clock
        make_state_dir(settings.state_dir)
        connection = self._connection = connect(settings, clock, self.halt, self._version, self._journal)
        self._check_campaigns(connection.directory)
        for warning in check_mappings(settings.stream_rules, connection.directory):
            logger.warning("%s", warning)
        ledger = self._ledger = Ledger.open(
            settings.ledger_url,
            settings.state_dir,
            connection.account_id,
            self.run.name,
            read_only=settings.dry_run,
        )
        lead_client = LeadClient(connection.client, clock, self.halt, settings.retry_max_seconds)

        server_time = ServerTime(clock, connection.server_clock)
        reconciler = Reconciler(connection.client, clock, self.halt, settings.search_delay_seconds)
        refusals = self._refusals = Refusals(self.outcomes, ledger)
        context = BatchContext(
            ledger=ledger,
            outcomes=self.outcomes,
            refusals=refusals,
            run=self.run,
            reconciler=reconciler,
            clock=clock,
            server_time=server_time,
            halt=self.halt,
            policy=settings.policy,
        )
        lookups = Lookups(lead_client, self.halt, server_time.earliest, settings.search_delay_seconds)
        access = LeadAccess(lead_client, lookups, connection.directory)
        loader = self._loader = LoaderAccess(connection.client, self._pace(connection), settings.retry_max_seconds)

        if not settings.dry_run:
            looked_up = recover(ledger, reconciler, clock, server_time.latest, settings.search_delay_seconds)
            if looked_up:
                logger.warning("%d leads that an earlier run left without a known fate were looked up.", looked_up)

        if settings.overwrite:
            self.versions = self._versions(context, access)
        find = lead_client.find if settings.policy.change else None
        dry_run = DryRun(self.run, ledger, connection.directory, find) if settings.dry_run else None

        def load(batch: Batch) -> list[BufferedLead]:
            with self._timed(batch.stream):
                return BatchLoad(context, loader, access, batch).load()

        self._delivery = Delivery(
            handlers=BatchHandlers(
                load=load,
                change=lambda batch: LeadChanges(context, access, batch).change(),
                retire=lambda batch: LeadRetirements(context, access, batch.stream).handle(batch),
            ),
            drainer=Drainer(Dedupe(ledger, settings.policy), self.outcomes, dry_run, self.versions),
            limits=BufferLimits(settings.batch_size_rows, settings.batch_size_bytes, settings.batch_wait_limit_seconds),
            threads=settings.max_in_flight,
            clock=clock,
            halt=self.halt,
        )

    def _versions(self, context: BatchContext, access: LeadAccess) -> Versions:
        """What becomes of leads that a stream's new version does not hold."""
        settings = self._settings
        how = settings.policy.move
        assert how is not None  # noqa: S101 - `overwrite` without it is a mistake of the configuration

        def retire(stream: str, leads: list[tuple[str, str]]) -> int:
            return len(
                LeadRetirements(context, access, stream).retire({extern_id: Wanted(how) for _, extern_id in leads})
            )

        def count(stream: str, leads: list[tuple[str, str]]) -> int:
            for campaign_id, _ in leads:
                self.run.count_effort(stream, self.directory.by_id(campaign_id), "would_retire")
            return 0

        if settings.dry_run:
            return Versions(InMemoryVersionStore(context.ledger.versions), count, settings.max_retired_percent)
        return Versions(context.ledger.versions, retire, settings.max_retired_percent)

    def activate(self, stream: str, version: int) -> None:
        """A version of a stream is whole: see out what came before, then what it no longer holds.

        Raises:
            EngageVoiceError: The run can not go on, or too much would be retired.
        """
        if self.versions is not None:
            assert self._delivery is not None  # noqa: S101 - a mistake of this program, not of a user
            self._delivery.catch_up()
            self.versions.activate(stream, version)

    def snapshot(self, at: float, position: Position) -> Snapshot:
        """How far the run is; only after `open`. For a thread that looks on: nobody who loads waits for it.

        Args:
            at: Monotonic seconds now.
            position: Of the input.
        """
        assert self._loader is not None  # noqa: S101 - a mistake of this program, not of a user
        assert self._delivery is not None  # noqa: S101 - the same
        campaigns = self.run.standings()
        pace = self._loader.pace
        return Snapshot(at, self.run.read, campaigns, pace.in_use(), self._delivery.under_way, pace.waiting, position)

    def _pace(self, connection: Connection) -> Pace:
        """The loader's pace; shared with other processes where there is a store, and something is sent."""
        settings, clock = self._settings, self._clock
        if settings.rate_limit_store is None or settings.dry_run:
            return Pace(settings.rate_limits, clock)
        from target_engagevoice.api.ratelimit.postgres import SharedQuota  # noqa: PLC0415 - most runs have no store

        shared = self._shared_quota = SharedQuota.open(
            settings.rate_limit_store, connection.quota, settings.rate_limits, JITTER_MARGIN_SECONDS, clock
        )
        return Pace(shared, clock)

    def finish(self, *, whole: bool = True) -> None:
        """Standard input is at its end: see every lead out.

        Args:
            whole: Whether it came to its end, rather than to a line that can not be read.

        Raises:
            EngageVoiceError: The run can not come to its end.
        """
        assert self._delivery is not None  # noqa: S101 - a mistake of this program, not of a user
        self._delivery.finish()
        if self.versions is not None:
            self.versions.finish(whole=whole)
        if self._refusals is not None:
            self._refusals.finish()
        self._complete = True
        self.outcomes.check_rejected()

    def close(self, error: EngageVoiceError | None) -> None:
        """Let go of everything and write the run record, whatever goes wrong on the way.

        Args:
            error: What ended the run; None when it came to its end.

        Raises:
            EngageVoiceError: What went wrong first on the way out of a run that came to its end.
        """
        failure = error

        def attempt(step: Callable[[], None]) -> None:
            nonlocal failure
            try:
                step()
            except EngageVoiceError as worse:
                if failure is not None:
                    logger.warning("%s", worse)  # the first one has the last word
                failure = failure or worse

        if self._delivery is not None:
            attempt(partial(self._delivery.close, LAST_WORDS_SECONDS))
        attempt(self.rejects.close)
        in_full = self._complete and (failure is None or isinstance(failure, RejectedTooMany))
        if self._ledger is not None and in_full and not self._settings.dry_run:
            attempt(partial(self._ledger.finish, self.run.streams()))
        if self._ledger is not None:
            attempt(self._ledger.close)
        if self._shared_quota is not None:
            attempt(self._shared_quota.close)
        if self._connection is not None:
            attempt(self._connection.close)
        self._journal.close()
        self.when_settled()
        attempt(partial(self._write_record, failure))
        if error is None and failure is not None:
            raise failure

    def _write_record(self, failure: EngageVoiceError | None) -> None:
        status = "ok" if failure is None else "rejected" if isinstance(failure, RejectedTooMany) else "failed"
        shown = None if failure is None else {"code": failure.code, "message": str(failure)}
        record = self.run.record(self._version, status, dry_run=self._settings.dry_run, error=shown)
        record["config"] = self._settings.shown
        path = write_record(self._settings.state_dir / "runs", record)
        log_summary(record, path, self.rejects.path)
        if self._settings.report:
            self._write_report()

    def _write_report(self) -> None:
        """Write the run report. A run whose leads are loaded does not fail for want of it."""
        from target_engagevoice.reporting.html import write_report  # noqa: PLC0415 - most runs make none, or make it later

        try:
            logger.info("Report: %s", write_report(PastRun(self._settings.state_dir, self.run.name)))
        except EngageVoiceError as error:
            logger.warning("%s", error)

    def _check_campaigns(self, directory: Directory) -> None:
        named = [found(*reference, directory) for reference in self._settings.campaign_references()]
        for campaign in dict.fromkeys(named):
            for doubt in campaign.doubts(self._clock.time()):
                logger.warning("%s", doubt)


def _nothing() -> None:
    """For when nobody looks on."""
