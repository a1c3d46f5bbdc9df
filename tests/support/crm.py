"""A CRM for tests, and the taps that read it. Its leads change, change back, move, vanish, or must not be called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROPERTIES: Mapping[str, Any] = {
    "id": {"type": "string"},
    "camp": {"type": "string"},
    "first_name": {"type": "string"},
    "last_name": {"type": ["string", "null"]},
    "phone": {"type": "string"},
    "do_not_call": {"type": "boolean"},
    "is_deleted": {"type": "boolean"},
    "place": {"type": "integer"},
}

Key: TypeAlias = tuple[str, str]
"""Stream and `externId`."""

Content: TypeAlias = tuple[str | None, ...]
"""What a lead holds: first name, last name, phone."""


@dataclass(frozen=True)
class Version:
    """A lead in the CRM as it is from some change on.

    Attributes:
        place: Number of the change among all changes: the bookmark of an incremental tap.
        number: Of the content; some have no last name.
        fate: `good`, `do_not_call`, `deleted`, or `gone` (the row was removed).
    """

    place: int
    stream: str
    extern_id: str
    campaign_id: str
    number: int
    phone: str
    fate: str = "good"

    @property
    def key(self) -> Key:
        """Which lead this is a version of."""
        return self.stream, self.extern_id

    @property
    def content(self) -> Content:
        """What the server should hold."""
        return f"v{self.number}", self._last_name, self.phone

    @property
    def _last_name(self) -> str | None:
        return None if self.number % 3 == 2 else f"last{self.number % 3}"

    def record(self) -> dict[str, Any]:
        """As the tap sends it."""
        return {
            "id": self.extern_id,
            "camp": self.campaign_id,
            "first_name": f"v{self.number}",
            "last_name": self._last_name,
            "phone": self.phone,
            "do_not_call": self.fate == "do_not_call",
            "is_deleted": self.fate == "deleted",
            "place": self.place,
        }


@dataclass(frozen=True)
class Reading:
    """How much of the CRM exists when a run reads it.

    Attributes:
        end: Changes before this place are made.
        snapshot: Of a lead whose changes are all before this place, only the newest version is sent; changes from
            there on happen while the tap reads, and each is sent.
    """

    end: int
    snapshot: int


@dataclass(frozen=True)
class Crm:
    """A source.

    Attributes:
        log: Every change, in order.
        whole: Whether the tap sends all rows each time, as a version of the stream that is activated behind them;
            otherwise what changed since the bookmark, inclusive.
        early: Whether such a version is also activated before its first row, as some taps do.
        state_after: Places of versions behind which a STATE is sent.
    """

    log: Sequence[Version]
    whole: bool
    early: bool
    state_after: frozenset[int]

    def newest(self, end: int) -> dict[Key, Version]:
        """What each lead is once all changes before this place are made."""
        return {version.key: version for version in self.log[:end]}

    def sent(self, bookmark: int, reading: Reading) -> list[Version]:
        """What the tap sends, in order."""
        if self.whole:
            rows = self.newest(reading.end).values()
            return sorted((row for row in rows if row.fate != "gone"), key=lambda row: row.key)
        kept = self.newest(reading.snapshot)
        log = self.log[bookmark : reading.end]
        return [row for row in log if row.place >= reading.snapshot or kept[row.key] is row]

    def lines(self, versions: Sequence[Version], run: int) -> Iterator[bytes]:
        """Messages of these versions; the value of a STATE is the place of the version before it, from 0."""
        streams = sorted({version.stream for version in self.log})
        schema = {"type": "object", "properties": PROPERTIES}
        for stream in streams:
            yield _line({"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": ["id"]})
            if self.whole and self.early:
                yield _line({"type": "ACTIVATE_VERSION", "stream": stream, "version": 1000 + run})
        numbered = list(enumerate(versions))
        for stream in streams if self.whole else ("",):
            for number, version in numbered:
                if self.whole and version.stream != stream:
                    continue
                line = {"type": "RECORD", "stream": version.stream, "record": version.record()}
                yield _line(line | ({"version": 1000 + run} if self.whole else {}))
                if version.place in self.state_after:
                    yield _line({"type": "STATE", "value": {"sent": number, "place": version.place}})
            if self.whole:
                yield _line({"type": "ACTIVATE_VERSION", "stream": stream, "version": 1000 + run})
        if versions:
            last = max(version.place for version in versions)
            yield _line({"type": "STATE", "value": {"sent": len(versions) - 1, "place": last}})


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
