"""Settings in environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dotenv import find_dotenv, load_dotenv

from target_engagevoice.config.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_PREFIX = "TARGET_ENGAGEVOICE_"


def environment() -> dict[str, str]:
    """The settings in the environment; those missing there are read from the nearest `.env`."""
    load_dotenv(find_dotenv(usecwd=True))
    return from_environment(os.environ)


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in `TARGET_ENGAGEVOICE_<NAME>`, as text; an empty variable counts as not given.

    Args:
        environ: Environment variables.
    """
    names = {ENVIRONMENT_PREFIX + name.upper(): name for name in SETTINGS}
    return {name: environ[variable] for variable, name in names.items() if environ.get(variable)}
