"""Checking a record against its stream's schema, without ever showing a value of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema

from target_engagevoice.errors import InputError
from target_engagevoice.leads import Rejection, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping


class RecordSchema:
    """A stream's JSON schema, ready to check records. Never changes after it is made."""

    def __init__(self, stream: str, schema: Mapping[str, Any]) -> None:
        """Prepare the schema.

        Raises:
            InputError: It is not a JSON schema.
        """
        mended = mend(schema)
        try:
            jsonschema.Draft7Validator.check_schema(mended)
        except jsonschema.SchemaError as error:
            place = ".".join(map(str, error.absolute_path)) or "its top"
            msg = (
                f"the schema of stream {stream} is not a JSON schema (at {place}). "
                "Set validate_records to false to load the stream without checking."
            )
            raise InputError(msg) from None
        self._validator = jsonschema.Draft7Validator(mended)

    def check(self, record: Mapping[str, Any]) -> Rejection | None:
        """What is wrong with a record; None for nothing. The message names fields and rules, never a value."""
        error = next(self._validator.iter_errors(record), None)
        if error is None:
            return None
        place = ".".join(map(str, error.absolute_path)) or "the record"
        rule = f"{error.validator} {error.validator_value}" if error.validator in _SHOWN else str(error.validator)
        return Rejection(Stage.SCHEMA, "invalid_record", f"{place} does not fit its schema: {rule[:200]}.")


_SHOWN = frozenset({"type", "required", "format", "maxLength", "minLength", "minimum", "maximum", "pattern", "enum"})
"""Rules whose text says what to do, and stands in the schema, not in the record."""


def mend(schema: Any) -> Any:
    """A schema as the SDK's stream maps should have made it.

    Copying a field whose schema is an `anyOf` (tap-salesforce's date-times) makes the SDK append the bare word
    "null" to it, which is no schema.
    """
    if isinstance(schema, dict):
        return {
            key: [{"type": item} if isinstance(item, str) else mend(item) for item in value]
            if key in ("anyOf", "oneOf", "allOf") and isinstance(value, list)
            else mend(value)
            for key, value in schema.items()
        }
    return [mend(item) for item in schema] if isinstance(schema, list) else schema
