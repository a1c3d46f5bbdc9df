"""The fast validator never lets a record through that the plain one rejects, and takes what taps send."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, example, given, reject, settings
from hypothesis import strategies as st

from target_engagevoice.errors import InputError
from target_engagevoice.mapping.fast_schema import NOTES, PLAIN_ONLY, FastSchema, _SchemaCopy
from target_engagevoice.mapping.record_schema import RecordSchema
from tests.support.source_records import values

if TYPE_CHECKING:
    from target_engagevoice.model.lead import Rejection

SAMPLES = sorted((Path(__file__).resolve().parents[3] / "samples").glob("*.singer"))

Json = dict[str, Any]


def field(schema: Any) -> Json:
    """The schema of a record with one field `a`."""
    return {"type": "object", "properties": {"a": schema}}


def fast_schema(schema: Json) -> FastSchema:
    fast = FastSchema.compile(schema)
    assert fast is not None
    return fast


def fits(schema: Any, value: Any) -> bool:
    """Whether the fast validator takes a field's value."""
    return fast_schema(field(schema)).fits({"a": value})


def verdicts(schema: Json, record: Any) -> tuple[Rejection | None, Rejection | None]:
    """What the check says of a record, and what the plain validator alone says."""
    checked = RecordSchema("s", schema)
    return checked.check(record), checked.check_plainly(record)


# Which schemas it takes


def test_every_keyword_of_draft_7_is_in_one_table() -> None:
    draft = jsonschema.Draft7Validator
    copied = _SchemaCopy()._copies.keys()
    assert {*copied, *NOTES, *PLAIN_ONLY} == {*draft.META_SCHEMA["properties"], *draft.VALIDATORS}
    assert len({*copied, *NOTES, *PLAIN_ONLY}) == len(copied) + len(NOTES) + len(PLAIN_ONLY)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_the_records_of_our_samples_take_the_fast_path(sample: Path) -> None:
    messages = [json.loads(line, parse_float=Decimal) for line in sample.read_text().splitlines()]
    fast = {each["stream"]: fast_schema(each["schema"]) for each in messages if each["type"] == "SCHEMA"}
    assert all(schema.complete for schema in fast.values())
    assert all(fast[each["stream"]].fits(each["record"]) for each in messages if each["type"] == "RECORD")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1}, 2**63 - 1),
        ({"type": ["null", "number"], "multipleOf": Decimal("0.01"), "maximum": Decimal("99.99")}, Decimal("12.34")),
        ({"type": ["null", "number"], "multipleOf": Decimal("1E-38"), "exclusiveMaximum": 10**38}, None),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, "2026-01-01T00:00:00Z"),
        ({"type": ["string", "null"], "maxLength": 255, "x-sql-datatype": "VARCHAR(255)"}, "Zoë"),
        ({"type": "array", "items": {"type": ["null", "string"]}}, ["x", None]),
        ({"type": ["null", "object"], "properties": {"b": {}}, "additionalProperties": False}, {"b": 1}),
        ({"type": ["null", "string"], "enum": ["one", "two", None]}, "two"),
        ({"type": ["null", "number"], "title": "T", "description": "D", "default": 0, "inclusion": "available"}, 5.5),
        ({}, Decimal("1E+999999")),
        (True, "x"),
    ],
)
def test_a_field_as_taps_describe_it_takes_the_fast_path(schema: Any, value: Any) -> None:
    assert fast_schema(field(schema)).complete
    assert fits(schema, value)


@pytest.mark.parametrize("rule", [{"pattern": "^x"}, {"oneOf": [{}]}, {"not": {"type": "null"}}, {"$ref": "#"}])
def test_a_field_with_another_rule_is_not_copied_and_the_others_are(rule: Json) -> None:
    fast = fast_schema({"properties": {"a": rule, "b": {"type": "string"}}})
    assert (fast.unchecked, fast.complete) == (("a",), False)
    assert fast.fits({"a": 1, "b": "x"})
    assert not fast.fits({"a": 1, "b": 7})


