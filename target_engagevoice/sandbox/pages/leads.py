"""The pages of leads: a list or all leads, with a search, and one lead with all fields."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import phones
from target_engagevoice.sandbox.pages.page_request import PageNotFound
from target_engagevoice.sandbox.store import row_id

if TYPE_CHECKING:
    from target_engagevoice.sandbox.pages.page_request import PageRequest, Values

NAME = (
    "trim(coalesce(json_extract(leads.fields, '$.firstName'), '') || ' '"
    " || coalesce(json_extract(leads.fields, '$.lastName'), ''))"
)
PHONE_LIKE = re.compile(r"[0-9+()./| -]*[0-9]{3}[0-9+()./| -]*")
"""A search that may be part of a phone number. Other searches do not look at phones."""

SIBLINGS_MAX = 20


def leads(asked: PageRequest) -> Values:
    """The leads of all lists."""
    return _found(asked, None)


def of_list(asked: PageRequest) -> Values:
    """A list and its leads.

    Raises:
        PageNotFound: The list does not exist.
    """
    list_id = row_id(asked.path["list_id"])
    row = asked.db.execute("SELECT * FROM lists WHERE list_id = ?", (list_id,)).fetchone()
    if row is None or list_id is None:
        raise PageNotFound(f"list {asked.path['list_id']}")
    load = asked.db.execute("SELECT * FROM loads WHERE list_id = ?", (list_id,)).fetchone()
    states = asked.db.execute(
        "SELECT state, COUNT(*) AS leads FROM leads WHERE list_id = ? GROUP BY state ORDER BY state", (list_id,)
    ).fetchall()
    return {"row": row, "load": load, "states": states, **_found(asked, list_id)}


def lead(asked: PageRequest) -> Values:
    """One lead: its state and the current value of each field.

    Raises:
        PageNotFound: The lead does not exist.
    """
    lead_id = row_id(asked.path["lead_id"])
    row = asked.db.execute(
        f"SELECT leads.*, lists.description, {NAME} AS name FROM leads JOIN lists USING (list_id) WHERE lead_id = ?",  # noqa: S608 - the query is made of the constants above
        (lead_id,),
    ).fetchone()
    if row is None:
        raise PageNotFound(f"lead {asked.path['lead_id']}")
    siblings = asked.db.execute(
        "SELECT lead_id, list_id, state, loaded FROM leads WHERE campaign_id = ? AND extern_id = ? AND lead_id <> ?"
        " ORDER BY lead_id LIMIT ?",
        (row["campaign_id"], row["extern_id"], lead_id, SIBLINGS_MAX),
    ).fetchall()
    blocked = asked.number(
        "SELECT COUNT(*) FROM dnc WHERE account_id = ? AND phone IN (SELECT phone FROM phones WHERE lead_id = ?)",
        (row["account_id"], lead_id),
    )
    fields = {name: _shown(value) for name, value in sorted(json.loads(row["fields"]).items())}
    return {"lead": row, "fields": fields, "siblings": siblings, "blocked": blocked > 0}


def _found(asked: PageRequest, list_id: int | None) -> Values:
    sought, state = asked.text("q"), asked.text("state")
    where, values = _conditions(list_id, sought, state)
    total = asked.number(f"SELECT COUNT(*) FROM leads WHERE {where}", tuple(values))  # noqa: S608 - `where` comes from `_conditions`
    paging = asked.paging(total)
    # The inner query needs only an index. The outer one reads the leads of the page.
    rows = asked.db.execute(
        "SELECT leads.lead_id, leads.extern_id, leads.phone, leads.state, leads.passes, leads.suppressed,"  # noqa: S608 - `where` comes from `_conditions`
        f" leads.loaded, leads.campaign_id, leads.list_id, lists.description, {NAME} AS name"
        " FROM leads JOIN lists USING (list_id) WHERE leads.lead_id IN"
        f" (SELECT lead_id FROM leads WHERE {where} ORDER BY lead_id LIMIT ? OFFSET ?) ORDER BY leads.lead_id",
        (*values, *paging.window),
    ).fetchall()
    return {"q": sought, "state": state, "leads": rows, "paging": paging}


def _conditions(list_id: int | None, sought: str, state: str) -> tuple[str, list[Any]]:
    """The `WHERE` of a search, and its values."""
    where, values = ["1"], list[Any]()
    if list_id is not None:
        where.append("leads.list_id = ?")
        values.append(list_id)
    if state:
        where.append("leads.state = ?")
        values.append(state)
    if sought:
        pattern = "%" + re.sub(r"([\\%_])", r"\\\1", sought) + "%"
        either = [r"leads.extern_id LIKE ? ESCAPE '\'", rf"{NAME} LIKE ? ESCAPE '\'"]
        values += [pattern, pattern]
        if PHONE_LIKE.fullmatch(sought):
            either.append("leads.phone LIKE ?")
            values.append(f"%{phones.key(sought)}%")
        where.append(f"({' OR '.join(either)})")
    return " AND ".join(where), values


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
