"""What a page is asked, and the pages a long table is cut into."""

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
"""Characters of a search that count; SQLite refuses patterns without end."""

Values = dict[str, Any]


class NotThere(Exception):  # noqa: N818 - it is an answer, raised where going on makes no sense
    """Raised by a view: there is no such thing.

    Args:
        what: What there is not, such as `list 7`.
    """


@dataclass(frozen=True)
class Asked:
    """What somebody wants to see.

    Attributes:
        db: The store as it is now.
        config: What the sandbox was told to be.
        path: The variable parts of the path.
        query: The query string.
    """

    db: Connection
    config: SandboxConfig
    path: Mapping[str, str]
    query: Mapping[str, str]

    def text(self, name: str) -> str:
        """A value of the query string without blanks around it; empty if it is not there."""
        return self.query.get(name, "").strip()[:TEXT_MAX]

    def number(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        """The one whole number that a query gives; 0 for null."""
        (found,) = self.db.execute(sql, values).fetchone()
        return int(found or 0)

    def paging(self, total: int) -> Paging:
        """The page the query string asks for, or the one nearest to it."""
        given = self.text("page")
        wanted = int(given) if given.isdecimal() else 1
        last = max(1, -(-total // PAGE_ROWS))
        return Paging(min(max(wanted, 1), last), last, total)


@dataclass(frozen=True)
class Paging:
    """One page of a long table.

    Attributes:
        page: Which one, from 1.
        last: How many there are.
        total: Rows on all of them.
    """

    page: int
    last: int
    total: int

    @property
    def window(self) -> tuple[int, int]:
        """How many rows, and how many to leave out before them: what `LIMIT ? OFFSET ?` takes."""
        return PAGE_ROWS, self.before

    @property
    def before(self) -> int:
        """Rows on the pages before."""
        return (self.page - 1) * PAGE_ROWS

    @property
    def until(self) -> int:
        """The number of the last row on it."""
        return min(self.before + PAGE_ROWS, self.total)
