"""The configuration without secrets, for the run record and the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from target_engagevoice.config.table import SETTINGS

HIDDEN = "***"

_ALSO_MASKED = frozenset({"username", "stream_map_config"})
"""Masked although their kind is not secret: a user name is often an e-mail address, and values for stream map
expressions may contain the salt of a hash."""

_LOGIN = re.compile(r"(?<=://)\S*@")
"""User and password in a URL; a password may contain a slash, so everything up to the last @ is matched."""


def shown_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that differ from their defaults, in the order of the table, secrets and logins masked.

    Args:
        given: Setting names to values, as given.
    """
    return {
        name: HIDDEN if setting.secret or name in _ALSO_MASKED else _masked(given[name])
        for name, setting in SETTINGS.items()
        if name in given and given[name] != setting.default
    }


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _LOGIN.sub(f"{HIDDEN}@", value)
    if isinstance(value, Mapping):
        return {_masked(key): _masked(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(each) for each in value]
    return value
