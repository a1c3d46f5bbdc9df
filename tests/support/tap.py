"""A tap for tests: always the same records in the same order, from any bookmark on, inclusive."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROPERTIES: Mapping[str, Any] = {
    "id": {"type": "string"},
    "camp": {"type": "string"},
    "first_name": {"type": "string"},
    "phone": {"type": ["string", "null"]},
    "do_not_call": {"type": "boolean"},
    "is_deleted": {"type": "boolean"},
}


@dataclass(frozen=True)
class Row:
    """One record of the source.

    Attributes:
        extern_id: Identifies the lead in its campaign.
        version: Its content, as the lead's first name.
        fate: `good`, `poison` (the server refuses it), `do_not_call`, `deleted` or `no_phone`.
    """

    stream: str
    extern_id: str
    campaign_id: str
    version: int
    phone: str
    fate: str = "good"

    def record(self) -> dict[str, Any]:
        """As the tap sends it."""
        return {
            "id": self.extern_id,
            "camp": self.campaign_id,
            "first_name": f"v{self.version}",
            "phone": None if self.fate == "no_phone" else self.phone,
            "do_not_call": self.fate == "do_not_call",
            "is_deleted": self.fate == "deleted",
        }


@dataclass(frozen=True)
class Tap:
    """A source.

    Attributes:
        rows: In the order they are sent.
        state_after: Places after which a STATE message is sent.
        schema_changes: Places before which each stream's schema gains a field.
    """

    rows: Sequence[Row]
    state_after: frozenset[int]
    schema_changes: frozenset[int] = frozenset()

    def lines(self, state: Mapping[str, int] | None) -> Iterator[bytes]:
        """Everything from the bookmark on. The bookmark's row repeats, as with incremental taps."""
        start = 0 if state is None else state["place"]
        changes = sum(1 for place in self.schema_changes if place <= start)
        for stream in sorted({row.stream for row in self.rows}):
            yield self._schema(stream, changes)
        for place in range(start, len(self.rows)):
            row = self.rows[place]
            if place in self.schema_changes and place > start:
                changes += 1
                yield self._schema(row.stream, changes)
            yield _line({"type": "RECORD", "stream": row.stream, "record": row.record()})
            if place in self.state_after:
                yield _line({"type": "STATE", "value": {"place": place}})

    def _schema(self, stream: str, changes: int) -> bytes:
        added = {f"extra_{number}": {"type": "string"} for number in range(changes)}
        schema = {"type": "object", "properties": {**PROPERTIES, **added}}
        return _line({"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": ["id"]})


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
