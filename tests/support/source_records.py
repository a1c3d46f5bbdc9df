"""Records as sources send them (reference, section 6), and records no source should send."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

SALESFORCE: Mapping[str, Any] = MappingProxyType(
    {
        "Id": "00Q5f00000A1B2CEAV",
        "IsDeleted": False,
        "LastName": "Lovelace",
        "FirstName": "Ada",
        "MiddleName": "King",
        "Suffix": None,
        "Title": "Analyst",
        "Street": "12 St James Sq\nRoom 3",
        "City": "Palo Alto",
        "State": "CA",
        "PostalCode": "94301",
        "Phone": "(650) 555-0100",
        "MobilePhone": None,
        "Email": "ada@example.com",
        "DoNotCall": False,
        "Rating": "Hot",
        "SystemModstamp": "2026-03-14T09:00:00.000000Z",
    },
)

HUBSPOT: Mapping[str, Any] = MappingProxyType(
    {
        "id": "51001",
        "properties": {
            "firstname": "Nils",
            "lastname": "Abbott",
            "phone": "",
            "mobilephone": "650.555.0170",
            "email": "nils@example.com",
            "address": "100 Cedar St",
            "city": "Palo Alto",
            "state": "CA",
            "zip": "94301",
        },
        "archived": False,
        "lastmodifieddate": "2026-03-14T09:00:00Z",
    },
)

POSTGRES: Mapping[str, Any] = MappingProxyType(
    {
        "id": 9001,
        "first_name": "Zoë",
        "last_name": "Fontaine",
        "phone": "(650) 555-0190",
        "mobile_phone": None,
        "email": None,
        "street": "300 Cedar St",
        "city": "Palo Alto",
        "state": "CA",
        "zip": "94301",
        "amount": Decimal("1234.50"),
        "updated_at": "2026-03-10T08:00:00.500000+00:00",
    },
)

CSV: Mapping[str, Any] = MappingProxyType(
    {
        "ID": "7001",
        "First Name": "Kaya",
        "Last Name": "Sandoval",
        "Phone": "650-555-0180",
        "E-mail": "",
        "Address": "200 Cedar St",
        "City": "Palo Alto",
        "State": "CA",
        "ZIP": "94301",
    },
)

_texts = st.text(st.characters(exclude_categories=()), max_size=12)
_odd_texts = st.sampled_from(["\ud83d", "a\x00b", " ", "\t", "(650) 555-0100", "555-0100", "false", "9" * 200])
_numbers = st.one_of(
    st.integers(),
    st.integers(10**99, 10**101),
    st.decimals(),
    st.sampled_from([Decimal("1E+999999"), Decimal("1E-999999"), Decimal("sNaN"), Decimal("-0"), Decimal("9E5")]),
    st.floats(),
)
_moments = st.one_of(st.datetimes(), st.dates(), st.times())

scalars = st.one_of(st.none(), st.booleans(), _texts, _odd_texts, _numbers, _moments)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=8,
)
"""What JSON can hold, and what stream maps add to it."""


def records(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records with some of these fields, and possibly others."""
    named: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))
    return st.builds(lambda others, own: others | own, st.dictionaries(_texts, values, max_size=3), named)


def schema_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that names the fields of a record."""
    return {"type": "object", "properties": {name: {} for name in record}}


CHRISTMAS = dt.date(2026, 12, 25)
