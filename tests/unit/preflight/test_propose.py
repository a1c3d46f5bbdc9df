"""What is proposed for a stream: only what its schema names, always what the grammar takes, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.mapping.config import Mappings
from target_engagevoice.mapping.field_path import FieldPath
from target_engagevoice.mapping.presets import SYNONYMS
from target_engagevoice.mapping.record_mapping import RecordMapping
from target_engagevoice.model.lead import LEAD_FIELDS
from target_engagevoice.model.phone import PhonePolicy
from target_engagevoice.preflight.propose import DO_NOT_CALL, Confidence, Guess, Proposal, propose
from tests.support.messages import sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXT = {"type": ["string", "null"]}


def proposed(names: Mapping[str, Any] | Sequence[str], *keys: str, stream: str = "people") -> Proposal:
    properties = names if isinstance(names, dict) else dict.fromkeys(names, TEXT)
    return propose(stream, {"type": "object", "properties": properties}, keys)


def guess(proposal: Proposal, name: str) -> Guess:
    (found,) = [each for each in proposal.guesses if each.name == name]
    return found


def of_sample(name: str) -> Proposal:
    message = next(each for each in map(json.loads, sample(name)) if each["type"] == "SCHEMA")
    return propose(message["stream"], message["schema"], message["key_properties"])


@pytest.mark.parametrize(
    ("name", "preset"),
    [("salesforce_leads", "salesforce"), ("hubspot_contacts", "hubspot"), ("postgres_leads", "auto")],
)
def test_the_preset_is_chosen_by_the_fields(name: str, preset: str) -> None:
    assert of_sample(name).preset == preset


def test_salesforce_is_proposed_whole() -> None:
    assert of_sample("salesforce_leads").mapping("Renewals") == {
        "preset": "salesforce",
        "campaign": "Renewals",
        "fields": {
            "externId": "Id",
            "leadPhone": ["MobilePhone", "Phone"],
            "title": ["Title", "Salutation"],
            "firstName": "FirstName",
            "lastName": "LastName",
            "address1": ["Street", "Address.street"],
            "city": ["City", "Address.city"],
            "state": ["State", "Address.state"],
            "zip": ["PostalCode", "Address.postalCode"],
            "email": "Email",
        },
        "do_not_call": ["DoNotCall"],
    }


def test_flattened_hubspot_is_known_too() -> None:
    names = ["id", "properties__phone", "properties__hs_object_id", "properties__firstname", "properties__do_not_call"]
    proposal = proposed(names, "id")
    assert proposal.preset == "hubspot"
    assert guess(proposal, "leadPhone").sources == ("properties__phone",)
    assert guess(proposal, DO_NOT_CALL).sources == ("properties__do_not_call",)


def test_a_stream_without_a_phone_is_skipped_with_the_reason() -> None:
    proposal = proposed(["id", "email", "first_name", "fax"], "id")
    assert proposal.mapping("Renewals") == {"skip": True}
    assert "phone" in proposal.why


def test_a_stream_without_a_key_is_skipped_with_the_reason() -> None:
    proposal = proposed(["phone", "first_name"])
    assert proposal.mapping("Renewals") == {"skip": True}
    assert "key" in proposal.why


def test_the_key_is_the_extern_id_and_sure() -> None:
    assert guess(proposed(["row", "id", "phone"], "row"), "externId") == Guess(
        "externId", ("row",), Confidence.HIGH, "it is the stream's key"
    )


def test_a_field_that_looks_like_a_key_is_not_sure() -> None:
    assert guess(proposed(["id", "phone"]), "externId").confidence is Confidence.LOW


def test_a_key_of_several_fields_is_left_to_the_preset_and_shown() -> None:
    proposal = proposed(["shop", "number", "phone"], "shop", "number")
    assert "externId" not in proposal.mapping("Renewals")["fields"]
    assert proposal.joined_key == ("shop", "number")


def test_a_lead_fields_own_name_is_surer_than_a_usual_one_and_that_than_a_vague_one() -> None:
    proposal = proposed(["id", "phone", "first_name", "surname", "address"], "id")
    sure = [guess(proposal, name).confidence for name in ("firstName", "lastName", "address1")]
    assert sure == [Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW]


@pytest.mark.parametrize("name", ["customer_phone_no_1", "account_phone", "candidate mobile", "Telefon"])
def test_a_name_that_only_sounds_like_a_phone_is_a_guess_of_low_confidence(name: str) -> None:
    found = guess(proposed(["id", name], "id"), "leadPhone")
    assert (found.sources, found.confidence) == ((name,), Confidence.LOW)


@pytest.mark.parametrize(
    "name", ["phone_type", "is_mobile", "has_phone", "phone_verified", "cancelled_at", "headphones", "do_not_phone"]
)
def test_a_name_that_says_something_about_a_phone_is_none(name: str) -> None:
    assert proposed(["id", name], "id").preset is None


def test_a_number_that_may_be_a_phone_has_low_confidence() -> None:
    found = guess(proposed({"id": TEXT, "phone": {"type": "integer"}}, "id"), "leadPhone")
    assert found.confidence is Confidence.LOW
    assert "leading zeros" in found.why


def test_an_object_is_not_proposed_but_what_is_in_it() -> None:
    address = {"type": "object", "properties": {"street": TEXT, "city": TEXT}}
    proposal = proposed({"id": TEXT, "phone": TEXT, "address": address}, "id")
    assert guess(proposal, "address1").sources == ("address.street",)
    assert guess(proposal, "city").sources == ("address.city",)


def test_a_field_that_sounds_like_do_not_call_is_named_though_not_sure() -> None:
    found = guess(proposed(["id", "phone", "customer_dnc_since"], "id"), DO_NOT_CALL)
    assert (found.sources, found.confidence) == (("customer_dnc_since",), Confidence.LOW)


def test_opting_out_of_email_does_not_forbid_the_call() -> None:
    assert DO_NOT_CALL not in [each.name for each in proposed(["Id", "Phone", "HasOptedOutOfEmail"], "Id").guesses]


known = st.sampled_from(
    [
        *("Id", "IsDeleted", "SystemModstamp", "CreatedDate", "Phone", "MobilePhone", "DoNotCall", "MailingAddress"),
        *("properties", "hs_object_id", "properties__phone", "archived", "do_not_call", "dnc.flag", "cell phone!"),
        *(name for names in SYNONYMS.values() for name in names),
        *LEAD_FIELDS,
    ]
)
names = known | st.text(max_size=12)
types = st.sampled_from(
    [TEXT, {"type": "string"}, {"type": "integer"}, {"type": ["null", "boolean"]}, {"type": "array"}, {}, True, None]
)
inner = st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(names, types, max_size=4)})
schemas = st.fixed_dictionaries(
    {"properties": st.dictionaries(names, types | inner | st.fixed_dictionaries({"anyOf": st.lists(types | inner)}))}
)


def named(schema: Any, path: FieldPath) -> bool:
    """Whether a schema names a field, found without the code that is tested."""
    for part in path.parts:
        alternatives = [schema, *schema.get("anyOf", [])] if isinstance(schema, dict) else []
        inside = [each["properties"] for each in alternatives if isinstance(each, dict) and "properties" in each]
        there = [properties[part] for properties in inside if part in properties]
        if not there:
            return False
        schema = there[-1]
    return True


@settings(deadline=None)
@given(names, schemas, st.lists(names, max_size=3))
def test_what_is_proposed_is_taken_by_the_grammar_and_names_only_fields_of_the_schema(
    stream: str, schema: dict[str, Any], keys: list[str]
) -> None:
    proposal = propose(stream, schema, keys)
    mapping = Mappings.parse({stream: proposal.mapping("Renewals")}).find(stream)
    assert mapping is not None
    paths = [path for group in mapping.fields.values() for path in group]
    paths += mapping.do_not_call or ()
    assert all(isinstance(path, FieldPath) and named(schema, path) for path in paths)
    if proposal.preset is not None:
        compiled = RecordMapping.compile(
            stream=stream,
            schema=schema,
            key_properties=keys,
            mapping=mapping,
            phones=PhonePolicy(),
            extend_unmapped=False,
        )
        assert compiled.warnings == ()
