"""Decodes the JSON of Singer messages. Decimals keep their digits.

`msgspec` reads a line in 4.2 µs, `json` in 10 µs (`taskset -c 1 python benchmarks/steps.py`, read; November 2026). It
refuses what Python taps write beyond the standard: NaN, half surrogate pairs, a byte order mark. Then `json` decides.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

_DECODE = msgspec.json.Decoder(float_hook=Decimal).decode


def decode(text: bytes) -> Any:
    """Decode a JSON text, numbers with a point or an exponent as `Decimal`.

    Raises:
        UnicodeDecodeError: The bytes are not UTF-8.
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return _DECODE(text)
    except (ValueError, ArithmeticError, RecursionError):  # msgspec's own errors are ValueErrors
        return _plain(text)


def _plain(text: bytes) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (RecursionError, ArithmeticError) as error:  # an exponent of more digits than decimals have
        msg = type(error).__name__
        raise ValueError(msg) from None
