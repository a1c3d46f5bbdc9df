"""The request of a page, and the paging of long tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Connection

    from target_engagevoice.sandbox.config import SandboxConfig

PAGE_ROWS = 50
"""Rows of a table on one page."""

TEXT_MAX = 100
"""The characters of a search that are used. SQLite refuses very long patterns."""

Values = dict[str, Any]


class PageNotFound(Exception):  # noqa: N818 - an answer to the browser, not an error of the program
    """Raised by a view: what it should show does not exist.

    Args:
        what: What does not exist, such as `list 7`.
    """


@dataclass(frozen=True)
class PageRequest:
    """A request for a page.

    Attributes:
        db: A snapshot of the store.
        config: The configuration of the sandbox.
        path: The variable parts of the path.
        query: The query string.
    """

    db: Connection
    config: SandboxConfig
    path: Mapping[str, str]
    query: Mapping[str, str]

    def text(self, name: str) -> str:
        """A value of the query string, stripped; empty if it is missing."""
        return self.query.get(name, "").strip()[:TEXT_MAX]

    def number(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        """The whole number that a query returns; 0 for null."""
        (found,) = self.db.execute(sql, values).fetchone()
        return int(found or 0)

    def paging(self, total: int) -> Paging:
        """The page number of the query string, or the nearest one that exists."""
        given = self.text("page")
        wanted = int(given) if given.isdecimal() else 1
        last = max(1, -(-total // PAGE_ROWS))
        return Paging(min(max(wanted, 1), last), last, total)


@dataclass(frozen=True)
class Paging:
    """One page of a long table.

    Attributes:
        page: Its number, from 1.
        last: The number of the last page.
        total: Rows on all pages.
    """

    page: int
    last: int
    total: int

    @property
    def window(self) -> tuple[int, int]:
        """The values of `LIMIT ? OFFSET ?`."""
        return PAGE_ROWS, self.before

    @property
    def before(self) -> int:
        """Rows on the pages before this one."""
        return (self.page - 1) * PAGE_ROWS

    @property
    def until(self) -> int:
        """The number of the last row on this page."""
        return min(self.before + PAGE_ROWS, self.total)
