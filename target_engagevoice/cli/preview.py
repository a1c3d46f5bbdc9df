"""`engagevoice preview`: shows the leads that the records of a tap would become, and sends nothing."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

import click

from target_engagevoice.cli.options import config_option
from target_engagevoice.config.environment import environment
from target_engagevoice.config.files import read_config
from target_engagevoice.config.settings import offline as without_sign_in
from target_engagevoice.errors import EngageVoiceError
from target_engagevoice.model.values import is_empty
from target_engagevoice.run.process import end_on_signals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_engagevoice.cli.sheet import Sheet
    from target_engagevoice.preflight.preview import MappedLead, Preview

EXAMPLES = """\b
Examples:
  tap-postgres --config tap.json | engagevoice preview --config config.json
  engagevoice preview --config config.json --input tap.singer --limit 20
  engagevoice preview --config config.json --input tap.singer --offline
"""

COLUMNS = {
    "loaded": "to be sent",
    "rejected": "rejected",
    "do_not_call": "do not call",
    "deleted": "deleted",
    "skipped": "skipped",
}
"""Outcomes of a run, and their names in a preview."""


@click.command(epilog=EXAMPLES)
@config_option
@click.option("--input", "file_input", type=click.File("rb"), help="Read messages from this file, not standard input.")
@click.option("--limit", type=click.IntRange(min=0), default=5, show_default=True, help="Number of leads to show.")
@click.option("--offline", is_flag=True, help="Do not sign in; use the campaign names as they are written.")
def preview(sources: tuple[str, ...], file_input: IO[Any] | None, limit: int, offline: bool) -> None:
    """Show the leads that records would become.

    Reads Singer messages to their end, through the stream maps, checks and mappings that a run uses. Shows the first
    leads, the source of each field, and why records would be rejected. Sends nothing, writes no STATE and does not read
    the ledger, so it also shows leads that a run would find unchanged. Values of records go to standard output, never
    to the log.
    """
    from target_engagevoice.cli.sheet import Sheet  # noqa: PLC0415 - imports rich, which --help does not need
    from target_engagevoice.preflight.preview import AnyDirectory, PreviewTarget  # noqa: PLC0415 - imports the SDK

    if file_input is None and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("nothing to read: pipe a tap into engagevoice preview, or give --input FILE.")
    config = read_config(sources, environment)
    if offline:
        config = without_sign_in(config)
    sheet = Sheet()
    leads = _Leads(sheet)
    target = PreviewTarget(config, limit=limit, show=leads.show, directory=AnyDirectory() if offline else None)
    previewed = target.preview
    end_on_signals(target.lifecycle.stop)
    failure: EngageVoiceError | None = None
    try:
        _ = target.open_run
        target.listen(file_input)
    except EngageVoiceError as error:
        failure = error
    finally:
        target.lifecycle.close(failure)
    if failure is None or previewed.counts.read:
        _show_counts(sheet, previewed, leads.number)
    if failure is not None:
        raise failure


class _Leads:
    """Shows leads one below the other, and counts them."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self.number = 0

    def show(self, lead: MappedLead) -> None:
        """Show a lead, as soon as it is read."""
        from target_engagevoice.cli.sheet import shown  # noqa: PLC0415 - imports rich, see `preview`

        self.number += 1
        self._sheet.heading(f"Lead {self.number}: stream {lead.stream}, to {_campaign(lead)}")
        rows = [(fed.lead_field, fed.source, shown(fed.value), shown(fed.sent)) for fed in lead.fed]
        self._sheet.table(("lead field", "source", "value", "sent"), rows)


def _campaign(lead: MappedLead) -> str:
    campaign = lead.campaign
    return f"{campaign.path} ({campaign.campaign_id})" if campaign.dial_group_id else f"campaign {campaign.name!r}"


def _show_counts(sheet: Sheet, previewed: Preview, leads_shown: int) -> None:
    from target_engagevoice.cli.sheet import shown  # noqa: PLC0415 - imports rich, see `preview`

    record = previewed.counts.record("", "ok", dry_run=True, error=None)
    totals = record["totals"]
    sheet.heading(f"Read {_number(totals['read'])}; nothing was sent")
    rows = [
        (stream["stream"], (row["campaign"] or "").removeprefix("/"), *_counts(row))
        for stream in record["streams"]
        for row in stream["campaigns"]
    ]
    if rows:
        sheet.table(("stream", "campaign", *COLUMNS.values()), [*rows, ("total", "", *_counts(totals))])
    if totals["loaded"] > leads_shown:
        sheet.line(f"{leads_shown} of {totals['loaded']} leads are shown; --limit shows more.")
    kinds = previewed.rejected.kinds()
    if kinds:
        sheet.heading("Rejected, one example of each kind")
    for kind in kinds:
        rejection = kind.rejection
        key = f" externId {rejection.extern_id}:" if rejection.extern_id else ""
        place = f"of stream {kind.stream}, at stage {rejection.stage.value}"
        sheet.line(f"{rejection.reason}: {_number(kind.count)} {place}")
        sheet.line(rejection.message, indent=4)
        sheet.line(f"for example{key} {shown(_filled(kind.record))}", indent=4)
    if previewed.would_stop:
        sheet.line(f"A run would end with exit code 3: {previewed.would_stop}", style="bold")


def _number(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"


def _filled(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if not is_empty(value)}


def _counts(row: Mapping[str, Any]) -> list[str]:
    return [str(row[outcome]) for outcome in COLUMNS]
