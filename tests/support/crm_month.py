"""A month of a CRM's life, and a plain model of what the account must hold after each day of it.

The model is the table in `docs/changes-and-deletions.md`, written a second time: it knows nothing of requests, ledgers
or faults.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.messages import phone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Row = dict[str, Any]
    Change = tuple[str, dict[str, Any]]

STREAM = "contacts"
TEAMS = {"renewals": 1001, "winback": 1002}
MAPPING: Mapping[str, Any] = {
    "preset": "none",
    "campaign": {"field": "team", "map": {name: str(campaign) for name, campaign in TEAMS.items()}},
    "fields": {
        "externId": "id",
        "leadPhone": "phone",
        "firstName": "first_name",
        "lastName": "last_name",
        "email": "email",
        "auxData1": "note",
        "leadPriority": "priority",
    },
    "do_not_call": ["do_not_call"],
}

SCHEMA: Mapping[str, Any] = {
    **{name: {"type": ["string", "null"]} for name in ("first_name", "last_name", "phone", "email", "note", "team")},
    "id": {"type": "string"},
    "priority": {"type": ["integer", "null"]},
    "do_not_call": {"type": ["boolean", "null"]},
    "_sdc_deleted_at": {"type": ["string", "null"]},
}

PEOPLE = ("Ada", "Ben", "Cem", "Dee", "Eve", "Fay", "Gus", "Hal", "Ida", "Jim", "Kim", "Lou", "Mia", "Ned")

GONE = {"gone": True}
"""Rows that are deleted from the CRM for good: only a full refresh shows it."""

DELETED = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
UNDELETED = {"_sdc_deleted_at": None}
DO_NOT_CALL = {"do_not_call": True}
CALL = {"do_not_call": False}


def _phone(number: int) -> dict[str, Any]:
    return {"phone": phone(number)}


def _everyone(*but: str) -> list[Change]:
    return [(name, {}) for name in PEOPLE if name not in but]


CALENDAR: Mapping[int, list[Change]] = {
    1: [*_everyone("Eve"), ("Eve", DO_NOT_CALL)],
    2: [
        ("Ada", {"last_name": "Byron"}),
        ("Ben", {"team": "winback"}),
        ("Hal", {"team": "winback"}),
        ("Ned", {"note": "calls back on Friday", "priority": 3}),
    ],
    4: [
        ("Ada", {"last_name": "Last0"}),
        ("Cem", DELETED),
        ("Gus", DELETED),
        ("Dee", DO_NOT_CALL),
        ("Fay", {"email": None}),
    ],
    6: [("Ada", _phone(60)), ("Cem", UNDELETED), ("Ben", {"team": "renewals"}), ("Mia", {"note": " ", "email": ""})],
    8: [
        ("Cem", DELETED | {"last_name": "Old"}),
        ("Gus", UNDELETED | {"team": "winback"}),
        ("Hal", DO_NOT_CALL),
        ("Ida", DELETED | DO_NOT_CALL),
    ],
    10: [
        ("Cem", UNDELETED | {"last_name": "New"}),
        ("Dee", CALL),
        ("Eve", CALL),
        ("Lou", {"phone": None}),
        ("Ned", {"note": None, "priority": None}),
    ],
    12: [
        ("Ida", UNDELETED),
        ("Ada", {"team": "winback"}),
        ("Ada", {"team": "renewals"}),
        ("Jim", {"note": "first call"}),
        ("Jim", {"note": "second call"}),
    ],
    15: [("Hal", CALL | _phone(67)), ("Gus", {"team": "renewals"}), ("Lou", _phone(11)), ("Kim", GONE)],
    18: [("Ida", CALL), ("Dee", {"team": "winback"}), ("Ben", DELETED), ("Mia", {"last_name": "Hamm"})],
    20: [
        ("Ben", {"last_name": "Changed while deleted"}),
        ("Ada", {"note": "x"} | _phone(61)),
        ("Eve", _phone(64)),
        ("Ned", {"team": "winback", "last_name": "Moved and changed"}),
    ],
    22: [("Ben", UNDELETED | {"team": "winback"}), ("Kim", {"gone": False}), ("Dee", DELETED)],
    25: [
        ("Jim", DO_NOT_CALL),
        ("Jim", CALL),
        ("Cem", DELETED),
        ("Cem", UNDELETED),
        ("Fay", {"first_name": "Fae"}),
        ("Fay", {"first_name": "First5"}),
    ],
    28: _everyone(),
}
"""Day to what changes in the CRM, in that order."""


class Crm:
    """Its rows. What it tells a tap is what changed on a day, or all of it."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def live_through(self, changes: list[Change]) -> list[Row]:
        """A day; each row as it was after each of its changes, but those that are gone for good."""
        seen = []
        for name, change in changes:
            number = PEOPLE.index(name)
            new = {"id": name, "first_name": f"First{number}", "last_name": f"Last{number}", **_phone(number)}
            new |= {"email": f"{name.lower()}@example.com", "note": None, "priority": None, "team": "renewals"}
            new |= {"do_not_call": False, "_sdc_deleted_at": None, "gone": False}
            self.rows[name] = self.rows.get(name, new) | change
            if not self.rows[name]["gone"]:
                seen.append(self.rows[name])
        return [told(row) for row in seen]

    def everything(self) -> list[Row]:
        """All rows that there are."""
        return [told(row) for row in self.rows.values() if not row["gone"]]

    @property
    def forbidden(self) -> set[str]:
        """Who must not be called."""
        return {row["id"] for row in self.rows.values() if row["do_not_call"]}

    @property
    def deleted(self) -> set[str]:
        """Whose row is marked as deleted."""
        return {row["id"] for row in self.rows.values() if row["_sdc_deleted_at"]}


