"""How far a run is, live on a terminal (`rich`): redrawn in the same place, below the log.

`rich.live` assumes that no other process writes to the terminal. In a pipeline (`tap | target`) the tap does: each of
its lines would shift a frame and leave a part of it behind. So frames are drawn here. After a frame the cursor is moved
back to the frame's top, an empty line. A line that the tap then writes stays there, above the next frame, and all that
is below the cursor is erased before that frame is drawn. Example: frame, cursor up, `tap: read table leads`, erase
below, frame. The same erase handles a terminal that is made narrower between two frames. The cursor is never hidden,
so a killed run leaves the terminal usable.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TextIO, cast

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from target_engagevoice.reporting.summary import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from target_engagevoice.reporting.progress import Progress

ERASE_BELOW = "\r\x1b[J"
UP = "\x1b[{}A\r"

METRICS_LOGGER = "singer_sdk.metrics"
"""The SDK's metrics are for programs: they are filtered out of the log on a terminal that has a display."""

NAME_WIDTH = 16
"""The least width for the names of campaigns; columns that leave less are summed up as `other`."""

BAR_WIDTH = 24

SPARE_LINES = 2
"""Lines of the terminal that a frame leaves free: a log line, and the line of the cursor at the end."""

ENOUGH_LINES = 20
"""On a terminal of this height long lines are wrapped; on a lower one they are cut."""

STYLES = {"loaded": "green", "updated": "green", "rejected": "red"}

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class Row:
    """A row of the table: a campaign, or several summed up.

    Attributes:
        outcomes: Records by outcome.
    """

    name: str
    outcomes: dict[str, int]


