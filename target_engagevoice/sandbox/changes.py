"""Changing leads that are loaded (reference, section 5): actions over a search, and one lead by its id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import EXTERN_ID, LEAD_PHONE
from target_engagevoice.sandbox import phones
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request, missing
from target_engagevoice.sandbox.loader import CHOICES as LOAD_CHOICES
from target_engagevoice.sandbox.loader import REMOVE_ALL_EXISTING
from target_engagevoice.sandbox.rows import Rules, objection_to_change
from target_engagevoice.sandbox.search import CRITERIA, conditions, select, shown
from target_engagevoice.sandbox.store import row_id

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

    from target_engagevoice.sandbox.call import Call

DELETE_LEADS = "DELETE_LEADS"
MOVE_TO_CAMPAIGN = "MOVE_TO_CAMPAIGN"
DIALER_REFRESH = "DIALER_REFRESH"

UPDATES: Mapping[str, str] = {
    "RESET_LEADS": "state = 'READY', passes = 0",
    "READY_LEADS": "state = 'READY'",
    "PAUSE_LEADS": "state = 'PAUSED'",
    "CANCEL_LEADS": "state = 'CANCELLED'",
    "SUPPRESS_LEADS": "suppressed = 1",
    "UNSUPPRESS_LEADS": "suppressed = 0",
}
"""The actions that set columns, and what they set."""

ACTIONS = (*UPDATES, DELETE_LEADS, MOVE_TO_CAMPAIGN, DIALER_REFRESH)
DESTINATIONS = ("CAMPAIGN_ID", "campaignId", "toCampaignId", "destinationCampaignId", "newCampaignId")
"""Names under which `paramMap` may give the campaign to move to: the first is RingCentral's, the others are guesses."""

