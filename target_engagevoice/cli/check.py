"""`engagevoice check`: whether a run would be accepted, and what goes where."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any

import click

from target_engagevoice.cli.options import config_option, format_option
from target_engagevoice.clock import SystemClock
from target_engagevoice.config.environment import environment
from target_engagevoice.config.files import read_config
from target_engagevoice.config.urls import SANDBOX
from target_engagevoice.logger import NAME, logger
from target_engagevoice.model.campaign import DAYS

if TYPE_CHECKING:
    from target_engagevoice.cli.sheet import Sheet
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.preflight.check import CheckedStream, Checkup
    from target_engagevoice.preflight.lineage import Origin

EXAMPLES = """\b
Examples:
  engagevoice check --config config.json
  engagevoice check --config config.json --input tap.singer
  engagevoice check --config ENV --format json
"""

ACTIVE = {0: "no", 1: "yes", 2: "callbacks only"}
MOST_NAMES = 6
"""So many of the names that a preset looks for are shown in a table."""


@click.command(epilog=EXAMPLES)
@config_option
@click.option("--input", "schemas", type=click.File("rb"), help="SCHEMA messages of the tap, or its catalog.")
@format_option("table", "json")
@click.pass_context
def check(context: click.Context, sources: tuple[str, ...], schemas: IO[Any] | None, format_: str) -> None:
    """Tell whether a run would be accepted, and what goes where.

    Reads the configuration, signs in, finds every campaign that it names, opens the ledger, and compiles the mappings,
    as a run does; nothing is sent. Shows every failure that it finds, with what to do. With --input, the mappings are
    those of the tap's own streams and fields. Exits with 0 only if a run would be accepted.
    """
    from target_engagevoice.preflight.check import check as look  # noqa: PLC0415 - brings in the SDK, which --help does without

    logger.setLevel(logging.CRITICAL)  # what a run logs is in the table
    config = read_config(sources, environment)
    checkup = look(config, schemas, SystemClock(), version(NAME))
    if format_ == "json":
        click.echo(json.dumps(_as_json(checkup), indent=2))
    else:
        _show(checkup)
    context.exit(0 if checkup.accepted else 1)


def _show(checkup: Checkup) -> None:
    from target_engagevoice.cli.sheet import Sheet  # noqa: PLC0415 - brings in rich

    sheet = Sheet()
    if checkup.account_id is not None:
        where = "the embedded sandbox" if checkup.base_url == SANDBOX else checkup.base_url
        sheet.line(f"Signed in at {where}, account {checkup.account_id}.")
    if checkup.campaigns:
        sheet.heading("Campaigns")
        columns = ("campaign", "id", "dial mode", "active", "calling", "schedule")
        sheet.table(columns, map(_campaign_row, checkup.campaigns))
    for stream in checkup.streams:
        _show_stream(sheet, stream)
    for title, words in (
        ("Notes", checkup.notes),
        ("Warnings", checkup.warnings),
        ("Failures", [failure.message for failure in checkup.failures]),
    ):
        if words:
            sheet.heading(title)
        for word in words:
            sheet.item(word)
    number = len(checkup.failures)
    if checkup.accepted:
        sheet.heading("A run would be accepted.")
    else:
        sheet.heading(f"A run would not be accepted: {number} failure{'s' if number > 1 else ''}.")


def _campaign_row(campaign: Campaign) -> tuple[str, ...]:
    return (
        campaign.path,
        campaign.campaign_id,
        campaign.dial_mode,
        ACTIVE.get(campaign.active, str(campaign.active)),
        campaign.configuration,
        schedule_text(campaign.schedule),
    )


def _show_stream(sheet: Sheet, stream: CheckedStream) -> None:
    by = f"mappings.{stream.pattern}" if stream.pattern is not None else "no mapping names it"
    name = "Any other stream" if stream.name is None else f"Stream {stream.name}"
    if stream.preset is None:
        sheet.heading(f"{name} ({by}): skipped")
        return
    sheet.heading(f"{name} ({by}, preset {stream.preset})")
    sheet.line(f"goes to: {stream.campaign}")
    if stream.forbidding:
        sheet.line(f"never loaded where set: {', '.join(stream.forbidding)}")
    rows = [(_sources(origin), origin.lead_field, origin.chosen_by) for origin in stream.origins]
    sheet.table(("source", "lead field", "chosen by"), rows)


def _sources(origin: Origin) -> str:
    if not origin.by_name:
        return ", else ".join(origin.sources)
    shown = ", ".join(origin.sources[:MOST_NAMES])
    left = len(origin.sources) - MOST_NAMES
    return f"by name: {shown}" + (f" and {left} more" if left > 0 else "")


def schedule_text(schedule: tuple[str, ...]) -> str:
    """The hours of a week, days with the same ones together, such as `mon-fri 08:00-21:00`.

    Args:
        schedule: Monday to Sunday as the server writes them; two times of four digits are made readable.
    """
    if not schedule:
        return "not told"
    if not any(schedule):
        return "none"
    parts = []
    for hours, group in groupby(zip(DAYS, schedule, strict=True), key=lambda each: each[1]):
        days = [day for day, _ in group]
        span = days[0] if len(days) == 1 else f"{days[0]}-{days[-1]}"
        plain = len(hours) == len("08002100") and hours.isdecimal()
        shown = f"{hours[:2]}:{hours[2:4]}-{hours[4:6]}:{hours[6:]}" if plain else hours
        if hours:
            parts.append(f"{span} {shown}")
    return ", ".join(parts)


def _as_json(checkup: Checkup) -> dict[str, Any]:
    return {
        "accepted": checkup.accepted,
        "failures": [{"code": failure.code, "message": failure.message} for failure in checkup.failures],
        "warnings": checkup.warnings,
        "notes": checkup.notes,
        "base_url": checkup.base_url,
        "account_id": checkup.account_id,
        "campaigns": [
            {
                "campaign_id": campaign.campaign_id,
                "campaign": campaign.name,
                "dial_group_id": campaign.dial_group_id,
                "dial_group": campaign.dial_group,
                "dial_mode": campaign.dial_mode,
                "active": ACTIVE.get(campaign.active, str(campaign.active)),
                "configuration": campaign.configuration,
                "schedule": dict(zip(DAYS, campaign.schedule, strict=False)),
                "named_in": places,
            }
            for campaign, places in checkup.campaigns.items()
        ],
        "streams": [
            {
                "stream": stream.name,
                "mapping": stream.pattern,
                "skip": stream.preset is None,
                "preset": stream.preset,
                "campaign": stream.campaign,
                "do_not_call": stream.forbidding,
                "fields": [vars(origin) for origin in stream.origins],
            }
            for stream in checkup.streams
        ],
    }
