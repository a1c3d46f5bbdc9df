"""From settings to an open run: every part is made here, in order, and is given what it needs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from target_engagevoice.api.lead_client import LeadClient
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.windows import JITTER_MARGIN_SECONDS
from target_engagevoice.delivery.buffer import BufferLimits
from target_engagevoice.delivery.change import LeadChanges
from target_engagevoice.delivery.context import BatchContext, LeadAccess, LoaderAccess, ServerTime
from target_engagevoice.delivery.dedupe import Dedupe
from target_engagevoice.delivery.delivery import Delivery
from target_engagevoice.delivery.dispatch import BatchHandlers
from target_engagevoice.delivery.drain import Drainer
from target_engagevoice.delivery.dry_run import DryRun
from target_engagevoice.delivery.load import BatchLoad
from target_engagevoice.delivery.lookups import Lookups
from target_engagevoice.delivery.reconcile import Reconciler, recover
from target_engagevoice.delivery.refusals import Refusals
from target_engagevoice.delivery.retire import LeadRetirements, Wanted
from target_engagevoice.delivery.stream_versions import InMemoryVersionStore, Versions
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.logger import logger
from target_engagevoice.mapping.personas import check_mappings
from target_engagevoice.private_files import make_state_dir
from target_engagevoice.run.account_checks import check_account
from target_engagevoice.run.open_run import OpenRun
from target_engagevoice.run.session import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager, ExitStack

    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.model.campaign import Directory
    from target_engagevoice.model.retirement import Retire
    from target_engagevoice.run.session import Connection
    from target_engagevoice.run.start import RunStart

    Timed = Callable[[str], AbstractContextManager[object]]

CLOSING_SECONDS = 12.0
"""How long requests under way may take to finish when a run is stopped; all of the closing takes less than 20."""


def open_run(start: RunStart, version: str, timed: Timed, closers: ExitStack) -> OpenRun:
    """Sign in, check every campaign the settings name, open the ledger, look up what dead runs left.

    Args:
        start: What the run has already.
        version: Of this package.
        timed: Times the loading of a batch of a stream, by name, for the SDK's metrics.
        closers: Given what closes each part as soon as it is open; its user closes them in every case.

    Raises:
        FatalError: The run cannot begin; nothing was read.
    """
    settings, attempt = start.settings, start.ending.attempt
    closers.callback(start.journal.close)
    make_state_dir(settings.state_dir)
    connection = connect(settings, start.clock, start.halt, version, start.journal)
    closers.callback(attempt, connection.close)
    check_account(settings, connection, start.clock)
    for warning in check_mappings(settings.stream_rules, connection.directory):
        logger.warning("%s", warning)
    ledger = Ledger.open(
        settings.ledger_url,
        settings.state_dir,
        connection.account_id,
        start.counts.name,
        read_only=settings.dry_run,
    )
    closers.callback(attempt, ledger.close)
    context = _batch_context(start, connection, ledger)
    access = _lead_access(start, connection, context.server_time)
    loader = LoaderAccess(connection.client, _pace(start, connection, closers), settings.retry_max_seconds)
    if not settings.dry_run:
        _look_up_dead_runs(context, settings.search_delay_seconds)
    how = settings.policy.move if settings.overwrite else None
    versions = _versions(start, context, access, how) if how is not None else None
    delivery = _delivery(start, context, access, versions, _handlers(context, access, loader, timed))
    closers.callback(attempt, partial(_finish_ledger, start, ledger))
    closers.callback(attempt, start.rejects.close)
    closers.callback(attempt, partial(delivery.close, CLOSING_SECONDS))
    return OpenRun(
        counts=start.counts,
        outcomes=start.outcomes,
        rejects=start.rejects,
        checkpoints=start.checkpoints,
        directory=connection.directory,
        destination=delivery,
        pace=loader.pace,
        versions=versions,
        refusals=context.refusals,
        ending=start.ending,
    )


def _pace(start: RunStart, connection: Connection, closers: ExitStack) -> Pace:
    """The loader's pace; shared with other processes where there is a store, and something is sent."""
    settings, clock = start.settings, start.clock
    if settings.rate_limit_store is None or settings.dry_run:
        return Pace(settings.rate_limits, clock)
    from target_engagevoice.api.ratelimit.postgres import SharedQuota  # noqa: PLC0415 - most runs have no store

    shared = SharedQuota.open(
        settings.rate_limit_store, connection.quota, settings.rate_limits, JITTER_MARGIN_SECONDS, clock
    )
    closers.callback(start.ending.attempt, shared.close)
    return Pace(shared, clock)