BOUNDS = ("leadIds", "externIds")
"""The criteria that a fault may make an action forget."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "timezoneOption": ("NPA_NXX", "ZIPCODE", "EXPLICIT", "NOT_APPLICABLE"),
    "duplicateHandling": LOAD_CHOICES["duplicateHandling"],
}
"""What may stand in the query of a change; of the time zones, a load knows `COUNTRY` besides."""

BLANKS: tuple[Any, ...] = (None, "", {})
"""What blanks a field: a map is replaced as a whole, so that an empty one blanks it (a guess)."""


@dataclass(frozen=True)
class Done:
    """What an action did."""

    updated: int = 0
    deleted: int = 0
    error: str = ""


def act(call: Call) -> Answer:
    """`PUT …/campaignLeads/actions?leadAction=X` over the leads that fit `campaignLeadSearchCriteria`.

    Returns:
        200 with `success`; an action that can not be done says so in `errorMessage`.

    Raises:
        Refusal: 400 for an unknown action or criteria that do not fit, 403 for the account.
    """
    action, body = call.query.get("leadAction", ""), call.json
    if action not in ACTIONS or not isinstance(body, Mapping):
        fault = {"attributeName": "leadAction", "message": "unknown", "value": action}
        raise Refusal(bad_request("Invalid lead action", call.now, fault))
    criteria: Any = body.get("campaignLeadSearchCriteria")
    if call.meddling.widen and isinstance(criteria, Mapping):
        criteria = {name: value for name, value in criteria.items() if name not in BOUNDS}
    where, values = conditions(call, criteria, fresh=True)
    done = Done(error="no search criteria were given")
    if call.meddling.fail:
        done = Done(error=call.meddling.message)
    elif action == DIALER_REFRESH:
        done = Done()
    elif any(criteria.get(name) for name in CRITERIA):
        with call.world.store.transaction() as db:
            chosen = [row["lead_id"] for row in select(db, where, values)]
            done = _apply(db, call, action, chosen, body)
    return Answer.of(
        {
            "success": not done.error,
            "errorMessage": done.error or None,
            "leadActionType": action,
            "leadUpdateCount": done.updated,
            "leadDeleteCount": done.deleted,
            "redialDeleteCount": 0,
            "dialerRefreshed": action == DIALER_REFRESH,
        }
    )


def _apply(db: Connection, call: Call, action: str, lead_ids: list[int], body: Mapping[str, Any]) -> Done:
    marks = [(lead_id,) for lead_id in lead_ids]
    if action == DELETE_LEADS:
        db.executemany("DELETE FROM leads WHERE lead_id = ?", marks)
        db.executemany("DELETE FROM phones WHERE lead_id = ?", marks)
        return Done(deleted=len(marks))
    if action == MOVE_TO_CAMPAIGN:
        return _move(db, call, marks, body)
    db.executemany(f"UPDATE leads SET {UPDATES[action]} WHERE lead_id = ?", marks)  # noqa: S608 - from the table
    return Done(updated=len(marks))


def _move(db: Connection, call: Call, marks: list[tuple[int]], body: Mapping[str, Any]) -> Done:
    parameters = (body.get("leadActionParams") or {}).get("paramMap") or {}
    given = next((parameters[name] for name in DESTINATIONS if name in parameters), "")
    campaign = call.account.campaign(str(given))
    if campaign is None:
        return Done(error="the campaign to move to does not exist")
    moved = [(campaign.campaign_id, *mark) for mark in marks]
    db.executemany("UPDATE leads SET campaign_id = ? WHERE lead_id = ?", moved)
    db.executemany("UPDATE phones SET campaign_id = ? WHERE lead_id = ?", moved)
    return Done(updated=len(moved))


def patch(call: Call) -> Answer:
    """`PATCH …/campaignLeads/{leadId}?campaignId=…`: what is sent changes, null or empty blanks it.

    Raises:
        Refusal: 400 for fields or a query that do not fit, and for a phone that `duplicateHandling` keeps out; 403 for
            the account, 404 for campaign and lead.
    """
    return _change(call, keep=True)


def put(call: Call) -> Answer:
    """`PUT …/campaignLeads/{leadId}?campaignId=…` blanks what is not sent (reference, section 5)."""
    return _change(call, keep=False)


def _change(call: Call, *, keep: bool) -> Answer:
    campaign = call.account.campaign(call.query.get("campaignId", ""))
    if campaign is None:
        raise Refusal(missing("campaign", call.now))
    for name, known in CHOICES.items():
        if call.query.get(name, known[0]) not in known:
            raise Refusal(bad_request(f"Invalid parameter: {name}", call.now, {"attributeName": name}))
    which = [call.account.account_id, campaign.campaign_id, row_id(call.path["lead_id"])]
    where = "leads.account_id = ? AND leads.campaign_id = ? AND leads.lead_id = ?"
    with call.world.store.transaction() as db:
        rows = select(db, where, which)
        if not rows:
            raise Refusal(missing("lead", call.now))
        # Who was loaded with a number of another country may get another one.
        international = not all(phones.NATIONAL.fullmatch(number) for number in phones.split(rows[0]["phone"]))
        found = objection_to_change(call.json, Rules(campaign, call.world.config.e164, international))
        if found is None and call.query.get("duplicateHandling") == REMOVE_ALL_EXISTING:
            found = _duplicate(db, rows[0], call.json)
        if found is not None:
            raise Refusal(bad_request(found, call.now, {"attributeName": "lead", "message": found}))
        _write(db, rows[0], call.json, keep=keep)
        return Answer.of(shown(select(db, where, which)[0]))


def _duplicate(db: Connection, row: Row, new: Mapping[str, Any]) -> str | None:
    """A phone that another lead of the campaign has, from a list that was itself loaded so, as a load sees it.

    A load drops such a lead; that the change of one is refused is a guess.
    """
    keys = json.dumps([phones.key(number) for number in phones.split(new.get(LEAD_PHONE) or "")])
    (others,) = db.execute(
        "SELECT COUNT(*) FROM phones JOIN leads USING (lead_id) JOIN lists USING (list_id)"
        " WHERE phones.campaign_id = ? AND phones.lead_id <> ? AND lists.duplicate_handling = ?"
        " AND phones.phone IN (SELECT value FROM json_each(?))",
        (row["campaign_id"], row["lead_id"], REMOVE_ALL_EXISTING, keys),
    ).fetchone()
    return "Duplicate phone number: leadPhone" if others else None


def _write(db: Connection, row: Row, new: Mapping[str, Any], *, keep: bool) -> None:
    # The key and the phone can not be blanked: a lead without them could not have been loaded.
    fixed = {EXTERN_ID: row["extern_id"], LEAD_PHONE: row["phone"]}
    fields = {**(json.loads(row["fields"]) if keep else fixed), **new}
    fields = {name: value for name, value in fields.items() if value not in BLANKS}
    fields = {**fixed, **fields}
    db.execute(
        "UPDATE leads SET extern_id = ?, phone = ?, fields = ? WHERE lead_id = ?",
        (fields[EXTERN_ID], fields[LEAD_PHONE], json.dumps(fields, separators=(",", ":")), row["lead_id"]),
    )
    db.execute("DELETE FROM phones WHERE lead_id = ?", (row["lead_id"],))
    db.executemany(
        "INSERT INTO phones (lead_id, campaign_id, phone) VALUES (?, ?, ?)",
        [
            (row["lead_id"], row["campaign_id"], key)
            for key in {phones.key(number) for number in phones.split(fields[LEAD_PHONE])}
        ],
    )
