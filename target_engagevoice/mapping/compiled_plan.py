"""Compiles a plan into one straight-line function that makes the leads of most records.

`plain_mapping`, which applies the plan field by field, stays the reference. The function leaves every record to it that
needs a repair or a rejection, and a property test compares the two. The function is Python source, compiled as
`dataclasses` does it, because a loop over the fields costs more than reading them: mapping a record of 15 fields takes
3.1 µs here and 16 µs by the plan, of about 20 µs for the whole record (`taskset -c 1 python benchmarks/steps.py`,
map; November 2026). For four lead fields the function is

    def lead(record):
        get = record.get
        text0 = get('MobilePhone')
        if text0 is None: text0 = get('Phone')
        number0 = dialed0(text0) if type(text0) is str else None
        phone = number0 or numbers_of(record)[0].dialed
        key = get('Id')
        if not (type(key) is str and key and key.strip() == key):
            key = key_of(record)
        if not key or len(key) > 180: raise Unusual
        value0 = get('Title')
        if value0 is None: value0 = get('Salutation')
        if not (type(value0) is str and value0 > '!') and value0 is not None:
            value0 = value_of0(record)
        value1 = get('City')
        if not (type(value1) is str and value1 > '!') and value1 is not None:
            value1 = None if type(value1) is str and not value1 else converted1(value1)
        return lead_of(key, phone, encode(Row(value1, key, phone, value0)))

A text that sorts behind `!` is not empty and does not start with an ASCII blank. Control characters and other blanks
are looked for once in the body instead of in each text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from target_engagevoice.mapping.lead_phones import other_phone, usable_numbers
from target_engagevoice.mapping.plan import is_simple
from target_engagevoice.model.lead import (
    EXTENDED,
    EXTERN_ID,
    EXTERN_ID_MAX,
    LEAD_FIELDS,
    LEAD_PHONE,
    LEAD_PHONE_E164,
    PERSONA_PHONES,
    FieldType,
    Lead,
    Outcome,
    Rejection,
    digest_of,
)
from target_engagevoice.model.values import BLANK, Unfit, is_flagged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_engagevoice.mapping.plain_mapping import PlainMapping
    from target_engagevoice.mapping.plan import Plan, Record, Sources, Value
    from target_engagevoice.model.phone import Phone

_CLEANED = re.compile(rb"\\[bfu]").search
"""Finds a control character that `values.clean` removes. JSON writes tabs and line ends with other letters."""

_BLANKS = sorted(blank.encode() for blank in BLANK if not blank.isascii())
"""The blanks outside ASCII, in UTF-8."""

_BLANKS_START = sorted({blank[:1] for blank in _BLANKS})
_STARTS_BLANK = re.compile(b':"(?:' + b"|".join(_BLANKS) + b")").search
"""Finds a text that starts with such a blank, and may hold nothing but blanks."""


class Unusual(Exception):  # noqa: N818 - not an error: `mapping` always catches it
    """The record needs its plan: it is to be rejected or repaired."""


def compile_plan(plan: Plan, mapping: PlainMapping) -> Callable[[Record], Lead]:
    """Compile a plan. Where `multiple_phones` is `all`, the function is for campaigns that take several numbers.

    Args:
        plan: What the stream's records become.
        mapping: Makes leads from the plan.

    Returns:
        Takes a record and returns the lead that the plan makes of it. Raises `Unusual` or `UnicodeEncodeError` for a
        record that needs its plan.
    """
    return _FunctionWriter(mapping).function(plan)


def compile_flags(deleted: Sources, do_not_call: Sources) -> Callable[[Record], Outcome | None]:
    """Compile a check of the flags of a record.

    Args:
        deleted: The fields that mark a row as deleted. They come before the others.
        do_not_call: The fields that forbid the call.

    Returns:
        Takes a record and returns `DELETED`, `DO_NOT_CALL` or None.
    """
    named: dict[str, Any] = {"is_flagged": is_flagged}
    lines = ["def flagged(record):", "get = record.get"]
    for outcome, paths in ((Outcome.DELETED, deleted), (Outcome.DO_NOT_CALL, do_not_call)):
        named[outcome.name] = outcome
        for path in paths:
            named[f"read{len(lines)}"] = path.read
            lines += [
                f"flag = get({_literal(path.parts[0])})" if is_simple(path) else f"flag = read{len(lines)}(record)",
                f"if flag is not None and flag is not False and is_flagged(flag): return {outcome.name}",
            ]
    flagged: Callable[[Record], Outcome | None] = _function(lines, named)
    return flagged


def _literal(name: str) -> str:
    """A field's name as a Python literal, also where a subclass of `str` has its own `__repr__`."""
    return str.__repr__(name)


