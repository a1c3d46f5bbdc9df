"""The do-not-call list (reference, section 5). A load accepts a lead whose number is on it, and does not insert it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import dates, phones
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request
from target_engagevoice.sandbox.directory import GLOBAL_TAG

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

    from target_engagevoice.sandbox.call import Call
    from target_engagevoice.sandbox.directory import Account


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
    code = body.get("countryCode")
    country = str(body.get("countryId") or (code.get("id") if isinstance(code, Mapping) else None) or "USA")
    entry = (account_id, phones.key(phone), country, tag, extern_id, call.now)
    with call.state.store.transaction() as db:
        db.execute(
            "INSERT INTO dnc (account_id, phone, country, tag, extern_id, added) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (account_id, phone)"
            " DO UPDATE SET tag = excluded.tag, extern_id = excluded.extern_id",
            entry,
        )
        row = db.execute("SELECT * FROM dnc WHERE account_id = ? AND phone = ?", entry[:2]).fetchone()
    return Answer.of(_shown(row, call.account))


def show(call: Call) -> Answer:
    """`GET …/dncLists`: the entries, `page` and `maxRows` as elsewhere."""
    account_id = call.account.account_id
    with call.state.store.transaction() as db:
        rows = db.execute("SELECT * FROM dnc WHERE account_id = ? ORDER BY dnc_id", (account_id,)).fetchall()
    return Answer.of(call.paged([_shown(row, call.account) for row in rows]))


def every(db: Connection) -> list[dict[str, Any]]:
    """All entries of all accounts, for `Sandbox.dnc`."""
    return [stored(row) for row in db.execute("SELECT * FROM dnc ORDER BY dnc_id")]


def _shown(row: Row, account: Account) -> dict[str, Any]:
    """An entry as RingCentral's guide on do-not-call lists shows it."""
    tag_id = row["tag"] or GLOBAL_TAG.tag_id
    label = next((tag.label for tag in account.dnc_tags if tag.tag_id == tag_id), str(tag_id))
    return {
        "phone": row["phone"],
        "tag": label,
        "countryCode": {"id": row["country"], "description": None},
        "addedDate": dates.shown(row["added"]),
        "addedBy": "Sandbox",
        "reason": None,
        "dncTagId": tag_id,
        "externId": row["extern_id"],
    }


def stored(row: Row) -> dict[str, Any]:
    """An entry as it is stored."""
    return {
        "dncId": row["dnc_id"],
        "accountId": row["account_id"],
        "phone": row["phone"],
        "countryId": row["country"],
        "dncTagId": row["tag"],
        "externId": row["extern_id"],
        "addedDts": dates.shown(row["added"]),
    }
