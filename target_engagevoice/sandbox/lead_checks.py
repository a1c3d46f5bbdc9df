"""The checks of the server on a lead that is loaded or changed (reference, section 4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from target_engagevoice.model.lead import (
    EXTERN_ID,
    LEAD_FIELDS,
    LEAD_PHONE,
    LEAD_PHONE_E164,
    PERSONA_PHONES,
    SERVER_FIELDS,
    FieldType,
)
from target_engagevoice.sandbox import phones
from target_engagevoice.sandbox.directory import STRATEGIC, Campaign

Row = Mapping[str, Any]


@dataclass(frozen=True)
class LeadRules:
    """The rules that a lead is checked by.

    Attributes:
        campaign: The campaign of the lead.
        e164: The account is in E.164 mode.
        international: The request allows international numbers.
    """

    campaign: Campaign
    e164: bool = False
    international: bool = False


def lead_error(row: Any, rules: LeadRules) -> str | None:
    """The first error in a lead to be loaded, or None."""
    if not isinstance(row, Mapping):
        return "Lead is not an object"
    return next((error for check in _CHECKS if (error := check(row, rules)) is not None), None)


def change_error(row: Any, rules: LeadRules) -> str | None:
    """The first error in the new values of a lead, or None. Null, `""` and `{}` clear a field and are valid."""
    if not isinstance(row, Mapping):
        return "Lead is not an object"
    filled = {name: value for name, value in row.items() if value not in (None, "", {})}
    checks = (_foreign_fields, _types, _characters, _phone, *((_persona,) if PERSONA_PHONES in row else ()))
    return next((error for check in checks if (error := check(filled, rules)) is not None), None)


def cells(row: Any) -> list[str]:
    """The `rowData` of a rejected lead: its values as strings, in an order that says nothing about their fields.

    The order of the real server is not documented. A client has to find the lead by a cell, not by its position.
    """
    values = list(row.values()) if isinstance(row, Mapping) else [row]
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return sorted(texts, key=lambda cell: hashlib.sha256(cell.encode("utf-8", "surrogatepass")).digest())


def _foreign_fields(row: Row, _rules: LeadRules) -> str | None:
    own = sorted(name for name in row if name in SERVER_FIELDS or name.startswith("lastPass"))
    return f"Field cannot be written: {own[0]}" if own else None


def _types(row: Row, _rules: LeadRules) -> str | None:
    for name, value in row.items():
        kind = LEAD_FIELDS.get(name)
        # A field that the API does not know is ignored, as by the real server.
        if kind is not None and not _FITS[kind](value):
            return f"Invalid value for field: {name} must be of type {kind.value}"
    return None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_string_map(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())


_FITS: Mapping[FieldType, Callable[[Any], bool]] = {
    FieldType.STRING: lambda value: isinstance(value, str),
    FieldType.INTEGER: _is_integer,
    FieldType.STRING_MAP: _is_string_map,
}


def _characters(row: Row, _rules: LeadRules) -> str | None:
    try:
        json.dumps(dict(row), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "Invalid character"
    return None


def _empty(row: Row, _rules: LeadRules) -> str | None:
    empty = sorted(name for name, value in row.items() if isinstance(value, str) and not value.strip())
    return f"Field is empty: {empty[0]}" if empty else None


def _required(row: Row, rules: LeadRules) -> str | None:
    if EXTERN_ID not in row:
        return "Missing required field: externId"
    if LEAD_PHONE not in row and not (rules.e164 and LEAD_PHONE_E164 in row):
        return "Missing required field: leadPhone"
    return None


def _phone(row: Row, rules: LeadRules) -> str | None:
    numbers = phones.split(row[LEAD_PHONE]) if LEAD_PHONE in row else []
    pattern = phones.INTERNATIONAL if rules.e164 or rules.international else phones.NATIONAL
    if not all(pattern.fullmatch(number) for number in numbers):
        return "Invalid phone number: leadPhone"
    if LEAD_PHONE_E164 in row and not phones.E164.fullmatch(row[LEAD_PHONE_E164]):
        return "Invalid phone number: leadPhoneE164"
    if rules.campaign.calling == STRATEGIC and len(numbers) > 1:
        return "Invalid phone number: a STRATEGIC campaign takes a single leadPhone"
    return None


def _persona(row: Row, rules: LeadRules) -> str | None:
    personas = row.get(PERSONA_PHONES)
    if rules.campaign.calling != STRATEGIC:
        return None
    if not personas:
        return "Missing required field: personaPhoneConfig"
    unknown = sorted(label for label in personas if label not in rules.campaign.persona_labels)
    if unknown:
        return "Invalid personaPhoneConfig: a label does not match the campaign's"
    pattern = phones.INTERNATIONAL if rules.e164 or rules.international else phones.NATIONAL
    if not all(pattern.fullmatch(number) for number in personas.values()):
        return "Invalid phone number: personaPhoneConfig"
    return None


_CHECKS: tuple[Callable[[Row, LeadRules], str | None], ...] = (
    _foreign_fields,
    _types,
    _characters,
    _empty,
    _required,
    _phone,
    _persona,
)
