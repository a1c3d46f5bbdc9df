"""The `--config` option that the commands share with the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_engagevoice.config_files import read_config
from target_engagevoice.process import environment
from target_engagevoice.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

config_option = click.option(
    "--config",
    "sources",
    multiple=True,
    required=True,
    metavar="FILE|ENV",
    help="Configuration file, or ENV for environment variables; may be given several times.",
)


def read_settings(sources: Sequence[str]) -> Settings:
    """The settings, as the target reads them.

    Raises:
        ConfigError: A file or a setting is wrong.
    """
    return Settings.parse(read_config(sources, environment))
