"""The plan for records with the same fields: which sources each lead field has, and how values are converted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from target_engagevoice.mapping import presets
from target_engagevoice.mapping.config import CampaignByRecord
from target_engagevoice.mapping.field_path import Constant, FieldPath
from target_engagevoice.model.lead import (
    EXTENDED,
    EXTERN_ID,
    LEAD_FIELDS,
    LEAD_PHONE,
    LEAD_PHONE_E164,
    FieldType,
    Rejection,
    Stage,
)
from target_engagevoice.model.values import Unfit, clean, code_text, integer, key_text, plain_text, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from target_engagevoice.mapping.config import StreamMapping
    from target_engagevoice.mapping.presets import PresetSource

AUX_PHONE = "auxPhone"

Record: TypeAlias = Mapping[str, Any]
Read: TypeAlias = Callable[[Record], Any]
Convert: TypeAlias = Callable[[Any], Any]
Sources: TypeAlias = "Sequence[PresetSource | Constant]"
Used: TypeAlias = "dict[str, Used | None]"
"""The fields of a record that some source reads: from a name to None, or to the fields read inside of it."""

_PLANS_MAX = 256
_OTHER_PHONES = (LEAD_PHONE_E164, AUX_PHONE)
_BY_THEMSELVES = frozenset({EXTERN_ID, LEAD_PHONE, *_OTHER_PHONES})
_CONVERT: Mapping[FieldType, tuple[Convert, Convert]] = {
    FieldType.STRING: (text, plain_text),
    FieldType.INTEGER: (integer, integer),
}
"""The conversions for a type: for a user's source, and for a preset's."""


@dataclass(frozen=True)
class Value:
    """One lead field, or one label of a map.

    Attributes:
        name: Of the field or label.
        reads: Its sources. The first that is not empty wins.
        convert: Returns the value, None when it is empty, or why it does not fit.
        guessed: Whether a preset chose the sources. Then objects and arrays count as empty.
        names: The leading sources that are fields of the record itself without a default.
    """

    name: str
    reads: tuple[Read, ...]
    convert: Convert
    guessed: bool
    names: tuple[str, ...] = ()

    @classmethod
    def compile(cls, name: str, paths: Sources, convert: Convert, *, guessed: bool) -> Value:
        """Prepare a value of these sources."""
        simple: Iterator[Any] = itertools.takewhile(is_simple, paths)
        reads = tuple(map(_read, paths))
        return cls(name, reads, convert, guessed, tuple(path.parts[0] for path in simple))

    @property
    def alone(self) -> bool:
        """Whether a field of the record itself is its only source."""
        return len(self.names) == len(self.reads) == 1

    def of(self, record: Record) -> Any:
        """The first value that is not empty; None when all are empty; a rejection when the value does not fit."""
        for read in self.reads:
            value = read(record)
            if value is None:
                continue
            if not isinstance(value, Unfit):
                value = self.convert(value)
            if value is None:
                continue
            return rejected(self.name, value) if isinstance(value, Unfit) else value
        return None

    def phones(self, record: Record) -> Iterator[str | Rejection]:
        """The texts that may be phone numbers, in order, split at `|`, the API's own separator."""
        for read in self.reads:
            value = read(record)
            if value is None or (self.guessed and isinstance(value, (dict, list))):
                continue
            written = code_text(value)
            if isinstance(written, Unfit):
                yield rejected(self.name, written)
            elif written is not None:
                yield from written.split("|")


@dataclass(frozen=True)
class Plan:
    """The compiled sources of all lead fields.

    Attributes:
        other_phones: `leadPhoneE164` and `auxPhone`.
        values: The fields that are neither key, phone nor map.
        maps: `extendedLeadData` and `personaPhoneConfig`: name to the labels.
    """

    extern_id: Value
    lead_phone: Value
    other_phones: tuple[Value, ...]
    values: tuple[Value, ...]
    maps: Mapping[str, tuple[Value, ...]]
    _used: Used

    @classmethod
    def compile(cls, mapping: StreamMapping, names: Sequence[str], key_properties: Sequence[str]) -> Plan:
        """Prepare a plan.

        Args:
            mapping: What the user says of the stream.
            names: The fields of its records, as far as they are known.
            key_properties: The stream's key.
        """
        guessed = presets.sources(mapping.preset, names, key_properties)
        read = sources(mapping, names, key_properties)
        values = {
            name: Value.compile(name, read.get(name, ()), _converter(name, guess), guessed=guess)
            for name, kind in LEAD_FIELDS.items()
            if kind is not FieldType.STRING_MAP
            for guess in (name in guessed and name not in mapping.fields,)
        }
        return cls(
            extern_id=values[EXTERN_ID],
            lead_phone=values[LEAD_PHONE],
            other_phones=tuple(values[name] for name in _OTHER_PHONES if name in read),
            values=tuple(values[name] for name in values if name in read and name not in _BY_THEMSELVES),
            maps={
                name: tuple(Value.compile(label, paths, text, guessed=False) for label, paths in labels.items())
                for name, labels in mapping.maps.items()
            },
            _used=_used(mapping, read, names),
        )

    def rest(self, record: Record) -> dict[str, str] | Rejection:
        """The fields that no source reads, as text under their names; of an object read in part, its other fields."""
        rest: dict[str, str] = {}
        unread = _unread(record, self._used)
        for name in sorted(unread):  # two names may become the same label: the result must not depend on their order
            label = clean(name)
            written = text(unread[name])
            if isinstance(written, Unfit):
                return rejected(EXTENDED, written)
            if written is not None and label.strip():
                rest.setdefault(label, written)
        return rest


