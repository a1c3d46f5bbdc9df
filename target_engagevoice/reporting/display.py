"""How far a run is, live on a terminal (`rich`): drawn again and again in the same place, below the log.

`rich.live` counts on nobody else writing to the terminal. But the tap in the same pipeline does (`tap | target`): each
of its lines would shift the picture and leave a piece of it behind. So the picture is drawn here, and the cursor then
waits at its top, on an empty line: what others write there stands where a log belongs, and the next picture begins
below it. A terminal that is made narrower meanwhile does no harm either, for what is below the cursor is erased. The
cursor is never hidden: a run that is killed leaves it as it was.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, TextIO, cast

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from target_engagevoice.reporting.progress_words import busiest, counted, duration, printable, thousands

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from target_engagevoice.reporting.progress import Progress
    from target_engagevoice.reporting.progress_words import Row

ERASE_BELOW = "\r\x1b[J"
UP = "\x1b[{}A\r"

METRICS_LOGGER = "singer_sdk.metrics"
"""The SDK's metrics are for programs: with a display they are left out of the terminal's log."""

NAME_WIDTH = 16
"""So much of a campaign's name is to be seen, at least; columns that leave less room are summed up as `other`."""

BAR_WIDTH = 24

SPARE_LINES = 2
"""Lines of the terminal that the picture leaves alone: a log line, and where the cursor goes at the end."""

ENOUGH_LINES = 20
"""A terminal this high has room for lines that fold."""

STYLES = {"loaded": "green", "updated": "green", "rejected": "red"}


