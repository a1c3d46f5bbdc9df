"""The value of one setting, converted to its kind and checked against its limits (contract, section 3)."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from target_engagevoice.config.setting import Kind
from target_engagevoice.errors import ConfigError
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from target_engagevoice.config.setting import Setting

LARGEST_NUMBER = 10**300
"""A larger number does not fit a float, and Python does not convert it to text."""


def coerce(setting: Setting, raw: Any) -> Any:
    """The value in the setting's kind; text is converted, since environment variables hold nothing else.

    Args:
        setting: The setting.
        raw: The value as a user wrote it.

    Raises:
        ConfigError: It is of another kind, or outside the setting's options or limits.
    """
    value = raw
    if isinstance(raw, str) and setting.kind not in (Kind.STRING, Kind.PASSWORD, Kind.OPTIONS):
        value = _from_text(setting, raw)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if setting.kind is Kind.DECIMAL and whole and abs(value) <= LARGEST_NUMBER:
        value = float(value)
    if setting.or_integer and whole and abs(value) <= LARGEST_NUMBER:
        value = str(value)
    fits = isinstance(value, setting.kind.python) and (setting.kind is Kind.BOOLEAN or not isinstance(value, bool))
    if not fits or (setting.kind is Kind.DECIMAL and not isfinite(value)):
        msg = f"{setting.name}: must be {setting.kind.text}{_not(setting, raw)}."
        raise ConfigError(msg)
    _check_range(setting, value)
    return value


def _check_range(setting: Setting, value: Any) -> None:
    if setting.options and value not in setting.options:
        msg = f"{setting.name}: {value!r} is not one of its values; {did_you_mean(value, setting.options)}"
        raise ConfigError(msg)
    if setting.kind is Kind.ARRAY and not all(isinstance(item, str) for item in value):
        msg = f"{setting.name}: must be an array of strings."
        raise ConfigError(msg)
    if setting.minimum is not None and not value >= setting.minimum:
        msg = f"{setting.name}: must be at least {setting.minimum:g}, not {value}."
        raise ConfigError(msg)
    if setting.maximum is not None and not value <= setting.maximum:
        msg = f"{setting.name}: must be at most {setting.maximum:g}, not {value}."
        raise ConfigError(msg)


def _from_text(setting: Setting, text: str) -> Any:
    booleans = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    try:
        if setting.kind is Kind.BOOLEAN:
            return booleans[text.strip().casefold()]
        if setting.kind is Kind.INTEGER:
            return int(text)
        if setting.kind is Kind.DECIMAL:
            return float(text)
        return json.loads(text)
    except (ValueError, KeyError, RecursionError):
        msg = f"{setting.name}: must be {setting.kind.text}{_not(setting, text)}."
        raise ConfigError(msg) from None


def _not(setting: Setting, raw: Any) -> str:
    return "" if setting.secret else f", not {raw!r}"
