"""A preset knows the fields of its source."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.mapping import presets
from target_engagevoice.mapping.config import PRESETS
from target_engagevoice.mapping.field_path import FieldPath
from target_engagevoice.mapping.presets import JoinedKey
from target_engagevoice.model.lead import LEAD_FIELDS, LEAD_PHONE, FieldType


def first(preset: str, field: str, *names: str, key: tuple[str, ...] = ()) -> Any:
    return presets.sources(preset, names, key)[field][0]


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("firstName", "first_name"),
        ("firstName", "FirstName"),
        ("firstName", "First Name"),
        ("firstName", "fname"),
        ("firstName", "given-name"),
        ("midName", "MiddleName"),
        ("lastName", "surname"),
        ("leadPhone", "Phone"),
        ("leadPhone", "phone_number"),
        ("leadPhone", "Mobile"),
        ("leadPhone", "cell"),
        ("leadPhone", "Telephone"),
        ("leadPhone", "Phone #"),
        ("zip", "PostalCode"),
        ("zip", "post_code"),
        ("zip", "ZIP"),
        ("address1", "street"),
        ("address1", "Address"),
        ("email", "E-mail"),
        ("email", "email_address"),
        ("auxData1", "aux_data_1"),
        ("leadPriority", "LEAD_PRIORITY"),
        ("externId", "\ufeffid"),
        ("externId", "extern_id"),
        ("externId", "External_Id__c"),
    ],
)
def test_auto_knows_the_usual_names_in_any_writing(field: str, name: str) -> None:
    assert first("auto", field, name) == FieldPath((name,))


@pytest.mark.parametrize("name", ["phonebook", "first_contact", "city_tax", "email_opt_in", "state_changed_at"])
def test_auto_takes_nothing_that_only_resembles_a_name(name: str) -> None:
    assert presets.sources("auto", [name], []) == {}


def test_auto_takes_a_mobile_phone_before_another() -> None:
    paths = presets.sources("auto", ["home_phone", "phone", "mobile_phone"], [])[LEAD_PHONE]
    assert paths == (FieldPath(("mobile_phone",)), FieldPath(("phone",)), FieldPath(("home_phone",)))


def test_auto_takes_the_lead_fields_own_name_first() -> None:
    assert first("auto", "leadPhone", "mobile", "leadPhone") == FieldPath(("leadPhone",))


def test_auto_takes_the_key_before_a_field_called_id() -> None:
    assert first("auto", "externId", "id", "code", key=("code",)) == FieldPath(("code",))


def test_auto_joins_several_key_properties() -> None:
    assert first("auto", "externId", "id", key=("region", "number")) == JoinedKey(("region", "number"))


@pytest.mark.parametrize("preset", ["salesforce", "hubspot"])
def test_other_presets_take_the_key_last(preset: str) -> None:
    assert presets.sources(preset, [], ["code"])["externId"][-1] == FieldPath(("code",))


def test_none_maps_nothing() -> None:
    assert presets.sources("none", ["id", "phone"], ["id"]) == {}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_names_only_lead_fields_with_plain_values(preset: str) -> None:
    mapped = presets.sources(preset, ["id", "phone", "email", "Address"], [])
    assert all(LEAD_FIELDS[field] is not FieldType.STRING_MAP for field in mapped)


@pytest.mark.parametrize("field", presets.SYNONYMS)
def test_synonyms_are_written_folded(field: str) -> None:
    assert all(presets.fold(word) == word for word in presets.SYNONYMS[field])


def test_no_synonym_feeds_two_lead_fields() -> None:
    words = [word for field in presets.SYNONYMS for word in presets.SYNONYMS[field]]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("name", ["DoNotCall", "do_not_call", "DNC", "dnc_flag", "Do Not Contact", "Do_Not_Call__c"])
@pytest.mark.parametrize("preset", ["auto", "salesforce", "hubspot"])
def test_a_do_not_call_field_is_known_in_any_writing(preset: str, name: str) -> None:
    assert FieldPath((name,)) in presets.do_not_call(preset, [name])


@pytest.mark.parametrize("name", ["IsDeleted", "is_deleted", "_sdc_deleted_at", "ARCHIVED"])
def test_a_deleted_marker_is_known_in_any_writing(name: str) -> None:
    assert FieldPath((name,)) in presets.deleted([name])


def test_the_deleted_markers_are_looked_for_even_where_the_schema_has_none() -> None:
    assert [path.parts[0] for path in presets.deleted([])] == ["IsDeleted", "_sdc_deleted_at", "archived"]


keys = st.lists(st.text(st.sampled_from("a|\\é1"), min_size=1, max_size=4), min_size=2, max_size=2)


@given(keys, keys)
def test_different_keys_never_become_the_same_extern_id(left: list[str], right: list[str]) -> None:
    key = JoinedKey(("x", "y"))
    joined = [key.read(dict(zip("xy", values, strict=True))) for values in (left, right)]
    assert (joined[0] == joined[1]) == (left == right)


def test_a_key_with_all_its_parts_empty_is_none() -> None:
    assert JoinedKey(("x", "y")).read({"x": None, "y": " "}) is None
