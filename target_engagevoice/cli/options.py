"""Options that several commands have, and the readers of what `--config` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from target_engagevoice.config.environment import environment
from target_engagevoice.config.files import check_files, read_config
from target_engagevoice.config.settings import Settings, state_dir_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

config_option = click.option(
    "--config",
    "sources",
    multiple=True,
    required=True,
    callback=check_files,
    metavar="FILE|ENV",
    help="Configuration file, or ENV for environment variables; may be given several times.",
)
"""For commands that need the whole configuration of the target."""

state_dir_option = click.option(
    "--config",
    "sources",
    multiple=True,
    callback=check_files,
    metavar="FILE|ENV",
    help="Configuration of the target, for state_dir; may be given several times.",
)
"""For commands that only read the files of earlier runs."""


def format_option(*formats: str, help_: str = "For people, or for programs.") -> Callable[[Any], Any]:
    """A `--format` option.

    Args:
        formats: The values it takes; the first is the default.
        help_: Its help text.
    """
    return click.option(
        "--format",
        "format_",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help=help_,
    )


def read_settings(sources: Sequence[str]) -> Settings:
    """The settings, as the target reads them.

    Args:
        sources: What `--config` names.

    Raises:
        ConfigError: A file or a setting is wrong.
    """
    return Settings.parse(read_config(sources, environment))


def read_state_dir(sources: Sequence[str]) -> Path:
    """The folder in which runs leave their files.

    Args:
        sources: What `--config` names.

    Raises:
        ConfigError: A file cannot be read, or the setting is not text.
    """
    return state_dir_of(read_config(sources, environment))
