"""Reading `--config`: files and environment variables, later ones over earlier ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENVIRONMENT = "ENV"
"""The word that stands for environment variables."""


def check_files(_context: click.Context, _option: click.Parameter, sources: tuple[str, ...]) -> tuple[str, ...]:
    """Callback of `--config`: refuse a file that does not exist, since the command line is wrong then.

    Mistakes inside a file are found when it is read, and end as the contract says.

    Raises:
        click.UsageError: A file does not exist.
    """
    for source in sources:
        if source != ENVIRONMENT and not Path(source).exists():
            msg = f"--config: there is no file {source}."
            raise click.UsageError(msg)
    return sources


def read_config(sources: Sequence[str], environment: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Merge configuration files, and the environment where `ENV` is named.

    Args:
        sources: Paths, or the word `ENV`; the environment wins over files, as in every Singer executable.
        environment: Returns the settings of the environment.

    Raises:
        ConfigError: A file cannot be read or holds no JSON object.
    """
    config: dict[str, Any] = {}
    for source in sources:
        if source != ENVIRONMENT:
            config |= _read(Path(source))
    return config | dict(environment()) if ENVIRONMENT in sources else config


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        msg = f"--config: {path} cannot be read: {error.strerror}."
        raise ConfigError(msg) from None
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        msg = f"--config: {path} is not JSON{where}."
        raise ConfigError(msg) from None
    if not isinstance(content, dict):
        msg = f"--config: {path} does not hold a JSON object of settings."
        raise ConfigError(msg)
    return content
