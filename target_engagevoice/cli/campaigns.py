"""`engagevoice campaigns`: the dial groups of the account, and their campaigns."""

from __future__ import annotations

import json
from importlib.metadata import version

import click

from target_engagevoice.cli.campaign_text import active_text
from target_engagevoice.cli.options import config_option, format_option, read_settings
from target_engagevoice.cli.table import table
from target_engagevoice.clock import SystemClock
from target_engagevoice.halt import Halt
from target_engagevoice.logger import NAME
from target_engagevoice.run.account_checks import dnc_tags
from target_engagevoice.run.session import connect

COLUMNS = (
    "dial_group_id",
    "dial_group",
    "dial_mode",
    "campaign_id",
    "campaign",
    "active",
    "configuration",
    "dnc_scrub",
)

EXAMPLES = """\b
Examples:
  engagevoice campaigns --config config.json
  engagevoice campaigns --config ENV --format json
"""


@click.command(epilog=EXAMPLES)
@config_option
@format_option("table", "json")
def campaigns(sources: tuple[str, ...], format_: str) -> None:
    """List dial groups, their campaigns, and the do-not-call tags.

    Signs in with the configuration of the target and lists what its user can see: the ids and names for the settings
    campaign, mappings and dnc_tags. The column dnc scrub shows against which do-not-call lists leads are scrubbed.
    """
    clock = SystemClock()
    connection = connect(read_settings(sources), clock, Halt(clock), version(NAME))
    try:
        tags = dnc_tags(connection.client)
    finally:
        connection.close()
    rows = [
        {
            "dial_group_id": campaign.dial_group_id,
            "dial_group": campaign.dial_group,
            "dial_mode": campaign.dial_mode,
            "campaign_id": campaign.campaign_id,
            "campaign": campaign.name,
            "active": active_text(campaign),
            "configuration": campaign.configuration,
            "dnc_scrub": campaign.dnc_scrub,
        }
        for campaign in connection.directory.campaigns
    ]
    if format_ == "json":
        click.echo(json.dumps([{**row, "dnc_tags": tags} for row in rows], indent=2))
        return
    click.echo(table(COLUMNS, rows))
    shown = "the server does not list them" if tags is None else ", ".join(tags) or "none"
    click.echo(f"\nDo-not-call tags: {shown}")
