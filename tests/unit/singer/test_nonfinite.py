"""NaN and the infinities keep their places when a record goes through JSON."""

from __future__ import annotations

from typing import Any

import simplejson
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.singer.json import decode
from target_engagevoice.singer.nonfinite import marks, restored

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from([float("nan"), float("inf")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_a_record_comes_back_as_it_was(record: dict[str, Any]) -> None:
    kept = decode(simplejson.dumps([record, marks(record)], ignore_nan=True).encode())
    assert repr(restored(*kept)) == repr(record)


def test_a_record_without_them_has_no_marks() -> None:
    assert marks({"a": [1.5, {"b": None}], "c": "NaN"}) == []


def test_a_record_nested_deeper_than_the_stack_is_stood() -> None:
    deep: Any = float("nan")
    for _ in range(5000):
        deep = [deep]
    (mark,) = marks({"a": deep})
    assert (len(mark[0]), mark[1]) == (5001, "nan")
