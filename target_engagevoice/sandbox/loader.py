"""The direct lead loader (reference, section 4). It takes a list of leads and answers with counts, not ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import EXTERN_ID, LEAD_PHONE, LEAD_PHONE_E164
from target_engagevoice.sandbox import dates, phones
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request
from target_engagevoice.sandbox.fault_table import GENERAL_FAILURE, FaultEffect
from target_engagevoice.sandbox.lead_checks import LeadRules, cells, lead_error

if TYPE_CHECKING:
    from sqlite3 import Connection

    from target_engagevoice.sandbox.call import Call
    from target_engagevoice.sandbox.directory import Campaign

REMOVE_ALL_EXISTING = "REMOVE_ALL_EXISTING"
REMOVE_FROM_LIST = "REMOVE_FROM_LIST"
RETAIN_ALL = "RETAIN_ALL"

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


@dataclass
class LoadCounts:
    """The counts of one load."""

    supplied: int
    valid: int = 0
    inserted: int = 0
    dnc: int = 0
    duplicates: int = 0
    rejected: int = 0


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
    rows = body["uploadLeads"]
    limit = call.state.config.max_leads_per_request
    if limit is not None and len(rows) > limit:
        raise Refusal(bad_request(f"Too many leads in one request: at most {limit}", call.now))
    origin = body.get("numberOriginCountry") or HOME
    international = any(body.get(flag) for flag in FLAGS) or origin != HOME
    rules = LeadRules(campaign, call.state.config.e164, international)
    rejected, valid = [], []
    for row in rows:
        error = _forced_rejection(row, call.effect) or lead_error(row, rules)
        if error is None:
            valid.append(row)
        else:
            rejected.append({"message": error, "rowData": cells(row)})
    valid = _drop(valid, call.effect)
    counts = LoadCounts(len(rows), len(valid), rejected=len(rejected))
    chosen = {name: body.get(name) or values[0] for name, values in CHOICES.items()}
    with call.state.store.transaction() as db:
        insertion = _Insertion(db, call, campaign, chosen, counts)
        list_id = insertion.insert(valid, str(body.get("description") or "")) if valid else None
        insertion.record(list_id)
    return Answer.of(_answer(counts, chosen, rejected))


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


def _answer(counts: LoadCounts, chosen: Mapping[str, str], rejected: list[dict[str, Any]]) -> dict[str, Any]:
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
        "message": "",
        "processingResult": "Failed" if none_valid else "OK",
        "processingStatus": "NO_LEADS_PASSED_VALIDATION" if none_valid else "DEFAULT_NOT_A_FAILURE",
        "rejectedRows": rejected,
    }


class _Insertion:
    """Inserts the leads of one load, inside one transaction."""

    def __init__(
        self, db: Connection, call: Call, campaign: Campaign, chosen: Mapping[str, str], counts: LoadCounts
    ) -> None:
        self._db = db
        self._call = call
        self._campaign = campaign
        self._chosen = chosen
        self._tally = counts

    def insert(self, rows: list[Mapping[str, Any]], description: str) -> int | None:
        """Insert a list and its leads, except duplicates and leads on the do-not-call list.

        Returns:
            The id of the list.
        """
        fresh = self._fresh(rows)
        config = self._call.state.config
        # In E.164 mode a lead without leadPhoneE164 is accepted and not loaded (reference, section 4).
        fresh = [row for row in fresh if not config.e164 or LEAD_PHONE_E164 in row]
        fresh = fresh[: max(0, len(fresh) - self._call.effect.not_inserted)]
        self._tally.inserted = len(fresh)
        account_id = self._call.account.account_id
        loaded = dates.round_down(self._call.now)
        cursor = self._db.execute(
            "INSERT INTO lists (account_id, campaign_id, description, state, duplicate_handling,"
            " dial_priority, time_zone_option, supplied, accepted, inserted, uploaded)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account_id,
                self._campaign.campaign_id,
                description,
                self._chosen["listState"],
                self._chosen["duplicateHandling"],
                self._chosen["dialPriority"],
                self._chosen["timeZoneOption"],
                self._tally.supplied,
                self._tally.valid,
                self._tally.inserted,
                loaded,
            ),
        )
        (last,) = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'leads'").fetchone()
        numbered = list(enumerate(fresh, last + 1))
        self._db.executemany(
            "INSERT INTO leads (lead_id, account_id, campaign_id, list_id, extern_id, phone, state,"
            " loaded, fields) VALUES (?, ?, ?, ?, ?, ?, 'READY', ?, ?)",
            [
                (
                    lead_id,
                    account_id,
                    self._campaign.campaign_id,
                    cursor.lastrowid,
                    row[EXTERN_ID],
                    _phone(row),
                    loaded,
                    json.dumps(dict(row), separators=(",", ":")),
                )
                for lead_id, row in numbered
            ],
        )
        self._db.executemany(
            "INSERT INTO phones (lead_id, campaign_id, phone) VALUES (?, ?, ?)",
            [(lead_id, self._campaign.campaign_id, key) for lead_id, row in numbered for key in _keys(row)],
        )
        return cursor.lastrowid

    def record(self, list_id: int | None) -> None:
        """Record the counts for the page. `list_id` is None when no lead was valid."""
        self._db.execute(
            "INSERT INTO loads (account_id, campaign_id, list_id, at, supplied, accepted, inserted, rejected,"
            " duplicates, dnc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._call.account.account_id,
                self._campaign.campaign_id,
                list_id,
                dates.round_down(self._call.now),
                self._tally.supplied,
                self._tally.valid,
                self._tally.inserted,
                self._tally.rejected,
                self._tally.duplicates,
                self._tally.dnc,
            ),
        )

    def _fresh(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The leads to insert. Duplicates by phone, then leads on the do-not-call list, are counted and left out."""
        handling = self._chosen["duplicateHandling"]
        uploaded = json.dumps(sorted({key for row in rows for key in _keys(row)}))
        blocked = self._blocked(uploaded)
        taken = self._taken(uploaded) if handling == REMOVE_ALL_EXISTING else set()
        kept = []
        for row in rows:
            keys = _keys(row)
            if handling != RETAIN_ALL and keys <= taken:
                self._tally.duplicates += 1
            elif keys & blocked:
                self._tally.dnc += 1
            else:
                kept.append(row)
            if handling != RETAIN_ALL:
                taken |= keys
        return kept

    def _blocked(self, uploaded: str) -> set[str]:
        rows = self._db.execute(
            "SELECT phone FROM dnc WHERE account_id = ? AND phone IN (SELECT value FROM json_each(?))",
            (self._call.account.account_id, uploaded),
        )
        return {row["phone"] for row in rows}

    def _taken(self, uploaded: str) -> set[str]:
        # Only phones in lists that were themselves loaded with REMOVE_ALL_EXISTING count (reference, section 4).
        rows = self._db.execute(
            "SELECT phones.phone FROM phones JOIN leads USING (lead_id) JOIN lists USING (list_id)"
            " WHERE phones.campaign_id = ? AND phones.phone IN (SELECT value FROM json_each(?))"
            " AND lists.duplicate_handling = ?",
            (self._campaign.campaign_id, uploaded, REMOVE_ALL_EXISTING),
        )
        return {row["phone"] for row in rows}


def _phone(row: Mapping[str, Any]) -> str:
    return str(row.get(LEAD_PHONE) or row.get(LEAD_PHONE_E164) or "")


def _keys(row: Mapping[str, Any]) -> set[str]:
    return {phones.key(number) for number in phones.split(_phone(row))}
