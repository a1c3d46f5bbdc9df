"""A record is checked against its schema as the tap meant it, and no value of it is ever shown."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from target_engagevoice.errors import InputError
from target_engagevoice.mapping.record_schema import RecordSchema, fix_schema
from target_engagevoice.model.lead import Rejection, Stage

SECRET = "ann@example.com"


def parsed(text: str) -> Any:
    """As standard input is read: numbers with a point are decimals."""
    return json.loads(text, parse_float=Decimal)


def check(schema: str, record: str) -> Rejection | None:
    """A record's field `a` against its schema."""
    return RecordSchema("people", parsed(f'{{"properties": {{"a": {schema}}}}}')).check(parsed(f'{{"a": {record}}}'))


def test_a_record_that_fits_is_not_rejected() -> None:
    assert check('{"type": ["null", "string"]}', '"x"') is None


def test_a_record_that_does_not_fit_is_rejected_with_field_and_rule() -> None:
    assert check('{"type": ["null", "integer"]}', f'"{SECRET}"') == Rejection(
        Stage.SCHEMA, "invalid_record", "a does not fit its schema: type ['null', 'integer']."
    )


def test_the_message_names_a_missing_field() -> None:
    rejection = RecordSchema("people", {"required": ["Id"]}).check({})
    assert rejection is not None
    assert rejection.message == "the record does not fit its schema: required ['Id']."


def test_the_message_names_a_nested_field_by_its_path() -> None:
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "string"}}}}}}
    rejection = RecordSchema("people", schema).check({"a": [{"b": "x"}, {"b": 7}]})
    assert rejection is not None
    assert rejection.message.startswith("a.1.b ")


RULES: list[dict[str, Any]] = [
    {"type": "integer"},
    {"enum": ["one", "two"]},
    {"const": "one"},
    {"maxLength": 3},
    {"minLength": 300},
    {"pattern": "^[0-9]+$"},
    {"not": {"type": "string"}},
    {"anyOf": [{"type": "null"}, {"type": "integer"}]},
    {"oneOf": [{"type": "null"}, {"type": "integer"}]},
    {"allOf": [{"type": "null"}]},
    {"if": {"type": "string"}, "then": {"type": "null"}},
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: next(iter(rule)))
def test_no_value_is_shown_whatever_the_rule(rule: dict[str, Any]) -> None:
    rejection = RecordSchema("people", {"properties": {"a": rule}}).check({"a": SECRET})
    assert rejection is not None
    assert "ann" not in rejection.message


@given(st.text(min_size=8, max_size=20), st.sampled_from(RULES))
def test_no_text_is_shown_whatever_the_rule(text: str, rule: dict[str, Any]) -> None:
    assume(text not in str(rule))
    rejection = RecordSchema("people", {"properties": {"a": rule}}).check({"a": text})
    assert rejection is None or text not in rejection.message


def test_a_long_rule_is_cut() -> None:
    rejection = check(json.dumps({"enum": ["x" * 100] * 1000}), '"y"')
    assert rejection is not None
    assert len(rejection.message) < 300


# Numbers, which are read as decimals


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("integer", "5", True),
        ("integer", "5.0", True),
        ("integer", "5e3", True),
        ("integer", "5.5", False),
        ("integer", "true", False),
        ("integer", '"5"', False),
        ("integer", "NaN", False),
        ("integer", "1e999999", True),
        ("number", "5", True),
        ("number", "5.5", True),
        ("number", "5e300", True),
        ("number", "true", False),
        ("boolean", "1", False),
        ("string", "5.5", False),
    ],
)
def test_a_number_fits_its_type(kind: str, value: str, fits: bool) -> None:
    assert (check(f'{{"type": "{kind}"}}', value) is None) is fits


@pytest.mark.parametrize(
    ("factor", "value", "fits"),
    [
        ("0.01", "123.45", True),
        ("0.01", "123.456", False),
        ("0.01", "7", True),
        ("1e-38", "123.45", True),
        ("1e-38", "12345678901234567890123456789012345678.5", True),
        ("0.07", "0.21", True),
        ("3", "9", True),
        ("3", "10", False),
        ("2", "NaN", True),
        ("0.01", '"text"', True),
        ("0.01", "1e999999999", True),
    ],
)
def test_a_number_fits_its_factor_exactly(factor: str, value: str, fits: bool) -> None:
    assert (check(f'{{"multipleOf": {factor}}}', value) is None) is fits


