"""The command line of `target-engagevoice` (contract, section 1), with what `--help` and `--version` print.

The options are the SDK's, declared again: importing the SDK and the other dependencies of a run takes ten times as
long as `--version` and `--help` take without them.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click

from target_engagevoice.config.files import check_files
from target_engagevoice.logger import NAME

EXAMPLES = """\b
Examples:
  tap-postgres --config tap.json | target-engagevoice --config config.json
  target-engagevoice --config config.json --config ENV --input tap.singer
  target-engagevoice --about --format markdown

\b
To see what a run would do: engagevoice check, engagevoice preview.
"""


def _print_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"{NAME} v{version(NAME)}, Meltano SDK v{version('singer-sdk')}")
        context.exit()


@click.command(NAME, context_settings={"help_option_names": ["--help"]}, epilog=EXAMPLES)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Display the package version.",
)
@click.option("--about", is_flag=True, help="Display package metadata and settings.")
@click.option(
    "--format",
    "about_format",
    type=click.Choice(["json", "markdown"], case_sensitive=False),
    help="Specify output style for --about",
)
@click.option(
    "--config",
    multiple=True,
    is_eager=True,
    callback=check_files,
    help="Configuration file location or 'ENV' to use environment variables.",
)
@click.option(
    "--input",
    "file_input",
    type=click.File("rb"),
    help="A path to read messages from instead of from standard in.",
)
@click.pass_context
def main(context: click.Context, /, **_options: Any) -> None:
    """Execute the Singer target."""
    from target_engagevoice.target import TargetEngageVoice  # noqa: PLC0415 - imports the SDK, see above

    TargetEngageVoice.cli.invoke(context)  # the SDK's command: it sets up logging and calls `TargetEngageVoice.invoke`