def _function(lines: Iterable[str], named: dict[str, Any]) -> Any:
    """Compile a function.

    Args:
        lines: The `def` and its body.
        named: The objects that the body names.
    """
    start, *body = lines
    exec("\n    ".join([start, *body, ""]), named)  # noqa: S102 - written here; field names only as `_literal`
    return named[start.split("(")[0].removeprefix("def ")]


class _FunctionWriter:
    """Writes one function: its lines, the objects they name, and the variable of each lead field."""

    def __init__(self, mapping: PlainMapping) -> None:
        self._mapping = mapping
        self._phones = mapping.phones
        self._lines = ["def lead(record):", "get = record.get"]
        self._named: dict[str, Any] = {"Unusual": Unusual, "lead_of": _lead_of}
        self._fields: dict[str, str] = {}

    def function(self, plan: Plan) -> Callable[[Record], Lead]:
        self._lead_phone(plan.lead_phone)
        for at, source in enumerate(plan.other_phones, start=1):
            self._other_phone(at, source)
        self._key(plan.extern_id)
        for at, source in enumerate(plan.values):
            self._value(at, source)
        if plan.maps or self._mapping.extend_unmapped:
            self._maps(plan)
        fields = sorted(self._fields)
        self._named["Row"] = msgspec.defstruct(
            "Row", [(name, Any, None) for name in fields], omit_defaults=True, gc=False
        )
        self._named["encode"] = msgspec.json.Encoder().encode
        row = ", ".join(self._fields[name] for name in fields)
        self._lines.append(f"return lead_of(key, phone, encode(Row({row})))")
        function: Callable[[Record], Lead] = _function(self._lines, self._named)
        return function

    def _lead_phone(self, source: Value) -> None:
        only_one = self._phones.multiple != "all"
        self._named["numbers_of"] = _fit(lambda record: usable_numbers(source, self._phones, record, only_one=only_one))
        self._fields[LEAD_PHONE] = "phone"
        if not only_one:
            self._named["joined"] = _joined
            self._fields[LEAD_PHONE_E164] = "e164"
            self._lines.append("phone, e164 = joined(numbers_of(record))")
            return
        self._named["dialed0"] = self._phones.dialed
        self._first("text0", source.names)
        self._lines.append("number0 = dialed0(text0) if type(text0) is str else None")
        if self._phones.with_e164 and self._phones.format != "e164":
            self._named |= {"e164_of": self._mapping.e164.dialed, "joined": _joined}
            self._fields[LEAD_PHONE_E164] = "e164"
            self._lines += [
                "if number0 is None: phone, e164 = joined(numbers_of(record))",
                "else: phone, e164 = number0, e164_of(text0)",
            ]
            return
        self._lines.append("phone = number0 or numbers_of(record)[0].dialed")
        if self._phones.format == "e164":
            self._fields[LEAD_PHONE_E164] = "phone"

    def _other_phone(self, at: int, source: Value) -> None:
        policy = self._mapping.policy_of(source)
        self._named[f"dialed{at}"] = policy.dialed
        self._named[f"number_of{at}"] = _fit(lambda record: other_phone(source, policy, record))
        self._first(f"text{at}", source.names)
        read = f"dialed{at}(text{at}) if type(text{at}) is str else None"
        if policy is self._phones and policy.multiple != "all":
            read = f"number0 if text{at} is text0 else {read}"
        self._lines += [f"number{at} = {read}", f"if number{at} is None{_if_any(f'text{at}', source)}:"]
        self._lines += [f"    number{at} = number_of{at}(record)"]
        if source.name in self._fields:
            self._lines += [f"if number{at} is None: number{at} = {self._fields[source.name]}"]
        self._fields[source.name] = f"number{at}"

    def _key(self, source: Value) -> None:
        self._named["key_of"] = _fit(source.of)
        self._first("key", source.names[:1])
        self._lines += [
            "if not (type(key) is str and key and key.strip() == key):",
            "    key = key_of(record)",
            f"if not key or len(key) > {EXTERN_ID_MAX}: raise Unusual",
        ]
        self._fields[EXTERN_ID] = "key"

    def _value(self, at: int, source: Value) -> None:
        variable = self._fields[source.name] = f"value{at}"
        plain = bool(source.names) and LEAD_FIELDS[source.name] is FieldType.STRING
        if plain:
            self._first(variable, source.names)
            self._lines.append(f"if not (type({variable}) is str and {variable} > '!'){_if_any(variable, source)}:")
        if plain and source.alone:
            self._named[f"converted{at}"] = _fit(source.convert)
            self._lines.append(
                f"    {variable} = None if type({variable}) is str and not {variable} else converted{at}({variable})"
            )
        else:
            self._named[f"value_of{at}"] = _fit(source.of)
            self._lines.append(f"{'    ' if plain else ''}{variable} = value_of{at}(record)")

    def _maps(self, plan: Plan) -> None:
        """The plan makes the maps. Their labels are sorted here, as `Lead.of` sorts them."""
        self._named |= {"maps_of": _fit(lambda record: self._mapping.maps(plan, record)), "by_label": _by_label}
        self._lines.append("maps = maps_of(record)")
        for at, name in enumerate((EXTENDED, PERSONA_PHONES)):
            self._lines.append(f"map{at} = by_label(maps[{name!r}]) if {name!r} in maps else None")
            self._fields[name] = f"map{at}"

    def _first(self, variable: str, names: Iterable[str]) -> None:
        """Read the first of these fields of the record that is not null."""
        first, *others = [f"{variable} = get({_literal(name)})" for name in names] or [f"{variable} = None"]
        self._lines += [first, *(f"if {variable} is None: {other}" for other in others)]


