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
        "check": "Check whether a run would be accepted, and show where its records would go.",
        "preview": "Show the leads that records would become.",
        "init": "Propose the mappings for the streams of a tap.",
        "campaigns": "List dial groups, their campaigns, and the do-not-call tags.",
        "rejects": "Show what a run rejected, by reason.",
        "report": "Write the report of a run, one HTML file.",
        "runs": "Show the last runs, one line each.",
        "sandbox": "Serve the sandbox until interrupted.",
    },
)
"""The first line of each command's help. A command's module and its function have the name of the command."""

EXAMPLES = """\b
Examples:
  engagevoice init --from tap.singer --campaign Outbound/Renewals
  engagevoice check --config config.json --input tap.singer
  engagevoice preview --config config.json --input tap.singer
"""


_CLICK_ERRORS = (click.ClickException, click.Abort, click.exceptions.Exit, OSError)
"""Errors that click reports itself, with an exit code; `OSError` for a pipe whose reader has ended."""


class CommandGroup(click.Group):
    """Imports a command only when it is called; an error ends it with one line and the exit code of the contract."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find and import the command.

        Args:
            ctx: The context of click.
            args: The command's name and its arguments.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None:
            command = getattr(import_module(f"target_engagevoice.cli.{name}"), name)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Args:
            ctx: The context of click.
        """
        try:
            return super().invoke(ctx)
        except EngageVoiceError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except _CLICK_ERRORS:
            raise
        except Exception as error:  # one line, without the error's text: it may quote a record
            logger.debug("A mistake in %s itself:", COMMAND_NAME, exc_info=True)
            fatal = from_mistake(error, COMMAND_NAME)
            click.echo(f"Error: {fatal}", err=True)
            ctx.exit(fatal.exit_code)


@click.group(
    cls=CommandGroup,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["--help"]},
    commands=[click.Command(name, help=first_line) for name, first_line in COMMANDS.items()],
)
@click.version_option(package_name=NAME, prog_name=COMMAND_NAME)
def main() -> None:
    """Prepare, check and examine runs of target-engagevoice.

    Most commands take the configuration of the target. Each has its own --help, with examples.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn developers, for example that Python 3.10 is old
    logging.basicConfig(level=os.environ.get("LOGLEVEL", "WARNING").upper(), stream=sys.stderr)
