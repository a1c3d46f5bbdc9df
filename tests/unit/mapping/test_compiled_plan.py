"""The compiled function of a stream makes the leads that its plan makes, and leaves to it what it does not make."""

from __future__ import annotations

import textwrap
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping import compiled_plan as compiled_plans
from target_engagevoice.mapping.compiled_plan import Unusual, compile_flags, compile_plan
from target_engagevoice.mapping.config import Mappings
from target_engagevoice.mapping.field_path import FieldPath
from target_engagevoice.mapping.record_mapping import RecordMapping
from target_engagevoice.model.lead import LEAD_FIELDS, FieldType, Lead, Outcome, Rejection
from target_engagevoice.model.phone import PhonePolicy
from tests.support.source_records import CSV, HUBSPOT, POSTGRES, SALESFORCE, records, schema_of, values

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

ODD_NAMES = (
    "it's",
    'a "name"',
    "two\nlines",
    "back\\slash",
    "'); raise SystemExit #",
    "{record}",
    "\ud800",
    "",
    "\x7f",
    "é\u3000",
)
NAMES = ("a", "b", "phone", "Id", *ODD_NAMES)
TEXTS = st.sampled_from(
    [
        *(
            "",
            " ",
            "  x",
            "!",
            "! ",
            "x ",
            "x\x1f",
            "a\nb",
            "a\\b",
            "a\\u0041",
            'a"b',
            "\x7f",
            "\x08",
            "a\x0cb",
            "\ud83d",
        ),
        *(
            "\u00a0",
            "\u3000",
            "\u3000x",
            "x\u00a0",
            "\x85",
            "\u1680",
            "\u2007",
            "\u2028",
            "\u205f",
            "\u00b0C",
            "“é”",
            "é",
        ),
        *("\U0001f600", "Zoë", "山田", ":", ':"', "|", "9" * 181, "x" * 180),
    ],
)
PHONES = st.sampled_from(
    [
        *(
            "(650) 555-0100",
            "650-555-0199",
            "6505550100",
            "+16505550100",
            "+1 650 555 0100",
            "650.555.0100",
            " 6505550100 ",
        ),
        *("(650)  555-010", "(6505) 55-0100", "650-5550-100", "+26505550100", "0505550100", "٦٥٠٥٥٥٠١٠٠", "²505550100"),
        *(
            "555-0100",
            "ask Bob",
            "+44 20 7946 0958",
            "6505550100|6505550199",
            "650-555-0100 x12",
            "a\\b",
            "(650)-555-0100",
        ),
    ],
)
USUAL = st.one_of(
    *(st.none(), st.booleans(), TEXTS, PHONES, st.decimals(), st.integers(-10, 10**10), st.text(max_size=5), values)
)
POLICIES = st.builds(
    PhonePolicy,
    st.sampled_from(["US", "CA", "DE"]),
    st.sampled_from(["national", "e164", "as_is"]),
    st.sampled_from(["valid", "possible", "off"]),
    st.sampled_from(["first", "all"]),
    st.booleans(),
)
PATHS = st.one_of(
    st.sampled_from([name for name in NAMES if name and "\\" not in name]),
    st.sampled_from(["a.b", "b.a.phone"]),
    st.builds(lambda name: {"field": name, "default": "7"}, st.sampled_from(["a", "b", "a.b"])),
    st.just({"value": "12"}),
)
SOURCES = st.one_of(PATHS, st.lists(PATHS, min_size=1, max_size=3))
LABELS = st.dictionaries(st.sampled_from(["Z", "a", "é", "x\x00", "phone"]), SOURCES, max_size=3)
FIELDS = st.fixed_dictionaries(
    {"externId": SOURCES},
    optional={
        name: LABELS if kind is FieldType.STRING_MAP else SOURCES
        for name, kind in LEAD_FIELDS.items()
        if name != "externId"
    },
)
OWN_SCHEMAS = st.sampled_from([SALESFORCE, HUBSPOT, POSTGRES, CSV, dict.fromkeys(NAMES)])
PRESETS = st.sampled_from(["auto", "salesforce", "hubspot", "none"])