class Display:
    """The picture on a terminal, and the log above it.

    Its lock keeps a picture and a log line from getting into each other: the thread that looks draws, any thread logs.

    Args:
        terminal: Standard error.
    """

    every_seconds = 0.5

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._console = Console(file=terminal, highlight=False, emoji=False, markup=False)
        self._lock = threading.RLock()
        self._picture = ""
        self._handlers: list[logging.StreamHandler[TextIO]] = []

    def begin(self) -> None:
        """Let the log go through here from now on."""
        above = cast("TextIO", _Above(self))
        for handler in _handlers_of(self._terminal):
            handler.addFilter(_is_no_metric)
            handler.setStream(above)
            self._handlers.append(handler)

    def show(self, progress: Progress) -> None:
        """Draw it in the place of the last one, and leave the cursor at its top."""
        picture = self._draw(progress)
        with self._lock:
            self._picture = picture + UP.format(picture.count("\n"))
            self._write(ERASE_BELOW + self._picture)

    def end(self, progress: Progress | None) -> None:
        """Draw it for the last time, below the log, and let go of the terminal."""
        try:
            picture = self._draw(progress, is_over=True) if progress is not None else ""
            with self._lock:
                self._picture = ""
                self._write(ERASE_BELOW + picture)
        finally:
            for handler in self._handlers:
                handler.setStream(self._terminal)
                handler.removeFilter(_is_no_metric)
            self._handlers.clear()

    def write_above(self, text: str) -> None:
        """Write whole lines above the picture."""
        with self._lock:
            self._write(ERASE_BELOW + text + (ERASE_BELOW + self._picture if self._picture else ""))

    def _write(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()

    def _draw(self, progress: Progress, *, is_over: bool = False) -> str:
        """The picture, each line with its end."""
        height, width = self._console.height, self._console.width
        heads = Group(Text(), *_heads(progress, is_over=is_over, folds=height >= ENOUGH_LINES), Text())
        with self._console.capture() as captured:
            self._console.print(heads)
        above = captured.get()
        room = max(1, height - above.count("\n") - SPARE_LINES - 2)  # the table's head and its total
        with self._console.capture() as captured:
            self._console.print(_table(busiest(progress, room), width))
        return "\n".join((above + captured.get()).split("\n")[: max(1, height - 1)]).rstrip("\n") + "\n"


class _Above:
    """What a log handler writes to meanwhile."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def write(self, text: str) -> None:
        """Write a line."""
        self._display.write_above(text)

    def flush(self) -> None:
        """Nothing is held back."""


def _heads(progress: Progress, *, is_over: bool, folds: bool) -> Iterable[RenderableType]:
    """The lines above the table; where they do not fold, what is too long is cut off."""
    snapshot, outcomes, efforts = progress.snapshot, progress.outcomes, progress.efforts
    say = partial(_words, folds=folds)
    unsettled = snapshot.read - progress.settled
    yield say(
        f"{counted(snapshot.read, 'record')} read",
        f"{counted(outcomes['loaded'], 'lead')} loaded",
        f"{thousands(outcomes['rejected'])} rejected",
        f"{thousands(unsettled)} without an outcome yet" if unsettled else "",
    )
    if is_over:
        seconds = progress.seconds or 1.0
        yield say(
            f"{duration(progress.seconds)} since the start",
            f"{snapshot.read / seconds:,.0f} records/s read",
        )
    else:
        yield say(
            f"{duration(progress.seconds)} since the start",
            f"{progress.read_rate:,.0f} records/s read",
            f"{progress.loaded_rate:,.0f} leads/s loaded",
            f"{duration(progress.to_go)} to go" if progress.to_go is not None else "",
        )
    yield say(
        counted(efforts["requests"], "request"),
        f"{thousands(efforts['retries'])} of them again" if efforts["retries"] else "",
        f"{thousands(efforts['throttled'])} throttled" if efforts["throttled"] else "",
        f"{counted(snapshot.under_way, 'batch', 'batches')} under way" if snapshot.under_way else "",
        f"{snapshot.waiting} wait for the quota" if snapshot.waiting else "",
    )
    bars = Table.grid(padding=(0, 1))
    for each in snapshot.windows:
        words = f"{each.taken} of {each.window.requests} requests in {each.window.seconds:g} s"
        bars.add_row(Text(" quota"), _bar(each.taken / each.window.requests, full="yellow"), Text(words))
    if progress.done is not None:
        bars.add_row(Text(" done"), _bar(progress.done, full="green"), Text(f"{math.floor(100 * progress.done)} %"))
    if bars.row_count:
        yield bars


def _bar(part: float, *, full: str) -> ProgressBar:
    return ProgressBar(1.0, min(1.0, part), width=BAR_WIDTH, complete_style="cyan", finished_style=full)


def _words(*parts: str, folds: bool) -> RenderableType:
    text = ", ".join(part for part in parts if part)
    if folds:
        return Padding(Text(text), (0, 0, 0, 1))
    return Text(f" {text}", no_wrap=True, overflow="ellipsis")


def _table(rows: Sequence[Row], width: int) -> Table:
    """Outcomes by campaign; those that no record had are left out, and those that there is no room for summed up."""
    total = rows[-1].outcomes
    shown = [name for name in total if total[name] or name in ("loaded", "rejected")]
    while len(shown) > 1 and NAME_WIDTH + sum(_column_width(name, total) for name in ["done", *shown, "other"]) > width:
        shown.pop()
    others = [name for name in total if name not in shown and total[name]]
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold", expand=False)
    figures = ["done", *shown, *(["other"] if others else [])]
    room = max(1, width - sum(_column_width(name, total) for name in figures) - 1)  # a figure is never cut off
    table.add_column(" campaign", no_wrap=True, overflow="ellipsis", max_width=room)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True, style=STYLES.get(name, ""))
    for row in rows:
        cells = [sum(row.outcomes.values()), *(row.outcomes[name] for name in shown)]
        cells += [sum(row.outcomes[name] for name in others)] if others else []
        style = "bold" if row is rows[-1] else ""
        table.add_row(Text(f" {printable(row.name)}"), *(Text(thousands(cell)) for cell in cells), style=style)
    return table


def _column_width(name: str, total: dict[str, int]) -> int:
    number = sum(total.values()) if name in ("done", "other") else total[name]
    return 2 + max(len(name), len(thousands(number)))


def _handlers_of(terminal: TextIO) -> list[logging.StreamHandler[TextIO]]:
    """The log handlers that write to this terminal, whoever set them up."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = {handler: None for each in loggers if isinstance(each, logging.Logger) for handler in each.handlers}
    return [each for each in handlers if isinstance(each, logging.StreamHandler) and _is_same(each.stream, terminal)]


def _is_same(stream: TextIO, terminal: TextIO) -> bool:
    try:
        return stream is terminal or os.path.samestat(os.fstat(stream.fileno()), os.fstat(terminal.fileno()))
    except (AttributeError, OSError, ValueError):
        return False


def _is_no_metric(record: logging.LogRecord) -> bool:
    return record.name != METRICS_LOGGER
