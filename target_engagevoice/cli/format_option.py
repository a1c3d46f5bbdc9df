"""`--format`, for commands that show something to people or to programs."""

from __future__ import annotations

import click

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)
