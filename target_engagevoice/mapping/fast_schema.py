"""Copies the part of a stream's schema that a compiled validator checks with the same result as the plain one.

The plain validator, `jsonschema`, is the reference: it decides which records are rejected and why. The compiled one,
`jsonschema-rs`, only finds records that certainly fit, so that the plain one need not check them: 1.3 µs a record
instead of 150 µs (`taskset -c 1 python benchmarks/steps.py`, validate; November 2026). It gets only rules for which a
record that fits the compiled validator also fits the plain one. The two differ in these:

- Numbers: bounds beyond 64 bits and multiples are not exact in the compiled one, NaN and infinity have no type, and a
  float in a rule is not the decimal in a record. This module checks such rules of a field itself, exactly.
- Regular expressions are Rust's, not Python's. Equality of numbers and of containers differs in rare cases.
- A rule that inverts a result (`not`, `oneOf`, `if`) would invert any other difference as well.
- A tuple, which only a stream map can make, is an array to the compiled validator.
- `$ref` follows a record to any depth. The compiled validator would use up the stack and end the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any, TypeAlias

import jsonschema_rs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NumberRules: TypeAlias = "tuple[tuple[Callable[[Any, Any], bool], Any], ...]"
"""The rules of one field: a comparison of a number with a bound, and the bound."""

LONGEST_QUOTIENT = 1000
"""Most digits of a number divided by its `multipleOf`. A longer quotient counts as whole."""

_COUNT_MAX = 2**53
_TYPES = frozenset({"null", "boolean", "string", "integer", "number", "object", "array"})


@dataclass(frozen=True)
class FastSchema:
    """Finds records that certainly fit their schema.

    Attributes:
        unchecked: Fields with rules that only the plain validator may check. The copy accepts any value there.
        complete: Whether the copy holds all rules of the schema; then the schema is a valid JSON schema.
    """

    unchecked: tuple[str, ...]
    complete: bool
    _is_valid: Callable[[Any], bool]
    _numbers: tuple[tuple[str, NumberRules], ...]
    _arrays: bool

    @classmethod
    def compile(cls, schema: Mapping[str, Any]) -> FastSchema | None:
        """Copy the part of a schema; None when only the plain validator may check the schema."""
        copying = _SchemaCopy()
        try:
            copy = copying.record(schema)
            validator = jsonschema_rs.Draft7Validator(copy, validate_formats=False, offline=True)
        except (_PlainOnly, RecursionError, ValueError):  # ValueError: a name with half a surrogate pair
            return None
        return cls(
            tuple(copying.unchecked), not copying.unchecked, validator.is_valid, tuple(copying.numbers), copying.arrays
        )

    @property
    def fit_test(self) -> Callable[[Mapping[str, Any]], bool]:
        """As `fits`, in as few steps as the schema allows.

        Raises when called: `ValueError` or `RecursionError` for a record that the compiled validator cannot read.
        """
        return self.fits if self._numbers or self._arrays else self._is_valid

    def fits(self, record: Mapping[str, Any]) -> bool:
        """Whether a record certainly fits, apart from the fields in `unchecked`. False proves nothing."""
        try:
            return (
                self._is_valid(record)
                and not (self._numbers and self._has_misfit(record))
                and not (self._arrays and _holds_tuple(record))
            )
        except (RecursionError, ValueError):  # ValueError: not JSON, or not UTF-8
            return False

    def _has_misfit(self, record: Mapping[str, Any]) -> bool:
        """Whether a number does not fit its field's rules, or may not: NaN or a float."""
        for name, rules in self._numbers:
            value = record.get(name)
            if value is None or type(value) is str:
                continue
            if type(value) is not int and not (type(value) is Decimal and value.is_finite()):
                return True
            if not all(fits(value, bound) for fits, bound in rules):
                return True
        return False


def is_multiple(number: Decimal, factor: Decimal) -> bool:
    """`multipleOf`, exactly. Database taps write 1E-38 for any decimal, which floats cannot divide by."""
    with localcontext() as context:
        context.prec = LONGEST_QUOTIENT
        try:
            return not number % factor
        except InvalidOperation:
            return True


class _PlainOnly(Exception):  # noqa: N818 - not an error: this module always catches it
    """Only the plain validator may check a rule."""


