"""A record becomes the lead of its fields, or a rejection that says why not."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import Mappings
from target_engagevoice.mapping.record_mapping import RecordMapping
from target_engagevoice.model.lead import LEAD_FIELDS, FieldType, Lead, Outcome, Rejection, Stage
from target_engagevoice.model.phone import PhonePolicy
from target_engagevoice.model.values import plain_text, text
from tests.support.source_records import CHRISTMAS, CSV, HUBSPOT, POSTGRES, SALESFORCE, records, schema_of, values

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

PHONE = "(650) 555-0100"
DIALED = "6505550100"
OTHER_PHONE = "(650) 555-0199"
OTHER_DIALED = "6505550199"

Json = dict[str, Any]


def compiled(
    raw: Json | None = None,
    *,
    schema: Json | None = None,
    key: tuple[str, ...] = ("id",),
    phones: PhonePolicy | None = None,
    extended: bool = False,
) -> RecordMapping:
    mapping = Mappings.parse({"s": raw or {"preset": "auto"}}).by_pattern["s"]
    return RecordMapping.compile(
        stream="s",
        schema=schema or {},
        key_properties=key,
        mapping=mapping,
        phones=phones or PhonePolicy(),
        extend_unmapped=extended,
    )


def lead_of(mapping: RecordMapping, record: Mapping[str, Any], *, single_phone: bool = False) -> Json:
    lead = mapping.lead(dict(record), single_phone=single_phone)
    assert isinstance(lead, Lead), lead
    return lead.fields


def rejection_of(mapping: RecordMapping, record: Mapping[str, Any]) -> Rejection:
    rejection = mapping.lead(dict(record), single_phone=False)
    assert isinstance(rejection, Rejection), rejection
    return rejection


def mapped(field: str, source: Any, value: Any) -> Any:
    """What one source with one value makes of one lead field."""
    mapping = compiled({"fields": {field: source}})
    return lead_of(mapping, {"id": 1, "phone": PHONE, "x": value}).get(field)


# --- sources, each from its preset alone


def test_a_salesforce_lead_maps_from_its_preset_alone() -> None:
    mapping = compiled({"preset": "salesforce"}, schema=schema_of(SALESFORCE), key=("Id",))
    assert lead_of(mapping, SALESFORCE) == {
        "externId": "00Q5f00000A1B2CEAV",
        "leadPhone": DIALED,
        "title": "Analyst",
        "firstName": "Ada",
        "midName": "King",
        "lastName": "Lovelace",
        "address1": "12 St James Sq\nRoom 3",
        "city": "Palo Alto",
        "state": "CA",
        "zip": "94301",
        "email": "ada@example.com",
    }


def test_a_salesforce_contact_maps_its_compound_address() -> None:
    address = {"street": "1 Main St", "city": "Rome", "state": "GA", "postalCode": "30161"}
    record = {"Id": "003", "HomePhone": PHONE, "MailingAddress": address}
    lead = lead_of(compiled({"preset": "salesforce"}, key=("Id",)), record)
    assert [lead[name] for name in ("address1", "city", "state", "zip")] == ["1 Main St", "Rome", "GA", "30161"]


def test_auto_maps_a_compound_address_too() -> None:
    record = {"id": 1, "phone": PHONE, "address": {"street": "1 Main St", "postalCode": "30161"}}
    lead = lead_of(compiled(schema=schema_of(record)), record)
    assert [lead["address1"], lead["zip"]] == ["1 Main St", "30161"]


def test_a_salesforce_mobile_phone_goes_before_the_phone() -> None:
    record = {"Id": "1", "Phone": PHONE, "MobilePhone": OTHER_PHONE, "HomePhone": PHONE}
    assert lead_of(compiled({"preset": "salesforce"}), record)["leadPhone"] == OTHER_DIALED


NILS = {
    "externId": "51001",
    "leadPhone": "6505550170",
    "firstName": "Nils",
    "lastName": "Abbott",
    "address1": "100 Cedar St",
    "city": "Palo Alto",
    "state": "CA",
    "zip": "94301",
    "email": "nils@example.com",
}


def test_a_hubspot_contact_maps_from_its_preset_alone() -> None:
    assert lead_of(compiled({"preset": "hubspot"}, schema=schema_of(HUBSPOT)), HUBSPOT) == NILS


@pytest.mark.parametrize("prefix", ["properties__", ""])
def test_a_flattened_hubspot_contact_maps_as_well(prefix: str) -> None:
    flat = {f"{prefix}{name}": value for name, value in HUBSPOT["properties"].items()}
    assert lead_of(compiled({"preset": "hubspot"}), {"id": "51001", **flat}) == NILS


def test_a_postgres_row_maps_from_auto_alone() -> None:
    assert lead_of(compiled(schema=schema_of(POSTGRES)), POSTGRES) == {
        "externId": "9001",
        "leadPhone": "6505550190",
        "firstName": "Zoë",
        "lastName": "Fontaine",
        "address1": "300 Cedar St",
        "city": "Palo Alto",
        "state": "CA",
        "zip": "94301",
    }


def test_a_csv_row_maps_from_auto_alone() -> None:
    assert lead_of(compiled(schema=schema_of(CSV), key=()), CSV) == {
        "externId": "7001",
        "leadPhone": "6505550180",
        "firstName": "Kaya",
        "lastName": "Sandoval",
        "address1": "200 Cedar St",
        "city": "Palo Alto",
        "state": "CA",
        "zip": "94301",
    }


def test_auto_uses_the_fields_of_the_record_where_the_schema_names_nothing() -> None:
    assert lead_of(compiled(schema={}, key=()), CSV)["firstName"] == "Kaya"


def test_what_the_user_names_wins_over_the_preset() -> None:
    mapping = compiled({"preset": "salesforce", "fields": {"firstName": "Nick__c"}})
    assert lead_of(mapping, {**SALESFORCE, "Nick__c": "Countess"})["firstName"] == "Countess"


# --- which records must not be loaded


@pytest.mark.parametrize("value", [None, False, 0, 0.0, Decimal("0.0"), "", " ", "0", "false", "F", "No", "n", "OFF"])
def test_a_clearly_false_flag_lets_the_call_through(value: Any) -> None:
    assert compiled({"preset": "salesforce"}).flags.screen({"DoNotCall": value}) is None


@pytest.mark.parametrize("value", [True, 1, "true", "yes", "maybe", "2026-01-01", Decimal("sNaN"), CHRISTMAS, [], {}])
def test_any_other_flag_forbids_the_call(value: Any) -> None:
    assert compiled({"preset": "salesforce"}).flags.screen({"DoNotCall": value}) is Outcome.DO_NOT_CALL


@pytest.mark.parametrize("preset", ["auto", "salesforce", "hubspot", "none"])
@pytest.mark.parametrize("marker", ["IsDeleted", "_sdc_deleted_at", "archived"])
def test_a_deleted_row_is_seen_under_every_preset(preset: str, marker: str) -> None:
    mapping = compiled({"preset": preset, "fields": {"externId": "id"}})
    assert mapping.flags.screen({marker: "2026-03-14T09:00:00Z"}) is Outcome.DELETED


def test_a_row_both_deleted_and_not_to_be_called_is_deleted() -> None:
    assert compiled().flags.screen({"DoNotCall": True, "IsDeleted": True}) is Outcome.DELETED


@pytest.mark.parametrize("preset", ["auto", "salesforce", "hubspot"])
def test_a_do_not_call_field_that_the_schema_does_not_name_is_honored(preset: str) -> None:
    mapping = compiled({"preset": preset}, schema=schema_of({"id": 1}))
    assert mapping.flags.screen({"id": 1, "do_not_call": True}) is Outcome.DO_NOT_CALL


def test_a_hubspot_do_not_call_property_is_honored() -> None:
    mapping = compiled({"preset": "hubspot"})
    assert mapping.flags.screen({"id": 1, "properties": {"do_not_call": "true"}}) is Outcome.DO_NOT_CALL


def test_any_of_the_users_do_not_call_fields_forbids_the_call() -> None:
    mapping = compiled({"do_not_call": ["a", "p.b"]})
    assert mapping.flags.screen({"a": False, "p": {"b": "x"}}) is Outcome.DO_NOT_CALL


def test_the_users_do_not_call_fields_replace_the_presets() -> None:
    assert compiled({"do_not_call": ["a"]}).flags.screen({"dnc": True}) is None


def test_a_typo_in_do_not_call_stops_the_run() -> None:
    with pytest.raises(ConfigError, match=r"mappings\.s\.do_not_call.*did you mean 'DoNotCall'"):
        compiled({"do_not_call": ["DoNotCal"]}, schema=schema_of(SALESFORCE))


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
def test_a_field_named_in_an_alternative_is_known(keyword: str) -> None:
    schema = {"properties": {"id": {}}, keyword: [{"properties": {"Agreed": {}}}]}
    assert (
        compiled({"do_not_call": ["Agreed"]}, schema=schema).flags.screen({"Agreed": "no way"}) is Outcome.DO_NOT_CALL
    )


def test_one_of_several_do_not_call_fields_is_enough() -> None:
    mapping = compiled({"do_not_call": ["DoNotCall", "dnc"]}, schema=schema_of(SALESFORCE), key=("Id",))
    assert len(mapping.warnings) == 1


@pytest.mark.parametrize("open_", [{}, {"properties": {"Id": {}}, "additionalProperties": True}])
def test_an_open_schema_may_have_the_do_not_call_field_after_all(open_: Json) -> None:
    assert compiled({"do_not_call": ["dnc"]}, schema=open_).flags.screen({"dnc": True}) is Outcome.DO_NOT_CALL


# --- phones


def test_an_unusable_phone_is_replaced_by_the_next() -> None:
    record = {"Id": "1", "MobilePhone": "ask Bob", "Phone": PHONE}
    assert lead_of(compiled({"preset": "salesforce"}), record)["leadPhone"] == DIALED


def test_no_usable_phone_is_rejected_for_the_first_ones_reason() -> None:
    rejection = rejection_of(compiled({"preset": "salesforce"}), {"Id": "1", "MobilePhone": "555-0100", "Phone": "?"})
    assert (rejection.stage, rejection.reason) == (Stage.PHONE, "impossible_phone")


@pytest.mark.parametrize("value", [None, "", " ", "|", float("nan"), Decimal("NaN"), {}, ["x"]])
def test_no_phone_at_all_is_missing(value: Any) -> None:
    assert rejection_of(compiled(schema={}), {"id": 1, "phone": value}).reason == "missing_phone"


ALL = PhonePolicy(multiple="all")
THREE = {"Id": "1", "MobilePhone": PHONE, "Phone": "6505550100", "HomePhone": OTHER_PHONE}


def test_all_phones_are_joined_without_repeats() -> None:
    mapping = compiled({"preset": "salesforce"}, phones=ALL)
    assert lead_of(mapping, THREE)["leadPhone"] == f"{DIALED}|{OTHER_DIALED}"


def test_a_campaign_of_a_single_phone_gets_the_first() -> None:
    mapping = compiled({"preset": "salesforce"}, phones=ALL)
    assert lead_of(mapping, THREE, single_phone=True)["leadPhone"] == DIALED


def test_a_field_of_joined_phones_is_several() -> None:
    record = {"id": 1, "phone": f"555|{PHONE}|{OTHER_PHONE}"}
    assert lead_of(compiled(), record, single_phone=True)["leadPhone"] == DIALED


@pytest.mark.parametrize("value", [6505550100, 6505550100.0, Decimal(6505550100), Decimal("6505550100.0")])
def test_a_phone_that_is_a_number_keeps_its_digits(value: Any) -> None:
    assert lead_of(compiled(), {"id": 1, "phone": value})["leadPhone"] == DIALED


def test_e164_fills_the_second_phone_field() -> None:
    lead = lead_of(compiled(phones=PhonePolicy(format="e164")), {"id": 1, "phone": PHONE})
    assert [lead["leadPhone"], lead["leadPhoneE164"]] == ["+16505550100", "+16505550100"]


def test_national_does_not_fill_the_second_phone_field() -> None:
    assert "leadPhoneE164" not in lead_of(compiled(), {"id": 1, "phone": PHONE})


def test_a_mapped_lead_phone_e164_is_written_as_such() -> None:
    assert mapped("leadPhoneE164", "x", OTHER_PHONE) == "+16505550199"


def test_an_unusable_lead_phone_e164_is_rejected() -> None:
    mapping = compiled({"fields": {"leadPhoneE164": "x"}})
    assert rejection_of(mapping, {"id": 1, "phone": PHONE, "x": "?"}).reason == "not_a_phone"


def test_the_auxiliary_phone_is_normalized() -> None:
    assert mapped("auxPhone", "x", OTHER_PHONE) == OTHER_DIALED


def test_an_unusable_auxiliary_phone_is_omitted() -> None:
    assert mapped("auxPhone", "x", "ask Bob") is None


def test_persona_phones_are_normalized_and_unusable_ones_omitted() -> None:
    mapping = compiled({"fields": {"personaPhoneConfig": {"Home": "h", "Work": "w"}}})
    lead = lead_of(mapping, {"id": 1, "phone": PHONE, "h": OTHER_PHONE, "w": "ask Bob"})
    assert lead["personaPhoneConfig"] == {"Home": OTHER_DIALED}


# --- the key


@pytest.mark.parametrize(("value", "expected"), [(7, "7"), (" a1 ", "a1"), (Decimal(7), "7"), ("é|\\", "é|\\")])
def test_a_key_becomes_text(value: Any, expected: str) -> None:
    assert lead_of(compiled(), {"id": value, "phone": PHONE})["externId"] == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing_extern_id"),
        (" ", "missing_extern_id"),
        ({"a": 1}, "missing_extern_id"),
        ("a\x00b", "bad_extern_id"),
        ("a\ud83d", "bad_extern_id"),
        ("x" * 181, "extern_id_too_long"),
        (Decimal("1E+500"), "bad_number"),
    ],
)
def test_an_unusable_key_is_rejected_not_repaired(value: Any, reason: str) -> None:
    rejection = rejection_of(compiled(), {"id": value, "phone": PHONE})
    assert (rejection.stage, rejection.reason) == (Stage.MAP, reason)


def test_a_key_of_the_greatest_length_is_taken() -> None:
    assert lead_of(compiled(), {"id": "x" * 180, "phone": PHONE})["externId"] == "x" * 180


def test_a_broken_part_of_a_joined_key_is_rejected() -> None:
    assert rejection_of(compiled(key=("a", "b")), {"a": "1", "b": "\ud800", "phone": PHONE}).reason == "bad_extern_id"


def test_several_key_properties_are_joined() -> None:
    assert lead_of(compiled(key=("a", "b")), {"a": "x|y", "b": 2, "phone": PHONE})["externId"] == r"x\|y|2"


def test_preset_none_needs_a_source_for_the_key() -> None:
    with pytest.raises(ConfigError, match=r"mappings\.s\.fields\.externId"):
        compiled({"preset": "none", "fields": {"leadPhone": "phone"}})


# --- values and their types


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ada", "Ada"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (10**50, "1" + "0" * 50),
        (Decimal("1234.50"), "1234.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (1e22, "1" + "0" * 22),
        (0.1, "0.1"),
        (dt.datetime(2026, 3, 14, 9, tzinfo=dt.timezone.utc), "2026-03-14T09:00:00+00:00"),
        (CHRISTMAS, "2026-12-25"),
        (dt.time(9, 30), "09:30:00"),
        ({"b": Decimal("1.10"), "a": [None, "é"]}, '{"a":[null,"é"],"b":1.10}'),
        ([1, {"x": float("nan")}], '[1,{"x":null}]'),
        ("line\none\ttwo", "line\none\ttwo"),
        ("a\x00b\x1fc", "abc"),
        ("half \ud83d pair", "half \ufffd pair"),
        (type("Name", (str,), {})("Ada"), "Ada"),
    ],
)
def test_a_value_becomes_the_text_of_a_string_field(value: Any, expected: str) -> None:
    assert mapped("auxData1", "x", value) == expected


@pytest.mark.parametrize(
    "value",
    [None, "", "  ", "\x00", "\u3000", {}, [], float("nan"), float("-inf"), Decimal("NaN"), Decimal("sNaN")],
)
def test_an_empty_value_is_omitted(value: Any) -> None:
    assert mapped("auxData1", "x", value) is None


@pytest.mark.parametrize("value", [10**100, Decimal("1E+999999"), Decimal("1E-999999"), Decimal("9" * 101)])
def test_a_number_of_more_than_a_hundred_digits_is_rejected(value: Any) -> None:
    mapping = compiled({"fields": {"auxData1": "x"}})
    assert rejection_of(mapping, {"id": 1, "phone": PHONE, "x": value}).reason == "bad_number"


def test_an_object_deeper_than_the_stack_is_rejected() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    mapping = compiled({"fields": {"auxData1": "x"}})
    assert rejection_of(mapping, {"id": 1, "phone": PHONE, "x": deep}).reason == "bad_value"
    while deep:  # unwound by hand: freeing it at once would overflow the C stack of older interpreters
        deep = deep.pop()


@pytest.mark.parametrize("value", [5, "5", " 5 ", "+5", Decimal("5.0"), 5.0])
def test_a_whole_number_fits_an_integer_field(value: Any) -> None:
    assert mapped("leadPriority", "x", value) == 5


@pytest.mark.parametrize("value", ["high", "5.5", True, 5.5, Decimal("5.5"), 2**31, "9" * 10, [5], "\u0665", 10**400])
def test_anything_else_does_not_fit_an_integer_field(value: Any) -> None:
    mapping = compiled({"fields": {"maxPasses": "x"}})
    rejection = rejection_of(mapping, {"id": 1, "phone": PHONE, "x": value})
    assert (rejection.stage, rejection.reason) == (Stage.MAP, "bad_integer")


def test_the_first_source_that_is_not_empty_wins() -> None:
    mapping = compiled({"fields": {"auxData1": ["a", "b", "c"]}})
    assert lead_of(mapping, {"id": 1, "phone": PHONE, "a": " ", "b": 2, "c": 3})["auxData1"] == "2"


@pytest.mark.parametrize("value", [None, "", " "])
def test_the_default_stands_in_for_an_empty_value(value: Any) -> None:
    assert mapped("auxData1", {"field": "x", "default": 0}, value) == "0"


def test_a_constant_is_the_same_for_each_record() -> None:
    assert mapped("auxData1", {"value": "spring"}, None) == "spring"


def test_a_constant_that_does_not_fit_its_field_stops_the_run() -> None:
    with pytest.raises(ConfigError, match=r"mappings\.s\.fields\.maxPasses"):
        compiled({"fields": {"maxPasses": {"value": "many"}}})


def test_a_preset_takes_no_objects() -> None:
    assert "city" not in lead_of(compiled(), {"id": 1, "phone": PHONE, "city": {"name": "Rome"}})


# --- the rest of the record


def extended(record: Json, raw: Json | None = None, **more: Any) -> Any:
    return lead_of(compiled(raw, extended=True, **more), {"id": 1, "phone": PHONE, **record}).get("extendedLeadData")


def test_unmapped_fields_go_to_extended_lead_data_as_text() -> None:
    assert extended({"score": Decimal("1.50"), "tags": ["a"], "none": None}) == {"score": "1.50", "tags": '["a"]'}


def test_unmapped_fields_are_dropped_unless_asked_for() -> None:
    assert "extendedLeadData" not in lead_of(compiled(), {"id": 1, "phone": PHONE, "score": 1})


def test_a_users_label_is_not_overridden_by_an_unmapped_field() -> None:
    assert extended({"rating": "x", "a": "y"}, {"fields": {"extendedLeadData": {"rating": "a"}}}) == {"rating": "y"}


def test_of_an_object_read_in_part_the_rest_is_extended() -> None:
    raw = {"fields": {"email": "p.email"}}
    assert extended({"p": {"email": "a@example.com", "k": 1}}, raw) == {"p": '{"k":1}'}


def test_flags_and_deletion_marks_are_no_extended_data() -> None:
    record = {"IsDeleted": False, "_sdc_deleted_at": None, "dnc": "no", "archived": 0}
    assert extended(record, schema=schema_of({**record, "phone": PHONE})) is None


def test_a_name_that_utf8_cannot_hold_is_repaired() -> None:
    assert extended({"a\ud800": "x"}) == {"a\ufffd": "x"}


def test_extended_lead_data_holds_the_users_labels() -> None:
    raw = {"fields": {"extendedLeadData": {"rating": "r", "empty": "e", "source": {"value": True}}}}
    lead = lead_of(compiled(raw), {"id": 1, "phone": PHONE, "r": "Hot", "e": ""})
    assert lead["extendedLeadData"] == {"rating": "Hot", "source": "true"}


# --- what the user is warned of


def test_a_source_that_the_stream_does_not_have_is_warned_of() -> None:
    mapping = compiled({"preset": "salesforce", "fields": {"firstName": "FirstNam"}}, schema=schema_of(SALESFORCE))
    assert [warning.split(": ")[0] for warning in mapping.warnings] == ["mappings.s.fields.firstName"]


def test_the_warning_names_the_near_field() -> None:
    mapping = compiled({"preset": "salesforce", "fields": {"firstName": "FirstNam"}}, schema=schema_of(SALESFORCE))
    assert "did you mean 'FirstName'" in mapping.warnings[0]


def test_a_property_that_an_object_does_not_have_is_warned_of() -> None:
    schema: Json = {"properties": {"id": {}, "phone": {}, "p": {"properties": {"email": {}}}}}
    mapping = compiled({"fields": {"email": "p.emial"}}, schema=schema)
    assert "did you mean 'email'" in mapping.warnings[0]


def test_a_stream_without_a_phone_is_warned_of() -> None:
    assert any("leadPhone" in warning for warning in compiled(schema=schema_of({"id": 1})).warnings)


def test_a_stream_without_a_key_is_warned_of() -> None:
    assert any("externId" in warning for warning in compiled(schema=schema_of({"phone": 1}), key=()).warnings)


@pytest.mark.parametrize(
    ("preset", "record", "key"),
    [("salesforce", SALESFORCE, "Id"), ("hubspot", HUBSPOT, "id"), ("auto", POSTGRES, "id"), ("auto", CSV, "ID")],
)
def test_a_stream_as_its_preset_expects_it_has_no_warnings(preset: str, record: Json, key: str) -> None:
    assert compiled({"preset": preset}, schema=schema_of(record), key=(key,)).warnings == ()


# --- for every record there is

EVERY_KIND: Json = {
    "fields": {
        "externId": ["Id", "id"],
        "leadPhone": ["MobilePhone", "Phone", {"field": "p.phone", "default": PHONE}],
        "leadPriority": {"field": "priority", "default": 3},
        "auxPhone": "Phone",
        "auxData1": ["p", "Id"],
        "email": "p.email",
        "extendedLeadData": {"all": "p", "one": "Phone"},
        "personaPhoneConfig": {"Home": "Phone", "Cell": "MobilePhone"},
    },
}
SCHEMAS: list[Json] = [{}, schema_of(SALESFORCE)]
NO_MAPS: Json = {
    "fields": {
        name: source
        for name, source in EVERY_KIND["fields"].items()
        if not isinstance(source, dict) or "field" in source
    }
}
MAPPINGS = [
    compiled({**raw, "preset": preset}, schema=schema, phones=phones, extended=extended)
    for raw, extended in (({}, True), (EVERY_KIND, True), ({}, False), (NO_MAPS, False))
    for preset in ("auto", "salesforce", "hubspot")
    for schema in SCHEMAS
    for phones in (PhonePolicy(), PhonePolicy("DE", "as_is", "off", "all"), PhonePolicy("GB", "e164", "off", "all"))
]
RECORDS = records(
    *("Id", "id", "Phone", "MobilePhone", "FirstName", "Street", "Address", "DoNotCall", "archived", "priority"),
    *("p", "properties", "leadPriority", "\ud800"),
)
JUST_TEXT = {FieldType.STRING: str, FieldType.INTEGER: int, FieldType.STRING_MAP: dict}


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MAPPINGS), RECORDS, st.booleans())
def test_any_record_becomes_a_lead_or_a_rejection(mapping: RecordMapping, record: Json, single_phone: bool) -> None:
    assert isinstance(mapping.lead(record, single_phone=single_phone), (Lead, Rejection))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MAPPINGS), RECORDS)
def test_any_record_can_be_screened(mapping: RecordMapping, record: Json) -> None:
    assert mapping.flags.screen(record) in {None, Outcome.DELETED, Outcome.DO_NOT_CALL}


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MAPPINGS), RECORDS, st.booleans())
def test_every_field_of_a_lead_has_the_apis_type_and_is_not_empty(
    mapping: RecordMapping, record: Json, single_phone: bool
) -> None:
    lead = mapping.lead({"Id": "1", "Phone": PHONE, **record}, single_phone=single_phone)
    if isinstance(lead, Lead):
        for name, value in lead.fields.items():
            assert type(value) is JUST_TEXT[LEAD_FIELDS[name]]
            assert value != ""
            assert value != {}


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MAPPINGS), RECORDS)
def test_a_lead_is_json_that_can_be_sent(mapping: RecordMapping, record: Json) -> None:
    lead = mapping.lead({"Id": "1", "Phone": PHONE, **record}, single_phone=False)
    if isinstance(lead, Lead):
        assert json.loads(lead.body) == lead.fields


def without_fast_paths(mapping: RecordMapping) -> RecordMapping:
    """The mapping that makes each lead by its plan, and has the library read each number."""
    phones, e164 = (replace(policy) for policy in (mapping.plain.phones, mapping.plain.e164))
    for policy in (phones, e164):
        vars(policy)["plain"] = lambda _text: None
    return replace(mapping, compiled=None, plain=replace(mapping.plain, phones=phones, e164=e164))


PLAIN_TEXTS = st.sampled_from(
    ["", " ", "  x", "!", "! ", "\u00a0", "\u3000", "x\x7f", "é", PHONE, "|", f"{PHONE}|", f" {PHONE}"]
)
USUAL = st.one_of(st.none(), st.booleans(), PLAIN_TEXTS, st.decimals(), st.integers(-10, 10**10), st.text(max_size=5))
USUAL_RECORDS = st.fixed_dictionaries(
    {"Id": USUAL},
    optional=dict.fromkeys(
        ("id", "Phone", "MobilePhone", "FirstName", "Street", "City", "priority", "p", "Title"), USUAL
    ),
)


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(MAPPINGS), st.one_of(USUAL_RECORDS, RECORDS), st.booleans())
def test_the_fast_and_the_plain_path_make_the_same_lead(
    mapping: RecordMapping, record: Json, single_phone: bool
) -> None:
    plainly_mapped = without_fast_paths(mapping).lead(record, single_phone=single_phone)
    assert mapping.lead(record, single_phone=single_phone) == plainly_mapped


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([text, plain_text]), st.one_of(st.decimals(), st.floats(), values))
def test_a_number_is_written_as_a_decimal_without_an_exponent(convert: Any, value: Any) -> None:
    written = convert(value)
    if isinstance(value, (Decimal, float)) and isinstance(written, str):
        assert written == format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")


def digest(result: Lead | Rejection) -> str:
    return result.digest if isinstance(result, Lead) else result.reason


@settings(deadline=None)
@given(st.sampled_from(MAPPINGS), RECORDS, st.randoms(use_true_random=False))
def test_the_order_of_a_records_fields_does_not_change_the_digest(
    mapping: RecordMapping, record: Json, chance: random.Random
) -> None:
    record = {"Id": "1", "Phone": PHONE, **record}
    shuffled = list(record.items())
    chance.shuffle(shuffled)
    lead, again = (mapping.lead(some, single_phone=False) for some in (record, dict(shuffled)))
    assert digest(lead) == digest(again)


@settings(deadline=None)
@given(st.sampled_from(MAPPINGS), RECORDS)
def test_a_lead_is_sent_with_its_fields_in_the_order_of_their_names(mapping: RecordMapping, record: Json) -> None:
    lead = mapping.lead({"Id": "1", "Phone": PHONE, **record}, single_phone=False)
    if isinstance(lead, Lead):
        assert list(lead.fields) == sorted(lead.fields)


@settings(deadline=None)
@given(st.sampled_from(MAPPINGS), RECORDS)
def test_a_record_is_not_changed(mapping: RecordMapping, record: Json) -> None:
    before = repr(record)
    mapping.flags.screen(record)
    mapping.lead(record, single_phone=False)
    assert repr(record) == before


@settings(deadline=None)
@given(st.sampled_from(MAPPINGS), st.text(st.sampled_from("qzjx"), min_size=6, max_size=12))
def test_a_message_holds_no_value_of_the_record(mapping: RecordMapping, secret: str) -> None:
    record = dict.fromkeys(("Phone", "MobilePhone", "id", "Id", "priority", "leadPriority"), secret)
    rejection = mapping.lead(record, single_phone=False)
    assert isinstance(rejection, Lead) or secret not in rejection.message
