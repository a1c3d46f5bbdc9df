"""A lead is what is sent of it, and its digest is what ledgers out there hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from target_engagevoice.model.lead import EXTERN_ID_MAX, LEAD_FIELDS, FieldType, Lead
from target_engagevoice.model.values import INTEGER_MAX

Fields = dict[str, Any]

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
odd_texts = st.text(st.sampled_from('"\\/<>&\x00\x1f\x7f\x80\u2028\uffff\U0001f600é\ud7ff\ue000\U0010ffff'), min_size=1)
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.STRING: texts | odd_texts,
    FieldType.INTEGER: st.integers(-INTEGER_MAX, INTEGER_MAX),
    FieldType.STRING_MAP: st.dictionaries(texts | odd_texts, texts | odd_texts, min_size=1),
}
fields_of_leads: st.SearchStrategy[Fields] = st.fixed_dictionaries(
    {"externId": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=EXTERN_ID_MAX)},
    optional={name: VALUES[kind] for name, kind in LEAD_FIELDS.items() if name != "externId"},
)


def first_digest(fields: Fields) -> str:
    """The digest as it was first defined, and as ledgers hold it."""
    canonical = json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def first_body(fields: Fields) -> bytes:
    """The body as the standard library writes it."""
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@settings(deadline=None, max_examples=200)
@given(fields_of_leads)
@example({"externId": "\x7f", "extendedLeadData": {"\U0001f600": "a", "\uffff": "b"}})
def test_the_digest_is_the_one_that_ledgers_hold(fields: Fields) -> None:
    assert Lead.of(fields).digest == first_digest(fields)


@settings(deadline=None, max_examples=200)
@given(fields_of_leads)
def test_the_body_is_what_the_standard_library_writes(fields: Fields) -> None:
    assert Lead.of(fields).body == first_body(fields)


@pytest.mark.parametrize("code", range(0x100))
def test_every_character_is_escaped_as_ever(code: int) -> None:
    fields = {"externId": f"a{chr(code)}b", "extendedLeadData": {chr(code): chr(code)}}
    lead = Lead.of(fields)
    assert (lead.body, lead.digest) == (first_body(fields), first_digest(fields))


def test_the_digest_of_a_lead_of_the_first_version_is_still_the_same() -> None:
    fields = {"externId": "L7", "firstName": "Zoë", "leadPriority": 3, "extendedLeadData": {"b": "2", "a": "1/\x7f"}}
    assert Lead.of(fields).digest == "d8860b1c9017d85c6312af5abc8ed63c141d13aeb8f18355e365b9d3f3fc166b"


@given(fields_of_leads)
def test_a_lead_gives_back_its_fields(fields: Fields) -> None:
    assert Lead.of(fields).fields == fields


@given(fields_of_leads)
def test_a_lead_knows_its_key_and_phone(fields: Fields) -> None:
    lead = Lead.of(fields)
    assert (lead.extern_id, lead.phone) == (fields["externId"], fields.get("leadPhone"))


@given(fields_of_leads, st.randoms(use_true_random=False))
def test_the_order_of_the_fields_does_not_matter(fields: Fields, chance: Any) -> None:
    shuffled = list(fields.items())
    chance.shuffle(shuffled)
    assert Lead.of(dict(shuffled)) == Lead.of(fields)
