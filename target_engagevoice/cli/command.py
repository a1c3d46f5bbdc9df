"""The `engagevoice` command: its options, its errors, its commands."""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import version
from typing import Any

import click

from target_engagevoice.cli.campaigns import campaigns
from target_engagevoice.cli.sandbox import sandbox
from target_engagevoice.errors import EngageVoiceError


class Companion(click.Group):
    """A group whose commands fail with one line and the exit code of the contract, never with a traceback."""

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


@click.group(cls=Companion, context_settings={"help_option_names": ["--help"]})
@click.version_option(version("target-engagevoice"), prog_name="engagevoice")
def main() -> None:
    """See what target-engagevoice sees, and what it did."""
    logging.basicConfig(level=os.environ.get("LOGLEVEL", "WARNING").upper(), stream=sys.stderr)


main.add_command(campaigns)
main.add_command(sandbox)
