"""The journal of requests and their answers. It holds no secrets, no personal data and no query strings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlite3 import Connection


@dataclass(frozen=True)
class Entry:
    """One request.

    Attributes:
        kind: Its kind: `load`, `search`, `oauth` …; `unknown` for a path that does not exist.
        at: When it arrived, in epoch seconds.
        status: The status of the answer; None when no answer was sent.
        campaign_id: The campaign that it names.
        leads: How many leads it names.
        path: The path without the query string, which may hold a password.
        fault: The fault that was applied to it.
        method: The HTTP method.
        received: Bytes of its body.
        answered: Bytes of the answer's body; None when no answer was sent.
    """

    kind: str
    at: float
    status: int | None
    campaign_id: int | None
    leads: int | None
    path: str
    fault: str | None = None
    method: str | None = None
    received: int | None = None
    answered: int | None = None


def write(db: Connection, entry: Entry) -> None:
    """Add an entry."""
    db.execute(
        "INSERT INTO requests (kind, at, status, campaign_id, leads, path, fault, method, received, answered)"
        " VALUES (:kind, :at, :status, :campaign_id, :leads, :path, :fault, :method, :received, :answered)",
        asdict(entry),
    )


def read(db: Connection, kind: str | None = None) -> list[dict[str, Any]]:
    """The entries in the order of their answers, all of them or those of one kind."""
    rows = db.execute(
        "SELECT kind, at, status, campaign_id, leads, path, fault FROM requests"
        " WHERE ?1 IS NULL OR kind = ?1 ORDER BY request_id",
        (kind,),
    )
    return [dict(row) for row in rows]