@pytest.mark.parametrize(
    "rule",
    [
        {"oneOf": [{}]},
        {"patternProperties": {}},
        {"$ref": "#/definitions/a"},
        {"properties": []},
        {"minProperties": -1},
    ],
)
def test_a_rule_of_the_whole_record_leaves_all_to_the_plain_validator(rule: Json) -> None:
    assert FastSchema.compile(rule) is None


def test_a_schema_nested_without_end_is_for_the_plain_validator() -> None:
    deep: Json = {}
    for _ in range(2000):
        deep = {"items": deep}
    assert FastSchema.compile(deep) is None


# Where the two are known to part


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"maximum": 5}, float("inf")),
        ({"type": "number", "maximum": 5}, float("inf")),
        ({"type": "number", "maximum": Decimal("0.1")}, 0.1),
        ({"type": "number", "maximum": Decimal("0.1")}, Decimal("0.1000000000000000000000000000000000000001")),
        ({"type": "number", "minimum": 2**63 - 1}, Decimal("9223372036854775806.99999999999999999999")),
        ({"type": "number", "minimum": 10**30 + 1}, 10**30),
        ({"type": "number", "multipleOf": 16}, Decimal("-69081816111770054109535.9999999999999999999999")),
        ({"type": ["null", "string"]}, float("nan")),
        ({"type": ["array", "string"]}, (1,)),
        ({"type": "array", "items": {"type": "array"}}, [(1,)]),
        ({"type": "string", "maxLength": 1}, "\ud800\ud800"),
        ({"type": "string"}, dt.date(2026, 12, 25)),
        ({"type": "integer"}, True),
        ({"type": "integer"}, Decimal("5.00000000000000000000000000000000000000001")),
        ({"enum": ["1"]}, 1),
        ({"enum": [None]}, 0),
        ({"maxLength": 2}, "e\u0301e"),
    ],
)
def test_what_the_plain_validator_rejects_or_might_does_not_take_the_fast_path(schema: Json, value: Any) -> None:
    assert not fits(schema, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "number"}, float("nan")),
        ({"type": "string"}, "\ud800"),
        ({"type": "number", "minimum": 0}, 0.5),
        ({"type": "array"}, [[]] * 3),
        ({"type": ["boolean", "number"], "minimum": 5}, True),
        ({"type": "integer"}, Decimal("5.0")),
        ({"type": "integer"}, Decimal("1E+999999")),
    ],
)
def test_what_the_plain_validator_takes_is_taken_on_either_path(schema: Json, value: Any) -> None:
    assert verdicts(field(schema), {"a": value}) == (None, None)


def test_a_schema_with_definitions_needs_the_plain_validator() -> None:
    schema = {"definitions": {"id": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/id"}}}
    assert FastSchema.compile(schema) is None
    assert verdicts(schema, {"a": 7})[0] is not None


def test_an_unchecked_field_that_does_not_fit_is_rejected_by_its_rule() -> None:
    rejection, _ = verdicts(field({"type": "string", "pattern": "^x"}), {"a": "y"})
    assert rejection is not None
    assert rejection.message == "a does not fit its schema: pattern ^x."


# For every schema and record there is

_bounds = st.one_of(
    st.integers(-10, 10),
    st.integers(),
    st.sampled_from([2**63 - 1, -(2**63), 2**64, Decimal("0.1"), 0.1, Decimal("9" * 30)]),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
)
_counts = st.integers(0, 3)
_words = st.sampled_from(["a", "b", "x", "", "1", "é"])
_scalars = st.sampled_from([None, True, False, 0, 1, 5, Decimal("5.0"), 5.0, "a", "x", "", "1"])
_types = st.sampled_from(["null", "boolean", "string", "integer", "number", "object", "array"])


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    bounds = dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _bounds)
    counts = dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _counts
    )
    several = st.lists(inner, min_size=1, max_size=3)
    safe: dict[str, st.SearchStrategy[Any]] = {
        "type": st.one_of(_types, st.lists(_types, min_size=1, max_size=3, unique=True)),
        **counts,
        "enum": st.lists(st.one_of(st.none(), _words), min_size=1, max_size=3, unique=True),
        "items": inner,
        "properties": st.dictionaries(_words, inner, max_size=3),
        "additionalProperties": inner,
        "required": st.lists(_words, max_size=2, unique=True),
        "anyOf": several,
        "allOf": several,
        "format": st.just("date-time"),
        "title": st.just("T"),
        "inclusion": st.just("automatic"),
    }
    other: dict[str, st.SearchStrategy[Any]] = {
        **bounds,
        "multipleOf": st.sampled_from([1, 3, Decimal("0.01"), 0.1, Decimal("1E-38")]),
        "enum": st.lists(_scalars, min_size=1, max_size=3),
        "const": _scalars,
        "pattern": st.sampled_from(["^a", "x$", r"^\d+$"]),
        "oneOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "uniqueItems": st.booleans(),
        "contains": inner,
        "patternProperties": st.dictionaries(st.just("^a"), inner, max_size=1),
        "dependencies": st.dictionaries(_words, st.lists(_words, max_size=1), max_size=1),
        "$ref": st.sampled_from(["#", "#/properties/a", "#/missing"]),
        "default": _scalars,
    }
    few = st.fixed_dictionaries({}, optional=safe)
    odd = st.fixed_dictionaries({}, optional={word: strategy for word, strategy in other.items() if word != "enum"})
    return st.one_of(
        few,
        st.builds(lambda own, more: own | dict(list(more.items())[:2]), few, odd),
        st.fixed_dictionaries({"type": st.lists(_types, min_size=1, max_size=4, unique=True)}, optional=bounds),
        st.fixed_dictionaries({"type": _types, "enum": other["enum"]}),
    )


