"""Maps records to leads: compiled once per stream, then applied to each record (contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.compiled_plan import Unusual, compile_plan
from target_engagevoice.mapping.dnc_phones import phones_to_list
from target_engagevoice.mapping.field_path import Constant
from target_engagevoice.mapping.flags import Flags
from target_engagevoice.mapping.plain_mapping import PlainMapping, extern_id_of
from target_engagevoice.mapping.plan import StreamPlans, converter, sources
from target_engagevoice.mapping.stream_fields import StreamFields
from target_engagevoice.model.lead import EXTERN_ID, LEAD_PHONE, PERSONA_PHONES, Lead, Outcome, Rejection
from target_engagevoice.model.retirement import DncPhone, FlaggedRecord, PhoneListing, Retirement
from target_engagevoice.model.values import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_engagevoice.mapping.config import StreamMapping
    from target_engagevoice.mapping.plan import Record
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.phone import PhonePolicy
    from target_engagevoice.model.policy import FlagPolicy


class FastPath(NamedTuple):
    """The parts of the fast path that most records of a stream take, to any campaign.

    Attributes:
        flagged: See `Flags.flagged`.
        known: See `Flags.known`. For a record without other fields, `flagged` is the whole check.
        lead: Makes the lead, see `compile_plan`.
    """

    flagged: Callable[[Record], Outcome | None]
    known: frozenset[str] | None
    lead: Callable[[Record], Lead]


@dataclass(frozen=True)
class RecordMapping:
    """How the records of one stream become leads. Safe to use from one thread at a time.

    Attributes:
        warnings: Messages for the user before the first record is sent. They hold no value of a record.
        flags: Which records must not be loaded.
        plans: What each record becomes.
        plain: Makes leads of all records, by their plans.
        compiled: Makes leads of most records, see `compile_plan`; None where every record needs its plan.
    """

    warnings: tuple[str, ...]
    flags: Flags
    plans: StreamPlans
    plain: PlainMapping
    compiled: Callable[[Record], Lead] | None

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
            schema: The schema message's schema. Preset `auto` uses its field names; where it names none, those of
                each record.
            key_properties: The stream's key; `externId` of preset `auto`.
            mapping: What the user says of the stream.
            phones: How phone numbers are read and written.
            extend_unmapped: Whether fields that no source reads go to `extendedLeadData`.

        Raises:
            ConfigError: `do_not_call` names only fields that the stream does not have, preset `none` has no
                source for `externId`, or a constant does not fit its lead field.
        """
        where = f"mappings.{mapping.pattern}"
        _check_extern_id(where, mapping)
        _check_constants(where, mapping)
        fields = StreamFields.read(stream, schema)
        warnings = fields.check_do_not_call(where, mapping.do_not_call or ())
        warnings += fields.missing_sources(where, mapping)
        plans = StreamPlans.compile(mapping, fields.names, key_properties)
        plain = PlainMapping(phones, replace(phones, format="e164"), extend_unmapped)
        fed = sources(mapping, fields.names, key_properties)
        warnings += [
            f"{where}: nothing in stream {stream!r} feeds {name}, so every record will be rejected; "
            f"name its field in {where}.fields.{name}."
            for name in (EXTERN_ID, LEAD_PHONE)
            if plans.only is not None and not fields.feed(fed.get(name, ()))
        ]
        return cls(
            warnings=tuple(warnings),
            flags=Flags.compile(mapping, fields.names),
            plans=plans,
            plain=plain,
            compiled=None if plans.only is None else compile_plan(plans.only, plain),
        )

    @property
    def fast_path(self) -> FastPath | None:
        """What `flags.screen` and `lead` do for most records; None where every record needs its plan."""
        if self.compiled is None or self.plain.phones.multiple == "all":
            return None
        return FastPath(self.flags.flagged, self.flags.known, self.compiled)

    def retirement(
        self, record: Record, outcome: Outcome, policy: FlagPolicy, campaign: Campaign | None
    ) -> FlaggedRecord | None:
        """What is to be done for a flagged record; None for nothing.

        Of a deleted record that is flagged do-not-call as well, the call is forbidden too.

        Args:
            record: As read.
            outcome: What `flags.screen` returned.
            policy: What the settings say of it.
            campaign: Where it is counted.
        """
        plan = self.plans.of(record)
        deleted = outcome is Outcome.DELETED
        forbidden = not deleted or self.flags.forbid_call(record)
        how = policy.deleted if deleted else None
        if how is None and forbidden:
            how = policy.do_not_call
        phones: tuple[DncPhone, ...] = ()
        if policy.list_phones and forbidden:
            sources = (plan.lead_phone, *plan.other_phones, *plan.maps.get(PERSONA_PHONES, ()))
            phones = phones_to_list(sources, self.plain.phones, self.plain.e164, record)
        extern_id = self.extern_id(record)
        if how is not None and extern_id:
            return Retirement(extern_id, outcome, how, campaign, phones)
        return PhoneListing(outcome, campaign, phones) if phones else None

    def extern_id(self, record: Record) -> str | None:
        """The `externId` of a record; None where it has none that a lead could have."""
        extern_id = extern_id_of(self.plans.of(record), record)
        return None if isinstance(extern_id, Rejection) else extern_id

    def lead(self, record: Record, *, single_phone: bool) -> Lead | Rejection:
        """The lead a record becomes.

        Args:
            record: As read; not changed.
            single_phone: Whether the campaign takes only one number.

        Returns:
            The lead, or a rejection of stage `map` or `phone`.
        """
        if self.compiled is not None and not (single_phone and self.plain.phones.multiple == "all"):
            try:
                return self.compiled(record)
            except (Unusual, UnicodeEncodeError):
                pass
        return self.plain_lead(record, single_phone=single_phone)

    def plain_lead(self, record: Record, *, single_phone: bool) -> Lead | Rejection:
        """The same by the plan alone, the reference for the compiled function."""
        return self.plain.lead(self.plans.of(record), record, single_phone=single_phone)


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
                msg = f"{where}.fields.{name}: the constant does not fit this field: {unfit.message}"
                raise ConfigError(msg)
