"""What was done to the leads of a sandbox, in order. Triggers in its database record it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from target_engagevoice.sandbox.sandbox import Sandbox
    from tests.support.crm import Content

_ROW = "INSERT INTO happened (run, what, campaign_id, extern_id, lead_id, fields)"
_DIALED = "{0}.state = 'READY' AND NOT {0}.suppressed"

_COLUMNS = (
    "number INTEGER PRIMARY KEY, run INTEGER, what TEXT, campaign_id TEXT, extern_id TEXT, lead_id TEXT, fields TEXT"
)
_EVENTS = (
    ("INSERT", "loaded", "new", "1"),
    ("UPDATE", "changed", "new", "old.fields <> new.fields"),
    ("UPDATE", "retired", "new", f"{_DIALED.format('old')} AND NOT ({_DIALED.format('new')})"),
    ("UPDATE", "revived", "new", f"{_DIALED.format('new')} AND NOT ({_DIALED.format('old')})"),
    ("DELETE", "retired", "old", _DIALED.format("old")),
)
"""Each trigger: SQL event, name of the lead event, row to copy, and condition."""


@dataclass(frozen=True)
class LeadEvent:
    """A change to a lead on the server.

    Attributes:
        run: Which run of the chain did it, from 0.
        what: `loaded`, `changed`, `retired` or `revived`.
        content: What the lead holds after it.
    """

    run: int
    what: str
    campaign_id: str
    extern_id: str
    lead_id: str
    content: Content


def watch(sandbox: Sandbox) -> None:
    """Record events from here on."""
    with sandbox._store.transaction() as db:
        db.execute("CREATE TABLE run_now (run INTEGER)")
        db.execute("INSERT INTO run_now VALUES (0)")
        db.execute(f"CREATE TABLE happened ({_COLUMNS})")
        for number, (event, what, row, when) in enumerate(_EVENTS):
            columns = ", ".join(f"{row}.{name}" for name in ("campaign_id", "extern_id", "lead_id", "fields"))
            insert = f"{_ROW} SELECT run, '{what}', {columns} FROM run_now"  # noqa: S608 - from the table above
            db.execute(f"CREATE TRIGGER happened_{number} AFTER {event} ON leads WHEN {when} BEGIN {insert}; END")


def begin(sandbox: Sandbox, run: int) -> None:
    """Events from here on belong to this run."""
    with sandbox._store.transaction() as db:
        db.execute("UPDATE run_now SET run = ?", (run,))


def lead_events(sandbox: Sandbox) -> list[LeadEvent]:
    """All events, in order."""
    with sandbox._store.transaction() as db:
        rows = db.execute("SELECT * FROM happened ORDER BY number").fetchall()
    return [
        LeadEvent(
            row["run"],
            row["what"],
            row["campaign_id"],
            row["extern_id"],
            row["lead_id"],
            content(json.loads(row["fields"])),
        )
        for row in rows
    ]


def content(fields: dict[str, Any]) -> Content:
    """What a lead on the server holds; a missing field is None."""
    return tuple(fields.get(name) for name in ("firstName", "lastName", "leadPhone"))