class Display:
    """Draws frames on a terminal, with the log above them.

    Its lock keeps a frame and a log line apart: the monitor's thread draws, any thread logs. The lock guards `_frame`
    and the writes to the terminal; the monitor's thread owns the rest.

    Args:
        terminal: Standard error.
    """

    every_seconds = 0.5

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._console = Console(file=terminal, highlight=False, emoji=False, markup=False)
        self._lock = threading.RLock()
        self._frame = ""
        self._handlers: list[logging.StreamHandler[TextIO]] = []

    def begin(self) -> None:
        """Send the log on this terminal through the display from now on."""
        above = cast("TextIO", _LogStream(self))
        for handler in _handlers_of(self._terminal):
            handler.addFilter(_is_not_metric)
            handler.setStream(above)
            self._handlers.append(handler)

    def show(self, progress: Progress) -> None:
        """Draw a frame in place of the last one, and leave the cursor at its top."""
        frame = self._draw(progress)
        with self._lock:
            self._frame = frame + UP.format(frame.count("\n"))
            self._write(ERASE_BELOW + self._frame)

    def end(self, progress: Progress | None) -> None:
        """Draw the last frame, below the log, and release the terminal."""
        try:
            frame = self._draw(progress, is_over=True) if progress is not None else ""
            with self._lock:
                self._frame = ""
                self._write(ERASE_BELOW + frame)
        finally:
            for handler in self._handlers:
                handler.setStream(self._terminal)
                handler.removeFilter(_is_not_metric)
            self._handlers.clear()

    def write_above(self, text: str) -> None:
        """Write whole lines above the frame."""
        with self._lock:
            self._write(ERASE_BELOW + text + (ERASE_BELOW + self._frame if self._frame else ""))

    def _write(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()

    def _draw(self, progress: Progress, *, is_over: bool = False) -> str:
        """A frame, each line with its end."""
        height, width = self._console.height, self._console.width
        header = Group(Text(), *_header(progress, is_over=is_over, folds=height >= ENOUGH_LINES), Text())
        with self._console.capture() as captured:
            self._console.print(header)
        above = captured.get()
        rows = max(1, height - above.count("\n") - SPARE_LINES - 2)  # without the table's header and total
        with self._console.capture() as captured:
            self._console.print(_table(busiest(progress, rows), width))
        return "\n".join((above + captured.get()).split("\n")[: max(1, height - 1)]).rstrip("\n") + "\n"


class _LogStream:
    """The stream that log handlers write to while there is a display."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def write(self, text: str) -> None:
        """Write a line."""
        self._display.write_above(text)

    def flush(self) -> None:
        """Do nothing: `write` flushes."""


def busiest(progress: Progress, most: int) -> list[Row]:
    """The campaigns with the most records, the others summed up, and the total.

    Args:
        progress: How far the run is.
        most: The largest number of rows, without the total: at least one.
    """
    rows = [Row(each.campaign or "(no campaign)", dict(each.outcomes)) for each in progress.snapshot.campaigns]
    rows.sort(key=lambda row: (-sum(row.outcomes.values()), row.name))
    if len(rows) > most:
        others = rows[most - 1 :]
        rows = [*rows[: most - 1], _sum(f"({len(others)} more)", others, progress)]
    return [*rows, _sum("total", rows, progress)]


def _sum(name: str, rows: list[Row], progress: Progress) -> Row:
    return Row(name, {outcome: sum(row.outcomes[outcome] for row in rows) for outcome in progress.outcomes})


def duration(seconds: float | None) -> str:
    """`1:02:03` or `2:03`; a question mark for an unknown duration."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    hours, minutes = whole // HOUR, whole % HOUR // MINUTE
    return f"{hours}:{minutes:02d}:{whole % MINUTE:02d}" if hours else f"{minutes}:{whole % MINUTE:02d}"


def _counted(number: int, one: str, several: str | None = None) -> str:
    """`1 lead`, `2 leads`; `several` is the plural where that is not `one` with an `s`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _header(progress: Progress, *, is_over: bool, folds: bool) -> Iterable[RenderableType]:
    """The lines above the table; where they do not fold, what is too long is cut off."""
    snapshot, outcomes, efforts = progress.snapshot, progress.outcomes, progress.efforts
    line = partial(_line, folds=folds)
    unsettled = snapshot.read - progress.settled
    yield line(
        f"{_counted(snapshot.read, 'record')} read",
        f"{_counted(outcomes['loaded'], 'lead')} loaded",
        f"{outcomes['rejected']:,} rejected",
        f"{unsettled:,} without an outcome yet" if unsettled else "",
    )
    if is_over:
        seconds = progress.seconds or 1.0
        yield line(
            f"{duration(progress.seconds)} elapsed",
            f"{snapshot.read / seconds:,.0f} records/s read",
        )
    else:
        yield line(
            f"{duration(progress.seconds)} elapsed",
            f"{progress.read_rate:,.0f} records/s read",
            f"{progress.loaded_rate:,.0f} leads/s loaded",
            f"{duration(progress.to_go)} to go" if progress.to_go is not None else "",
        )
    yield line(
        _counted(efforts["requests"], "request"),
        _counted(efforts["retries"], "retry", "retries") if efforts["retries"] else "",
        f"{efforts['throttled']:,} throttled" if efforts["throttled"] else "",
        f"{_counted(snapshot.under_way, 'batch', 'batches')} under way" if snapshot.under_way else "",
        f"{snapshot.waiting} waiting for the quota" if snapshot.waiting else "",
    )
    bars = Table.grid(padding=(0, 1))
    for each in snapshot.windows:
        text = f"{each.taken} of {each.window.requests} requests in {each.window.seconds:g} s"
        bars.add_row(Text(" quota"), _bar(each.taken / each.window.requests, full="yellow"), Text(text))
    if progress.done is not None:
        bars.add_row(Text(" done"), _bar(progress.done, full="green"), Text(f"{math.floor(100 * progress.done)} %"))
    if bars.row_count:
        yield bars


def _bar(part: float, *, full: str) -> ProgressBar:
    return ProgressBar(1.0, min(1.0, part), width=BAR_WIDTH, complete_style="cyan", finished_style=full)


def _line(*parts: str, folds: bool) -> RenderableType:
    text = ", ".join(part for part in parts if part)
    if folds:
        return Padding(Text(text), (0, 0, 0, 1))
    return Text(f" {text}", no_wrap=True, overflow="ellipsis")


def _table(rows: Sequence[Row], width: int) -> Table:
    """Outcomes by campaign; those without records are left out, and those that do not fit are summed up."""
    total = rows[-1].outcomes
    shown = [name for name in total if total[name] or name in ("loaded", "rejected")]
    while len(shown) > 1 and NAME_WIDTH + sum(_column_width(name, total) for name in ["done", *shown, "other"]) > width:
        shown.pop()
    others = [name for name in total if name not in shown and total[name]]
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold", expand=False)
    counted = ["done", *shown, *(["other"] if others else [])]
    name_width = max(1, width - sum(_column_width(name, total) for name in counted) - 1)  # a number is never cut off
    table.add_column(" campaign", no_wrap=True, overflow="ellipsis", max_width=name_width)
    for name in counted:
        table.add_column(name, justify="right", no_wrap=True, style=STYLES.get(name, ""))
    for row in rows:
        cells = [sum(row.outcomes.values()), *(row.outcomes[name] for name in shown)]
        cells += [sum(row.outcomes[name] for name in others)] if others else []
        style = "bold" if row is rows[-1] else ""
        table.add_row(Text(f" {printable(row.name)}"), *(Text(f"{cell:,}") for cell in cells), style=style)
    return table


def _column_width(name: str, total: dict[str, int]) -> int:
    number = sum(total.values()) if name in ("done", "other") else total[name]
    return 2 + max(len(name), len(f"{number:,}"))


def _handlers_of(terminal: TextIO) -> list[logging.StreamHandler[TextIO]]:
    """The log handlers of any logger that write to this terminal."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = {handler: None for each in loggers if isinstance(each, logging.Logger) for handler in each.handlers}
    return [each for each in handlers if isinstance(each, logging.StreamHandler) and _is_same(each.stream, terminal)]


def _is_same(stream: TextIO, terminal: TextIO) -> bool:
    try:
        return stream is terminal or os.path.samestat(os.fstat(stream.fileno()), os.fstat(terminal.fileno()))
    except (AttributeError, OSError, ValueError):
        return False


def _is_not_metric(record: logging.LogRecord) -> bool:
    return record.name != METRICS_LOGGER
