"""The summary at the end of a run, made from its record: a table on a terminal, lines in a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from target_engagevoice.logger import logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NO_CAMPAIGN = "no campaign"
"""Stands for the campaign of records whose campaign is unknown or was not looked up."""

_ALWAYS_SHOWN = ("read", "loaded", "rejected")
"""Counts with a column even if they are zero."""

_SINGULAR = {"requests": "request", "retries": "retry"}


def log_summary(record: Mapping[str, Any], record_path: Path, rejects_path: Path) -> None:
    """Write the summary of a run: to standard error where that is a terminal, else to the log.

    Args:
        record: The run record.
        record_path: The file of the record.
        rejects_path: The file of the rejects, which exists only if there are any.
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
    columns = [name for name in totals if name in _ALWAYS_SHOWN or totals[name]]
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
    """A line for each stream and campaign that records were read for."""
    return [f"{stream} → {campaign}: {_counts_text(row)}" for stream, campaign, row in rows_of(record)]


def closing_lines(record: Mapping[str, Any], record_path: Path, rejects_path: Path) -> list[str]:
    """How the run ended, and which files to look into."""
    lines = []
    if record["totals"]["rejected"]:
        lines.append(f"Rejects: {rejects_path} (`engagevoice rejects {record['run']}` shows them by reason)")
    if record["unsettled"]:
        lines.append(_unsettled_text(record["unsettled"]))
    dry = " (dry run: nothing was sent)" if record["dry_run"] else ""
    ended = f"{record['status']}{dry}; {_totals_text(record)}; {record['seconds']:,.1f} seconds"
    return [*lines, f"Run {record['run']}: {ended}. Record: {record_path}"]


def rows_of(record: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, int]]]:
    """Stream, campaign and counts of each row of a record; names are printable."""
    return [
        (printable(stream["stream"]), campaign_name(row), row)
        for stream in record["streams"]
        for row in stream["campaigns"]
    ]


def campaign_name(row: Mapping[str, Any]) -> str:
    """`Dial group/Campaign (id)` of a row of a record."""
    if row["campaign_id"] is None:
        return NO_CAMPAIGN
    return printable(f"{row['campaign']} ({row['campaign_id']})")


def printable(text: str) -> str:
    """A text without control characters, which would move the cursor: names come from the tap and the server."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _unsettled_text(number: int) -> str:
    if number == 1:
        return "1 record was read and has no outcome; the next run reads it again."
    return f"{number:,} records were read and have no outcome; the next run reads them again."


def _totals_text(record: Mapping[str, Any]) -> str:
    """The totals, which count only records with an outcome; a run may read some and end before any has one."""
    if record["totals"]["read"]:
        return _counts_text(record["totals"])
    number = record["unsettled"]
    if number:
        return f"{number:,} {'record' if number == 1 else 'records'} read, none with an outcome"
    return "nothing read"


def _counts_text(row: Mapping[str, Any]) -> str:
    counts = {name: value for name, value in row.items() if isinstance(value, int) and name != "campaign_id"}
    return ", ".join(
        f"{value:,} {(_SINGULAR.get(name, name) if value == 1 else name).replace('_', ' ')}"
        for name, value in counts.items()
        if value
    )


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