def compiled(
    raw: Json,
    schema: Mapping[str, Any],
    phones: PhonePolicy | None = None,
    *,
    key: tuple[str, ...] = ("Id",),
    extended: bool = False,
) -> RecordMapping:
    return RecordMapping.compile(
        stream="s",
        schema=schema_of(schema),
        key_properties=key,
        mapping=Mappings.parse({"s": raw}).by_pattern["s"],
        phones=phones or PhonePolicy(),
        extend_unmapped=extended,
    )


@st.composite
def mappings(draw: st.DrawFn) -> RecordMapping:
    """Mappings of every preset, with and without sources of the user's."""
    preset, schema = draw(PRESETS), draw(OWN_SCHEMAS)
    fields = draw(FIELDS) if preset == "none" else draw(st.one_of(st.just({}), FIELDS))
    key = draw(st.sampled_from([("Id",), ("id",), ("a", "b"), ()]))
    try:
        return compiled(
            {"preset": preset, "fields": fields}, schema, draw(POLICIES), key=key, extended=draw(st.booleans())
        )
    except ConfigError:
        assume(condition=False)
        raise


def usual(record: Mapping[str, Any]) -> st.SearchStrategy[Json]:
    """Records much like this one."""
    return st.fixed_dictionaries(
        {}, optional={name: st.one_of(st.just(value), USUAL) for name, value in record.items()}
    )


RECORDS = st.one_of(
    usual(dict.fromkeys(NAMES, "6505550100")), *map(usual, (SALESFORCE, HUBSPOT, POSTGRES, CSV)), records(*NAMES)
)


@settings(deadline=None, max_examples=1000)
@given(mappings(), RECORDS, st.booleans())
def test_the_compiled_function_and_the_plan_come_to_the_same(
    mapping: RecordMapping, record: Json, single_phone: bool
) -> None:
    plainly_mapped = mapping.plain_lead(record, single_phone=single_phone)
    assert mapping.lead(record, single_phone=single_phone) == plainly_mapped


ONE_TEXT = compiled(
    {"preset": "none", "fields": {"externId": "Id", "leadPhone": "phone", "auxData1": "a", "auxData2": ["b", "a"]}},
    dict.fromkeys(NAMES),
)


@settings(deadline=None, max_examples=500)
@given(st.one_of(TEXTS, st.text(st.characters(exclude_categories=()))), st.sampled_from(["Id", "a", "b", "phone"]))
@example("x\x1f", "Id")
@example("\u00a0", "Id")
@example("\u2007", "a")
def test_any_text_in_any_field_becomes_what_the_plan_makes_of_it(text: str, name: str) -> None:
    record = {"Id": "1", "phone": "6505550100", "a": "x", name: text}
    plainly_mapped = ONE_TEXT.plain_lead(record, single_phone=True)
    assert ONE_TEXT.lead(record, single_phone=True) == plainly_mapped


@pytest.mark.parametrize("code", [*range(0x100), 0x1680, *range(0x2000, 0x2070), 0x3000, 0xD800, 0xFEFF])
@pytest.mark.parametrize("text", ["{}", "{}x", "x{}", "x{}y"])
def test_every_odd_character_becomes_what_the_plan_makes_of_it(code: int, text: str) -> None:
    written = text.format(chr(code))
    for record in ({"Id": written, "phone": "6505550100"}, {"Id": "1", "phone": "6505550100", "a": written}):
        assert ONE_TEXT.lead(record, single_phone=True) == ONE_TEXT.plain_lead(record, single_phone=True)


@pytest.mark.parametrize(
    ("preset", "record", "key"), [("salesforce", SALESFORCE, "Id"), ("auto", POSTGRES, "id"), ("auto", CSV, "ID")]
)
def test_a_record_as_sources_send_it_needs_no_plan(preset: str, record: Json, key: str) -> None:
    lead_of = compiled({"preset": preset}, record, key=(key,)).compiled
    assert lead_of is not None
    assert isinstance(lead_of(record), Lead)


