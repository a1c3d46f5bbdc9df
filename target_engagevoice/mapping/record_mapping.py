"""Record → lead: compiled once per stream, then applied to each record (contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping import presets
from target_engagevoice.mapping.compiled_plan import Unusual, compile_flags, compile_plan
from target_engagevoice.mapping.dnc_phones import phones_to_list
from target_engagevoice.mapping.field_path import Constant
from target_engagevoice.mapping.lead_phones import number_aside, plain_number, usable_numbers
from target_engagevoice.mapping.plan import Plan, Record, Value, converter, sources
from target_engagevoice.mapping.stream_fields import StreamFields
from target_engagevoice.model.lead import (
    EXTENDED,
    EXTERN_ID,
    EXTERN_ID_MAX,
    LEAD_PHONE,
    LEAD_PHONE_E164,
    PERSONA_PHONES,
    Lead,
    Outcome,
    Rejection,
    Stage,
)
from target_engagevoice.model.retirement import DncPhone, FlaggedRecord, PhoneListing, Retirement
from target_engagevoice.model.values import Unfit, is_flagged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_engagevoice.mapping.config import StreamMapping
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.phone import PhonePolicy
    from target_engagevoice.model.policy import FlagPolicy

_MOST_SHAPES = 256

_FIRST_PLAIN = "!"
"""A text that sorts behind it is not empty and does not start with a blank."""

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
class RecordMapping:
    """How the records of one stream become leads. Safe to use from one thread at a time.

    Attributes:
        warnings: What the user should look at before the first record is sent; no value of a record is in it.
    """

    warnings: tuple[str, ...]
    _mapping: StreamMapping
    _key_properties: tuple[str, ...]
    _phones: PhonePolicy
    _e164: PhonePolicy
    _extend_unmapped: bool
    _names: frozenset[str]
    _flagged: Callable[[Record], Outcome | None]
    _forbidden: Callable[[Record], Outcome | None]
    _plan: Plan | None
    _plans: dict[tuple[str, ...], Plan] = field(default_factory=dict)

    @classmethod
    def compile(
        cls,
        *,
        stream: str,
        schema: Mapping[str, Any],
        key_properties: Sequence[str],
        mapping: StreamMapping,
        phones: PhonePolicy,
        extend_unmapped: bool,
    ) -> RecordMapping:
        """Prepare the mapping of a stream.

        Args:
            stream: Its name, for messages.
            schema: The schema message's schema. Preset `auto` goes by its field names; where it has none,
                by each record's own.
            key_properties: The stream's key; `externId` of preset `auto`.
            mapping: What the user says of the stream.
            phones: How phone numbers are read and written.
            extend_unmapped: Whether fields that no source reads go to `extendedLeadData`.

        Raises:
            ConfigError: `do_not_call` names only fields that the stream does not have, preset `none` has no
                source for `externId`, or a constant is not fit for its lead field.
        """
        where = f"mappings.{mapping.pattern}"
        _check_extern_id(where, mapping)
        _check_constants(where, mapping)
        fields = StreamFields.read(stream, schema)
        warnings = fields.check_do_not_call(where, mapping.do_not_call or ())
        warnings += fields.missing_sources(where, mapping)
        by_record = mapping.preset == "auto" and not fields.names
        fed = sources(mapping, fields.names, key_properties)
        warnings += [
            f"{where}: nothing in stream {stream!r} feeds {name}, so every record will be rejected; "
            f"name its field in {where}.fields.{name}."
            for name in (EXTERN_ID, LEAD_PHONE)
            if not by_record and not fields.feed(fed.get(name, ()))
        ]
        forbidding = mapping.do_not_call
        if forbidding is None:
            forbidding = presets.do_not_call(mapping.preset, fields.names)
        return cls(
            warnings=tuple(warnings),
            _mapping=mapping,
            _key_properties=tuple(key_properties),
            _phones=phones,
            _e164=replace(phones, format="e164"),
            _extend_unmapped=extend_unmapped,
            _names=frozenset(fields.names),
            _flagged=compile_flags(presets.deleted(fields.names), forbidding),
            _forbidden=compile_flags((), forbidding),
            _plan=None if by_record else Plan.compile(mapping, fields.names, key_properties),
        )

    def screen(self, record: Record) -> Outcome | None:
        """Whether a record must not be loaded: `DELETED`, else `DO_NOT_CALL`, else None.

        A flag forbids unless its value is clearly false (null, false, 0, empty, `no`, `off` …). A field well
        known for forbidding the call is honoured also where the schema does not name it.
        """
        flagged = self._flagged(record)
        return flagged if flagged is not None else self._forbidden_unnamed(record)

    def _forbidden_unnamed(self, record: Record) -> Outcome | None:
        """`DO_NOT_CALL` where a field says so that the schema does not name."""
        if self._mapping.do_not_call is None and self._mapping.preset != "none" and not record.keys() <= self._names:
            for name in record.keys() - self._names:
                if presets.is_do_not_call(name) and is_flagged(record[name]):
                    return Outcome.DO_NOT_CALL
        return None

    @property
    def quick(
        self,
    ) -> tuple[Callable[[Record], Outcome | None], frozenset[str] | None, Callable[[Record], Lead]] | None:
        """What `screen` and `lead` do for most records of the stream, whatever their campaign.

        Returns:
            What tells of a record whether a flag is set; the names that a record may have for that to be all there is
            to tell, None for any; what makes its lead, see `compile_plan`. None where each record goes the whole way.
        """
        if self._phones.multiple == "all" or self._quick is None:
            return None
        watched = self._mapping.do_not_call is None and self._mapping.preset != "none"
        return self._flagged, self._names if watched else None, self._quick

    def retirement(
        self, record: Record, outcome: Outcome, policy: FlagPolicy, campaign: Campaign | None
    ) -> FlaggedRecord | None:
        """What is to be done for a flagged record; None for nothing.

        Of a deleted record that is flagged do-not-call as well, the call is forbidden too.

        Args:
            record: As read.
            outcome: What `screen` said.
            policy: What the settings say of it.
            campaign: Where it is counted.
        """
        plan = self._plan or self._plan_of(tuple(record))
        deleted = outcome is Outcome.DELETED
        forbidden = not deleted or (self._forbidden(record) or self._forbidden_unnamed(record)) is not None
        how = policy.deleted if deleted else None
        if how is None and forbidden:
            how = policy.do_not_call
        phones: tuple[DncPhone, ...] = ()
        if policy.list_phones and forbidden:
            sources = (plan.lead_phone, *plan.aside, *plan.maps.get(PERSONA_PHONES, ()))
            phones = phones_to_list(sources, self._phones, self._e164, record)
        extern_id = self.extern_id(record)
        if how is not None and extern_id:
            return Retirement(extern_id, outcome, how, campaign, phones)
        return PhoneListing(outcome, campaign, phones) if phones else None

    def extern_id(self, record: Record) -> str | None:
        """The `externId` of a record; None where it has none that a lead could have."""
        lead: dict[str, Any] = {}
        plan = self._plan or self._plan_of(tuple(record))
        return None if _add_extern_id(plan, lead, record) else lead[EXTERN_ID]

    def lead(self, record: Record, *, single_phone: bool) -> Lead | Rejection:
        """The lead a record becomes.

        Args:
            record: As read; not changed.
            single_phone: Whether the campaign takes only one number.

        Returns:
            The lead, or a rejection of stage `map` or `phone`.
        """
        if (single_phone or self._phones.multiple != "all") and self._quick is not None:
            try:
                return self._quick(record)
            except (Unusual, UnicodeEncodeError):
                pass
        return self.plain_lead(record, single_phone=single_phone)

    @cached_property
    def _quick(self) -> Callable[[Record], Lead] | None:
        """Makes most leads; made itself when the first record comes. None where each record goes by the plan."""
        if self._plan is None or self._extend_unmapped:
            return None
        return compile_plan(self._plan, self._phones, self._e164)

    def plain_lead(self, record: Record, *, single_phone: bool) -> Lead | Rejection:
        """The same by the plan alone, the reference for the compiled function."""
        plan = self._plan or self._plan_of(tuple(record))
        lead: dict[str, Any] = {}
        rejection = (
            _add_extern_id(plan, lead, record)
            or self._add_phones(plan, lead, record, single_phone=single_phone)
            or _add_values(plan, lead, record)
            or ((plan.maps or self._extend_unmapped) and self._add_maps(plan, lead, record))
        )
        if rejection:
            return replace(rejection, extern_id=lead.get(EXTERN_ID))
        return Lead.of(lead)

    def _add_phones(
        self,
        plan: Plan,
        lead: dict[str, Any],
        record: Record,
        *,
        single_phone: bool,
    ) -> Rejection | None:
        only_one = single_phone or self._phones.multiple != "all"
        best = plain_number(plan.lead_phone, self._phones, record) if only_one else None
        if best is not None:
            lead[LEAD_PHONE] = best.dialled
        else:
            numbers = usable_numbers(plan.lead_phone, self._phones, record, only_one=only_one)
            if isinstance(numbers, Rejection):
                return numbers
            best = numbers[0]
            lead[LEAD_PHONE] = "|".join(number.dialled for number in numbers)
        if best.e164:
            lead[LEAD_PHONE_E164] = best.e164
        for source in plan.aside:
            phone = number_aside(source, self._policy_of(source), record)
            if isinstance(phone, Rejection):
                return phone
            if phone is not None:
                lead[source.name] = phone
        return None

    def _add_maps(self, plan: Plan, lead: dict[str, Any], record: Record) -> Rejection | None:
        """Put the maps into the lead, and the fields no source reads, as far as that is asked for."""
        for name, labels in plan.maps.items():
            filled = self._labels(name, labels, record)
            if isinstance(filled, Rejection):
                return filled
            if filled:
                lead[name] = filled
        rest = plan.rest(record) if self._extend_unmapped else {}
        if isinstance(rest, Rejection):
            return rest
        if rest:
            own = lead.get(EXTENDED, {})
            taken = {source.name for source in plan.maps.get(EXTENDED, ())}
            lead[EXTENDED] = own | {name: value for name, value in rest.items() if name not in taken}
            if not lead[EXTENDED]:
                del lead[EXTENDED]
        return None

    def _policy_of(self, source: Value) -> PhonePolicy:
        return self._e164 if source.name == LEAD_PHONE_E164 else self._phones

    def _labels(self, name: str, labels: Iterable[Value], record: Record) -> dict[str, str] | Rejection:
        filled: dict[str, str] = {}
        for label in labels:
            value = number_aside(label, self._policy_of(label), record) if name == PERSONA_PHONES else label.of(record)
            if isinstance(value, Rejection):
                return value
            if value is not None:
                filled[label.name] = value
        return filled

    def _plan_of(self, names: tuple[str, ...]) -> Plan:
        """The plan for records with just these fields, made when the first one comes."""
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= _MOST_SHAPES:
                self._plans.clear()
            plan = self._plans[names] = Plan.compile(self._mapping, sorted(names), self._key_properties)
        return plan


def _add_extern_id(plan: Plan, lead: dict[str, Any], record: Record) -> Rejection | None:
    names = plan.extern_id.names
    extern_id = record.get(names[0]) if names else None
    if type(extern_id) is str and extern_id > _FIRST_PLAIN and extern_id.isprintable():
        extern_id = extern_id.strip()
    else:
        extern_id = plan.extern_id.of(record)
        if isinstance(extern_id, Rejection):
            return extern_id
        if not extern_id:
            return _MISSING_EXTERN_ID
    lead[EXTERN_ID] = extern_id
    return _EXTERN_ID_TOO_LONG if len(extern_id) > EXTERN_ID_MAX else None


def _add_values(plan: Plan, lead: dict[str, Any], record: Record) -> Rejection | None:
    """Put the values into the lead; a text that is fit as it is takes a short way, all others that of `Value.of`."""
    get = record.get
    for name, source, field_name, alone in plan.values:
        if field_name is not None:
            value = get(field_name)
            if type(value) is str and value > _FIRST_PLAIN and value.isprintable():
                lead[name] = value
                continue
            if alone and (value is None or value == ""):
                continue
        value = source.of(record)
        if isinstance(value, Rejection):
            return value
        if value is not None:
            lead[name] = value
    return None


def _check_extern_id(where: str, mapping: StreamMapping) -> None:
    if mapping.preset == "none" and EXTERN_ID not in mapping.fields:
        msg = (
            f"{where}.fields.externId: preset 'none' maps nothing by itself; name the field that identifies "
            "a record, or choose preset 'auto'."
        )
        raise ConfigError(msg)


def _check_constants(where: str, mapping: StreamMapping) -> None:
    for name, paths in mapping.fields.items():
        convert = converter(name)
        for path in paths:
            unfit = convert(path.value if isinstance(path, Constant) else path.default)
            if isinstance(unfit, Unfit):
                msg = f"{where}.fields.{name}: the constant is not fit for this field: {unfit.message}"
                raise ConfigError(msg)
