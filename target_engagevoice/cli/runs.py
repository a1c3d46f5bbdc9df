"""`engagevoice runs`: the last runs, one line each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from target_engagevoice.cli.options import format_option, read_state_dir, state_dir_option
from target_engagevoice.cli.table import table
from target_engagevoice.errors import StorageError
from target_engagevoice.reporting.past_runs import past_runs

if TYPE_CHECKING:
    from target_engagevoice.reporting.past_runs import PastRun

COLUMNS = ("run", "status", "seconds", "read", "loaded", "unchanged", "rejected", "requests", "error")
NO_RECORD = "no record"
"""The status of a run that was killed, or is still running."""


@click.command(epilog="Example: engagevoice runs --limit 5")
@state_dir_option
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="Number of runs, the newest first."
)
@format_option("table", "json")
def runs(sources: tuple[str, ...], limit: int, format_: str) -> None:
    """Show the last runs, one line each."""
    state_dir = read_state_dir(sources)
    rows = [_row(run) for run in past_runs(state_dir)[:limit]]
    if format_ == "json":
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        click.echo(table(COLUMNS, [{name: _cell(row[name]) for name in COLUMNS} for row in rows]))
    else:
        click.echo(f"There are no files of any run in {state_dir}.")


def _row(run: PastRun) -> dict[str, Any]:
    try:
        record = run.record
    except StorageError:
        return {**dict.fromkeys(COLUMNS), "run": run.name, "status": NO_RECORD}
    totals = record["totals"]
    error = record.get("error") or {}
    known = {"run": run.name, "status": record.get("status"), "seconds": record.get("seconds")}
    return {**known, **{name: totals.get(name, 0) for name in COLUMNS[3:-1]}, "error": error.get("code")}


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, (int, float)) else str(value)
