"""Tables and lines on standard output: at the width of a terminal, or plain and wide elsewhere."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

import click
import simplejson
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

PIPED_COLUMNS = 160
"""Width where standard output is not a terminal and `COLUMNS` is not set; longer lines are wrapped, not cut."""

LONGEST_SHOWN = 300
"""The largest number of characters shown of a value; the number left out is shown as well."""


class Sheet:
    """Standard output, or another stream. Control characters in texts are escaped, so no text steers a terminal."""

    def __init__(self, file: TextIO | None = None) -> None:
        file = self._file = file or sys.stdout
        if isinstance(file, TextIOWrapper):
            file.reconfigure(errors="backslashreplace")  # a terminal whose encoding lacks the letter
        width = PIPED_COLUMNS if not file.isatty() and "COLUMNS" not in os.environ else None
        self._console = Console(file=file, width=width, markup=False, emoji=False, highlight=False)

    def heading(self, text: str) -> None:
        """A line in bold, with an empty one before it."""
        click.echo(file=self._file)
        self._print(Text(escaped(text), style="bold", overflow="fold"))

    def line(self, text: str, *, indent: int = 0, style: str = "") -> None:
        """A line; a long one is wrapped.

        Args:
            text: Its text.
            indent: Number of spaces before it, also before its wrapped lines.
            style: A style of rich.
        """
        self._print(Padding(Text(escaped(text), style=style, overflow="fold"), (0, 0, 0, indent)))

    def item(self, text: str) -> None:
        """An item of a list, after a dash; a long one is wrapped after the dash."""
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_row("-", Text(escaped(text), overflow="fold"))
        self._print(grid)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows below the names of their columns; a text that does not fit its cell is wrapped."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(column.upper(), overflow="fold")
        for row in rows:
            table.add_row(*(Text(escaped(cell)) for cell in row))
        self._print(table)

    def _print(self, content: RenderableType) -> None:
        """Print, without trailing spaces."""
        with self._console.capture() as captured:
            self._console.print(content)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), file=self._file)


def shown(value: Any) -> str:
    """A value of a record or a lead for people; a long one is cut, with the number of characters left out."""
    if value is None:
        return "(empty)"
    if not isinstance(value, str):
        value = simplejson.dumps(value, ensure_ascii=False, use_decimal=True, default=str)
    left = len(value) - LONGEST_SHOWN
    return value if left <= 0 else f"{value[:LONGEST_SHOWN]}… ({left} more characters)"


def escaped(text: str) -> str:
    """A text whose control characters, line ends and broken Unicode are escaped, so that it stays one line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