def told(row: Row) -> Row:
    """A row as a tap sends it."""
    return {name: value for name, value in row.items() if name != "gone"}


def lead_of(row: Row) -> dict[str, Any]:
    """The lead of a row: what is empty is left out."""
    fields = MAPPING["fields"]
    values = {name: row[source] for name, source in fields.items()}
    return {name: value for name, value in values.items() if value is not None and str(value).strip()}


def in_words(campaign: int, name: str, fields: Mapping[str, Any], state: str, suppressed: bool) -> list[str]:
    """A lead to compare and to look at."""
    told = [f"{field}={value}" for field, value in sorted(fields.items()) if field != "externId"]
    return [f"{campaign} {name} {state}", *(["suppressed"] if suppressed else []), *told]


@dataclass
class Copy:
    """A lead at the server."""

    fields: dict[str, Any]
    state: str = "READY"
    suppressed: bool = False


@dataclass
class Held:
    """What a campaign has under an `externId`.

    Attributes:
        content: What was last accepted.
        out: How it was taken out of the dialer; None for not at all.
        copies: Oldest first: `append-only` loads a changed lead anew.
    """

    content: dict[str, Any]
    out: str | None = None
    copies: list[Copy] = field(default_factory=list)


STATES = {"cancel": "CANCELLED", "pause": "PAUSED"}


@dataclass
class Expected:
    """What must become of records, by the settings.

    Attributes:
        listed: Phones on the do-not-call list.
        outcomes: Of the records since the last `new_day`.
        efforts: How many leads were retired and phones listed since then; and what a dry run would say of that day,
            where each of its leads has one record.
    """

    load_method: str
    on_delete: str
    do_not_call: str
    held: dict[tuple[int, str], Held] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    efforts: Counter[str] = field(default_factory=Counter)

    def new_day(self) -> None:
        """Count from zero."""
        self.outcomes.clear()
        self.efforts.clear()

    def read(self, row: Row) -> None:
        """A record."""
        self.outcomes["read"] += 1
        self.outcomes[self._outcome(row)] += 1

    def activate(self, rows: list[Row]) -> None:
        """A version of the stream is whole, and holds these rows."""
        for key in [key for key in self.held if key[1] not in {row["id"] for row in rows}]:
            self._retire(key, self.on_delete)

    def at_the_server(self) -> list[Any]:
        """Every lead, as `in_words` has it."""
        copies = ((key, copy) for key, held in self.held.items() for copy in held.copies)
        return sorted(in_words(*key, copy.fields, copy.state, copy.suppressed) for key, copy in copies)

    def _outcome(self, row: Row) -> str:
        if row["_sdc_deleted_at"] or row["do_not_call"]:
            self._forbid(row)
            return "deleted" if row["_sdc_deleted_at"] else "do_not_call"
        if not row["phone"]:
            return "rejected"
        name, campaign, lead = row["id"], TEAMS[row["team"]], lead_of(row)
        held = self.held.get((campaign, name))
        if held and held.out and self.do_not_call == "dnc_list" and lead["leadPhone"] in self.listed:
            return "do_not_call"
        if self.on_delete != "ignore":
            for key in self._elsewhere(name, campaign):
                self._retire(key, self.on_delete)
        if held is None or held.out == "delete":
            return self._load(campaign, name, lead)
        if held.content == lead:
            if held.out is None:
                return "unchanged"
        elif self.load_method == "append-only":
            return self._load(campaign, name, lead)
        return self._change(campaign, held, lead)

    def _load(self, campaign: int, name: str, lead: dict[str, Any]) -> str:
        self.efforts["would_load"] += 1
        held = self.held.setdefault((campaign, name), Held(lead))
        held.content, held.out = lead, None
        if lead["leadPhone"] in self.listed:  # the server accepts such a lead and does not insert it
            return "not_inserted"
        held.copies.append(Copy(lead))
        return "loaded"

    def _change(self, campaign: int, held: Held, lead: dict[str, Any]) -> str:
        self.efforts["would_change"] += 1
        if not held.copies:  # accepted, and not there: loaded anew
            name = lead["externId"]
            self.efforts["would_load"] -= 1
            return self._load(campaign, name, lead)
        newest = held.copies[-1]
        if held.out in STATES:
            newest.state = "READY"
        elif held.out == "suppress":
            newest.suppressed = False
        held.content, held.out = lead, None
        newest.fields = lead
        return "updated"

    def _forbid(self, row: Row) -> None:
        how = self.on_delete if row["_sdc_deleted_at"] or self.do_not_call == "dnc_list" else "suppress"
        if row["do_not_call"] and how == "ignore":
            how = "suppress"
        if how != "ignore":
            for key in self._elsewhere(row["id"], None):
                self._retire(key, how)
        if row["do_not_call"] and self.do_not_call == "dnc_list" and row["phone"] not in self.listed:
            self.listed.add(row["phone"])
            self.efforts["listed"] += 1
            self.efforts["would_list"] += 1

    def _elsewhere(self, name: str, campaign: int | None) -> Iterator[tuple[int, str]]:
        return (key for key in self.held if key[1] == name and key[0] != campaign)

    def _retire(self, key: tuple[int, str], how: str) -> None:
        held = self.held[key]
        if held.out is not None:
            return
        held.out = how
        self.efforts["would_retire"] += 1
        self.efforts["retired"] += bool(held.copies)
        for copy in held.copies:
            copy.state = STATES.get(how, copy.state)
            copy.suppressed = copy.suppressed or how == "suppress"
        if how == "delete":
            held.copies.clear()
