"""Whether a run would be accepted: the checks of a run, each of which may fail, so that every failure is found."""

from __future__ import annotations

from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from target_engagevoice.api.ratelimit.windows import JITTER_MARGIN_SECONDS
from target_engagevoice.config.mistakes import read_in_parts
from target_engagevoice.config.settings import Settings, offline
from target_engagevoice.errors import ConfigError, EngageVoiceError
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.mapping.router import resolve_campaign
from target_engagevoice.preflight.check_result import CheckResult
from target_engagevoice.preflight.check_streams import check_mappings, check_streams
from target_engagevoice.preflight.preview import AnyDirectory, PreviewTarget
from target_engagevoice.private_files import make_state_dir
from target_engagevoice.run.account_checks import account_findings
from target_engagevoice.run.session import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_engagevoice.clock import Clock
    from target_engagevoice.model.campaign import Directory
    from target_engagevoice.run.session import Connection

PATIENCE_SECONDS = 30.0
"""How long a server that does not answer is retried; a run retries for `retry_max_seconds`."""

_RUN = "check"
"""The name of the run for the ledger, to which nothing is written."""


def check(config: Mapping[str, Any], schemas: IO[Any] | None, clock: Clock, version: str) -> CheckResult:
    """Check whether a run would be accepted.

    Args:
        config: As read from files and environment.
        schemas: Singer messages, of which the SCHEMA messages count, or a catalog; None when they are not known.
        clock: Time.
        version: Of this package.
    """
    result = CheckResult()
    reading = read_in_parts(config, PreviewTarget)
    for mistake in reading.mistakes:
        result.fail(ConfigError(mistake))
    valid = reading.valid if reading.can_connect else offline(reading.valid)
    settings = Settings.parse(valid)
    connection: Connection | None = None
    if reading.can_connect:
        connection = _connection(result, settings, clock, version)
    else:
        result.notes.append(
            "The server was not asked for account and campaigns: correct base_url or the sign-in first."
        )
    directory: Directory = AnyDirectory()
    try:
        if connection is not None:
            directory = connection.directory
            result.base_url, result.account_id = settings.base_url, connection.account_id
            _check_stores(result, settings, connection, clock)
            _check_campaigns(result, settings, directory, clock)
            _check_account(result, settings, connection)
        check_mappings(result, settings, directory)
        if schemas is not None:
            check_streams(result, valid, settings, directory, schemas)
        else:
            result.notes.append(
                "The streams of the tap are not known, so their fields, and stream maps, are not compared with the "
                "mappings. Give what the tap writes with --input."
            )
    finally:
        if connection is not None:
            connection.close()
    _add_notes(result, settings)
    return result


def _connection(result: CheckResult, settings: Settings, clock: Clock, version: str) -> Connection | None:
    """Sign in as a run does, with less patience; None when that fails."""
    impatient = replace(settings, retry_max_seconds=min(settings.retry_max_seconds, PATIENCE_SECONDS))
    try:
        make_state_dir(settings.state_dir)
        return connect(impatient, clock, Halt(clock), version)
    except EngageVoiceError as error:
        result.fail(error)
    return None


def _check_stores(result: CheckResult, settings: Settings, connection: Connection, clock: Clock) -> None:
    """Open the ledger, as a dry run does, and the shared quota."""
    with result.failures_of(EngageVoiceError):
        Ledger.open(settings.ledger_url, settings.state_dir, connection.account_id, _RUN, read_only=True).close()
    if settings.rate_limit_store is None:
        return
    from target_engagevoice.api.ratelimit.postgres import SharedQuota  # noqa: PLC0415 - most runs have no store

    store, windows = settings.rate_limit_store, settings.rate_limits
    with result.failures_of(EngageVoiceError):
        SharedQuota.open(store, connection.quota, windows, JITTER_MARGIN_SECONDS, clock).close()


def _check_campaigns(result: CheckResult, settings: Settings, directory: Directory, clock: Clock) -> None:
    for where, reference in settings.campaign_references():
        with result.failures_of(ConfigError):
            result.campaigns.setdefault(resolve_campaign(where, reference, directory), []).append(where)
    for campaign in result.campaigns:
        for warning in campaign.warnings(clock.time()):
            result.warn(warning)


def _check_account(result: CheckResult, settings: Settings, connection: Connection) -> None:
    """Compare the settings with the account's mode and do-not-call list."""
    findings = account_findings(settings, connection, result.campaigns)
    for error in findings.errors:
        result.fail(ConfigError(error))
    for warning in findings.warnings:
        result.warn(warning)
    result.notes += findings.notes


def _add_notes(result: CheckResult, settings: Settings) -> None:
    """Note what the API does not show, and what may surprise."""
    mappings = settings.mappings.by_pattern.values()
    for campaign in result.campaigns:
        if campaign.single_phone:
            result.notes.append(
                f"Campaign {campaign.path} ({campaign.campaign_id}) is STRATEGIC: it takes one number in leadPhone; "
                "map others to personaPhoneConfig, with labels that match the campaign's exactly."
            )
    if settings.campaign is None and mappings:
        result.notes.append("A stream that no mapping names ends the run, since 'campaign' is not set.")
    if settings.dry_run:
        result.notes.append("dry_run is set: a run will read and map, and send nothing.")
