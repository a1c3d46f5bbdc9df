"""The fast path of a stream makes the leads that `outcome` makes, or None for a record that needs `outcome`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.config.settings import Settings
from target_engagevoice.mapping.stream import Stream, compile_stream
from target_engagevoice.model.campaign import Campaign, Directory
from target_engagevoice.model.lead import Lead, Outcome
from tests.support.source_records import CSV, HUBSPOT, POSTGRES, SALESFORCE, records

if TYPE_CHECKING:
    from collections.abc import Mapping

RENEWALS = Campaign("1001", "Renewals", "501", "Outbound")
CALLBACKS = Campaign("2001", "Callbacks", "502", "Inbound callbacks", configuration="STRATEGIC")
SOURCES = {"salesforce": SALESFORCE, "hubspot": HUBSPOT, "postgres": POSTGRES, "csv": CSV}
TYPES: dict[str, dict[str, Any]] = {
    "salesforce": {"Phone": {"type": ["string", "null"]}, "IsDeleted": {"type": "boolean"}},
    "hubspot": {"properties": {"type": "object"}, "archived": {"type": ["boolean", "null"]}},
    "postgres": {"amount": {"type": ["number", "null"], "maximum": 5000}, "id": {"type": "integer"}},
    "csv": {"Phone": {"type": "string", "maxLength": 20}},
}
KEYS = {"salesforce": ["Id"], "hubspot": ["id"], "postgres": ["id"], "csv": []}

PLAIN: dict[str, Any] = {source: dict(record) for source, record in SOURCES.items()}

chosen_settings = st.fixed_dictionaries(
    {},
    optional={
        "validate_records": st.booleans(),
        "phone_format": st.sampled_from(["national", "e164", "as_is"]),
        "multiple_phones": st.sampled_from(["first", "all"]),
        "unmapped_fields": st.sampled_from(["drop", "extended"]),
        "phone_validation": st.sampled_from(["valid", "possible", "off"]),
    },
)


def stream_of(source: str, **given: Any) -> Stream:
    schema = {"type": "object", "properties": {name: TYPES[source].get(name, {}) for name in SOURCES[source]}}
    mapping: dict[str, Any] = {"campaign": "Renewals"}
    if source == "hubspot":
        mapping["preset"] = "hubspot"
    if source == "csv":
        mapping["fields"] = {"externId": "ID"}
    settings = Settings.parse({"base_url": "sandbox", "api_token": "x", "mappings": {source: mapping}} | given)
    stream = compile_stream(source, schema, KEYS[source], settings.stream_rules, Directory([RENEWALS, CALLBACKS]))
    assert stream is not None
    return stream


@st.composite
def cases(draw: st.DrawFn) -> tuple[Stream, dict[str, Any]]:
    source = draw(st.sampled_from(sorted(SOURCES)))
    record = draw(records(*SOURCES[source]))
    if draw(st.booleans()):
        record = {**SOURCES[source], **dict(list(record.items())[:2])}
    return stream_of(source, **draw(chosen_settings)), record


@given(cases(), st.sampled_from([RENEWALS, CALLBACKS]))
def test_the_fast_path_makes_what_outcome_makes(case: tuple[Stream, dict[str, Any]], campaign: Campaign) -> None:
    stream, record = case
    if stream.fast_lead is not None:
        made = stream.fast_lead(record)
        assert made is None or made == stream.outcome(record, campaign)


@pytest.mark.parametrize("source", SOURCES)
def test_a_usual_record_takes_the_fast_path(source: str) -> None:
    fast_lead = stream_of(source).fast_lead
    assert fast_lead is not None
    assert isinstance(fast_lead(PLAIN[source]), Lead)


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("salesforce", {"IsDeleted": True}),
        ("salesforce", {"DoNotCall": True}),
        ("salesforce", {"Do_Not_Call": True}),  # a name that the schema lacks
        ("postgres", {"amount": "many"}),
        ("postgres", {"phone": "ask Bob"}),
    ],
)
def test_a_record_that_is_no_lead_needs_outcome(source: str, change: Mapping[str, Any]) -> None:
    stream, record = stream_of(source), {**SOURCES[source], **change}
    assert stream.fast_lead is not None
    assert stream.fast_lead(record) is None
    assert not isinstance(stream.outcome(record, RENEWALS), Lead)


def test_a_record_without_its_key_needs_outcome() -> None:
    stream = stream_of("postgres")
    record = {name: value for name, value in POSTGRES.items() if name != "id"}
    assert stream.fast_lead is not None
    assert stream.fast_lead(record) is None


def test_several_numbers_of_a_lead_need_outcome() -> None:
    assert stream_of("salesforce", multiple_phones="all").fast_lead is None


def test_a_flag_comes_before_anything_else() -> None:
    stream = stream_of("salesforce")
    assert stream.outcome({"IsDeleted": True}, RENEWALS) is Outcome.DELETED
