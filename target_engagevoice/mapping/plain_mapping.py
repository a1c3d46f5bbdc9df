"""Makes the lead of a record field by field, as its plan says.

This is the reference for `compiled_plan`, and the path of every record that the compiled function does not take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_engagevoice.mapping.lead_phones import other_phone, usable_numbers
from target_engagevoice.model.lead import (
    EXTENDED,
    EXTERN_ID,
    EXTERN_ID_MAX,
    LEAD_PHONE,
    LEAD_PHONE_E164,
    PERSONA_PHONES,
    Lead,
    Rejection,
    Stage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_engagevoice.mapping.plan import Plan, Record, Value
    from target_engagevoice.model.phone import PhonePolicy

_MISSING_EXTERN_ID = Rejection(
    Stage.MAP,
    "missing_extern_id",
    "the record has no value for externId; map a field that is never empty.",
)
_EXTERN_ID_TOO_LONG = Rejection(
    Stage.MAP,
    "extern_id_too_long",
    f"the value for externId has more than {EXTERN_ID_MAX} characters; map another field.",
)


@dataclass(frozen=True)
class PlainMapping:
    """Makes leads from plans.

    Attributes:
        phones: How phone numbers are read and written.
        e164: The same for `leadPhoneE164`.
        extend_unmapped: Whether fields that no source reads go to `extendedLeadData`.
    """

    phones: PhonePolicy
    e164: PhonePolicy
    extend_unmapped: bool

    def lead(self, plan: Plan, record: Record, *, single_phone: bool) -> Lead | Rejection:
        """The lead that a record becomes.

        Args:
            plan: What records of its kind become.
            record: As read; not changed.
            single_phone: Whether the campaign takes only one number.

        Returns:
            The lead, or a rejection of stage `map` or `phone`.
        """
        extern_id = extern_id_of(plan, record)
        if isinstance(extern_id, Rejection):
            return extern_id
        lead: dict[str, Any] = {EXTERN_ID: extern_id}
        rejection = self._add_phones(plan, lead, record, single_phone=single_phone) or _add_values(plan, lead, record)
        if rejection is not None:
            return replace(rejection, extern_id=extern_id)
        maps = self.maps(plan, record)
        if isinstance(maps, Rejection):
            return replace(maps, extern_id=extern_id)
        return Lead.of(lead | maps)

    def maps(self, plan: Plan, record: Record) -> dict[str, dict[str, str]] | Rejection:
        """The maps of a record's lead, none of them empty: the labels, and as far as asked for the unread fields."""
        maps: dict[str, dict[str, str]] = {}
        for name, labels in plan.maps.items():
            filled = self._labels(name, labels, record)
            if isinstance(filled, Rejection):
                return filled
            if filled:
                maps[name] = filled
        rest = plan.rest(record) if self.extend_unmapped else {}
        if isinstance(rest, Rejection):
            return rest
        taken = {source.name for source in plan.maps.get(EXTENDED, ())}
        extended = maps.get(EXTENDED, {}) | {name: value for name, value in rest.items() if name not in taken}
        return maps | {EXTENDED: extended} if extended else maps

    def policy_of(self, source: Value) -> PhonePolicy:
        """How the number of a phone besides `leadPhone` is written."""
        return self.e164 if source.name == LEAD_PHONE_E164 else self.phones

    def _add_phones(self, plan: Plan, lead: dict[str, Any], record: Record, *, single_phone: bool) -> Rejection | None:
        only_one = single_phone or self.phones.multiple != "all"
        numbers = usable_numbers(plan.lead_phone, self.phones, record, only_one=only_one)
        if isinstance(numbers, Rejection):
            return numbers
        lead[LEAD_PHONE] = "|".join(number.dialed for number in numbers)
        if numbers[0].e164:
            lead[LEAD_PHONE_E164] = numbers[0].e164
        for source in plan.other_phones:
            phone = other_phone(source, self.policy_of(source), record)
            if isinstance(phone, Rejection):
                return phone
            if phone is not None:
                lead[source.name] = phone
        return None

    def _labels(self, name: str, labels: Iterable[Value], record: Record) -> dict[str, str] | Rejection:
        filled: dict[str, str] = {}
        for label in labels:
            value = other_phone(label, self.policy_of(label), record) if name == PERSONA_PHONES else label.of(record)
            if isinstance(value, Rejection):
                return value
            if value is not None:
                filled[label.name] = value
        return filled


def extern_id_of(plan: Plan, record: Record) -> str | Rejection:
    """The `externId` of a record, or why it has none that a lead could have."""
    extern_id: str | Rejection | None = plan.extern_id.of(record)
    if isinstance(extern_id, Rejection):
        return extern_id
    if not extern_id:
        return _MISSING_EXTERN_ID
    return replace(_EXTERN_ID_TOO_LONG, extern_id=extern_id) if len(extern_id) > EXTERN_ID_MAX else extern_id


def _add_values(plan: Plan, lead: dict[str, Any], record: Record) -> Rejection | None:
    for source in plan.values:
        value = source.of(record)
        if isinstance(value, Rejection):
            return value
        if value is not None:
            lead[source.name] = value
    return None
