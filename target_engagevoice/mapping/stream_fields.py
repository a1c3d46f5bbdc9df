"""The fields that a stream's schema names, and messages about sources that the stream does not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import CampaignByRecord
from target_engagevoice.mapping.field_path import FieldPath
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_engagevoice.mapping.config import StreamMapping

_COMBINED = ("anyOf", "oneOf", "allOf")


@dataclass(frozen=True)
class StreamFields:
    """The fields of a stream.

    Attributes:
        stream: Its name.
        names: The fields its schema names, in the schema's order; empty when it names none.
        open: Whether the schema allows other fields, or names none.
        inner: For a field that is an object, the names inside; only where the schema names all of them.
    """

    stream: str
    names: tuple[str, ...]
    open: bool
    inner: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, stream: str, schema: Mapping[str, Any]) -> StreamFields:
        """Read a schema message's schema. A value that is not a schema names no fields."""
        properties = _properties(schema)
        inner = {
            name: frozenset(_properties(field))
            for name, field in properties.items()
            if _properties(field) and not _is_open(field)
        }
        return cls(stream, tuple(properties), not properties or _is_open(schema), inner)

    def has(self, path: FieldPath) -> bool:
        """Whether the schema names the field, or the object it is in."""
        return path.parts[0] in self.names

    def missing(self, where: str, path: FieldPath) -> str | None:
        """The message about a source that the stream does not have; None when it has it, or may have it.

        Args:
            where: The place in the configuration that names the source.
            path: The source.
        """
        if not self.names:
            return None
        if not self.has(path):
            return (
                f"{where}: the schema of stream {self.stream!r} has no field {path.parts[0]!r}; "
                f"{did_you_mean(path.parts[0], self.names)}"
            )
        inner = self.inner.get(path.parts[0])
        if len(path.parts) > 1 and inner is not None and path.parts[1] not in inner:
            return (
                f"{where}: in stream {self.stream!r}, {path.parts[0]!r} has no field {path.parts[1]!r}; "
                f"{did_you_mean(path.parts[1], inner)}"
            )
        return None

    def check_do_not_call(self, where: str, paths: Sequence[FieldPath]) -> list[str]:
        """Check that the stream has the user's do-not-call fields.

        Args:
            where: The mapping that names them.
            paths: The fields. The stream must have at least one.

        Returns:
            A warning for each field that the stream does not have.

        Raises:
            ConfigError: It has none of them. With a typo there, the target would load people who must not be called.
        """
        missing = [message for path in paths if (message := self.missing(f"{where}.do_not_call", path))]
        if paths and not self.open and not any(self.has(path) for path in paths):
            raise ConfigError(missing[0])
        return missing

    def missing_sources(self, where: str, mapping: StreamMapping) -> list[str]:
        """A warning for each of the user's sources that the stream does not have."""
        places = {f"{where}.fields.{name}": sources for name, sources in mapping.fields.items()}
        for name, labels in mapping.maps.items():
            places |= {f"{where}.fields.{name}.{label}": sources for label, sources in labels.items()}
        if isinstance(mapping.campaign, CampaignByRecord):
            places[f"{where}.campaign.field"] = (mapping.campaign.source,)
        return [
            message
            for place, sources in places.items()
            for source in sources
            if isinstance(source, FieldPath) and (message := self.missing(place, source))
        ]

    def feed(self, sources: Iterable[object]) -> bool:
        """Whether some of the sources may have a value in this stream."""
        return any(
            not isinstance(source, FieldPath) or source.default is not None or self.open or self.has(source)
            for source in sources
        )


def inner_schema(schema: Any, name: str) -> Any:
    """The schema of a field; None where the schema does not name it."""
    return _properties(schema).get(name)


def _properties(schema: Any) -> dict[str, Any]:
    """The properties a schema names, those of its alternatives included."""
    if not isinstance(schema, dict):
        return {}
    named = schema.get("properties")
    properties = dict(named) if isinstance(named, dict) else {}
    for keyword in _COMBINED:
        alternatives = schema.get(keyword)
        for alternative in alternatives if isinstance(alternatives, list) else ():
            properties |= _properties(alternative)
    return properties


def _is_open(schema: Any) -> bool:
    """Whether a schema explicitly allows fields that it does not name."""
    return isinstance(schema, dict) and bool(schema.get("additionalProperties") or schema.get("patternProperties"))
