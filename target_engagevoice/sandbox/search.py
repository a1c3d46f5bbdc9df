"""The lead search (reference, section 5): a table turns criteria into SQL, and shows rows as leads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import dates, phones
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

    from target_engagevoice.sandbox.call import Call

DEFAULT_ROWS = 100
"""The number of rows without `maxRows` (a guess: the reference names no default)."""

SQLITE_LIMIT = 2**63

Read = Callable[[Any], list[Any]]


@dataclass(frozen=True)
class Criterion:
    """One search criterion: how its value is read, and its SQL condition, in which `{}` stands for the values."""

    read: Read
    condition: str


def _ids(raw: Any) -> list[Any]:
    values = [int(value) for value in (raw if isinstance(raw, list) else [raw])]
    if any(abs(value) >= SQLITE_LIMIT for value in values):
        raise ValueError
    return values


def _texts(raw: Any) -> list[Any]:
    if not isinstance(raw, list) or not all(isinstance(value, str) for value in raw):
        raise TypeError
    for value in raw:
        value.encode()  # half of a surrogate pair is a ValueError here; SQLite would fail on it later
    return raw


def _text(raw: Any) -> list[Any]:
    return _texts([raw])


def _numbers(raw: Any) -> list[Any]:
    return [phones.key(value) for value in _texts(raw)]


def _date(raw: Any) -> list[Any]:
    return [dates.read(value) for value in _text(raw)]


CRITERIA: Mapping[str, Criterion] = {
    "campaignIds": Criterion(_ids, "leads.campaign_id IN ({})"),
    "campaignId": Criterion(_ids, "leads.campaign_id IN ({})"),
    "listIds": Criterion(_ids, "leads.list_id IN ({})"),
    "leadIds": Criterion(_ids, "leads.lead_id IN ({})"),
    "externIds": Criterion(_texts, "leads.extern_id IN ({})"),
    "leadPhoneNumbers": Criterion(_numbers, "leads.lead_id IN (SELECT lead_id FROM phones WHERE phone IN ({}))"),
    "leadStates": Criterion(_texts, "leads.state IN ({})"),
    "loadedDtsStart": Criterion(_date, "leads.loaded >= {}"),
    "loadedDtsEnd": Criterion(_date, "leads.loaded <= {}"),
    **{
        name: Criterion(_text, f"json_extract(leads.fields, '$.{name}') = {{}}")
        for name in ("firstName", "lastName", "city", "state", "zip", "address1", "address2")
    },
}
"""The criteria that the sandbox knows. It ignores others, and criteria that are null or empty lists."""

SUPPRESSED = {
    "ALL": "1",
    "ONLY_SUPPRESSED": "leads.suppressed = 1",
    "ONLY_UNSUPPRESSED": "leads.suppressed = 0",
}


def conditions(call: Call, body: Any, *, fresh: bool) -> tuple[str, list[Any]]:
    """The `WHERE` of a search.

    Args:
        call: The call, for its account, time and configuration.
        body: The criteria as they were sent.
        fresh: Whether leads are included that the search does not find yet.

    Returns:
        The condition and its values.

    Raises:
        Refusal: A criterion is not valid: 400.
    """
    config = call.state.config
    where = ["leads.account_id = ?"]
    values: list[Any] = [call.account.account_id]
    if not fresh:
        where.append("leads.loaded <= ?")
        values.append(call.now - config.search_delay_seconds)
    if not isinstance(body, Mapping):
        raise Refusal(bad_request("The search criteria are not an object", call.now))
    suppressed = SUPPRESSED.get(str(body.get("suppressed") or "ALL"))
    if suppressed is None:
        raise _invalid("suppressed", call)
    where.append(suppressed)
    ignored = {
        name
        for name, is_ignored in (("externIds", config.extern_ids_ignored), ("leadIds", config.lead_ids_ignored))
        if is_ignored
    }
    for name, criterion in CRITERIA.items():
        raw = body.get(name)
        if raw in (None, [], "") or name in ignored:
            continue
        try:
            chosen = criterion.read(raw)
        except (TypeError, ValueError):
            raise _invalid(name, call) from None
        where.append(criterion.condition.format(", ".join("?" * len(chosen))))
        values += chosen
    return " AND ".join(where), values


def search(call: Call) -> Answer:
    """`POST …/campaignLeads/leadSearch`: a bare array of rows, or with `count=true` their number.

    Raises:
        Refusal: 400 for invalid criteria, 403 for the account.
    """
    where, values = conditions(call, call.json, fresh=False)
    if counts(call):
        with call.state.store.transaction() as db:
            (found,) = db.execute(f"SELECT COUNT(*) FROM leads WHERE {where}", values).fetchone()  # noqa: S608 - `where` comes from the table above
        return Answer.of(found)
    page, size = call.positive("page", 1) or 1, call.positive("maxRows", DEFAULT_ROWS) or DEFAULT_ROWS
    with call.state.store.transaction() as db:
        rows = select(db, f"{where} ORDER BY leads.lead_id LIMIT ? OFFSET ?", [*values, size, (page - 1) * size])
    return Answer.of([shown(row) for row in rows])


def counts(call: Call) -> bool:
    """Whether a search asks for a count only. Such searches have their own rate limit (reference, section 5)."""
    return call.query.get("count", "").lower() == "true"


def select(db: Connection, where: str, values: list[Any]) -> list[Row]:
    """Select leads with the description of their list."""
    query = f"SELECT leads.*, lists.description FROM leads JOIN lists USING (list_id) WHERE {where}"  # noqa: S608 - `where` comes from the table above
    return db.execute(query, values).fetchall()


def shown(row: Row) -> dict[str, Any]:
    """A lead as the search returns it."""
    return {
        **json.loads(row["fields"]),
        "leadId": row["lead_id"],
        "externId": row["extern_id"],
        "leadPhone": row["phone"],
        "campaignId": row["campaign_id"],
        "listId": row["list_id"],
        "listDesc": row["description"],
        "leadState": row["state"],
        "leadPasses": row["passes"],
        "suppressed": bool(row["suppressed"]),
        "loadedDts": dates.shown(row["loaded"]),
    }


def stored(row: Row) -> dict[str, Any]:
    """A lead as `Sandbox.leads` returns it: as the search, with its account, and `fields` as they were sent."""
    return {**shown(row), "accountId": row["account_id"], "fields": json.loads(row["fields"])}


def _invalid(name: str, call: Call) -> Refusal:
    fault = {"attributeName": name, "message": "the value is not valid"}
    return Refusal(bad_request(f"Invalid search criterion: {name}", call.now, fault))