def _joined(numbers: Sequence[Phone]) -> tuple[str, str | None]:
    """`leadPhone` of these numbers, and `leadPhoneE164`."""
    return "|".join([number.dialed for number in numbers]), numbers[0].e164


def _by_label(labels: dict[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))


def _if_any(variable: str, source: Value) -> str:
    """The rest of a condition: where all sources are fields of the record and all are null, there is no value."""
    return f" and {variable} is not None" if len(source.names) == len(source.reads) else ""


def _lead_of(extern_id: str, phone: str, body: bytes) -> Lead:
    """The lead of a body whose texts are those of the record, unchanged.

    Raises:
        Unusual: A text holds a character that is to be removed, or may be blank.
    """
    if body.find(b"\\") >= 0 and _CLEANED(body):  # most bodies hold none, and `find` costs less than the pattern
        raise Unusual
    if not body.isascii() and _may_hold_blank(body):
        raise Unusual
    return Lead(extern_id, phone, body, digest_of(body))


def _may_hold_blank(body: bytes) -> bool:
    """Whether some text may consist of blanks outside ASCII. Most bodies hold none of the bytes these start with."""
    for start in _BLANKS_START:
        if body.find(start) >= 0:
            return _STARTS_BLANK(body) is not None
    return False


def _fit(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A step of the plan that raises `Unusual` instead of rejecting, so that the plan says why."""

    def fit(given: Any) -> Any:
        made = make(given)
        if isinstance(made, (Rejection, Unfit)):
            raise Unusual
        return made

    return fit