def _batch_context(start: RunStart, connection: Connection, ledger: Ledger) -> BatchContext:
    settings, clock = start.settings, start.clock
    return BatchContext(
        ledger=ledger,
        outcomes=start.outcomes,
        refusals=Refusals(start.outcomes, ledger),
        run=start.counts,
        reconciler=Reconciler(connection.client, clock, start.halt, settings.search_delay_seconds),
        clock=clock,
        server_time=ServerTime(clock, connection.server_clock),
        halt=start.halt,
        policy=settings.policy,
    )


def _lead_access(start: RunStart, connection: Connection, server_time: ServerTime) -> LeadAccess:
    settings = start.settings
    lead_client = LeadClient(connection.client, start.clock, start.halt, settings.retry_max_seconds)
    lookups = Lookups(lead_client, start.halt, server_time.earliest, settings.search_delay_seconds)
    return LeadAccess(lead_client, lookups, connection.directory)


def _look_up_dead_runs(context: BatchContext, search_delay_seconds: float) -> None:
    looked_up = recover(
        context.ledger, context.reconciler, context.clock, context.server_time.latest, search_delay_seconds
    )
    if looked_up:
        logger.warning("%d leads that an earlier run left without a known fate were looked up.", looked_up)


def _versions(start: RunStart, context: BatchContext, access: LeadAccess, how: Retire) -> Versions:
    """What becomes of leads that a stream's new version does not hold: they are retired so, or counted in a dry run."""
    most = start.settings.max_retired_percent
    if start.settings.dry_run:
        count = partial(_count_retirements, start, access.directory)
        return Versions(InMemoryVersionStore(context.ledger.versions), count, most)
    return Versions(context.ledger.versions, partial(_retire, context, access, how), most)


def _retire(context: BatchContext, access: LeadAccess, how: Retire, stream: str, leads: list[tuple[str, str]]) -> int:
    """Retire leads of a stream, given as campaign and `externId`; returns how many the server refused."""
    wanted = {extern_id: Wanted(how) for _, extern_id in leads}
    return len(LeadRetirements(context, access, stream).retire(wanted))


def _count_retirements(start: RunStart, directory: Directory, stream: str, leads: list[tuple[str, str]]) -> int:
    """Count what a run that is no dry run would retire; nothing was."""
    for campaign_id, _ in leads:
        start.counts.count_effort(stream, directory.by_id(campaign_id), "would_retire")
    return 0


def _handlers(context: BatchContext, access: LeadAccess, loader: LoaderAccess, timed: Timed) -> BatchHandlers:
    def load(batch: Batch) -> list[BufferedLead]:
        with timed(batch.stream):
            return BatchLoad(context, loader, access, batch).load()

    return BatchHandlers(
        load=load,
        change=lambda batch: LeadChanges(context, access, batch).change(),
        retire=lambda batch: LeadRetirements(context, access, batch.stream).handle(batch),
    )


def _delivery(
    start: RunStart, context: BatchContext, access: LeadAccess, versions: Versions | None, handlers: BatchHandlers
) -> Delivery:
    settings = start.settings
    find = access.lead_client.find if settings.policy.change else None
    dry_run = DryRun(start.counts, context.ledger, access.directory, find) if settings.dry_run else None
    return Delivery(
        handlers=handlers,
        drainer=Drainer(Dedupe(context.ledger, settings.policy), start.outcomes, dry_run, versions),
        limits=BufferLimits(settings.batch_size_rows, settings.batch_size_bytes, settings.batch_wait_limit_seconds),
        threads=settings.max_in_flight,
        clock=start.clock,
        halt=start.halt,
    )


def _finish_ledger(start: RunStart, ledger: Ledger) -> None:
    """Let the ledger forget what it keeps for a restart, where there is nothing to restart."""
    if start.ending.in_full and not start.settings.dry_run:
        ledger.finish(start.counts.streams())
