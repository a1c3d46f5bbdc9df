"""What a user types under `mappings`, and what a mistake there is answered with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import CampaignByRecord, Mappings, StreamMapping
from target_engagevoice.mapping.field_path import Constant, FieldPath

names = st.text(st.sampled_from("ab.\\ _é"), min_size=0, max_size=6)


def parsed(raw: dict[str, Any]) -> StreamMapping:
    return Mappings.parse({"Lead": raw}).by_pattern["Lead"]


@given(st.lists(names, min_size=1, max_size=4).map(tuple))
def test_a_path_written_out_is_read_back(parts: tuple[str, ...]) -> None:
    assert FieldPath.parse(str(FieldPath(parts))).parts == parts


@given(st.text(max_size=20))
def test_any_text_is_a_path(text: str) -> None:
    assert FieldPath.parse(text).parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Id", ("Id",)),
        ("properties.email", ("properties", "email")),
        (r"first\.name", ("first.name",)),
        (r"a\\.b", ("a\\", "b")),
        (r"a\b", (r"a\b",)),
    ],
)
def test_a_dot_goes_into_an_object_unless_escaped(text: str, parts: tuple[str, ...]) -> None:
    assert FieldPath.parse(text).parts == parts


@pytest.mark.parametrize("value", [None, "", "  ", {}, float("nan")])
def test_the_default_stands_in_for_an_empty_field(value: Any) -> None:
    assert FieldPath(("a",), "0").read({"a": value}) == "0"


@pytest.mark.parametrize("record", [{}, {"a": "text"}, {"a": None}, {"a": ["b"]}])
def test_the_default_stands_in_for_a_field_that_is_not_there(record: dict[str, Any]) -> None:
    assert FieldPath(("a", "b"), "0").read(record) == "0"


@pytest.mark.parametrize("value", [0, False, "0"])
def test_the_default_does_not_replace_what_is_only_false(value: Any) -> None:
    assert FieldPath(("a",), "1").read({"a": value}) == value


def test_each_form_of_a_source_is_read() -> None:
    fields = {
        "firstName": "FirstName",
        "leadPhone": ["MobilePhone", "Phone"],
        "auxData1": {"value": "spring"},
        "auxData2": {"field": "Amount", "default": "0"},
    }
    assert parsed({"fields": fields}).fields == {
        "firstName": (FieldPath(("FirstName",)),),
        "leadPhone": (FieldPath(("MobilePhone",)), FieldPath(("Phone",))),
        "auxData1": (Constant("spring"),),
        "auxData2": (FieldPath(("Amount",), "0"),),
    }


def test_the_labels_of_a_map_have_sources_too() -> None:
    raw = {"fields": {"extendedLeadData": {"rating": "Rating", "source": {"value": "sf"}}}}
    assert parsed(raw).maps == {
        "extendedLeadData": {"rating": (FieldPath(("Rating",)),), "source": (Constant("sf"),)},
    }


def test_a_label_with_a_dot_that_meltano_nested_is_put_together() -> None:
    raw = {"fields": {"extendedLeadData": {"lead": {"rating": "Rating"}}}}
    assert list(parsed(raw).maps["extendedLeadData"]) == ["lead.rating"]


def test_a_stream_with_a_dot_that_meltano_nested_is_put_together() -> None:
    assert list(Mappings.parse({"public": {"leads": {"skip": True}}}).by_pattern) == ["public.leads"]


def test_a_campaign_by_record_has_its_three_parts() -> None:
    raw = {"campaign": {"field": "C__c", "map": {"Spring": "Outbound/Renewals"}, "default": 1002}}
    assert parsed(raw).campaign == CampaignByRecord(FieldPath(("C__c",)), {"Spring": "Outbound/Renewals"}, "1002")


def test_a_campaign_id_may_be_a_number() -> None:
    assert parsed({"campaign": 1002}).campaign == "1002"


def test_every_campaign_named_is_known_with_its_place() -> None:
    raw = {"campaign": {"field": "C", "map": {"S": "Renewals"}, "default": "Winback"}}
    mappings = Mappings.parse({"Lead": raw, "Contact": {"campaign": 7}})
    assert mappings.campaign_references() == [
        ("mappings.Lead.campaign.map", "Renewals"),
        ("mappings.Lead.campaign.default", "Winback"),
        ("mappings.Contact.campaign", "7"),
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"presets": "auto"}, "did you mean 'preset'"),
        ({"preset": "sales-force"}, "did you mean 'salesforce'"),
        ({"fields": {"firstname": "x"}}, "did you mean 'firstName'"),
        ({"fields": {"middleName": "x"}}, "did you mean 'midName'"),
        ({"fields": {"phone1": "x"}}, "did you mean 'leadPhone'"),
        ({"fields": {"leadId": "x"}}, "server's own"),
        ({"fields": {"lastPassDts": "x"}}, "server's own"),
        ({"fields": {"email": []}}, "list of sources is empty"),
        ({"fields": {"email": 5}}, "a source is"),
        ({"fields": {"email": {"feld": "x"}}}, "did you mean 'field'"),
        ({"fields": {"email": {"field": "x", "value": "y"}}}, "a source is"),
        ({"fields": {"extendedLeadData": "x"}}, "must be an object"),
        ({"campaign": {"map": {}}}, "must be an id"),
        ({"campaign": True}, "must be an id"),
        ({"campaign": {"field": "x", "map": {"a": None}}}, "campaign's id or name"),
        ({"do_not_call": 5}, "list of field names"),
        ({"list": {"dial_priority": "immediate"}}, "did you mean 'IMMEDIATE'"),
        ({"list": {"dnc_tags": [1]}}, "list of strings"),
        ({"list": {"descripton": "x"}}, "did you mean 'description'"),
        ({"list": {"description": "{steam}"}}, "did you mean 'stream'"),
        ({"skip": "yes"}, "true or false"),
    ],
)
def test_a_mistake_is_named_with_what_to_type_instead(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^mappings\.Lead.*{message}"):
        parsed(raw)


def test_an_exact_name_wins_over_a_glob() -> None:
    found = Mappings.parse({"*": {}, "Lead*": {}, "Lead": {}}).find("Lead")
    assert found is not None
    assert found.pattern == "Lead"


def test_a_longer_glob_wins_over_a_shorter_one() -> None:
    found = Mappings.parse({"*": {}, "public-leads*": {}, "public-*": {}}).find("public-leads-eu")
    assert found is not None
    assert found.pattern == "public-leads*"


def test_a_stream_that_nothing_names_has_no_mapping() -> None:
    assert Mappings.parse({"public-*": {}}).find("Lead") is None


@given(
    st.lists(st.text(st.sampled_from("ab*?"), min_size=1, max_size=5), unique=True, max_size=8),
    st.text(st.sampled_from("ab"), min_size=1, max_size=5),
)
def test_what_is_found_does_not_hang_on_the_order_unless_lengths_are_equal(keys: list[str], stream: str) -> None:
    forward = Mappings.parse({key: {} for key in keys}).find(stream)
    backward = Mappings.parse({key: {} for key in reversed(keys)}).find(stream)
    assert (forward and len(forward.pattern)) == (backward and len(backward.pattern))
