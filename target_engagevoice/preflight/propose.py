"""Proposes a mapping for a stream from its schema, with the confidence and the reason of each guess."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.mapping import presets
from target_engagevoice.mapping.field_path import FieldPath
from target_engagevoice.mapping.stream_fields import StreamFields, inner_schema
from target_engagevoice.model.lead import EXTERN_ID, LEAD_FIELDS, LEAD_PHONE, FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PLACEHOLDER = "Dial group/Campaign"
"""Stands for the campaign until the user names one; a run refuses it, and lists the campaigns."""

_SALESFORCE_MARKS = frozenset({"Id", "IsDeleted", "SystemModstamp", "LastModifiedDate", "CreatedDate"})
_ENOUGH_MARKS = 3
_HUBSPOT_MARKS = frozenset({"hs_object_id", "hs_lead_status", "lifecyclestage", "hs_lastmodifieddate"})

_PHONE_WORDS = ("phone", "mobile", "cell", "telefon", "telephone", "handy")
_NO_PHONE_WORDS = (
    *("fax", "extension", "phoneext", "type", "country", "region", "valid", "verified", "status", "label", "format"),
    *("optin", "optout", "donot", "consent", "preferred", "phonecount", "updated", "created", "timestamp", "timezone"),
    *("carrier", "headphone", "hash", "model", "cancel", "excel", "miscell"),
)
_NO_PHONE_BEGINNINGS = ("is", "has")
"""What the folded name of a field may hold, and what not, to be treated as a phone though no preset knows it."""

_FORBIDDING_WORDS = ("donotcall", "dontcall", "donotphone", "dnc", "nocall", "calloptout", "optoutcall")
_VAGUE = frozenset({"first", "last", "middle", "mail", "address", "id", "title"})
"""Folded names that say less than the lead field they are mapped to."""


class Confidence(str, enum.Enum):
    """How sure a guess is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Guess:
    """What was guessed of one lead field, or of the fields that forbid the call.

    Attributes:
        name: The lead field, or `do_not_call`.
        sources: Fields of the stream, as a mapping writes them; the first that is not empty wins.
        why: One sentence without its full stop.
    """

    name: str
    sources: tuple[str, ...]
    confidence: Confidence
    why: str


@dataclass(frozen=True)
class Proposal:
    """A mapping for one stream.

    Attributes:
        preset: The preset; None for a stream that is not to be loaded.
        why: Why this preset, or why it is not loaded.
        guesses: The lead fields, in their order, and the fields that forbid the call.
        joined_key: The parts of a key of several fields, which the preset joins to `externId`; else empty.
    """

    stream: str
    preset: str | None
    why: str
    guesses: tuple[Guess, ...] = ()
    joined_key: tuple[str, ...] = ()

    def mapping(self, campaign: str) -> dict[str, Any]:
        """The mapping as a configuration writes it.

        Args:
            campaign: Where the stream's records go.
        """
        if self.preset is None:
            return {"skip": True}
        lists = {guess.name: list(guess.sources) for guess in self.guesses}
        mapping: dict[str, Any] = {"preset": self.preset, "campaign": campaign}
        forbidding = lists.pop(DO_NOT_CALL, None)
        mapping["fields"] = {name: names[0] if len(names) == 1 else names for name, names in lists.items()}
        if forbidding:
            mapping[DO_NOT_CALL] = forbidding
        return mapping


DO_NOT_CALL = "do_not_call"


def propose(stream: str, schema: Mapping[str, Any], key_properties: Sequence[str]) -> Proposal:
    """Propose the mapping of a stream.

    Only fields that the schema names are proposed, and none that holds an object or an array.

    Args:
        stream: Its name.
        schema: Its SCHEMA message's schema.
        key_properties: Its key.
    """
    fields = _Fields(stream, schema)
    preset, why = _preset(fields)
    keys = tuple(key for key in key_properties if fields.holds(FieldPath((key,))))
    if len(keys) < len(key_properties):
        keys = ()  # a key that the schema does not name is none
    guesses = dict(_known(preset, fields, keys))
    for name, guess in _known("auto", fields, keys):
        guesses.setdefault(name, guess)
    if LEAD_PHONE not in guesses:
        phone = _like_a_phone(fields)
        if phone is None:
            return Proposal(stream, None, "no field of it looks like a phone number")
        guesses[LEAD_PHONE] = phone
    joined = keys if len(keys) > 1 and EXTERN_ID not in guesses else ()
    if EXTERN_ID not in guesses and not joined:
        return Proposal(stream, None, "it has a phone, but no key and no field that looks like one")
    ordered = [guesses[name] for name in LEAD_FIELDS if name in guesses]
    return Proposal(stream, preset, why, (*ordered, *_forbidding(preset, fields)), joined)


