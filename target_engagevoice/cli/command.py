"""The `engagevoice` command: its options, its errors, its commands."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from target_engagevoice.errors import EngageVoiceError, from_mistake
from target_engagevoice.logger import NAME, logger

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND_NAME = "engagevoice"

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "check": "Tell whether a run would be accepted, and what goes where.",
        "preview": "Show the leads that records would become.",
        "init": "Propose the mappings for the streams of a tap.",
        "campaigns": "List dial groups and their campaigns.",
        "rejects": "Show what a run rejected, by reason.",
        "report": "Write the report of a run, one HTML file.",
        "runs": "Show the last runs, one line each.",
        "sandbox": "Serve the sandbox until interrupted.",
    },
)
"""Each command's own first line. Its file is named like it, and so is the command in that file."""

EXAMPLES = """\b
Examples:
  engagevoice init --from tap.singer --campaign Outbound/Renewals
  engagevoice check --config config.json --input tap.singer
  engagevoice preview --config config.json --input tap.singer
"""


_CLICKS_OWN = (click.ClickException, click.Abort, click.exceptions.Exit, OSError)
"""What click makes words and an exit code of; `OSError` for a pipe whose reader went away."""


class Companion(click.Group):
    """A group whose commands are imported when called, and fail with one line and the exit code of the contract."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and import it.

        Args:
            ctx: Click's.
            args: The command's name and what follows it.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            command = getattr(import_module(f"target_engagevoice.cli.{name}"), name)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Args:
            ctx: Click's.
        """
        try:
            return super().invoke(ctx)
        except EngageVoiceError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except _CLICKS_OWN:
            raise
        except Exception as error:  # whatever it is, it ends in one line without the data that its text may hold
            logger.debug("A mistake in %s itself:", COMMAND_NAME, exc_info=True)
            fatal = from_mistake(error, COMMAND_NAME)
            click.echo(f"Error: {fatal}", err=True)
            ctx.exit(fatal.exit_code)


@click.group(
    cls=Companion,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["--help"]},
    commands=[click.Command(name, help=first_line) for name, first_line in COMMANDS.items()],
)
@click.version_option(package_name=NAME, prog_name=COMMAND_NAME)
def main() -> None:
    """See what target-engagevoice sees, would do, and did.

    Most commands take the configuration of the target. Each has its own --help, with examples.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries have words for developers, such as that Python 3.10 is old
    logging.basicConfig(level=os.environ.get("LOGLEVEL", "WARNING").upper(), stream=sys.stderr)
