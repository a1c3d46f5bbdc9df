"""The part of a stream's schema that a compiled validator may judge, for the same verdict in a fraction of the time.

`jsonschema` is the reference: what a record is rejected for, it says. `jsonschema-rs` only says which records need not
be shown to it, and only by rules of which it is known that what fits for the one fits for the other. Where they part:

- numbers: bounds beyond 64 bits and multiples are not exact there, NaN and infinity have no type, a float in a rule is
  not the decimal in a record. Such rules of a field are applied here, exactly; their types are left to the validator.
- regular expressions are Rust's there, Python's here; equality of numbers and of containers is not quite the same.
- a rule that turns a verdict around (`not`, `oneOf`, `if`) would turn any other difference around with it.
- a tuple, which only a stream map can make, is an array there.
- `$ref` follows a record as deep as it goes, on a stack that ends the process when it is used up.
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
"""Of one field: whether a number fits a bound, and the bound."""

LONGEST_QUOTIENT = 1000
"""Digits of a number over its `multipleOf`; whether a longer one is whole is not asked."""

_COUNT_MAX = 2**53
_TYPES = frozenset({"null", "boolean", "string", "integer", "number", "object", "array"})


@dataclass(frozen=True)
class FastSchema:
    """What can be told of a record in a moment.

    Attributes:
        left: Fields with rules that only the plain validator may judge; the rest of the schema says nothing of them.
        whole: Whether nothing else is in the schema: then it is a JSON schema for sure.
    """

    left: tuple[str, ...]
    whole: bool
    _is_valid: Callable[[Any], bool]
    _numbers: tuple[tuple[str, NumberRules], ...]
    _arrays: bool

    @classmethod
    def cut(cls, schema: Mapping[str, Any]) -> FastSchema | None:
        """Take the part out of a schema; None when the schema as a whole is for the plain validator."""
        cutting = _Cutting()
        try:
            copy = cutting.record(schema)
            validator = jsonschema_rs.Draft7Validator(copy, validate_formats=False, offline=True)
        except (_PlainOnly, RecursionError, ValueError):  # ValueError: a name with half a surrogate pair
            return None
        return cls(tuple(cutting.left), not cutting.left, validator.is_valid, tuple(cutting.numbers), cutting.arrays)

    @property
    def fit_test(self) -> Callable[[Mapping[str, Any]], bool]:
        """What tells whether a record fits for sure, in as few steps as may be.

        Raises when called: `ValueError` or `RecursionError` for a record of which it can not be told.
        """
        return self.fits if self._numbers or self._arrays else self._is_valid

    def fits(self, record: Mapping[str, Any]) -> bool:
        """Whether a record fits for sure, but for the fields in `left`; False says nothing."""
        try:
            return (
                self._is_valid(record)
                and not (self._numbers and self._has_misfit(record))
                and not (self._arrays and _holds_tuple(record))
            )
        except (RecursionError, ValueError):  # ValueError: what is no JSON, or no UTF-8
            return False

    def _has_misfit(self, record: Mapping[str, Any]) -> bool:
        """Whether a number does not fit its field's rules, or might not: NaN, a float."""
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
    """`multipleOf`, exactly: taps of databases write 1E-38 for any decimal, which no division of floats can do."""
    with localcontext() as context:
        context.prec = LONGEST_QUOTIENT
        try:
            return not number % factor
        except InvalidOperation:
            return True


class _PlainOnly(Exception):  # noqa: N818 - no error: it never leaves this room
    """A rule that is not for the fast validator."""


class _Cutting:
    """One schema on its way: what is copied is strict in its form, so that it is a JSON schema without asking."""

    def __init__(self) -> None:
        self.left: list[str] = []
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
            "enum": _words,
            **dict.fromkeys(
                ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _count
            ),
        }

    def record(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The copy of a record's schema, its fields one by one: one that can not be copied is left."""
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise _PlainOnly
        copy = self._rules({name: value for name, value in schema.items() if name != "properties"})
        copy["properties"] = {name: self._field(name, field) for name, field in properties.items()}
        return copy

    def _field(self, name: str, schema: Any) -> Any:
        numbers = {}
        if isinstance(schema, dict) and "$ref" not in schema:
            numbers = {word: schema[word] for word in _NUMBERS.keys() & schema.keys()}
            schema = {word: value for word, value in schema.items() if word not in numbers}
        try:
            copy = self._schema(schema)
            rules = tuple((_NUMBERS[word], _number(word, bound)) for word, bound in numbers.items())
        except _PlainOnly:
            self.left.append(name)
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
        for word, value in schema.items():
            if word in self._copies:
                copy[word] = self._copies[word](value)
            elif word in PLAIN_ONLY or not isinstance(value, NOTES.get(word, object)):
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


def _words(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(word is None or isinstance(word, str) for word in value):
        raise _PlainOnly
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _COUNT_MAX:
        raise _PlainOnly
    return value


def _number(word: str, bound: Any) -> Any:
    if type(bound) not in (int, float, Decimal) or not Decimal(bound).is_finite():
        raise _PlainOnly
    if word != "multipleOf":
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
"""Rules for numbers that are applied here, and how."""

NOTES: Mapping[str, type] = {
    **dict.fromkeys(("$schema", "$comment", "title", "description", "format"), str),
    **dict.fromkeys(("contentMediaType", "contentEncoding"), str),
    "default": object,
    "examples": list,
    "readOnly": bool,
}
"""Words of draft 7 that reject no record, and what they must hold; `format` is not checked."""

PLAIN_ONLY = frozenset(
    {
        *("$id", "$ref", "definitions", "not", "oneOf", "if", "then", "else", "const", "uniqueItems", "contains"),
        *("additionalItems", "pattern", "patternProperties", "propertyNames", "dependencies", *_NUMBERS),
    },
)
"""Words of draft 7 that are for the plain validator."""


def _holds_tuple(value: Any) -> bool:
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return type(value) is tuple
    return any(_holds_tuple(inner) for inner in value if type(inner) in (dict, list, tuple))
