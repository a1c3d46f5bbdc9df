"""Changes of loaded leads (reference, section 5): actions on search results, and the change of one lead by its id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import EXTERN_ID, LEAD_PHONE
from target_engagevoice.sandbox import phones
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request, missing, problem
from target_engagevoice.sandbox.criteria import CRITERIA, conditions
from target_engagevoice.sandbox.insertion import REMOVE_ALL_EXISTING
from target_engagevoice.sandbox.lead_checks import LeadRules, change_error
from target_engagevoice.sandbox.lead_rows import changed
from target_engagevoice.sandbox.lead_values import Unreadable, converted
from target_engagevoice.sandbox.loader import CHOICES as LOAD_CHOICES
from target_engagevoice.sandbox.search import select
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
"""The columns that an action sets."""

ACTIONS = (*UPDATES, DELETE_LEADS, MOVE_TO_CAMPAIGN, DIALER_REFRESH)
DESTINATIONS = ("CAMPAIGN_ID", "campaignId", "toCampaignId", "destinationCampaignId", "newCampaignId")
"""Names under which `paramMap` may name the campaign to move to. The first is RingCentral's, the others are guesses."""

BOUNDS = ("leadIds", "externIds")
"""The criteria that the `widen` fault makes an action ignore."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "timezoneOption": ("NPA_NXX", "ZIPCODE", "EXPLICIT", "NOT_APPLICABLE"),
    "duplicateHandling": LOAD_CHOICES["duplicateHandling"],
}
"""The values of a change's query parameters. Only a load also takes the time zone option `COUNTRY`."""

BLANKS: tuple[Any, ...] = (None, "", {})
"""The values that clear a field. A map is replaced as a whole, so an empty map clears it (a guess)."""


@dataclass(frozen=True)
class Done:
    """The result of an action."""

    updated: int = 0
    deleted: int = 0
    error: str = ""


def act(call: Call) -> Answer:
    """`PUT …/campaignLeads/actions?leadAction=X` over the leads that fit `campaignLeadSearchCriteria`.

    Returns:
        200 with `success`; `errorMessage` says why an action was not done.

    Raises:
        Refusal: 400 for an unknown action or invalid criteria, 403 for the account.
    """
    action, body = call.query.get("leadAction", ""), call.json
    if action not in ACTIONS or not isinstance(body, Mapping):
        fault = {"attributeName": "leadAction", "message": "unknown", "value": action}
        raise Refusal(bad_request("Invalid lead action", call.now, fault))
    criteria: Any = body.get("campaignLeadSearchCriteria")
    if call.effect.widen and isinstance(criteria, Mapping):
        criteria = {name: value for name, value in criteria.items() if name not in BOUNDS}
    where, values = conditions(call, criteria, fresh=True)
    done = Done(error="no search criteria were given")
    if call.effect.fail:
        done = Done(error=call.effect.message)
    elif action == DIALER_REFRESH:
        done = Done()
    elif any(criteria.get(name) for name in CRITERIA):
        with call.state.store.transaction() as db:
            chosen = [row["lead_id"] for row in select(db, where, values)]
            done = _apply(db, call, action, chosen, body)
    result: dict[str, Any] = {
        "success": not done.error,
        "errorMessage": done.error or None,
        "leadActionType": action,
        "dialerRefreshed": action == DIALER_REFRESH,
    }
    if call.state.config.personality.action_counts:
        result |= {"leadUpdateCount": done.updated, "leadDeleteCount": done.deleted, "redialDeleteCount": 0}
    return Answer.of(result)


def _apply(db: Connection, call: Call, action: str, lead_ids: list[int], body: Mapping[str, Any]) -> Done:
    marks = [(lead_id,) for lead_id in lead_ids]
    if not call.state.config.personality.action_effect:
        count = len(marks)
        return Done(deleted=count) if action == DELETE_LEADS else Done(updated=count)
    if action == DELETE_LEADS:
        db.executemany("DELETE FROM leads WHERE lead_id = ?", marks)
        db.executemany("DELETE FROM phones WHERE lead_id = ?", marks)
        return Done(deleted=len(marks))
    if action == MOVE_TO_CAMPAIGN:
        return _move(db, call, marks, body)
    db.executemany(f"UPDATE leads SET {UPDATES[action]} WHERE lead_id = ?", marks)  # noqa: S608 - the columns come from `UPDATES`
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
    """`PATCH …/campaignLeads/{leadId}?campaignId=…`: changes the fields that are sent; null or empty clears one.

    Raises:
        Refusal: 400 for invalid fields or query parameters, and for a phone that `duplicateHandling` refuses; 403 for
            the account, 404 for campaign and lead.
    """
    return _change(call, keep=True)


def put(call: Call) -> Answer:
    """`PUT …/campaignLeads/{leadId}?campaignId=…` clears the fields that are not sent (reference, section 5)."""
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
    with call.state.store.transaction() as db:
        rows = select(db, where, which)
        if not rows:
            raise Refusal(_gone(call))
        # A lead that was loaded with an international number may be changed to another one.
        international = not all(phones.NATIONAL.fullmatch(number) for number in phones.split(rows[0]["phone"]))
        new = _values(call)
        error = change_error(new, LeadRules(campaign, call.state.config.e164, international))
        if error is None and call.query.get("duplicateHandling") == REMOVE_ALL_EXISTING:
            error = _duplicate(db, rows[0], new)
        if error is not None:
            raise Refusal(bad_request(error, call.now, {"attributeName": "lead", "message": error}))
        _write(db, rows[0], new, keep=keep)
        if call.state.config.personality.change_status == HTTPStatus.NO_CONTENT:
            return Answer(HTTPStatus.NO_CONTENT, content_type="")
        return Answer.of(changed(select(db, where, which)[0], call.state.config.personality))


def _values(call: Call) -> Any:
    """The new values of the lead. Unless leads are checked strictly, they are converted as those of a load."""
    new = call.json
    if call.state.config.strict_leads or not isinstance(new, Mapping):
        return new
    try:
        return {name: value if value in BLANKS else converted(name, value) for name, value in new.items()}
    except Unreadable:
        raise Refusal(bad_request("The lead is not readable", call.now)) from None


def _gone(call: Call) -> Answer:
    """The answer to a change of a lead that does not exist. The API documents no 404 for it."""
    status = call.state.config.personality.gone_status
    if status == HTTPStatus.NOT_FOUND:
        return missing("lead", call.now)
    return problem(status, "request.error", "The lead could not be changed", call.now)


def _duplicate(db: Connection, row: Row, new: Mapping[str, Any]) -> str | None:
    """The error for a phone that another lead of the campaign has, from a list loaded with `REMOVE_ALL_EXISTING`.

    A load drops a lead with such a phone. That a change is refused instead is a guess.
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
    # The key and the phone cannot be cleared: a lead without them cannot be loaded either.
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