class _SchemaCopy:
    """Copies one schema. It accepts only the exact form of each rule, so that the copy is a valid JSON schema."""

    def __init__(self) -> None:
        self.unchecked: list[str] = []
        self.numbers: list[tuple[str, NumberRules]] = []
        self.arrays = False
        self._copies: Mapping[str, Callable[[Any], Any]] = {
            "type": self._type,
            "properties": self._properties,
            "additionalProperties": self._schema,
            "items": self._schema,
            "anyOf": self._schemas,
            "allOf": self._schemas,
            "required": _names,
            "enum": _strings,
            **dict.fromkeys(
                ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _count
            ),
        }

    def record(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The copy of a record's schema. A field that cannot be copied goes to `unchecked`."""
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise _PlainOnly
        copy = self._rules({name: value for name, value in schema.items() if name != "properties"})
        copy["properties"] = {name: self._field(name, field) for name, field in properties.items()}
        return copy

    def _field(self, name: str, schema: Any) -> Any:
        numbers = {}
        if isinstance(schema, dict) and "$ref" not in schema:
            numbers = {keyword: schema[keyword] for keyword in _NUMBERS.keys() & schema.keys()}
            schema = {keyword: value for keyword, value in schema.items() if keyword not in numbers}
        try:
            copy = self._schema(schema)
            rules = tuple((_NUMBERS[keyword], _number(keyword, bound)) for keyword, bound in numbers.items())
        except _PlainOnly:
            self.unchecked.append(name)
            return True
        if rules:
            self.numbers.append((name, rules))
        return copy

    def _schema(self, schema: Any) -> Any:
        return schema if isinstance(schema, bool) else self._rules(schema)

    def _rules(self, schema: Any) -> dict[str, Any]:
        if not isinstance(schema, dict):
            raise _PlainOnly
        copy = {}
        for keyword, value in schema.items():
            if keyword in self._copies:
                copy[keyword] = self._copies[keyword](value)
            elif keyword in PLAIN_ONLY or not isinstance(value, NOTES.get(keyword, object)):
                raise _PlainOnly
        return copy

    def _schemas(self, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise _PlainOnly
        return [self._schema(schema) for schema in value]

    def _properties(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _PlainOnly
        return {name: self._schema(schema) for name, schema in value.items()}

    def _type(self, value: Any) -> list[str]:
        names = _names([value] if isinstance(value, str) else value)
        if not names or not _TYPES.issuperset(names):
            raise _PlainOnly
        self.arrays = self.arrays or "array" in names
        return names


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or len(set(value)) < len(value):
        raise _PlainOnly
    return value


def _strings(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(item is None or isinstance(item, str) for item in value):
        raise _PlainOnly
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _COUNT_MAX:
        raise _PlainOnly
    return value


def _number(keyword: str, bound: Any) -> Any:
    if type(bound) not in (int, float, Decimal) or not Decimal(bound).is_finite():
        raise _PlainOnly
    if keyword != "multipleOf":
        return bound
    if bound <= 0:
        raise _PlainOnly
    return Decimal(str(bound))


def _is_multiple(value: int | Decimal, factor: Decimal) -> bool:
    return is_multiple(Decimal(value), factor)


_NUMBERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": ge,
    "maximum": le,
    "exclusiveMinimum": gt,
    "exclusiveMaximum": lt,
    "multipleOf": _is_multiple,
}
"""Rules for numbers that this module checks itself, and the comparison for each."""

NOTES: Mapping[str, type] = {
    **dict.fromkeys(("$schema", "$comment", "title", "description", "format"), str),
    **dict.fromkeys(("contentMediaType", "contentEncoding"), str),
    "default": object,
    "examples": list,
    "readOnly": bool,
}
"""Keywords of draft 7 that reject no record, and the type of their value. `format` is not checked."""

PLAIN_ONLY = frozenset(
    {
        *("$id", "$ref", "definitions", "not", "oneOf", "if", "then", "else", "const", "uniqueItems", "contains"),
        *("additionalItems", "pattern", "patternProperties", "propertyNames", "dependencies", *_NUMBERS),
    },
)
"""Keywords of draft 7 that only the plain validator may check."""


def _holds_tuple(value: Any) -> bool:
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return type(value) is tuple
    return any(_holds_tuple(inner) for inner in value if type(inner) in (dict, list, tuple))
