"""Values of lead fields as the real server most likely reads them: scalars of another type are converted.

Real clients send numbers, booleans, nulls and empty strings inside leads (reference, section 5, "More facts"). How each
is converted is a guess: it is what the JSON parser does that the server is known to use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from target_engagevoice.model.lead import LEAD_FIELDS, FieldType


class Unreadable(ValueError):  # noqa: N818 - it is about a value that was sent, not an error of the program
    """Raised for a lead that the parser cannot read."""


def coerced(row: Any) -> dict[str, Any]:
    """A lead with its values converted to the documented types, without fields that are null or empty.

    Raises:
        Unreadable: A value cannot be converted, or the lead is not an object.
    """
    if not isinstance(row, Mapping):
        raise Unreadable
    return {name: converted(name, value) for name, value in row.items() if not is_empty(value)}


def is_empty(value: Any) -> bool:
    """Whether a value is null or an empty string."""
    return value is None or (isinstance(value, str) and value == "")


def converted(name: str, value: Any) -> Any:
    """A value of a field, converted to the documented type. Fields that the API does not know keep their values.

    Raises:
        Unreadable: It cannot be converted.
    """
    kind = LEAD_FIELDS.get(name)
    return value if kind is None else _CONVERSIONS[kind](value)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise Unreadable


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unreadable
    try:
        return int(value)
    except ValueError:
        raise Unreadable from None


def _string_map(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise Unreadable
    return {name: _string(one) for name, one in value.items() if one is not None}


_CONVERSIONS: Mapping[FieldType, Callable[[Any], Any]] = {
    FieldType.STRING: _string,
    FieldType.INTEGER: _integer,
    FieldType.STRING_MAP: _string_map,
}
