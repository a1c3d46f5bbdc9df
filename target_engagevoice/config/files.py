"""Reading `--config`: files and environment, later ones over earlier ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENVIRONMENT = "ENV"


def missing(sources: Sequence[str]) -> str | None:
    """What to say of the first file that is not there; None when all are. It is the command line that is wrong then."""
    for source in sources:
        if source != ENVIRONMENT and not Path(source).exists():
            return f"--config: there is no file {source}."
    return None


def read_config(sources: Sequence[str], environment: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Merge configuration files, and the environment where `ENV` is named.

    Args:
        sources: Paths, or the word `ENV`; the environment wins over files, as in every Singer executable.
        environment: Gives the settings of the environment.

    Raises:
        ConfigError: A file can not be read or holds no JSON object.
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
        msg = f"--config: {path} can not be read: {error.strerror}."
        raise ConfigError(msg) from None
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        msg = f"--config: {path} is not JSON{where}."
        raise ConfigError(msg) from None
    if not isinstance(content, dict):
        msg = f"--config: {path} does not hold a JSON object of settings."
        raise ConfigError(msg)
    return content
