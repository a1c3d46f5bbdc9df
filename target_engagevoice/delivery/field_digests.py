"""Digests of the fields of a lead, so that a change sends only what differs, and the ledger holds no values."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import EXTERN_ID, LEAD_FIELDS, FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_engagevoice.model.lead import Lead

_DIGITS = 16


def content_of(lead: Lead) -> str:
    """The digests of a lead's fields: a JSON object, field to digest.

    They are salted with the `externId` and the field, so that equal values of two leads have different digests.
    """
    return json.dumps(_digests(lead.extern_id, lead.fields), separators=(",", ":"))


def blurred(lead: Lead, content: str) -> str:
    """The digests of a lead that is being changed: a field that differs may hold either value, so its digest is empty.

    Args:
        lead: The new version.
        content: What `content_of` returned for the old one.
    """
    before: Mapping[str, str] = json.loads(content)
    now = _digests(lead.extern_id, lead.fields)
    names = before.keys() | now.keys()
    either = {name: now[name] if name in now and before.get(name) == now[name] else "" for name in sorted(names)}
    return json.dumps(either, separators=(",", ":"))


def content_of_fields(names: Iterable[str]) -> str:
    """The digests of a lead of which only the names of its fields are known."""
    return json.dumps(dict.fromkeys(sorted(names), ""), separators=(",", ":"))


def differences(lead: Lead, content: str | None) -> dict[str, Any]:
    """What to send so that a loaded lead becomes this one.

    Args:
        lead: The new version.
        content: What `content_of` returned for the old one; None when that is not known.

    Returns:
        Field to new value, never the `externId`. A field that is empty now is `""`, or None where the API takes a
        number, and `{}` where it takes an object; without a known content nothing is blanked, and when nothing differs
        everything is sent.
    """
    fields = {name: value for name, value in lead.fields.items() if name != EXTERN_ID}
    if content is None:
        return fields
    before: Mapping[str, str] = json.loads(content)
    now = _digests(lead.extern_id, lead.fields)
    changed = {name: value for name, value in fields.items() if before.get(name) != now[name]}
    changed |= {name: _BLANK[LEAD_FIELDS[name]] for name in before if name not in now and name in LEAD_FIELDS}
    return changed or fields


_BLANK: Mapping[FieldType, Any] = {FieldType.STRING: "", FieldType.INTEGER: None, FieldType.STRING_MAP: {}}
"""What clears a field in a change (a guess: the reference says only that a partial lead is sent)."""


def _digests(extern_id: str, fields: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: hashlib.sha256(json.dumps([extern_id, name, value], sort_keys=True).encode()).hexdigest()[:_DIGITS]
        for name, value in fields.items()
    }
