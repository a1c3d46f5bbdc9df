"""What differs between two versions of a lead, found by digests alone."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.delivery.field_digests import blurred, content_of, content_of_fields, differences
from target_engagevoice.model.lead import LEAD_FIELDS, FieldType, Lead
from tests.support.factories import lead

VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.STRING: st.sampled_from(["Ann", "Bea", "0", "é\ud83d", "\x7f"]).filter(lambda text: "\ud83d" not in text),
    FieldType.INTEGER: st.integers(0, 2),
    FieldType.STRING_MAP: st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), min_size=1),
}
NAMES = ["firstName", "city", "auxData1", "leadPriority", "maxPasses", "extendedLeadData", "personaPhoneConfig"]

leads = st.builds(
    lambda fields: lead(0, **fields),
    st.fixed_dictionaries({}, optional={name: VALUES[LEAD_FIELDS[name]] for name in NAMES}),
)


def after(fields: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """As the API is taken to do it: what is sent replaces, what is empty blanks."""
    return {name: value for name, value in (fields | change).items() if value not in ("", None, {})}


@given(leads, leads)
def test_the_differences_make_the_old_lead_the_new_one(old: Lead, new: Lead) -> None:
    assert after(old.fields, differences(new, content_of(old))) == new.fields


@given(leads, leads)
def test_nothing_else_is_sent(old: Lead, new: Lead) -> None:
    change = differences(new, content_of(old))
    same = {name for name, value in new.fields.items() if old.fields.get(name) == value}
    assert "externId" not in change
    assert new.digest == old.digest or not same & change.keys()


@given(leads)
def test_where_nothing_differs_everything_is_sent(one: Lead) -> None:
    assert differences(one, content_of(one)) | {"externId": "L0"} == one.fields


@given(leads)
def test_without_a_known_content_everything_is_sent_and_nothing_blanked(one: Lead) -> None:
    assert differences(one, None) | {"externId": "L0"} == one.fields


@given(leads, leads, leads, st.booleans())
def test_an_uncertain_change_is_fixed_by_the_next(old: Lead, uncertain: Lead, new: Lead, arrived: bool) -> None:
    there = uncertain if arrived else old
    assert after(there.fields, differences(new, blurred(uncertain, content_of(old)))) == new.fields


@given(leads, leads)
def test_of_a_lead_whose_fields_alone_are_known_all_is_sent_and_the_rest_blanked(old: Lead, new: Lead) -> None:
    assert after(old.fields, differences(new, content_of_fields(old.fields))) == new.fields


def test_the_content_of_a_lead_holds_no_value_of_it() -> None:
    content = content_of(lead(0, firstName="Ann"))
    assert "Ann" not in content
    assert json.loads(content).keys() == {"externId", "leadPhone", "firstName"}


def test_equal_values_of_two_leads_have_different_digests() -> None:
    one, other = (json.loads(content_of(lead(number, firstName="Ann"))) for number in range(2))
    assert one["firstName"] != other["firstName"]


def test_a_field_that_no_lead_has_any_more_is_left_alone() -> None:
    assert differences(lead(0, city="Rome"), json.dumps({"oldField": "1"})) == {
        "leadPhone": "6505550000",
        "city": "Rome",
    }