field_schemas = st.recursive(
    st.one_of(st.booleans(), st.fixed_dictionaries({"type": _types}), st.just({})), _schemas, max_leaves=5
)
schemas = st.fixed_dictionaries(
    {"properties": st.dictionaries(_words, field_schemas, max_size=4)},
    optional={
        "type": st.sampled_from(["object", ["object", "null"]]),
        "required": st.lists(_words, max_size=1),
        "additionalProperties": st.one_of(st.booleans(), field_schemas),
        "minProperties": _counts,
    },
)
_near_numbers = st.one_of(
    _bounds, st.floats(), st.decimals(), st.sampled_from([Decimal("5.0"), Decimal("5.5"), Decimal("NaN"), 10**400])
).filter(lambda number: not (isinstance(number, Decimal) and not number.is_finite()))
"""No decimal NaN: no line of standard input is one, and the plain validator cannot compare it."""
_near = st.recursive(
    st.one_of(_scalars, _words, _near_numbers),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=2).map(tuple), st.dictionaries(_words, inner, max_size=3)
    ),
    max_leaves=5,
)
_any_record = st.dictionaries(_words, _near, max_size=4)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(schemas, _any_record)
@example({"properties": {"a": {"minimum": 1}}}, {"a": float("nan")})
def test_the_fast_and_the_plain_check_say_the_same(schema: Json, record: Json) -> None:
    try:
        checked, plainly = verdicts(schema, record)
    except InputError:  # no JSON schema, or a reference that leads nowhere
        reject()
    assert checked == plainly


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_words, st.one_of(st.just({"type": "integer"}), field_schemas), max_size=3), st.data())
def test_what_the_fast_check_takes_the_plain_check_takes(properties: Json, data: st.DataObject) -> None:
    fast = FastSchema.compile({"properties": properties})
    assume(fast is not None and fast.complete)
    assert fast is not None
    record = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(properties, _near)))
    assert not fast.fits(record) or RecordSchema("s", {"properties": properties}).check_plainly(record) is None


_whatever: st.SearchStrategy[Any] = st.one_of(
    values, st.lists(st.sampled_from(["a", "string", 1, None, {}])), field_schemas
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(jsonschema.Draft7Validator.META_SCHEMA["properties"])), _whatever))
def test_a_schema_that_is_whole_is_a_json_schema(schema: Json) -> None:
    for each in (schema, field(schema)):
        fast = FastSchema.compile(each)
        if fast is not None and fast.complete:
            jsonschema.Draft7Validator.check_schema(each)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(_words, values, max_size=3))
def test_no_record_makes_it_raise(record: Json) -> None:
    schema = {
        "properties": {"a": {"type": "array", "items": {"type": "string"}}, "b": {"type": "number", "minimum": 1}}
    }
    assert fast_schema(schema).fits(record) in {True, False}