@pytest.mark.parametrize("value", [Decimal("0.3"), 0.3, 3])
def test_a_factor_may_be_a_float(value: Any) -> None:
    assert RecordSchema("people", {"properties": {"a": {"multipleOf": 0.1}}}).check({"a": value}) is None


@given(st.integers(-(10**6), 10**6), st.integers(1, 999), st.integers(0, 30))
def test_every_multiple_fits(times: int, factor: int, digits: int) -> None:
    step = Decimal(factor).scaleb(-digits)
    schema = RecordSchema("people", {"properties": {"a": {"multipleOf": step}}})
    assert schema.check({"a": step * times}) is None
    assert schema.check({"a": step * times + step / 2}) is not None


@pytest.mark.parametrize(
    ("rule", "value", "fits"),
    [
        ('{"maximum": 99999999.99}', "99999999.99", True),
        ('{"maximum": 99999999.99}', "100000000", False),
        ('{"exclusiveMinimum": 0.1}', "0.1", False),
        ('{"minimum": 0.1}', "0.1", True),
    ],
)
def test_a_number_fits_its_bounds(rule: str, value: str, fits: bool) -> None:
    assert (check(rule, value) is None) is fits


def test_dates_are_not_checked_for_their_form() -> None:
    assert check('{"type": "string", "format": "date-time"}', '"yesterday"') is None


# Values that are not schemas


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ('{"type": "wurst"}', r"properties\.a\.type"),
        ('{"properties": []}', r"properties\.a\.properties"),
        ('{"required": "Id"}', r"properties\.a\.required"),
        ('{"pattern": "("}', r"properties\.a\.pattern"),
        ('"string"', r"properties\.a"),
    ],
)
def test_the_error_names_the_place_where_a_schema_is_invalid(schema: str, place: str) -> None:
    words = rf"the schema of stream people is not a JSON schema \(at {place}\)\. Set validate_records to false"
    with pytest.raises(InputError, match=words):
        check(schema, "1")


@pytest.mark.parametrize("ref", ["#/definitions/missing", "#missing", "other.json"])
def test_a_reference_that_leads_nowhere_is_an_input_error(ref: str) -> None:
    with pytest.raises(InputError, match=r"the schema of stream people refers \(\$ref\) to something"):
        check(json.dumps({"$ref": ref}), f'"{SECRET}"')


def test_a_reference_inside_the_schema_is_followed() -> None:
    schema = {"definitions": {"id": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/id"}}}
    assert RecordSchema("people", schema).check({"a": "x"}) is None
    assert RecordSchema("people", schema).check({"a": 7}) is not None


def test_a_record_nested_without_end_is_rejected() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"a": deep}
    rejection = RecordSchema("people", {"properties": {"a": {"$ref": "#"}}}).check(deep)
    assert rejection is not None
    assert rejection.reason == "invalid_record"


def test_an_empty_schema_takes_everything() -> None:
    assert RecordSchema("people", {}).check({"a": object()}) is None


# What stream maps break


def test_null_as_the_sdk_appends_it_is_fixed() -> None:
    schema = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}, "null"]}
    assert fix_schema(schema)["anyOf"][-1] == {"type": "null"}


@pytest.mark.parametrize("value", ["null", '"2026-01-01"'])
@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
def test_a_fixed_schema_takes_what_it_should(word: str, value: str) -> None:
    assert check(json.dumps({word: [{"type": "string"}, "null"]}), value) is None


@pytest.mark.parametrize("word", ["anyOf", "oneOf", "allOf"])
def test_a_schema_is_fixed_wherever_it_is_broken(word: str) -> None:
    broken = {"properties": {"a": {"items": [{word: ["null"]}]}}}
    assert fix_schema(broken) == {"properties": {"a": {"items": [{word: [{"type": "null"}]}]}}}


schemas = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "null"])}),
    lambda inner: (
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2)})
        | st.fixed_dictionaries({"items": inner, "enum": st.lists(st.text(), max_size=2)})
    ),
    max_leaves=6,
)


@given(schemas)
def test_a_valid_schema_is_unchanged(schema: dict[str, Any]) -> None:
    assert fix_schema(schema) == schema
