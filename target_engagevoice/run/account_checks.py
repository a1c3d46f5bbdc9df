"""What a run checks at its account before it reads: its campaigns, its do-not-call list, its mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.errors import ConfigError, ServerError
from target_engagevoice.logger import logger
from target_engagevoice.mapping.account_mode import check_account_mode
from target_engagevoice.mapping.dnc_scrub import check_dnc_scrub, named_tags
from target_engagevoice.mapping.router import resolve_campaign
from target_engagevoice.model.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_engagevoice.api.client import Client
    from target_engagevoice.clock import Clock
    from target_engagevoice.config.settings import Settings
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.run.session import Connection


def check_account(settings: Settings, connection: Connection, clock: Clock) -> None:
    """Log what may keep leads from being dialed, and refuse a run that cannot do what its settings say.

    Raises:
        ConfigError: A campaign that the settings name is not in the directory; the do-not-call list would have no
            effect; or the leads could not be dialed in this account.
    """
    directory = connection.directory
    named = dict.fromkeys(resolve_campaign(*reference, directory) for reference in settings.campaign_references())
    for campaign in named:
        for warning in campaign.warnings(clock.time()):
            logger.warning("%s", warning)
    findings = account_findings(settings, connection, named)
    for warning in findings.warnings:
        logger.warning("%s", warning)
    if findings.errors:
        more = len(findings.errors) - 1
        raise ConfigError(findings.errors[0] + (f" ({more} more: see engagevoice check.)" if more else ""))


def account_findings(settings: Settings, connection: Connection, named: Iterable[Campaign]) -> Findings:
    """Compare the settings with the account.

    Args:
        settings: Those of the run.
        connection: The account.
        named: The campaigns that the settings name.
    """
    rules = settings.stream_rules
    tags = dnc_tags(connection.client) if named_tags(rules) else None
    found = (
        check_account_mode(rules, connection.account),
        check_dnc_scrub(rules, named, connection.directory, tags),
    )
    return Findings(
        [error for each in found for error in each.errors],
        [warning for each in found for warning in each.warnings],
        [note for each in found for note in each.notes],
    )


def dnc_tags(client: Client) -> list[str] | None:
    """The account's do-not-call tags; None where the server does not list them."""
    try:
        return client.dnc_tags()
    except ServerError as error:
        logger.debug("The do-not-call tags of the account: %s", error)
        return None
