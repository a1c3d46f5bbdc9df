"""`engagevoice rejects`: shows what a run rejected and why, or writes the records for another run."""

from __future__ import annotations

import click

from target_engagevoice.cli.options import read_state_dir, state_dir_option
from target_engagevoice.cli.table import table
from target_engagevoice.reporting.past_runs import find_run, past_runs
from target_engagevoice.reporting.read_rejects import reject_groups, singer_messages
from target_engagevoice.reporting.summary import printable

COLUMNS = ("stream", "stage", "reason", "count", "example", "message")
LONGEST_MESSAGE = 100

EPILOG = """
Examples:

\b
  engagevoice rejects
  engagevoice rejects 20261124T0652 --config config.json
  engagevoice rejects --singer | target-engagevoice --config config.json
"""


@click.command(epilog=EPILOG)
@click.argument("run", required=False)
@state_dir_option
@click.option("--singer", is_flag=True, help="Write the rejected records as Singer messages, without STATE.")
def rejects(run: str | None, sources: tuple[str, ...], *, singer: bool) -> None:
    """Show what a run rejected, by reason.

    RUN is the name of a run or the beginning of it; the newest run when not given. The example is the externId of one
    of the records.
    """
    state_dir = read_state_dir(sources)
    found = find_run(state_dir, run)
    if not found.rejects_path.exists():
        older = next((each for each in past_runs(state_dir) if each.rejects_path.exists()), None)
        hint = f" The newest run that has rejects is {older.name}." if older else ""
        click.echo(f"Run {found.name} has rejected nothing.{hint}", err=True)
        return
    if singer:
        for message in singer_messages(found):
            click.echo(message)
        return
    rows = [
        {
            "stream": printable(group.stream),
            "stage": group.stage,
            "reason": printable(group.reason),
            "count": f"{group.count:,}",
            "example": printable(group.extern_ids[0]) if group.extern_ids else "",
            "message": _short(printable(group.message)),
        }
        for group in reject_groups(found)
    ]
    click.echo(table(COLUMNS, rows))
    click.echo(f"\nRun {found.name}; the records are in {found.rejects_path}", err=True)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"
