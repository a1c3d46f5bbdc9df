"""Where a value of a lead comes from: a field of the record, or a constant (contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from target_engagevoice.model.values import is_empty

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class FieldPath:
    """A field of the record, or one inside nested objects.

    Attributes:
        parts: The names of the nested fields, outermost first.
        default: The value to use when the field is empty; None for none.
    """

    parts: tuple[str, ...]
    default: Any = None

    @classmethod
    def parse(cls, text: str, default: Any = None) -> FieldPath:
        r"""Read a dotted path; `\.` is a dot that is part of a name, `\\` a backslash."""
        parts = [""]
        escaped = False
        for character in text:
            if escaped:
                parts[-1] += character if character in ".\\" else "\\" + character
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == ".":
                parts.append("")
            else:
                parts[-1] += character
        if escaped:
            parts[-1] += "\\"
        return cls(tuple(parts), default)

    def __str__(self) -> str:
        """The path as `parse` reads it."""
        return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in self.parts)

    def read(self, record: Mapping[str, Any]) -> Any:
        """The field's value, or the default where it is missing or empty."""
        value: Any = record
        for part in self.parts:
            if not isinstance(value, dict) or part not in value:
                return self.default
            value = value[part]
        return self.default if is_empty(value) else value


@dataclass(frozen=True)
class Constant:
    """The same value for every record."""

    value: Any

    def read(self, record: Mapping[str, Any]) -> Any:
        """The value, the same for any record."""
        del record
        return self.value


Source: TypeAlias = FieldPath | Constant
Sources: TypeAlias = tuple[Source, ...]
"""The sources of a lead field. The first that is not empty wins."""
