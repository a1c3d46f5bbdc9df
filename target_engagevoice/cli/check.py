"""`engagevoice check`: whether a run would be accepted, and where its records would go."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version
from typing import IO, TYPE_CHECKING, Any

import click

from target_engagevoice.cli.campaign_text import active_text, schedule_text
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
    from target_engagevoice.preflight.check_result import CheckedStream, CheckResult
    from target_engagevoice.preflight.lineage import Origin

EXAMPLES = """\b
Examples:
  engagevoice check --config config.json
  engagevoice check --config config.json --input tap.singer
  engagevoice check --config ENV --format json
"""

MOST_NAMES = 6
"""The largest number of the names that a preset looks for in one cell of a table."""


@click.command(epilog=EXAMPLES)
@config_option
@click.option("--input", "schemas", type=click.File("rb"), help="SCHEMA messages of the tap, or its catalog.")
@format_option("table", "json")
@click.pass_context
def check(context: click.Context, sources: tuple[str, ...], schemas: IO[Any] | None, format_: str) -> None:
    """Check whether a run would be accepted, and show where its records would go.

    Reads the configuration, signs in, finds every campaign that it names, opens the ledger, and compiles the mappings,
    as a run does. Sends nothing. Shows all failures, each with what to do. With --input, compiles the mappings for the
    streams and fields of the tap. Exits with 0 only if a run would be accepted.
    """
    from target_engagevoice.preflight.check import check as check_run  # noqa: PLC0415 - imports the SDK, which --help does not need

    logger.setLevel(logging.CRITICAL)  # the table shows what a run would log
    config = read_config(sources, environment)
    result = check_run(config, schemas, SystemClock(), version(NAME))
    if format_ == "json":
        click.echo(json.dumps(_as_json(result), indent=2))
    else:
        _show(result)
    context.exit(0 if result.accepted else 1)


def _show(result: CheckResult) -> None:
    from target_engagevoice.cli.sheet import Sheet  # noqa: PLC0415 - imports rich, which --help does not need

    sheet = Sheet()
    if result.account_id is not None:
        where = "the embedded sandbox" if result.base_url == SANDBOX else result.base_url
        sheet.line(f"Signed in at {where}, account {result.account_id}.")
    if result.campaigns:
        sheet.heading("Campaigns")
        columns = ("campaign", "id", "dial mode", "active", "calling", "schedule")
        sheet.table(columns, map(_campaign_row, result.campaigns))
    for stream in result.streams:
        _show_stream(sheet, stream)
    for title, messages in (
        ("Notes", result.notes),
        ("Warnings", result.warnings),
        ("Failures", [failure.message for failure in result.failures]),
    ):
        if messages:
            sheet.heading(title)
        for message in messages:
            sheet.item(message)
    number = len(result.failures)
    if result.accepted:
        sheet.heading("A run would be accepted.")
    else:
        sheet.heading(f"A run would not be accepted: {number} failure{'s' if number > 1 else ''}.")


def _campaign_row(campaign: Campaign) -> tuple[str, ...]:
    return (
        campaign.path,
        campaign.campaign_id,
        campaign.dial_mode,
        active_text(campaign),
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


def _as_json(result: CheckResult) -> dict[str, Any]:
    return {
        "accepted": result.accepted,
        "failures": [{"code": failure.code, "message": failure.message} for failure in result.failures],
        "warnings": result.warnings,
        "notes": result.notes,
        "base_url": result.base_url,
        "account_id": result.account_id,
        "campaigns": [
            {
                "campaign_id": campaign.campaign_id,
                "campaign": campaign.name,
                "dial_group_id": campaign.dial_group_id,
                "dial_group": campaign.dial_group,
                "dial_mode": campaign.dial_mode,
                "active": active_text(campaign),
                "configuration": campaign.configuration,
                "schedule": dict(zip(DAYS, campaign.schedule, strict=False)),
                "named_in": places,
            }
            for campaign, places in result.campaigns.items()
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
            for stream in result.streams
        ],
    }
