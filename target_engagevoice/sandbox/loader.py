"""The direct lead loader (reference, section 4). It takes a list of leads and answers with counts, not ids."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import EXTERN_ID
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request
from target_engagevoice.sandbox.fault_table import GENERAL_FAILURE, FaultEffect
from target_engagevoice.sandbox.insertion import (
    REMOVE_ALL_EXISTING,
    REMOVE_FROM_LIST,
    RETAIN_ALL,
    Insertion,
    LoadCounts,
    NewList,
)
from target_engagevoice.sandbox.lead_checks import LeadRules, cells, lead_error
from target_engagevoice.sandbox.lead_values import Unreadable, coerced
from target_engagevoice.sandbox.personality import (
    CREATED,
    EMPTY_OBJECT,
    NO_CONTENT,
    WITH_EXTERN_ID,
    WITH_LEAD,
)

if TYPE_CHECKING:
    from target_engagevoice.sandbox.call import Call

CHOICES: Mapping[str, tuple[str, ...]] = {
    "dialPriority": ("NORMAL", "IMMEDIATE"),
    "duplicateHandling": (RETAIN_ALL, REMOVE_ALL_EXISTING, REMOVE_FROM_LIST),
    "timeZoneOption": ("NPA_NXX", "ZIPCODE", "EXPLICIT", "COUNTRY", "NOT_APPLICABLE"),
    "listState": ("ACTIVE", "PAUSED"),
}
"""The enums of the request body. The first value is the default (a guess)."""

HOME = "USA"
FLAGS = ("phoneNumbersI18nEnabled", "internationalNumberFormat")
TEXTS = ("description", "numberOriginCountry", "scheduleArchiveDts")


def load(call: Call) -> Answer:
    """`POST …/campaigns/{campaignId}/leadLoader/direct`: one transaction, all or nothing.

    Returns:
        200 with the counts, or with `GENERAL_FAILURE` for a body that is not a valid request.

    Raises:
        Refusal: 400 for a body that is not JSON or carries too many leads; 403, 404 for account and campaign.
    """
    campaign, body = call.campaign, call.json
    if not _is_valid(body):
        return Answer.of(GENERAL_FAILURE)
    config = call.state.config
    rows = body["uploadLeads"]
    if config.max_leads_per_request is not None and len(rows) > config.max_leads_per_request:
        message = f"Too many leads in one request: at most {config.max_leads_per_request}"
        raise Refusal(bad_request(message, call.now))
    if not config.strict_leads:
        try:
            rows = [coerced(row) for row in rows]
        except Unreadable:
            # One lead that cannot be parsed fails the whole request (reference, section 5, "More facts").
            return Answer.of(GENERAL_FAILURE)
    origin = body.get("numberOriginCountry") or HOME
    international = any(body.get(flag) for flag in FLAGS) or origin != HOME
    rules = LeadRules(campaign, config.e164, international)
    rejected, valid = [], []
    for row in rows:
        error = _forced_rejection(row, call.effect) or lead_error(row, rules)
        if error is None:
            valid.append(row)
        else:
            rejected.append(_rejected(row, error, config.personality.rejected_rows))
    valid = _drop(valid, call.effect)
    counts = LoadCounts(len(rows), len(valid), rejected=len(rejected))
    chosen = {name: body.get(name) or values[0] for name, values in CHOICES.items()}
    description = str(body.get("description") or "")
    with call.state.store.transaction() as db:
        new = NewList(campaign, description, chosen, frozenset(body.get("dncTags") or ()))
        insertion = Insertion(db, call, new, counts)
        list_id = insertion.insert(valid) if valid else None
        insertion.record(list_id)
    without_counts = _ANSWERS_WITHOUT_COUNTS.get(config.personality.load_answer)
    return without_counts or Answer.of(_answer(counts, description, chosen, rejected))


_ANSWERS_WITHOUT_COUNTS: Mapping[str, Answer] = {
    EMPTY_OBJECT: Answer.of({}),
    CREATED: Answer(HTTPStatus.CREATED, content_type=""),
    NO_CONTENT: Answer(HTTPStatus.NO_CONTENT, content_type=""),
}


def _rejected(row: Any, error: str, shape: str) -> dict[str, Any]:
    rejected: dict[str, Any] = {"message": error, "rowData": cells(row)}
    if shape == WITH_EXTERN_ID and isinstance(row, Mapping):
        rejected["externId"] = row.get(EXTERN_ID)
    if shape == WITH_LEAD:
        rejected["lead"] = row
    return rejected


def _is_valid(body: Any) -> bool:
    if not isinstance(body, Mapping) or not isinstance(body.get("uploadLeads"), list) or not body["uploadLeads"]:
        return False
    chosen = all(body.get(name) in (None, *values) for name, values in CHOICES.items())
    flags = all(isinstance(body.get(name), bool | None) for name in FLAGS)
    texts = all(body.get(name) is None or _is_text(body[name]) for name in TEXTS)
    tags = body.get("dncTags")
    tagged = tags is None or (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags))
    return chosen and flags and texts and tagged


def _is_text(value: Any) -> bool:
    # JSON can hold half of a surrogate pair, which SQLite does not store.
    return isinstance(value, str) and value == value.encode(errors="replace").decode()


def _forced_rejection(row: Any, effect: FaultEffect) -> str | None:
    forced = isinstance(row, Mapping) and str(row.get(EXTERN_ID)) in effect.reject_ids
    return effect.message if forced else None


def _drop(rows: list[Any], effect: FaultEffect) -> list[Any]:
    """Leave out the leads that a `short` fault drops: those it names, and then the last ones."""
    kept = [row for row in rows if row[EXTERN_ID] not in effect.drop_ids]
    return kept[: max(0, len(kept) - effect.drop)]


def _answer(
    counts: LoadCounts, description: str, chosen: Mapping[str, str], rejected: list[dict[str, Any]]
) -> dict[str, Any]:
    none_valid = counts.valid == 0 and bool(rejected)
    return {
        "leadsSupplied": counts.supplied,
        "leadsConverted": counts.valid,
        "leadsAccepted": counts.valid,
        "leadsInserted": counts.inserted,
        "internalDncCount": counts.dnc,
        "dncUploadCount": 0,
        "dncReturnedCount": 0,
        "whitelistCount": 0,
        "deletedCount": counts.duplicates,  # a guess: the reference does not say what is counted here
        "quotaCount": 0,
        "hasDeletedLeads": counts.duplicates > 0,
        "failedAgentAssignment": 0,
        "listState": chosen["listState"],
        "timeZoneOption": chosen["timeZoneOption"],
        "message": f"Your uploaded lead list {description} {'failed' if none_valid else 'completed'}",
        "processingResult": "Failed" if none_valid else "OK",
        "processingStatus": "NO_LEADS_PASSED_VALIDATION" if none_valid else "DEFAULT_NOT_A_FAILURE",
        "rejectedRows": rejected,
    }
