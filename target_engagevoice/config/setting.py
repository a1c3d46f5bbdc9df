"""What one setting is: its name, kind, default, limits and meaning."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Kind(enum.Enum):
    """What a setting holds: its kind in Meltano, its type in JSON schema and in Python, and a text for messages."""

    STRING = ("string", "string", str, "a string")
    PASSWORD = ("password", "string", str, "a string")
    OPTIONS = ("options", "string", str, "a string")
    INTEGER = ("integer", "integer", int, "a whole number")
    DECIMAL = ("decimal", "number", float, "a number")
    BOOLEAN = ("boolean", "boolean", bool, "true or false")
    ARRAY = ("array", "array", list, "an array")
    OBJECT = ("object", "object", dict, "an object")

    def __init__(self, meltano: str, json_type: str, python: type, text: str) -> None:
        self.meltano = meltano
        self.json_type = json_type
        self.python = python
        self.text = text


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Attributes:
        name: As typed in the configuration.
        kind: What it holds.
        description: One or two sentences, for `--about`, `meltano.yml` and `docs/settings.md`.
        default: The value when none is given; None for a setting without a default.
        options: The allowed values of an enum.
        minimum: The smallest number allowed; `maximum` likewise.
        secret: Whether it is never shown; `sensitive` in Meltano.
        or_integer: Whether a whole number is accepted as well, and read as its digits (ids).
    """

    name: str
    kind: Kind
    description: str
    default: Any = None
    options: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    secret: bool = False
    or_integer: bool = False

    def json_schema(self) -> dict[str, Any]:
        """The setting as a property of the configuration's JSON schema."""
        types = [self.kind.json_type] + (["integer"] if self.or_integer else [])
        schema: dict[str, Any] = {"type": [*types, "null"], "description": self.description}
        if self.kind is Kind.ARRAY:
            schema["items"] = {"type": "string"}
        if self.default is not None:
            schema["default"] = self.default
        if self.options:
            schema["enum"] = [*self.options, None]
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        if self.secret:
            schema |= {"secret": True, "writeOnly": True}
        return schema
