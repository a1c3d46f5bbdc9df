"""Inserting the leads of a load: duplicates and the do-not-call list, the list, the leads and their phones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import EXTERN_ID, LEAD_PHONE, LEAD_PHONE_E164
from target_engagevoice.sandbox import phones
from target_engagevoice.sandbox.directory import GLOBAL_TAG, INTERNAL_SCRUBS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Connection

    from target_engagevoice.sandbox.call import Call
    from target_engagevoice.sandbox.directory import Campaign

REMOVE_ALL_EXISTING = "REMOVE_ALL_EXISTING"
REMOVE_FROM_LIST = "REMOVE_FROM_LIST"
RETAIN_ALL = "RETAIN_ALL"


@dataclass(frozen=True)
class NewList:
    """The list that a load makes.

    Attributes:
        campaign: Its campaign.
        description: Its name.
        chosen: The enums of the request body by their names.
        dnc_tags: The labels of the do-not-call tags that it is scrubbed against.
    """

    campaign: Campaign
    description: str
    chosen: Mapping[str, str]
    dnc_tags: frozenset[str]


@dataclass
class LoadCounts:
    """The counts of one load."""

    supplied: int
    valid: int = 0
    inserted: int = 0
    dnc: int = 0
    duplicates: int = 0
    rejected: int = 0


class Insertion:
    """Inserts the leads of one load, inside one transaction."""

    def __init__(self, db: Connection, call: Call, new: NewList, counts: LoadCounts) -> None:
        self._db = db
        self._call = call
        self._new = new
        self._campaign_id = new.campaign.campaign_id
        self._account_id = call.account.account_id
        self._counts = counts

    def insert(self, rows: list[Mapping[str, Any]]) -> int | None:
        """Insert a list and its leads, except duplicates and leads on the do-not-call list.

        Returns:
            The id of the list.
        """
        fresh = self._fresh(rows)
        # In E.164 mode a lead without leadPhoneE164 is accepted and not loaded (reference, section 4).
        fresh = [row for row in fresh if not self._call.state.config.e164 or LEAD_PHONE_E164 in row]
        fresh = fresh[: max(0, len(fresh) - self._call.effect.not_inserted)]
        self._counts.inserted = len(fresh)
        list_id = self._existing_list()
        if list_id is None:
            list_id = self._insert_list()
        self._insert_leads(fresh, list_id)
        return list_id

    def _existing_list(self) -> int | None:
        """The list of this name that the load appends to, if the personality appends; its counts are increased."""
        if not self._call.state.config.personality.appends_to_lists:
            return None
        row = self._db.execute(
            "SELECT list_id FROM lists WHERE account_id = ? AND campaign_id = ? AND description = ? ORDER BY list_id",
            (self._account_id, self._campaign_id, self._new.description),
        ).fetchone()
        if row is None:
            return None
        self._db.execute(
            "UPDATE lists SET supplied = supplied + ?, accepted = accepted + ?, inserted = inserted + ?"
            " WHERE list_id = ?",
            (self._counts.supplied, self._counts.valid, self._counts.inserted, row["list_id"]),
        )
        return int(row["list_id"])

    def _insert_list(self) -> int | None:
        cursor = self._db.execute(
            "INSERT INTO lists (account_id, campaign_id, description, state, duplicate_handling,"
            " dial_priority, time_zone_option, supplied, accepted, inserted, uploaded)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._account_id,
                self._campaign_id,
                self._new.description,
                self._new.chosen["listState"],
                self._new.chosen["duplicateHandling"],
                self._new.chosen["dialPriority"],
                self._new.chosen["timeZoneOption"],
                self._counts.supplied,
                self._counts.valid,
                self._counts.inserted,
                self._call.loaded_at,
            ),
        )
        return cursor.lastrowid

    def _insert_leads(self, rows: list[Mapping[str, Any]], list_id: int | None) -> None:
        (last,) = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'leads'").fetchone()
        numbered = list(enumerate(rows, last + 1))
        same = (self._account_id, self._campaign_id, list_id, self._call.loaded_at, self._call.now)
        self._db.executemany(
            "INSERT INTO leads (account_id, campaign_id, list_id, loaded, arrived, lead_id, extern_id, phone, state,"
            " fields) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'READY', ?)",
            [
                (*same, lead_id, row[EXTERN_ID], _phone(row), json.dumps(dict(row), separators=(",", ":")))
                for lead_id, row in numbered
            ],
        )
        self._db.executemany(
            "INSERT INTO phones (lead_id, campaign_id, phone) VALUES (?, ?, ?)",
            [(lead_id, self._campaign_id, key) for lead_id, row in numbered for key in _keys(row)],
        )

    def record(self, list_id: int | None) -> None:
        """Record the counts for the page. `list_id` is None when no lead was valid."""
        self._db.execute(
            "INSERT INTO loads (account_id, campaign_id, list_id, at, supplied, accepted, inserted, rejected,"
            " duplicates, dnc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._account_id,
                self._campaign_id,
                list_id,
                self._call.loaded_at,
                self._counts.supplied,
                self._counts.valid,
                self._counts.inserted,
                self._counts.rejected,
                self._counts.duplicates,
                self._counts.dnc,
            ),
        )

    def _fresh(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The leads to insert. Duplicates by phone, then leads on the do-not-call list, are counted and left out."""
        handling = self._new.chosen["duplicateHandling"]
        uploaded = json.dumps(sorted({key for row in rows for key in _keys(row)}))
        blocked = self._blocked(uploaded)
        taken = self._taken(uploaded) if handling == REMOVE_ALL_EXISTING else set()
        kept = []
        for row in rows:
            keys = _keys(row)
            if handling != RETAIN_ALL and keys <= taken:
                self._counts.duplicates += 1
            elif keys & blocked:
                self._counts.dnc += 1
            else:
                kept.append(row)
            if handling != RETAIN_ALL:
                taken |= keys
        return kept

    def _blocked(self, uploaded: str) -> set[str]:
        """The phones on the do-not-call list, where the campaign and the tags of the list make it count."""
        if self._new.campaign.dnc_scrub_option not in INTERNAL_SCRUBS:
            return set()
        tags = {tag.tag_id for tag in self._call.account.dnc_tags if tag.label in self._new.dnc_tags}
        if self._call.state.config.personality.global_tag_scrubs:
            tags.add(GLOBAL_TAG.tag_id)
        rows = self._db.execute(
            "SELECT phone FROM dnc WHERE account_id = ? AND phone IN (SELECT value FROM json_each(?))"
            " AND coalesce(tag, ?) IN (SELECT value FROM json_each(?))",
            (self._account_id, uploaded, GLOBAL_TAG.tag_id, json.dumps(sorted(tags))),
        )
        return {row["phone"] for row in rows}

    def _taken(self, uploaded: str) -> set[str]:
        # Only phones in lists that were themselves loaded with REMOVE_ALL_EXISTING count (reference, section 4).
        rows = self._db.execute(
            "SELECT phones.phone FROM phones JOIN leads USING (lead_id) JOIN lists USING (list_id)"
            " WHERE phones.campaign_id = ? AND phones.phone IN (SELECT value FROM json_each(?))"
            " AND lists.duplicate_handling = ?",
            (self._campaign_id, uploaded, REMOVE_ALL_EXISTING),
        )
        return {row["phone"] for row in rows}


def _phone(row: Mapping[str, Any]) -> str:
    return str(row.get(LEAD_PHONE) or row.get(LEAD_PHONE_E164) or "")


def _keys(row: Mapping[str, Any]) -> set[str]:
    return {phones.key(number) for number in phones.split(_phone(row))}
