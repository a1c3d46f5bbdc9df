"""Which phones of a record go on the do-not-call list, and under which country."""

from __future__ import annotations

from typing import Any

import pytest

from target_engagevoice.mapping.config import Mappings
from target_engagevoice.mapping.dnc_phones import country_of
from target_engagevoice.mapping.record_mapping import RecordMapping
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.phone import PhonePolicy
from target_engagevoice.model.policy import FlagPolicy
from target_engagevoice.model.retirement import FlaggedRecord, PhoneListing, Retire, Retirement, phone_digest

LISTING = FlagPolicy(do_not_call=Retire.SUPPRESS, list_phones=True)
FIELDS = ("id", "Phone", "MobilePhone", "HomePhone", "DoNotCall", "IsDeleted")


def retirement(
    record: dict[str, Any],
    outcome: Outcome = Outcome.DO_NOT_CALL,
    policy: FlagPolicy = LISTING,
) -> FlaggedRecord | None:
    """What remains to be done for a record."""
    given: dict[str, Any] = {
        "stream": "people",
        "schema": {"type": "object", "properties": {name: {} for name in FIELDS}},
        "key_properties": ["id"],
        "mapping": Mappings.parse({"s": {"preset": "salesforce", "fields": {"externId": "id"}}}).by_pattern["s"],
        "phones": PhonePolicy(),
        "extend_unmapped": False,
    }
    return RecordMapping.compile(**given).retirement(record, outcome, policy, None)


def listed(record: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    """Number and country of what is to be listed."""
    made = retirement({"id": 1} | record, **more)
    return [(phone.number, phone.country) for phone in made.phones] if made is not None else []


def test_every_phone_of_a_record_is_listed_once() -> None:
    record = {"MobilePhone": "(650) 555-0101", "Phone": "650 555 0100", "HomePhone": "6505550101"}
    assert sorted(listed(record)) == [("6505550100", "USA"), ("6505550101", "USA")]


def test_the_ledger_knows_a_phone_as_leads_carry_it() -> None:
    made = retirement({"id": 1, "Phone": "(650) 555-0100"})
    assert made is not None
    assert made.phones[0].digest == phone_digest("6505550100")


def test_a_foreign_phone_is_listed_in_full_with_its_country() -> None:
    assert listed({"Phone": "+44 20 7946 0018"}) == [("+442079460018", "GBR")]


@pytest.mark.parametrize("written", [None, "", "none", "12", {"number": 1}])
def test_what_is_no_phone_is_not_listed(written: Any) -> None:
    assert listed({"Phone": written}) == []


def test_a_record_without_a_key_has_its_phones_listed() -> None:
    made = retirement({"id": None, "Phone": "6505550100"})
    assert isinstance(made, PhoneListing)
    assert (made.extern_id, len(made.phones)) == ("", 1)


def test_a_record_without_a_key_and_a_phone_leaves_nothing_to_do() -> None:
    assert retirement({"id": None, "Phone": None}) is None


def test_without_the_list_only_the_lead_is_retired() -> None:
    made = retirement({"id": 1, "Phone": "6505550100"}, policy=FlagPolicy())
    assert isinstance(made, Retirement)
    assert (made.how, made.phones) == (Retire.SUPPRESS, ())


def test_of_a_deleted_record_nothing_remains_to_be_done_where_on_delete_is_ignore() -> None:
    record = {"id": 1, "Phone": "6505550100", "IsDeleted": True}
    assert retirement(record, Outcome.DELETED, FlagPolicy()) is None


def test_the_lead_of_a_deleted_record_is_retired_as_on_delete_says() -> None:
    made = retirement({"id": 1, "IsDeleted": True}, Outcome.DELETED, FlagPolicy(deleted=Retire.DELETE))
    assert isinstance(made, Retirement)
    assert (made.how, made.phones) == (Retire.DELETE, ())


@pytest.mark.parametrize(
    ("number", "region", "country"),
    [
        ("6505550100", "US", "USA"),
        ("6045550100", "US", "CAN"),
        ("+16045550100", "US", "CAN"),
        ("+442079460018", "US", "GBR"),
        ("020 7946 0018", "GB", "GBR"),
        ("+80012345678", "US", "USA"),
        ("nothing", "DE", "DEU"),
    ],
)
def test_the_country_follows_from_the_number_or_the_region(number: str, region: str, country: str) -> None:
    assert country_of(number, region) == country
