"""The do-not-call list (reference, section 5). A load accepts a lead whose number is on it, and does not insert it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import dates, phones
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

    from target_engagevoice.sandbox.call import Call


def add(call: Call) -> Answer:
    """`POST …/dncLists`: adds a phone to the list. A phone that is on it already is not added twice.

    Raises:
        Refusal: 400 for an invalid phone, 403 for the account.
    """
    account_id, body = call.account.account_id, call.json
    phone = body.get("phone") if isinstance(body, Mapping) else None
    if not isinstance(phone, str) or not phones.INTERNATIONAL.fullmatch(phone):
        fault = {"attributeName": "phone", "message": "must be a phone number"}
        raise Refusal(bad_request("Invalid do-not-call entry: phone", call.now, fault))
    tag, extern_id = body.get("dncTagId"), body.get("externId")
    if not isinstance(tag, int | None) or not isinstance(extern_id, str | None):
        fault = {"attributeName": "dncTagId, externId", "message": "must be a number, and a string"}
        raise Refusal(bad_request("Invalid do-not-call entry", call.now, fault))
    entry = (
        account_id,
        phones.key(phone),
        str(body.get("countryId") or "USA"),
        tag,
        extern_id,
        call.now,
    )
    with call.state.store.transaction() as db:
        db.execute(
            "INSERT INTO dnc (account_id, phone, country, tag, extern_id, added) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (account_id, phone)"
            " DO UPDATE SET tag = excluded.tag, extern_id = excluded.extern_id",
            entry,
        )
        row = db.execute("SELECT * FROM dnc WHERE account_id = ? AND phone = ?", entry[:2]).fetchone()
    return Answer.of(shown(row))


def show(call: Call) -> Answer:
    """`GET …/dncLists`: the entries, `page` and `maxRows` as elsewhere."""
    account_id = call.account.account_id
    with call.state.store.transaction() as db:
        entries = every(db)
    return Answer.of(call.paged([entry for entry in entries if entry["accountId"] == account_id]))


def every(db: Connection) -> list[dict[str, Any]]:
    """All entries of all accounts."""
    return [shown(row) for row in db.execute("SELECT * FROM dnc ORDER BY dnc_id")]


def shown(row: Row) -> dict[str, Any]:
    """An entry as the API returns it (the shape is a guess)."""
    return {
        "dncId": row["dnc_id"],
        "accountId": row["account_id"],
        "phone": row["phone"],
        "countryId": row["country"],
        "dncTagId": row["tag"],
        "externId": row["extern_id"],
        "addedDts": dates.shown(row["added"]),
    }
