"""The `--config` of commands that only look at what runs have left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_engagevoice.cli.config_option import check_files
from target_engagevoice.config.environment import environment
from target_engagevoice.config.files import read_config
from target_engagevoice.config.settings import state_dir_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

state_dir_option = click.option(
    "--config",
    "sources",
    multiple=True,
    callback=check_files,
    metavar="FILE|ENV",
    help="Where state_dir is set, if it is; as for the target.",
)


def read_state_dir(sources: Sequence[str]) -> Path:
    """The folder that runs leave their files in.

    Raises:
        ConfigError: A file can not be read, or the setting is no text.
    """
    return state_dir_of(read_config(sources, environment))
