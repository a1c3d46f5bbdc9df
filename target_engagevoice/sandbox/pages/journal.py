"""The pages of the requests and of the do-not-call list, both with the newest entry first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.sandbox import phones

if TYPE_CHECKING:
    from sqlite3 import Row

    from target_engagevoice.sandbox.pages.page_request import PageRequest, Values

REQUESTS = "SELECT * FROM requests WHERE ?1 IS NULL OR kind = ?1 ORDER BY request_id DESC LIMIT ?2 OFFSET ?3"
DNC = "SELECT * FROM dnc WHERE phone LIKE ?1 ORDER BY dnc_id DESC LIMIT ?2 OFFSET ?3"


def requests(asked: PageRequest) -> Values:
    """All requests of the API, or those of one kind."""
    kind = asked.text("kind") or None
    paging = asked.paging(asked.number("SELECT COUNT(*) FROM requests WHERE ?1 IS NULL OR kind = ?1", (kind,)))
    return {
        "kind": kind,
        "kinds": [row["kind"] for row in asked.db.execute("SELECT DISTINCT kind FROM requests ORDER BY kind")],
        "requests": rows(asked, kind, paging.window),
        "paging": paging,
    }


def rows(asked: PageRequest, kind: str | None, window: tuple[int, int]) -> list[Row]:
    """Requests; `window` is the number of rows and the number of rows to skip."""
    return asked.db.execute(REQUESTS, (kind, *window)).fetchall()


def dnc(asked: PageRequest) -> Values:
    """The do-not-call entries whose phone contains the digits of the search."""
    sought = asked.text("q")
    pattern = f"%{phones.key(sought)}%"
    paging = asked.paging(asked.number("SELECT COUNT(*) FROM dnc WHERE phone LIKE ?", (pattern,)))
    return {"q": sought, "entries": asked.db.execute(DNC, (pattern, *paging.window)).fetchall(), "paging": paging}
