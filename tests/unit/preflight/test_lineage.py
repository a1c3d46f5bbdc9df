"""Where each field of a lead came from: shown for every field, by the rules that mapped it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.mapping.config import Mappings, StreamMapping
from target_engagevoice.mapping.record_mapping import RecordMapping
from target_engagevoice.model.lead import Lead
from target_engagevoice.model.phone import PhonePolicy
from target_engagevoice.preflight.lineage import Lineage, Origin, forbidding, origins

SCHEMA: dict[str, Any] = {
    "properties": {name: {} for name in ("id", "mobile", "phone", "first_name", "amount", "dnc", "city", "extra")}
}
RECORD: dict[str, Any] = {"id": 7, "mobile": "", "phone": "(650) 555-0100", "first_name": "Ada", "amount": None}


def mapping_of(**mapping: Any) -> StreamMapping:
    found = Mappings.parse({"people": mapping}).find("people")
    assert found is not None
    return found


def fed(
    record: dict[str, Any], phones: PhonePolicy | None = None, *, extend: bool = False, **mapping: Any
) -> dict[str, tuple[str, Any, Any]]:
    """Lead field to source, value and what is sent, of the lead that a record becomes."""
    parsed, policy = mapping_of(**mapping), phones or PhonePolicy()
    compiled = RecordMapping.compile(
        stream="people",
        schema=SCHEMA,
        key_properties=("id",),
        mapping=parsed,
        phones=policy,
        extend_unmapped=extend,
    )
    lead = compiled.lead(record, single_phone=False)
    assert isinstance(lead, Lead)
    rows = Lineage(parsed, SCHEMA, ("id",), policy).of(record, lead.fields)
    return {row.lead_field: (row.source, row.value, row.sent) for row in rows}


def test_each_field_is_shown_with_its_value_as_read_and_as_sent() -> None:
    assert fed(RECORD) == {
        "externId": ("id", 7, "7"),
        "leadPhone": ("phone", "(650) 555-0100", "6505550100"),
        "firstName": ("first_name", "Ada", "Ada"),
    }


def test_the_phone_that_can_be_dialed_is_the_source_not_the_first_one() -> None:
    assert fed(RECORD | {"mobile": "call the front desk"})["leadPhone"][0] == "phone"


def test_all_phones_are_shown_when_all_are_sent() -> None:
    rows = fed(RECORD | {"mobile": "415 555 0151"}, PhonePolicy(multiple="all"))
    assert rows["leadPhone"] == ("mobile, phone", ["415 555 0151", "(650) 555-0100"], "4155550151|6505550100")


def test_the_number_with_its_country_is_shown_with_the_phone_it_was_made_of() -> None:
    rows = fed(RECORD, PhonePolicy(format="e164"))
    assert rows["leadPhoneE164"] == ("phone", "(650) 555-0100", "+16505550100")


def test_a_constant_and_a_default_are_shown_as_such() -> None:
    rows = fed(RECORD, fields={"auxData1": {"value": "spring"}, "auxData2": {"field": "amount", "default": 0}})
    assert rows["auxData1"] == ('= "spring"', "spring", "spring")
    assert rows["auxData2"] == ("amount or 0", 0, "0")


def test_a_label_and_a_field_that_no_source_names_are_shown() -> None:
    rows = fed(RECORD | {"extra": 1.5}, extend=True, fields={"extendedLeadData": {"name": "first_name"}})
    assert rows["extendedLeadData.name"] == ("first_name", "Ada", "Ada")
    assert rows["extendedLeadData.extra"] == ("extra", 1.5, "1.5")


def test_a_joined_key_is_shown_with_its_parts() -> None:
    parsed = mapping_of()
    (row,) = Lineage(parsed, SCHEMA, ("id", "city"), PhonePolicy()).of(
        {"id": 7, "city": "Palo|Alto"}, {"externId": "7|Palo\\|Alto"}
    )
    assert (row.source, row.sent) == ("id|city", "7|Palo\\|Alto")


texts = st.sampled_from([None, "", " ", "Ada", "650-555-0100", "4155550151", "no phone", {"a": "b"}, 7, 1.5, True])


@settings(deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(SCHEMA["properties"], texts)), st.sampled_from(["first", "all"]))
def test_every_field_that_is_sent_has_a_source_and_what_it_is_made_of_is_what_was_read(
    record: dict[str, Any], multiple: str
) -> None:
    policy = PhonePolicy(multiple=multiple)
    mapping = mapping_of(fields={"auxPhone": ["extra", "mobile"], "auxData1": ["city", "amount"]})
    compiled = RecordMapping.compile(
        stream="people", schema=SCHEMA, key_properties=("id",), mapping=mapping, phones=policy, extend_unmapped=False
    )
    lead = compiled.lead(record, single_phone=False)
    if not isinstance(lead, Lead):
        return
    rows = Lineage(mapping, SCHEMA, ("id",), policy).of(record, lead.fields)
    assert {row.lead_field: row.sent for row in rows} == lead.fields
    for row in rows:
        names = row.source.split(", ")
        assert row.value == (record[names[0]] if len(names) == 1 else [record[name] for name in names])


def test_the_sources_of_a_known_stream_are_those_that_it_has() -> None:
    found = origins(mapping_of(fields={"city": ["town", "city"]}), SCHEMA, ("id",), extend_unmapped=False)
    assert found == [
        Origin("externId", ("id",), "key properties"),
        Origin("leadPhone", ("mobile", "phone"), "preset auto"),
        Origin("firstName", ("first_name",), "preset auto"),
        Origin("city", ("town", "city"), "mapping"),
    ]


@pytest.mark.parametrize(
    ("preset", "name", "sources"),
    [
        ("salesforce", "leadPhone", ("MobilePhone", "Phone", "HomePhone")),
        ("auto", "suffix", ("suffix", "namesuffix")),
    ],
)
def test_of_a_stream_that_is_not_known_the_names_a_preset_looks_for_are_shown(
    preset: str, name: str, sources: tuple[str, ...]
) -> None:
    found = {origin.lead_field: origin for origin in origins(mapping_of(preset=preset), {}, (), extend_unmapped=False)}
    assert found[name] == Origin(name, sources, f"preset {preset}", by_name=True)


def test_what_no_source_names_is_shown_where_it_is_sent() -> None:
    assert origins(mapping_of(), SCHEMA, ("id",), extend_unmapped=True)[-1].lead_field == "extendedLeadData.*"


@pytest.mark.parametrize(
    ("mapping", "schema", "fields"),
    [
        ({}, SCHEMA, ("dnc",)),
        ({"do_not_call": ["extra"]}, SCHEMA, ("extra",)),
        ({"preset": "salesforce"}, {}, ("DoNotCall",)),
        ({"preset": "salesforce"}, SCHEMA, ("dnc",)),
    ],
)
def test_the_fields_that_forbid_the_call_are_shown(
    mapping: dict[str, Any], schema: dict[str, Any], fields: tuple[str, ...]
) -> None:
    assert forbidding(mapping_of(**mapping), schema) == fields
