"""A Salesforce-like stream: 26 fields, about 940 bytes a record, the same for the same seed."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

STREAM = "Lead"
STATE_EVERY = 1_000
DEFAULT_SEED = 4

_FIRST = ("Ada", "Grace", "Katherine", "José", "Linus", "Margaret", "Zoë", "Alan", "Barbara", "Dennis")
_LAST = ("Lovelace", "Hopper", "Johnson", "Núñez", "O'Brien", "Hamilton", "van den Berg", "Turing", "Liskov", "Ritchie")
_TITLES = ("VP Sales", "Head of Customer Operations", "Chief Financial Officer", "Buyer", "Regional Account Executive")
_COMPANIES = ("Alder Freight", "Birch & Partners Consulting", "Cedar Health Systems", "Dogwood Foods, Inc.", "Elm")
_STREETS = ("Station Rd", "University Avenue", "St James Sq\nRoom 3", "Old County Highway", "Market Street, Suite 1400")
_PLACES = (
    ("Palo Alto", "CA", "94301"),
    ("New York", "NY", "10011"),
    ("Boston", "MA", "02110"),
    ("Chicago", "IL", "60601"),
)
_AREAS = ("212", "312", "415", "510", "617", "628", "646", "650", "718", "773", "857", "917")
_PHONE_SHAPES = ("+1{0}555{1}", "({0}) 555-{1}", "{0}-555-{1}", "{0}555{1}")
"""E.164, and the usual ways to write a number in the United States."""
_SOURCES = ("Web", "Partner Referral", "Purchased List", "Trade Show", None)
_STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Not Converted")
_RATINGS = ("Hot", "Warm", "Cold", None)
_NOTES = (
    "Asked for a quote in the spring and wants to be called back after the board has met; prefers the mobile phone.",
    "Met at the trade show. Interested in the renewal, but the budget for the next year has not been decided yet.",
    None,
)

_TEXT = {"type": ["null", "string"]}
_FLAG = {"type": ["null", "boolean"]}
_TIME = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "Id": {"type": "string"},
        "IsDeleted": _FLAG,
        **dict.fromkeys(("LastName", "FirstName", "Salutation", "Title", "Company"), _TEXT),
        **dict.fromkeys(("Street", "City", "State", "PostalCode", "Country"), _TEXT),
        **dict.fromkeys(("Phone", "MobilePhone", "Email", "LeadSource", "Status", "Rating"), _TEXT),
        "AnnualRevenue": {"type": ["null", "number"]},
        "NumberOfEmployees": {"type": ["null", "integer"]},
        "DoNotCall": _FLAG,
        "Description": _TEXT,
        "Campaign__c": _TEXT,
        **dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), _TIME),
    },
}
"""As tap-salesforce sends it: nullable types in an array, date-times in an `anyOf`."""


def record(number: int, draw: random.Random, campaigns: Sequence[str]) -> dict[str, Any]:
    """One record, which becomes a lead: it is not deleted, may be called, and has a phone that can be dialed.

    Args:
        number: From 0; makes the `Id`, and chooses the campaign in turn.
        draw: Where the content comes from.
        campaigns: What `Campaign__c` holds.
    """
    first, last, city = draw.choice(_FIRST), draw.choice(_LAST), draw.choice(_PLACES)
    mobile = _phone(draw) if draw.random() < 0.6 else None  # noqa: PLR2004 - of the leads of a usual CRM
    created = f"2026-{draw.randint(1, 6):02}-{draw.randint(1, 28):02}T{draw.randint(0, 23):02}:15:0"
    changed = f"2026-{draw.randint(7, 9):02}-{draw.randint(1, 28):02}T08:{draw.randint(0, 59):02}:5"
    return {
        "Id": f"00Q5e{number:010d}AAI",
        "IsDeleted": False,
        "LastName": last,
        "FirstName": first,
        "Salutation": draw.choice(("Dr.", "Ms.", "Mr.", None)),
        "Title": draw.choice(_TITLES),
        "Company": draw.choice(_COMPANIES),
        "Street": f"{draw.randint(1, 9999)} {draw.choice(_STREETS)}",
        "City": city[0],
        "State": city[1],
        "PostalCode": city[2],
        "Country": "United States",
        "Phone": _phone(draw) if mobile is None or draw.random() < 0.8 else None,  # noqa: PLR2004 - as above
        "MobilePhone": mobile,
        "Email": f"{first}.{last}{number}@example.com".replace(" ", "").lower(),
        "LeadSource": draw.choice(_SOURCES),
        "Status": draw.choice(_STATUSES),
        "Rating": draw.choice(_RATINGS),
        "AnnualRevenue": draw.choice((None, draw.randint(1, 9_999_999) / 100, float(draw.randint(1, 999) * 1000))),
        "NumberOfEmployees": draw.choice((None, draw.randint(1, 20_000))),
        "DoNotCall": draw.choice((False, None)),
        "Description": draw.choice(_NOTES),
        "Campaign__c": campaigns[number % len(campaigns)],
        "CreatedDate": f"{created}{draw.randint(0, 9)}.000000Z",
        "LastModifiedDate": f"{changed}{draw.randint(0, 9)}.000000Z",
        "SystemModstamp": f"{changed}{draw.randint(0, 9)}.000000Z",
    }


def _phone(draw: random.Random) -> str:
    """A number of the exchange 555, which belongs to no telephone."""
    return draw.choice(_PHONE_SHAPES).format(draw.choice(_AREAS), f"{draw.randint(0, 9999):04}")


def schema_line() -> bytes:
    """The SCHEMA message."""
    return _line({"type": "SCHEMA", "stream": STREAM, "schema": SCHEMA, "key_properties": ["Id"]})


def record_line(content: dict[str, Any]) -> bytes:
    """A RECORD message."""
    extracted = "2026-10-01T09:00:00.000000Z"
    message = {"type": "RECORD", "stream": STREAM, "record": content, "version": 1773478800000}
    return _line(message | {"time_extracted": extracted})


def lines(count: int, *, campaigns: Sequence[str] = ("1001",), seed: int = DEFAULT_SEED) -> Iterator[bytes]:
    """The whole stream: SCHEMA, records, a STATE every 1,000 of them and at the end."""
    draw = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    yield schema_line()
    for number in range(count):
        content = record(number, draw, campaigns)
        yield record_line(content)
        if (number + 1) % STATE_EVERY == 0 or number + 1 == count:
            yield _line({"type": "STATE", "value": {"bookmarks": {STREAM: {"position": number + 1}}}})


def write(path: Path, count: int, *, campaigns: Sequence[str] = ("1001",), seed: int = DEFAULT_SEED) -> float:
    """Write the stream to a file.

    Returns:
        The mean length of a RECORD line, in bytes.
    """
    size = records = 0
    with path.open("wb") as file:
        for line in lines(count, campaigns=campaigns, seed=seed):
            file.write(line)
            if line.startswith(b'{"type": "RECORD"'):
                size, records = size + len(line), records + 1
    return size / max(1, records)


def _line(message: dict[str, Any]) -> bytes:
    """Written as `singer-python` does."""
    return json.dumps(message).encode() + b"\n"
