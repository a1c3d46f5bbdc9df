"""Checks records against their stream's schema. No message or log shows a value of a record."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import jsonschema
from jsonschema import validators
from referencing import Registry
from referencing.exceptions import Unresolvable

from target_engagevoice.errors import InputError
from target_engagevoice.mapping.fast_schema import FastSchema, is_multiple
from target_engagevoice.model.lead import Rejection, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class RecordSchema:
    """A stream's JSON schema, ready to check records. It does not change after its construction."""

    def __init__(self, stream: str, schema: Mapping[str, Any]) -> None:
        """Prepare the schema.

        Raises:
            InputError: The schema is not a JSON schema.
        """
        fixed = fix_schema(schema)
        self._fast = FastSchema.compile(fixed)
        try:
            if self._fast is None or not self._fast.complete:
                jsonschema.Draft7Validator.check_schema(fixed)
        except jsonschema.SchemaError as error:
            place = ".".join(map(str, error.absolute_path)) or "its top"
            msg = (
                f"the schema of stream {stream} is not a JSON schema (at {place}). "
                "Set validate_records to false to load the stream without checking."
            )
            raise InputError(msg) from None
        self._stream = stream
        # The registry is empty, so that a schema with a reference to another one on the net downloads nothing.
        self._validator = _Validator(fixed, registry=Registry())
        self._unchecked = {
            name: self._validator.evolve(schema=fixed["properties"][name])
            for name in (self._fast.unchecked if self._fast else ())
        }

    @property
    def fits(self) -> Callable[[Mapping[str, Any]], bool] | None:
        """See `FastSchema.fit_test`; None where the plain validator has to check some field of each record."""
        return None if self._fast is None or self._unchecked else self._fast.fit_test

    def check(self, record: Mapping[str, Any]) -> Rejection | None:
        """What is wrong with a record; None when it fits. The message names fields and rules, never a value.

        Raises:
            InputError: The schema refers to something that it does not contain.
        """
        if self._fast is not None and self._fast.fits(record) and not (self._unchecked and self._misfits(record)):
            return None
        return self.check_plainly(record)

    def _misfits(self, record: Mapping[str, Any]) -> bool:
        """Whether a field in `unchecked` does not fit. The plain check then says why."""
        try:
            return not all(field.is_valid(record[name]) for name, field in self._unchecked.items() if name in record)
        except (Unresolvable, RecursionError):
            return True

    def check_plainly(self, record: Mapping[str, Any]) -> Rejection | None:
        """As `check`, by `jsonschema` alone. This is the reference: it decides which records are rejected and why."""
        try:
            error = next(self._validator.iter_errors(record), None)
        except Unresolvable:
            msg = (
                f"the schema of stream {self._stream} refers ($ref) to something that is not in it. "
                "Set validate_records to false to load the stream without checking."
            )
            raise InputError(msg) from None
        except RecursionError:
            return Rejection(Stage.SCHEMA, "invalid_record", "the record is nested too deeply to be checked.")
        if error is None:
            return None
        place = ".".join(map(str, error.absolute_path)) or "the record"
        rule = f"{error.validator} {error.validator_value}" if error.validator in _SHOWN else str(error.validator)
        return Rejection(Stage.SCHEMA, "invalid_record", f"{place} does not fit its schema: {rule[:200]}.")


_SHOWN = frozenset({"type", "required", "format", "maxLength", "minLength", "minimum", "maximum", "pattern", "enum"})
"""Rules whose content shows the user what to do. It comes from the schema, not from the record."""


def fix_schema(schema: Any) -> Any:
    """Fix a schema that the SDK's stream maps made.

    For a copy of a field whose schema is an `anyOf` (tap-salesforce's date-times), the SDK appends the string "null"
    to it, which is not a schema.
    """
    if isinstance(schema, dict):
        return {
            key: [{"type": item} if isinstance(item, str) else fix_schema(item) for item in value]
            if key in ("anyOf", "oneOf", "allOf") and isinstance(value, list)
            else fix_schema(value)
            for key, value in schema.items()
        }
    return [fix_schema(item) for item in schema] if isinstance(schema, list) else schema


def _multiple_of(
    validator: Any, factor: Any, value: Any, _schema: Mapping[str, Any]
) -> Iterator[jsonschema.ValidationError]:
    if not validator.is_type(value, "number"):
        return
    number = Decimal(str(value))
    if number.is_finite() and not is_multiple(number, Decimal(str(factor))):
        yield jsonschema.ValidationError("not a multiple")


def _is_integer(_checker: Any, value: Any) -> bool:
    """Draft 7 calls 5.0 an integer as well. The library does so only for floats, and records hold decimals."""
    if isinstance(value, (Decimal, float)):
        number = Decimal(value)
        return number.is_finite() and number == number.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


_Validator = validators.extend(  # type: ignore[no-untyped-call]  # jsonschema's own gap
    jsonschema.Draft7Validator,
    validators={"multipleOf": _multiple_of},
    type_checker=jsonschema.Draft7Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
