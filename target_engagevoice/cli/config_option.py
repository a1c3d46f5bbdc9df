"""The `--config` option that the commands share with the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_engagevoice.config.environment import environment
from target_engagevoice.config.files import missing, read_config
from target_engagevoice.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_files(_context: click.Context, _option: click.Parameter, sources: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse files that are not there, as the target does."""
    msg = missing(sources)
    if msg is not None:
        raise click.UsageError(msg)
    return sources


config_option = click.option(
    "--config",
    "sources",
    multiple=True,
    required=True,
    callback=check_files,
    metavar="FILE|ENV",
    help="Configuration file, or ENV for environment variables; may be given several times.",
)


def read_settings(sources: Sequence[str]) -> Settings:
    """The settings, as the target reads them.

    Raises:
        ConfigError: A file or a setting is wrong.
    """
    return Settings.parse(read_config(sources, environment))
