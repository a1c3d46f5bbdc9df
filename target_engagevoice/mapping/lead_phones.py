"""Finds the phone numbers of a lead in its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.model.lead import LEAD_PHONE_E164, Rejection
from target_engagevoice.model.phone import MISSING_PHONE, Phone, PhonePolicy

if TYPE_CHECKING:
    from target_engagevoice.mapping.plan import Record, Value


def usable_numbers(source: Value, policy: PhonePolicy, record: Record, *, only_one: bool) -> list[Phone] | Rejection:
    """The usable numbers, best first. Where there is none, the rejection of the first text that is not empty."""
    numbers: dict[str, Phone] = {}
    rejection: Rejection | None = None
    for written in source.phones(record):
        number = policy.normalize(written) if isinstance(written, str) else written
        if isinstance(number, Phone):
            if only_one:
                return [number]
            numbers.setdefault(number.dialed, number)
        elif number is not MISSING_PHONE:
            rejection = rejection or number
    return list(numbers.values()) or rejection or MISSING_PHONE


def other_phone(source: Value, policy: PhonePolicy, record: Record) -> str | Rejection | None:
    """A phone besides `leadPhone`, in the policy's format.

    Without a usable number the lead lacks the field. Only `leadPhoneE164` rejects the record: accounts that need it
    accept a lead without it and then do not load it (reference, section 4).
    """
    numbers = usable_numbers(source, policy, record, only_one=True)
    if isinstance(numbers, list):
        return numbers[0].dialed
    return numbers if source.name == LEAD_PHONE_E164 and numbers is not MISSING_PHONE else None
