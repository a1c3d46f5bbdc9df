"""The fast and the plain decoder read the same from any line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from target_engagevoice.singer import json as singer_json
from target_engagevoice.singer.json import decode


def plainly(text: bytes) -> Any:
    """What `json` reads, or the kind of its complaint."""
    try:
        return singer_json._plain(text)
    except ValueError as error:
        return UnicodeDecodeError if isinstance(error, UnicodeDecodeError) else ValueError


def quickly(text: bytes) -> Any:
    try:
        return decode(text)
    except ValueError as error:
        return UnicodeDecodeError if isinstance(error, UnicodeDecodeError) else ValueError


@dataclass(frozen=True)
class Written:
    """A number as a tap writes it, digit by digit."""

    text: str


numbers = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: Written(str(number))),
)
texts = st.text(st.characters(exclude_categories=()), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def written(value: Any, *, ascii_only: bool) -> str:
    """As a Python tap writes it."""
    if isinstance(value, Written):
        return value.text
    if isinstance(value, list):
        return "[" + ", ".join(written(each, ascii_only=ascii_only) for each in value) + "]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(name, ensure_ascii=ascii_only)}: {written(each, ascii_only=ascii_only)}"
                for name, each in value.items()
            )
            + "}"
        )
    return json.dumps(value, ensure_ascii=ascii_only)


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types, digit by digit; NaN is itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


@given(values, st.booleans())
def test_any_value_is_read_as_json_reads_it(value: Any, ascii_only: bool) -> None:
    line = written(value, ascii_only=ascii_only).encode("utf-8", "surrogatepass")
    assert same(quickly(line), plainly(line))


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
@example(b"\xef\xbb\xbf{}")
@example(b"1" * 5000)
@example(b"1E+999999999999999999999")
@example(b"[" * 100_000)
@example(b'{"a": 1, "a": 2}')
@example("{}".encode("utf-16"))
def test_what_one_decoder_refuses_the_other_refuses(line: bytes) -> None:
    assert same(quickly(line), plainly(line))


@pytest.mark.parametrize("number", ["1.10", "1E+5", "-0.0", "12345678901234567890.123456789"])
def test_a_number_with_a_point_keeps_its_digits(number: str) -> None:
    assert str(decode(number.encode())) == str(Decimal(number))