class _Fields:
    """The fields of a stream that may feed a lead field."""

    def __init__(self, stream: str, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        read = StreamFields.read(stream, schema)
        self.names = read.names

    def holds(self, path: FieldPath) -> bool:
        """Whether the schema names the field, and it can be written as a source and holds no object or array."""
        schema: Any = self._schema
        for part in path.parts:
            schema = inner_schema(schema, part)
            if schema is None:
                return False
        return bool(str(path).strip()) and not _types(schema) & {"object", "array"}

    def types(self, path: FieldPath) -> frozenset[str]:
        """The JSON types of a field; empty when the schema does not say."""
        schema: Any = self._schema
        for part in path.parts:
            schema = inner_schema(schema, part)
        return _types(schema)

    def within(self, parent: str) -> Iterator[str]:
        """The names in a field that is an object."""
        inner = inner_schema(self._schema, parent)
        yield from StreamFields.read("", inner or {}).names


def _types(schema: Any) -> frozenset[str]:
    """The JSON types a schema allows besides null, those of its alternatives included."""
    if not isinstance(schema, dict):
        return frozenset()
    named = schema.get("type")
    types = {named} if isinstance(named, str) else set(named) if isinstance(named, list) else set()
    if "properties" in schema:
        types.add("object")
    for word in ("anyOf", "oneOf", "allOf"):
        alternatives = schema.get(word)
        for alternative in alternatives if isinstance(alternatives, list) else ():
            types |= _types(alternative)
    return frozenset(kind for kind in types if isinstance(kind, str)) - {"null"}


def _preset(fields: _Fields) -> tuple[str, str]:
    names = set(fields.names)
    if len(names & _SALESFORCE_MARKS) >= _ENOUGH_MARKS:
        return "salesforce", f"it has {', '.join(sorted(names & _SALESFORCE_MARKS))}"
    inside = {*fields.within("properties"), *(name.removeprefix("properties__") for name in names)}
    marks = sorted(inside & _HUBSPOT_MARKS)
    if marks:
        return "hubspot", f"it has {', '.join(marks)}"
    return "auto", "its fields are known by their names"


def _known(preset: str, fields: _Fields, keys: tuple[str, ...]) -> Iterator[tuple[str, Guess]]:
    """What a preset finds for each lead field."""
    for name, paths in presets.sources(preset, fields.names, keys).items():
        if LEAD_FIELDS[name] is FieldType.STRING_MAP:
            continue
        there = [path for path in paths if isinstance(path, FieldPath) and fields.holds(path)]
        if not there:
            continue
        confidence, why = _judge(preset, name, there[0], keys)
        confidence, why = _lower_confidence(name, fields.types(there[0]), confidence, why)
        yield name, Guess(name, tuple(dict.fromkeys(map(str, there))), confidence, why)


def _judge(preset: str, name: str, path: FieldPath, keys: tuple[str, ...]) -> tuple[Confidence, str]:
    last = presets.fold(path.parts[-1])
    if name == EXTERN_ID and path.parts == keys:
        return Confidence.HIGH, "it is the stream's key"
    if preset != "auto":
        return Confidence.HIGH, f"{preset} names it so"
    if name == EXTERN_ID:
        return Confidence.LOW, "it looks like a key, and the stream names none"
    if last == name.casefold():
        return Confidence.HIGH, "it has the lead field's own name"
    if last in _VAGUE:
        return Confidence.LOW, f"{path.parts[-1]!r} may mean something else"
    return Confidence.MEDIUM, f"{path.parts[-1]!r} is a usual name for it"


def _lower_confidence(name: str, types: frozenset[str], confidence: Confidence, why: str) -> tuple[Confidence, str]:
    """Less sure where the type of the field is not one that the lead field is usually made of."""
    if name == LEAD_PHONE and types and "string" not in types:
        return Confidence.LOW, f"{why}, but it is no text: a number loses its + and leading zeros"
    if "boolean" in types and "string" not in types:
        return Confidence.LOW, f"{why}, but it is true or false"
    return confidence, why


def _like_a_phone(fields: _Fields) -> Guess | None:
    """Fields whose names contain a word for a phone, when no preset knows one."""
    candidates = [FieldPath((name,)) for name in fields.names]
    candidates += [FieldPath((name, inner)) for name in fields.names for inner in fields.within(name)]
    found = [path for path in candidates if fields.holds(path) and _sounds_like_a_phone(path, fields.types(path))]
    if not found:
        return None
    names = tuple(dict.fromkeys(map(str, found)))
    return Guess(LEAD_PHONE, names, Confidence.LOW, "only the name sounds like a phone")


def _sounds_like_a_phone(path: FieldPath, types: frozenset[str]) -> bool:
    name = presets.fold(path.parts[-1])
    return (
        any(word in name for word in _PHONE_WORDS)
        and not any(word in name for word in _NO_PHONE_WORDS)
        and not name.startswith(_NO_PHONE_BEGINNINGS)
        and (not types or bool(types & {"string", "integer"}))
    )


def _forbidding(preset: str, fields: _Fields) -> Iterable[Guess]:
    """The fields that forbid the call, those of the preset first, one guess for all of them."""
    known = [path for path in presets.do_not_call(preset, fields.names) if fields.holds(path)]
    alike = [
        path
        for path in (FieldPath((name,)) for name in fields.names)
        if path not in known
        and fields.holds(path)
        and any(word in presets.fold(path.parts[-1]) for word in _FORBIDDING_WORDS)
    ]
    names = tuple(dict.fromkeys(map(str, (*known, *alike))))
    if not names:
        return ()
    if alike:
        return (Guess(DO_NOT_CALL, names, Confidence.LOW, f"{alike[0].parts[-1]!r} only sounds like it"),)
    return (Guess(DO_NOT_CALL, names, Confidence.HIGH, "well known for forbidding the call"),)
