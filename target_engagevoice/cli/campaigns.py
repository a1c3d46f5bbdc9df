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
from target_engagevoice.run.session import connect

COLUMNS = ("dial_group_id", "dial_group", "dial_mode", "campaign_id", "campaign", "active", "configuration")

EXAMPLES = """\b
Examples:
  engagevoice campaigns --config config.json
  engagevoice campaigns --config ENV --format json
"""


@click.command(epilog=EXAMPLES)
@config_option
@format_option("table", "json")
def campaigns(sources: tuple[str, ...], format_: str) -> None:
    """List dial groups and their campaigns.

    Signs in with the configuration of the target and lists what its user can see: the ids and names for the settings
    campaign and mappings.
    """
    clock = SystemClock()
    connection = connect(read_settings(sources), clock, Halt(clock), version(NAME))
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
        }
        for campaign in connection.directory.campaigns
    ]
    click.echo(json.dumps(rows, indent=2) if format_ == "json" else table(COLUMNS, rows))
