"""`engagevoice report`: the run report, one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from target_engagevoice.cli.options import read_state_dir, state_dir_option
from target_engagevoice.reporting.html import write_report
from target_engagevoice.reporting.past_runs import find_run


@click.command(epilog="Example: engagevoice report 20261124T0652 --config config.json")
@click.argument("run", required=False)
@state_dir_option
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; in state_dir if not given."
)
@click.option(
    "--with-personal-data", is_flag=True, help="Include an example of each kind of reject, with the server's message."
)
def report(run: str | None, sources: tuple[str, ...], output: Path | None, *, with_personal_data: bool) -> None:
    """Write the report of a run, one HTML file.

    RUN is the name of a run or the beginning of it; the newest run when not given. Prints the path of the file.
    """
    found = find_run(read_state_dir(sources), run)
    click.echo(write_report(found, output, with_personal_data=with_personal_data))
