"""A plain table, without rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """Rows under their column names, each column as wide as its widest cell."""
    lines = [
        [column.replace("_", " ") for column in columns],
        *([row[column] for column in columns] for row in rows),
    ]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
