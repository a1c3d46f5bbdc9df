"""Converts values of a record for lead fields: to text and whole numbers (contract, section 4)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import simplejson

LONGEST_NUMBER = 100
"""Most digits of a number that is written out. `1E+999999` would be a megabyte of zeros."""

INTEGER_MAX = 2**31 - 1
"""The API's integers have 32 bits."""

_CODE_MAX = 10**16

_KEPT_CONTROLS = "\t\n\r"
_CONTROLS = "".join(chr(code) for code in range(32) if chr(code) not in _KEPT_CONTROLS)
BLANK = (
    _CONTROLS
    + _KEPT_CONTROLS
    + " \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(
        map(chr, range(0x2000, 0x200B)),
    )
)
"""A text of only these counts as empty."""

_UNSENDABLE = re.compile(f"[{re.escape(_CONTROLS)}\ud800-\udfff]")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,10}", re.ASCII)

_FALSE_TEXTS = frozenset({"", "0", "false", "f", "no", "n", "off", "none", "null"})


@dataclass(frozen=True)
class Unfit:
    """Why a value does not fit a lead field.

    Attributes:
        reason: A short stable code.
        message: What is wrong and what to do, without the value.
    """

    reason: str
    message: str


BAD_NUMBER = Unfit("bad_number", f"the number has more than {LONGEST_NUMBER} digits; map another field.")
BAD_INTEGER = Unfit("bad_integer", "the value is not a whole number of 32 bits; map another field.")
BAD_VALUE = Unfit("bad_value", "the value is nested too deeply to be written as text; map a field inside it.")

BAD_KEY = Unfit("bad_extern_id", "the value holds control characters or broken Unicode; map another field.")


def is_empty(value: Any) -> bool:
    """Whether a value is empty: null, a blank string, NaN, an infinity, `{}` or `[]`."""
    if isinstance(value, str):
        return not value.strip(BLANK)
    if isinstance(value, Decimal):
        return not value.is_finite()
    if isinstance(value, float):
        return value != value or value in (float("inf"), float("-inf"))  # noqa: PLR0124 - NaN is not itself
    return value is None or (isinstance(value, (dict, list)) and not value)


def unsendable(text: str) -> bool:
    """Whether a text holds half a surrogate pair or a control character that `clean` removes."""
    return not text.isprintable() and _UNSENDABLE.search(text) is not None


def clean(text: str) -> str:
    """The text without control characters (tab and line ends stay), half surrogate pairs as U+FFFD."""
    text = str.__str__(text)  # of a subclass, which a stream map may make, the plain string
    if text.isprintable():
        return text
    return _UNSENDABLE.sub(lambda found: "\ufffd" if found[0] >= "\ud800" else "", text)


def text(value: Any) -> str | Unfit | None:
    """Convert a value for a string field.

    Numbers are written without an exponent, booleans as `true` and `false`, dates as ISO 8601, objects and
    arrays as compact JSON.

    Returns:
        The text, None for an empty value, or why the value does not fit.
    """
    if isinstance(value, str):
        written = clean(value)
        return written if written and not written.isspace() else None
    if type(value) is Decimal and value.is_finite():  # the type of most numbers, see `singer.json`
        return _number_text(value)
    if is_empty(value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal, float)):
        return _number_text(value)
    if isinstance(value, (dict, list, tuple)):
        return _json_text(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return clean(str(value)) or None


def plain_text(value: Any) -> str | Unfit | None:
    """As `text`, but an object or an array counts as empty: a preset only takes plain values."""
    return None if isinstance(value, (dict, list)) else text(value)


def code_text(value: Any) -> str | Unfit | None:
    """As `text`, for phones and ids. A whole number loses its fraction: `6505550100.0` has one digit too many.

    A string stays unchanged, with its control characters: without them, two numbers would become one.
    """
    if isinstance(value, str):
        return None if is_empty(value) else value
    if isinstance(value, (Decimal, float)) and not is_empty(value) and 0 < value < _CODE_MAX and value == int(value):
        return str(int(value))
    return text(value)


def key_text(value: Any) -> str | Unfit | None:
    """As `plain_text`, for `externId`. A key is never repaired, because two repaired keys could become the same."""
    if isinstance(value, str) and unsendable(value):
        return BAD_KEY
    written = plain_text(value)
    return written.strip() if isinstance(written, str) else written


def integer(value: Any) -> int | Unfit | None:
    """Convert a value for an integer field: a whole number, or a string of digits.

    Returns:
        The number, None for an empty value, or why the value does not fit.
    """
    if is_empty(value):
        return None
    if isinstance(value, bool):
        return BAD_INTEGER
    number: int | None = None
    if isinstance(value, str):
        number = int(value) if _WHOLE_NUMBER.fullmatch(value.strip()) else None
    elif isinstance(value, (int, Decimal, float)) and -INTEGER_MAX <= value <= INTEGER_MAX:
        number = int(value) if value == int(value) else None
    return BAD_INTEGER if number is None or abs(number) > INTEGER_MAX else number


def is_flagged(value: Any) -> bool:
    """Whether a flag is set. Every value sets it that is not clearly false: a date, `maybe`, an object."""
    if value is None or value is False:
        return False
    if isinstance(value, str):
        return value.strip(BLANK).casefold() not in _FALSE_TEXTS
    return not isinstance(value, (int, float, Decimal)) or is_empty(value) or value != 0


def _number_text(value: float | Decimal) -> str | Unfit:
    if isinstance(value, int):
        return BAD_NUMBER if abs(value) >= 10**LONGEST_NUMBER else str(int(value))
    number = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    plain = str(number)
    if "E" not in plain and len(plain) <= LONGEST_NUMBER:
        return plain
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or max(len(digits), number.adjusted(), -exponent) > LONGEST_NUMBER:
        return BAD_NUMBER
    return format(number, "f")


def _json_text(value: Any) -> str | Unfit:
    try:
        written = simplejson.dumps(
            _jsonable(value),
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=True,
            use_decimal=True,
        )
    except (RecursionError, ValueError):  # deeper than the stack, or an integer of thousands of digits
        return BAD_VALUE
    return clean(written)


def _jsonable(value: Any) -> Any:
    """The value with strings as names, null for NaN, and text for types that JSON lacks."""
    if isinstance(value, dict):
        return {str(name): _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(inner) for inner in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (Decimal, float)):
        return None if is_empty(value) else value
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)
