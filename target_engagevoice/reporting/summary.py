"""A run's last words, made from its record: a table on a terminal, a line for each campaign in a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from target_engagevoice.logger import logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NO_CAMPAIGN = "no campaign"
"""Where records end whose campaign was not asked for, or could not be told."""

_NUMBERS = ("read", "loaded", "rejected")
"""Shown in any case; the others where they are not zero."""

_ONE = {"requests": "request", "retries": "retry"}
"""How one is called."""


def tell(record: Mapping[str, Any], record_path: Path, rejects_path: Path) -> None:
    """Say how a run went: on standard error where that is a terminal, else through the log.

    Args:
        record: The run record.
        record_path: Where it is.
        rejects_path: Where the rejects are, if there are any.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write("\n".join(["", *table_lines(record), *closing_lines(record, record_path, rejects_path), ""]))
        sys.stderr.flush()
        return
    for line in campaign_lines(record):
        logger.info("%s", line)
    for line in closing_lines(record, record_path, rejects_path):
        logger.info("%s", line)


def table_lines(record: Mapping[str, Any]) -> list[str]:
    """A table: a row for each stream and campaign, and the totals; columns that are all zero are left out."""
    totals = record["totals"]
    columns = [name for name in totals if name in _NUMBERS or totals[name]]
    names = [("stream", "campaign"), *((stream, campaign) for stream, campaign, _ in rows_of(record)), ("total", "")]
    numbers = [
        [column.replace("_", " ") for column in columns],
        *([f"{row.get(column, 0):,}" for column in columns] for _, _, row in rows_of(record)),
        [f"{totals[column]:,}" for column in columns],
    ]
    lefts = _widths(names)
    rights = _widths(numbers)
    return [
        "  ".join(
            [
                *(text.ljust(width) for text, width in zip(left, lefts, strict=True)),
                *(text.rjust(width) for text, width in zip(right, rights, strict=True)),
            ]
        )
        for left, right in zip(names, numbers, strict=True)
    ]


def campaign_lines(record: Mapping[str, Any]) -> list[str]:
    """A line for each stream and campaign that a record was read for."""
    return [f"{stream} → {campaign}: {_told(row)}" for stream, campaign, row in rows_of(record)]


def closing_lines(record: Mapping[str, Any], record_path: Path, rejects_path: Path) -> list[str]:
    """How it ended, and where to look."""
    lines = []
    if record["totals"]["rejected"]:
        lines.append(f"Rejects: {rejects_path} (`engagevoice rejects {record['run']}` shows them by reason)")
    if record["unsettled"]:
        lines.append(_unsettled(record["unsettled"]))
    dry = " (dry run: nothing was sent)" if record["dry_run"] else ""
    ended = f"{record['status']}{dry}; {_numbers(record)}; {record['seconds']:,.1f} seconds"
    return [*lines, f"Run {record['run']}: {ended}. Record: {record_path}"]


def rows_of(record: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, int]]]:
    """Stream, campaign and numbers of each row of a record, fit for a line of text."""
    return [
        (plain(stream["stream"]), campaign_name(row), row)
        for stream in record["streams"]
        for row in stream["campaigns"]
    ]


def campaign_name(row: Mapping[str, Any]) -> str:
    """`Dial group/Campaign (id)` of a row of a record."""
    if row["campaign_id"] is None:
        return NO_CAMPAIGN
    return plain(f"{row['campaign']} ({row['campaign_id']})")


def plain(text: str) -> str:
    """A text without what would move a terminal's cursor: names come from the tap and from the server."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _unsettled(number: int) -> str:
    if number == 1:
        return "1 record was read and has no outcome; the next run reads it again."
    return f"{number:,} records were read and have no outcome; the next run reads them again."


def _numbers(record: Mapping[str, Any]) -> str:
    """The totals, which count only records with an outcome; a run may read some and end before any has one."""
    if record["totals"]["read"]:
        return _told(record["totals"])
    number = record["unsettled"]
    if number:
        return f"{number:,} {'record' if number == 1 else 'records'} read, none with an outcome"
    return "nothing read"


def _told(numbers: Mapping[str, Any]) -> str:
    counted = {name: value for name, value in numbers.items() if isinstance(value, int) and name != "campaign_id"}
    return ", ".join(
        f"{value:,} {(_ONE.get(name, name) if value == 1 else name).replace('_', ' ')}"
        for name, value in counted.items()
        if value
    )


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
