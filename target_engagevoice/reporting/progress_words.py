"""The progress in words and rows, as a terminal shows it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_engagevoice.reporting.progress import Progress

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class Row:
    """A row of the table: a campaign, or several summed up.

    Attributes:
        outcomes: Records by outcome.
    """

    name: str
    outcomes: dict[str, int]


def busiest(progress: Progress, room: int) -> list[Row]:
    """The campaigns with the most records that fit, the others summed up, and the total.

    Args:
        progress: How far the run is.
        room: Rows there is room for, without the total: at least one.
    """
    rows = [Row(each.campaign or "(no campaign)", dict(each.outcomes)) for each in progress.snapshot.campaigns]
    rows.sort(key=lambda row: (-sum(row.outcomes.values()), row.name))
    if len(rows) > room:
        others = rows[room - 1 :]
        rows = [*rows[: room - 1], _sum(f"({len(others)} more)", others, progress)]
    return [*rows, _sum("total", rows, progress)]


def _sum(name: str, rows: list[Row], progress: Progress) -> Row:
    return Row(name, {outcome: sum(row.outcomes[outcome] for row in rows) for outcome in progress.outcomes})


def thousands(number: int) -> str:
    """A whole number as people read it: `12,345`."""
    return f"{number:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 lead`, `2 leads`.

    Args:
        number: How many.
        one: What one of them is called.
        many: What several are called, where that is not `one` with an `s`.
    """
    return f"{thousands(number)} {one if number == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """`1:02:03` or `2:03`; a question mark where nobody knows."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    hours, minutes = whole // HOUR, whole % HOUR // MINUTE
    return f"{hours}:{minutes:02d}:{whole % MINUTE:02d}" if hours else f"{minutes}:{whole % MINUTE:02d}"


def printable(text: str) -> str:
    """A name from elsewhere, without what would move the cursor or change the colours."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
