"""Keeps NaN and the infinities of a record, which Python taps write and JSON cannot hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SEARCHED = (float, Mapping, list, tuple)


def marks(record: Mapping[str, Any]) -> list[list[Any]]:
    """The places of these numbers: for each the path to it, as keys and positions, and its name as `float` reads it.

    Args:
        record: As read.
    """
    return [[path, str(value)] for path, value in _found(record)]


def restored(record: Mapping[str, Any], marked: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The record with these numbers in their places.

    Args:
        record: As JSON returns it, with null in their places.
        marked: The result of `marks`.
    """
    return {key: _restored(value, _beneath(marked, key)) for key, value in record.items()}


def _found(record: Any) -> Iterator[tuple[list[Any], float]]:
    """Not recursive: a record may be nested deeper than Python's stack."""
    todo: list[tuple[list[Any], Any]] = [([], record)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, float) and not math.isfinite(value):
            yield path, value
        elif isinstance(value, Mapping):
            todo += [([*path, key], inner) for key, inner in value.items() if isinstance(inner, _SEARCHED)]
        elif isinstance(value, (list, tuple)):
            todo += [([*path, position], inner) for position, inner in enumerate(value) if isinstance(inner, _SEARCHED)]


def _beneath(marked: Sequence[Sequence[Any]], step: Any) -> list[Sequence[Any]]:
    return [[path[1:], name] for path, name in marked if path and path[0] == step]


def _restored(value: Any, marked: Sequence[Sequence[Any]]) -> Any:
    if not marked:
        return value
    if isinstance(value, dict):
        return restored(value, marked)
    if isinstance(value, list):
        return [_restored(inner, _beneath(marked, position)) for position, inner in enumerate(value)]
    return float(marked[0][1])
