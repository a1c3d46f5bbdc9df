"""Which field of a record each lead field comes from, for a person: of a stream before a run, or of one lead."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_engagevoice.mapping import presets
from target_engagevoice.mapping.field_path import Constant, FieldPath
from target_engagevoice.mapping.lead_phones import usable_numbers
from target_engagevoice.mapping.plan import AUX_PHONE, Plan, sources
from target_engagevoice.mapping.stream_fields import StreamFields
from target_engagevoice.model.lead import (
    EXTENDED,
    EXTERN_ID,
    LEAD_FIELDS,
    LEAD_PHONE,
    LEAD_PHONE_E164,
    PERSONA_PHONES,
    Rejection,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_engagevoice.mapping.config import StreamMapping
    from target_engagevoice.mapping.plan import Record, Sources, Value
    from target_engagevoice.mapping.presets import PresetSource
    from target_engagevoice.model.phone import PhonePolicy

_PHONES = frozenset({LEAD_PHONE, LEAD_PHONE_E164, AUX_PHONE})


@dataclass(frozen=True)
class Origin:
    """What feeds one lead field of a stream.

    Attributes:
        lead_field: Its name; of a map, with the label behind a dot.
        sources: As they are written in a mapping, the first one first.
        chosen_by: What names them: `mapping`, `key properties`, or the preset.
        by_name: Whether the sources are names that a preset looks for, since the stream's own are not known.
    """

    lead_field: str
    sources: tuple[str, ...]
    chosen_by: str
    by_name: bool = False


@dataclass(frozen=True)
class FieldOrigin:
    """One field of one lead.

    Attributes:
        lead_field: Its name; of a map, with the label behind a dot.
        source: Where its value was found, as it is written in a mapping; empty when it is not known.
        value: As read there.
        sent: As it goes to the server.
    """

    lead_field: str
    source: str
    value: Any
    sent: Any


def source_text(source: PresetSource | Constant) -> str:
    """A source as a person reads it: a path, a constant as JSON behind `=`, a key's parts with `|` between."""
    if isinstance(source, Constant):
        return f"= {json.dumps(source.value, ensure_ascii=False, default=str)}"
    if isinstance(source, FieldPath):
        default = "" if source.default is None else f" or {json.dumps(source.default, ensure_ascii=False, default=str)}"
        return f"{source}{default}"
    return "|".join(source.parts)


def origins(
    mapping: StreamMapping, schema: Mapping[str, Any], key_properties: Sequence[str], *, extend_unmapped: bool
) -> list[Origin]:
    """What feeds each lead field of a stream, in the order of the lead's fields.

    Args:
        mapping: Of the stream.
        schema: Its schema; where it names no field, the names that the preset looks for are given instead.
        key_properties: Its key.
        extend_unmapped: Whether fields that no source reads go to `extendedLeadData`.
    """
    fields = StreamFields.read("", schema)
    by_name = mapping.preset == "auto" and not fields.names
    fed = sources(mapping, fields.names, key_properties)
    found = []
    for name in LEAD_FIELDS:
        for label, paths in mapping.maps.get(name, {}).items():
            found.append(Origin(f"{name}.{label}", tuple(map(source_text, paths)), "mapping"))
        if name in mapping.fields:
            found.append(Origin(name, tuple(map(source_text, mapping.fields[name])), "mapping"))
            continue
        keyed = mapping.preset == "auto" and name == EXTERN_ID and bool(key_properties)
        there = tuple(source_text(path) for path in fed.get(name, ()) if not fields.names or _has(fields, path))
        if by_name and not keyed and name in presets.SYNONYMS:
            there = (name, *presets.SYNONYMS[name])
        if there:
            chosen_by = "key properties" if keyed else f"preset {mapping.preset}"
            found.append(Origin(name, there, chosen_by, by_name=not fields.names and not keyed))
    if by_name:
        found.append(Origin("any field", ("one of the same name",), f"preset {mapping.preset}"))
    if extend_unmapped:
        found.append(Origin(f"{EXTENDED}.*", ("every other field",), "unmapped_fields"))
    return found


