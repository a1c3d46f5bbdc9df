"""Readers for typed configuration: a reader returns the checked value, or raises an error that says what to type.

A reader is called with the value and its location, such as `accounts[0].dialGroups[1].dialMode`, and raises
`ConfigError` with the location in the message.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from target_engagevoice.errors import ConfigError

Reader = Callable[[Any, str], Any]

_REQUIRED: Any = object()


@dataclass(frozen=True)
class Field:
    """One named value of an object.

    Attributes:
        read: Checks and converts it.
        default: Its value when it is not given; it is not checked. A field without a default is required.
    """

    read: Reader
    default: Any = _REQUIRED


def read_object(raw: Any, fields: Mapping[str, Field], where: str) -> dict[str, Any]:
    """Check an object against a table of fields.

    Args:
        raw: The value as it was typed.
        fields: The fields that the object may hold.
        where: Its location, for the message.

    Returns:
        Every field of the table with its checked value or its default.

    Raises:
        ConfigError: It is not an object, a field is unknown or missing, or a value is not valid.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where} must be an object with {_listing(fields)}")
    for name in raw:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {_listing(fields)}"
            raise ConfigError(f"{where} does not know {name!r}: {hint}")
    values = {}
    for name, field in fields.items():
        if name in raw:
            values[name] = field.read(raw[name], f"{where}.{name}")
        elif field.default is _REQUIRED:
            raise ConfigError(f"{where} lacks {name!r}: add it")
        else:
            values[name] = field.default
    return values


def text(raw: Any, where: str) -> str:
    """A string that is not blank."""
    if not isinstance(raw, str) or not raw.strip():
        raise ConfigError(f"{where} must be a string that is not empty")
    return raw


def any_text(raw: Any, where: str) -> str:
    """A string, the empty one too."""
    if not isinstance(raw, str):
        raise ConfigError(f"{where} must be a string")
    return raw


def identifier(raw: Any, where: str) -> str:
    """An id: a string of digits or a whole number. Returned as a string."""
    if isinstance(raw, bool) or not isinstance(raw, str | int) or not str(raw).isdecimal():
        raise ConfigError(f"{where} must be an id made of digits, such as 1001")
    return str(raw)


def flag(raw: Any, where: str) -> bool:
    """`true` or `false`."""
    if not isinstance(raw, bool):
        raise ConfigError(f"{where} must be true or false")
    return raw


def whole(low: int, high: int | None = None) -> Reader:
    """A whole number from `low` to `high`."""
    span = f"from {low} to {high}" if high is not None else f"of at least {low}"

    def read(raw: Any, where: str) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or raw < low or (high is not None and raw > high):
            raise ConfigError(f"{where} must be a whole number {span}")
        return raw

    return read


def number(low: float, high: float | None = None) -> Reader:
    """A number from `low` to `high`."""
    span = f"from {low} to {high}" if high is not None else f"of at least {low}"

    def read(raw: Any, where: str) -> float:
        fits = isinstance(raw, int | float) and not isinstance(raw, bool) and low <= raw < math.inf
        if not fits or (high is not None and raw > high):
            raise ConfigError(f"{where} must be a number {span}")
        return float(raw)

    return read


def choice(*values: str) -> Reader:
    """One of the given strings."""

    def read(raw: Any, where: str) -> str:
        if raw not in values:
            raise ConfigError(f"{where} must be one of {', '.join(values)}")
        return str(raw)

    return read


def many(read_one: Reader) -> Reader:
    """A list whose items `read_one` reads. Returned as a tuple."""

    def read(raw: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(raw, list | tuple):
            raise ConfigError(f"{where} must be a list")
        return tuple(read_one(item, f"{where}[{index}]") for index, item in enumerate(raw))

    return read


def maybe(read_value: Reader) -> Reader:
    """`null`, or a value that `read_value` reads."""
    return lambda raw, where: None if raw is None else read_value(raw, where)


def _listing(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))