@pytest.mark.parametrize(
    ("fields", "extended", "phones"),
    [
        ({"extendedLeadData": {"Rating": "Rating", "City": ["City", "State"]}}, False, PhonePolicy()),
        ({"personaPhoneConfig": {"Work": "Phone", "Home": "HomePhone"}}, False, PhonePolicy()),
        ({}, True, PhonePolicy()),
        ({}, False, PhonePolicy(with_e164=True)),
    ],
)
def test_maps_unread_fields_and_a_second_format_need_no_plan(
    fields: Json, phones: PhonePolicy, *, extended: bool
) -> None:
    mapping = compiled({"preset": "salesforce", "fields": fields}, SALESFORCE, phones, extended=extended)
    lead_of = mapping.compiled
    assert lead_of is not None
    assert lead_of(SALESFORCE) == mapping.plain_lead(SALESFORCE, single_phone=False)


@pytest.mark.parametrize("value", [7, Decimal("1234.50"), True, "", " ", None, "Zoë", "a\nb", " x "])
def test_a_value_that_is_no_plain_text_needs_no_plan(value: Any) -> None:
    lead_of = ONE_TEXT.compiled
    assert lead_of is not None
    assert isinstance(lead_of({"Id": 7, "phone": "6505550100", "a": value}), Lead)


@pytest.mark.parametrize(
    "record",
    [
        {"Id": "", "phone": "6505550100"},
        {"Id": "x" * 181, "phone": "6505550100"},
        {"Id": "1", "phone": "555"},
        {"Id": "1", "phone": "6505550100", "a": Decimal("1E+500")},
        {"Id": "1", "phone": "6505550100", "a": "a\x00b"},
        {"Id": "1", "phone": "6505550100", "a": "\u3000"},
    ],
)
def test_what_is_to_be_rejected_or_repaired_needs_the_plan(record: Json) -> None:
    lead_of = ONE_TEXT.compiled
    assert lead_of is not None
    with pytest.raises(Unusual):
        lead_of(record)


def test_the_plan_says_why_a_record_is_rejected() -> None:
    rejection = ONE_TEXT.lead({"Id": "1", "phone": "555"}, single_phone=True)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.extern_id) == ("impossible_phone", "1")


@pytest.mark.parametrize("name", [*ODD_NAMES, "x']: import os #", '"""', "'''", "\\", "\\'", "\r\n", "\u2028", "\x00"])
def test_a_field_name_is_never_read_as_python(name: str) -> None:
    record = {name: "6505550100"}
    mapping = compiled({"preset": "auto"}, {name: {}, "phone": {}}, key=(name,))
    lead = mapping.lead({**record, "phone": "6505550100"}, single_phone=True)
    assert isinstance(lead, Lead)
    assert lead.extern_id == "6505550100"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_a_flag_of_any_name_is_seen(name: str) -> None:
    flagged = compile_flags((), (FieldPath((name,)),))
    assert (flagged({name: True}), flagged({name: False})) == (Outcome.DO_NOT_CALL, None)


def test_a_name_that_is_a_string_of_another_kind_does_not_choose_its_own_python() -> None:
    class Name(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "1 / 0"

    flagged = compile_flags((), (FieldPath((Name("dnc"),)),))
    assert flagged({"dnc": True}) is Outcome.DO_NOT_CALL


def test_the_function_shown_is_the_one_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(compiled_plans, "_function", lambda lines, _named: written.extend(lines))
    sources = {
        "externId": "Id",
        "leadPhone": ["MobilePhone", "Phone"],
        "title": ["Title", "Salutation"],
        "city": "City",
    }
    mapping = compiled({"preset": "none", "fields": sources}, SALESFORCE)
    written.clear()
    assert mapping.plans.only is not None
    compile_plan(mapping.plans.only, mapping.plain)
    shown = (compiled_plans.__doc__ or "").split("\n\n")[2]
    assert "\n    ".join(written) == textwrap.dedent(shown)


def test_deleted_goes_before_do_not_call() -> None:
    flagged = compile_flags((FieldPath(("d",)),), (FieldPath(("c",)),))
    assert flagged({"c": "yes", "d": "2026-01-01"}) is Outcome.DELETED