def forbidding(mapping: StreamMapping, schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of a stream that forbid the call; what the preset looks for where the stream's are not known."""
    if mapping.do_not_call is not None:
        return tuple(map(source_text, mapping.do_not_call))
    fields = StreamFields.read("", schema)
    known = presets.do_not_call(mapping.preset, fields.names)
    return tuple(source_text(path) for path in known if not fields.names or _has(fields, path))


def _has(fields: StreamFields, source: PresetSource | Constant) -> bool:
    """Whether a preset's source is in a stream, as far as its schema says."""
    if isinstance(source, FieldPath):
        return fields.has(source) and fields.missing("", source) is None
    return True


class Lineage:
    """Finds where the fields of each lead of a stream came from. For one thread at a time."""

    def __init__(
        self, mapping: StreamMapping, schema: Mapping[str, Any], key_properties: Sequence[str], phones: PhonePolicy
    ) -> None:
        self._mapping = mapping
        self._names = StreamFields.read("", schema).names
        self._key_properties = tuple(key_properties)
        self._phones = phones
        self._e164 = replace(phones, format="e164")

    def of(self, record: Record, lead: Mapping[str, Any]) -> list[FieldOrigin]:
        """Where the fields of a lead came from, in the order of the lead's fields.

        Args:
            record: What it was made of.
            lead: Lead field to value, as it is sent.
        """
        names = self._names or sorted(record)
        plan = Plan.compile(self._mapping, names, self._key_properties)
        paths = sources(self._mapping, names, self._key_properties)
        compiled = {EXTERN_ID: plan.extern_id, LEAD_PHONE: plan.lead_phone}
        compiled |= {value.name: value for value in plan.other_phones}
        compiled |= {value.name: value for value in plan.values}
        fed: list[FieldOrigin] = []
        for name in LEAD_FIELDS:
            if name not in lead:
                continue
            if isinstance(lead[name], dict):
                fed += self._labels(name, record, lead[name], plan)
                continue
            won = list(self._won(compiled[name], paths[name], record, lead[name])) if name in paths else []
            if not won and name == LEAD_PHONE_E164:  # it comes with `leadPhone`
                won = list(self._won(compiled[LEAD_PHONE], paths[LEAD_PHONE], record, lead[LEAD_PHONE]))[:1]
            fed.append(_fed(name, won, record, lead[name]))
        return fed

    def _labels(self, name: str, record: Record, sent: Mapping[str, Any], plan: Plan) -> Iterator[FieldOrigin]:
        mapped = {value.name: value for value in plan.maps.get(name, ())}
        for label in sent:
            if label in mapped:
                paths = self._mapping.maps[name][label]
                won = list(self._won(mapped[label], paths, record, sent[label], phone=name == PERSONA_PHONES))
                yield _fed(f"{name}.{label}", won, record, sent[label])
            else:  # a field that no source names, under its own name
                source = source_text(FieldPath((label,))) if label in record else ""
                yield FieldOrigin(f"{name}.{label}", source, record.get(label), sent[label])

    def _won(
        self, value: Value, paths: Sources, record: Record, sent: str, *, phone: bool = False
    ) -> Iterator[PresetSource | Constant]:
        """The sources that gave the value; several phones may have given one field."""
        is_phone = phone or value.name in _PHONES
        policy = self._e164 if value.name == LEAD_PHONE_E164 else self._phones
        wanted = set(sent.split("|")) if is_phone else {sent}
        for path, read in zip(paths, value.reads, strict=True):
            alone = replace(value, reads=(read,), names=())
            if is_phone:
                numbers = usable_numbers(alone, policy, record, only_one=False)
                given = {number.dialed for number in numbers} if isinstance(numbers, list) else set()
            else:
                written = alone.of(record)
                given = set() if written is None or isinstance(written, Rejection) else {sent}
            if given & wanted:
                yield path
                wanted -= given
            if not wanted:
                return


def _fed(lead_field: str, won: Iterable[PresetSource | Constant], record: Record, sent: Any) -> FieldOrigin:
    found = list(won)
    values = [path.read(record) for path in found]
    return FieldOrigin(lead_field, ", ".join(map(source_text, found)), values[0] if len(values) == 1 else values, sent)
