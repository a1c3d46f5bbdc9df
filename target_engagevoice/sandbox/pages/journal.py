"""The requests, and the do-not-call list: what comes in one after another, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.sandbox import phones

if TYPE_CHECKING:
    from sqlite3 import Row

    from target_engagevoice.sandbox.pages.view import Asked, Values

REQUESTS = "SELECT * FROM requests WHERE ?1 IS NULL OR kind = ?1 ORDER BY request_id DESC LIMIT ?2 OFFSET ?3"
DNC = "SELECT * FROM dnc WHERE phone LIKE ?1 ORDER BY dnc_id DESC LIMIT ?2 OFFSET ?3"


def requests(asked: Asked) -> Values:
    """All requests of the API, or those of one kind."""
    kind = asked.text("kind") or None
    paging = asked.paging(asked.number("SELECT COUNT(*) FROM requests WHERE ?1 IS NULL OR kind = ?1", (kind,)))
    return {
        "kind": kind,
        "kinds": [row["kind"] for row in asked.db.execute("SELECT DISTINCT kind FROM requests ORDER BY kind")],
        "requests": rows(asked, kind, paging.window),
        "paging": paging,
    }


def rows(asked: Asked, kind: str | None, window: tuple[int, int]) -> list[Row]:
    """So many requests, after leaving out so many."""
    return asked.db.execute(REQUESTS, (kind, *window)).fetchall()


def dnc(asked: Asked) -> Values:
    """The do-not-call entries whose phone holds the digits that are searched for."""
    sought = asked.text("q")
    pattern = f"%{phones.key(sought)}%"
    paging = asked.paging(asked.number("SELECT COUNT(*) FROM dnc WHERE phone LIKE ?", (pattern,)))
    return {"q": sought, "entries": asked.db.execute(DNC, (pattern, *paging.window)).fetchall(), "paging": paging}
