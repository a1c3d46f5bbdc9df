"""Numbers that JSON has no word for, NaN and the infinities: taps in Python write them, and a record must keep them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORTH_A_LOOK = (float, Mapping, list, tuple)


def marks(record: Mapping[str, Any]) -> list[list[Any]]:
    """Where they are: for each the way to it, as keys and places, and its name as `float` reads it.

    Args:
        record: As read.
    """
    return [[way, str(value)] for way, value in _found(record)]


def restored(record: Mapping[str, Any], marked: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The record with them in their places.

    Args:
        record: As JSON gives it back, null in their places.
        marked: What `marks` told.
    """
    return {key: _restored(value, _beneath(marked, key)) for key, value in record.items()}


def _found(record: Any) -> Iterator[tuple[list[Any], float]]:
    """With a stack of its own: a record may be nested deeper than Python's."""
    todo: list[tuple[list[Any], Any]] = [([], record)]
    while todo:
        way, value = todo.pop()
        if isinstance(value, float) and not math.isfinite(value):
            yield way, value
        elif isinstance(value, Mapping):
            todo += [([*way, key], inner) for key, inner in value.items() if isinstance(inner, _WORTH_A_LOOK)]
        elif isinstance(value, (list, tuple)):
            todo += [([*way, place], inner) for place, inner in enumerate(value) if isinstance(inner, _WORTH_A_LOOK)]


def _beneath(marked: Sequence[Sequence[Any]], step: Any) -> list[Sequence[Any]]:
    return [[way[1:], name] for way, name in marked if way and way[0] == step]


def _restored(value: Any, marked: Sequence[Sequence[Any]]) -> Any:
    if not marked:
        return value
    if isinstance(value, dict):
        return restored(value, marked)
    if isinstance(value, list):
        return [_restored(inner, _beneath(marked, place)) for place, inner in enumerate(value)]
    return float(marked[0][1])