@dataclass(frozen=True)
class StreamPlans:
    """The plans for the records of one stream. Safe to use from one thread at a time.

    Attributes:
        only: The plan for every record; None where preset `auto` uses the fields of each record, because the schema
            names none.
    """

    only: Plan | None
    _mapping: StreamMapping
    _key_properties: tuple[str, ...]
    _by_names: dict[tuple[str, ...], Plan] = field(default_factory=dict)

    @classmethod
    def compile(cls, mapping: StreamMapping, names: Sequence[str], key_properties: Sequence[str]) -> StreamPlans:
        """Prepare the plans; the arguments are those of `Plan.compile`."""
        by_record = mapping.preset == "auto" and not names
        only = None if by_record else Plan.compile(mapping, names, key_properties)
        return cls(only, mapping, tuple(key_properties))

    def of(self, record: Record) -> Plan:
        """The plan for a record; made when the first record with its fields comes."""
        if self.only is not None:
            return self.only
        names = tuple(record)
        plan = self._by_names.get(names)
        if plan is None:
            if len(self._by_names) >= _PLANS_MAX:
                self._by_names.clear()
            plan = self._by_names[names] = Plan.compile(self._mapping, sorted(names), self._key_properties)
        return plan


def sources(mapping: StreamMapping, names: Iterable[str], key_properties: Sequence[str]) -> dict[str, Sources]:
    """The sources of each lead field that is not a map: the user's, else the preset's."""
    return {**presets.sources(mapping.preset, names, key_properties), **mapping.fields}


def converter(name: str) -> Convert:
    """The conversion of a user's source for a lead field."""
    return _converter(name, guessed=False)


def rejected(name: str, unfit: Unfit) -> Rejection:
    """The rejection of a record whose value does not fit its lead field."""
    return Rejection(Stage.MAP, unfit.reason, f"{name}: {unfit.message}")


def _converter(name: str, guessed: bool) -> Convert:
    return key_text if name == EXTERN_ID else _CONVERT[LEAD_FIELDS[name]][guessed]


def is_simple(path: PresetSource | Constant) -> TypeGuard[FieldPath]:
    """Whether a source is a field of the record itself without a default."""
    return isinstance(path, FieldPath) and len(path.parts) == 1 and path.default is None


def _read(path: PresetSource | Constant) -> Read:
    """How a source is read. The conversion drops empty values, so that for a field of the record `get` is enough."""
    if is_simple(path):
        name = path.parts[0]
        return lambda record: record.get(name)
    return path.read


def _used(mapping: StreamMapping, read: Mapping[str, Sources], names: Sequence[str]) -> Used:
    """All fields that are read of a record, those of its flags and of its campaign included."""
    forbidding = mapping.do_not_call
    paths: list[PresetSource | Constant] = [path for group in read.values() for path in group]
    paths += [path for labels in mapping.maps.values() for group in labels.values() for path in group]
    paths += presets.do_not_call(mapping.preset, names) if forbidding is None else forbidding
    paths += presets.deleted(names)
    if isinstance(mapping.campaign, CampaignByRecord):
        paths.append(mapping.campaign.source)
    used: Used = {}
    for path in paths:
        if isinstance(path, FieldPath):
            _mark(used, path.parts)
        elif not isinstance(path, Constant):
            used.update(dict.fromkeys(path.parts))
    return used


def _mark(used: Used, parts: tuple[str, ...]) -> None:
    for part in parts[:-1]:
        inner = used.setdefault(part, {})
        if inner is None:
            return
        used = inner
    used[parts[-1]] = None


def _unread(record: Record, used: Used) -> dict[str, Any]:
    unread = {}
    for name, value in record.items():
        inner = used.get(name, {})
        if inner is None:
            continue
        unread[name] = _unread(value, inner) if inner and isinstance(value, dict) else value
    return unread
