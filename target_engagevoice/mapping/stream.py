"""A stream, compiled once from its SCHEMA message, that checks, routes and maps its records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from target_engagevoice.mapping.compiled_plan import Unusual
from target_engagevoice.mapping.config import StreamMapping
from target_engagevoice.mapping.personas import Personas, phone_sources
from target_engagevoice.mapping.record_mapping import RecordMapping
from target_engagevoice.mapping.record_schema import RecordSchema
from target_engagevoice.mapping.router import Router
from target_engagevoice.model.lead import Lead, Rejection, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_engagevoice.mapping.stream_rules import StreamRules
    from target_engagevoice.model.campaign import Campaign, Directory
    from target_engagevoice.model.lead import Outcome
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.policy import FlagPolicy
    from target_engagevoice.model.retirement import FlaggedRecord

RECORD_METADATA = frozenset(
    {
        "_sdc_extracted_at",
        "_sdc_received_at",
        "_sdc_batched_at",
        "_sdc_sequence",
        "_sdc_table_version",
        "_sdc_sync_started_at",
    },
)
"""The fields that the SDK adds to records, except `_sdc_deleted_at`: taps send that one, and it marks deleted rows."""


@dataclass(frozen=True)
class Stream:
    """A stream that is ready for records. It does not change; a new SCHEMA message makes a new one.

    Attributes:
        key_properties: The fields that each record must have.
        schema: None when records are not checked.
        options: The options of the lists that it loads.
        flags: What happens to the leads of records that must not be loaded.
        personas: Whether its leads fit STRATEGIC campaigns.
    """

    name: str
    key_properties: tuple[str, ...]
    schema: RecordSchema | None
    router: Router
    mapping: RecordMapping
    options: ListOptions
    flags: FlagPolicy
    personas: Personas

    @property
    def warnings(self) -> tuple[str, ...]:
        """Messages for the user before the first record is sent."""
        return self.mapping.warnings + self.personas.warnings

    def route(self, record: Mapping[str, Any]) -> Campaign | Rejection:
        """The campaign of a record, or why there is none."""
        return self.router.route(record)

    @cached_property
    def fast_lead(self) -> Callable[[Mapping[str, Any]], Lead | None] | None:
        """The fast path: all that `outcome` does for most records, to any campaign, in one call.

        It costs about 8 µs a record. Without any fast path, `outcome` costs about 225 µs: 150 in `jsonschema`, 57 in
        `phonenumbers` (`taskset -c 1 python benchmarks/steps.py`, validate to encode; November 2026).

        Returns:
            Takes a record and returns its lead, or None for a record that needs `outcome`. None where all records do.
        """
        fits = self.schema.fits if self.schema is not None else _unchecked
        parts = self.mapping.fast_path
        if parts is None or fits is None or self.personas.misfit is not None:
            return None
        flagged, names, make = parts
        keys = frozenset(self.key_properties)

        def lead_of(record: Mapping[str, Any]) -> Lead | None:
            try:
                if (
                    flagged(record) is None
                    and (names is None or record.keys() <= names)
                    and keys <= record.keys()
                    and fits(record)
                ):
                    return make(record)
            except (Unusual, ValueError, RecursionError):
                return None  # ValueError: not JSON, or not UTF-8
            return None

        return lead_of

    def outcome(self, record: Mapping[str, Any], campaign: Campaign | Rejection) -> Lead | Rejection | Outcome:
        """The lead of a record, or the outcome that ends it.

        Args:
            record: After stream maps.
            campaign: Its campaign, or why it has none. That counts last: a record that must not be loaded or does not
                fit its schema needs no campaign.
        """
        screened = self.mapping.flags.screen(record)
        if screened is not None:
            return screened
        wrong = self.check(record)
        if wrong is not None:
            return wrong
        if isinstance(campaign, Rejection):
            return campaign
        lead = self.mapping.lead(record, single_phone=campaign.single_phone)
        misfit = self.personas.misfit
        if misfit is not None and campaign.single_phone and isinstance(lead, Lead):
            return replace(misfit, extern_id=lead.extern_id)
        return lead

    def retirement(
        self, record: Mapping[str, Any], flagged: Outcome, campaign: Campaign | None
    ) -> FlaggedRecord | None:
        """What is to be done for a record that must not be loaded; None for nothing.

        Args:
            record: After stream maps.
            flagged: `DELETED` or `DO_NOT_CALL`, as `outcome` said.
            campaign: Where it is counted.
        """
        return self.mapping.retirement(record, flagged, self.flags, campaign)

    def check(self, record: Mapping[str, Any]) -> Rejection | None:
        """Whether a record fits its SCHEMA message; None when it does."""
        for name in self.key_properties:
            if name not in record:
                return Rejection(Stage.SCHEMA, MISSING_KEY, f"the record lacks its key {name}.")
        return self.schema.check(record) if self.schema is not None else None


def _checked(name: str, schema: Mapping[str, Any], rules: StreamRules) -> RecordSchema | None:
    """The schema for the records, with the fields that are added to them; None when records are not checked."""
    if not rules.validate_records:
        return None
    properties = schema.get("properties")
    if rules.add_record_metadata and isinstance(properties, dict):
        schema = {
            **schema,
            "properties": {**{added: {} for added in (*RECORD_METADATA, "_sdc_deleted_at")}, **properties},
        }
    return RecordSchema(name, schema)


def _unchecked(_record: Mapping[str, Any]) -> bool:
    """For a stream whose records are not checked."""
    return True


MISSING_KEY = "missing_key_property"


def compile_stream(
    name: str,
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
    rules: StreamRules,
    directory: Directory,
) -> Stream | None:
    """Compile a stream; None when the mappings skip it.

    Raises:
        ConfigError: No campaign, or a mapping that does not fit the stream.
        InputError: The schema is not a JSON schema.
    """
    mapping = rules.mappings.find(name)
    if mapping is not None and mapping.skip:
        return None
    router = Router.compile(
        stream=name,
        mapping=mapping,
        default_campaign=rules.campaign,
        directory=directory,
        needs_scrub=rules.flags.needs_scrub,
    )
    mapping = mapping or StreamMapping(pattern=name)
    options = rules.list_options.override(mapping.list_options)
    phones = replace(rules.phones, with_e164=options.needs_e164)
    record_mapping = RecordMapping.compile(
        stream=name,
        schema=schema,
        key_properties=key_properties,
        mapping=mapping,
        phones=phones,
        extend_unmapped=rules.extend_unmapped,
    )
    return Stream(
        name=name,
        key_properties=tuple(key_properties),
        schema=_checked(name, schema, rules),
        router=router,
        mapping=record_mapping,
        options=options,
        flags=rules.flags,
        personas=Personas.compile(
            mapping,
            router,
            phone_sources(name, schema, key_properties, mapping),
            rules.phones.multiple,
            directory,
        ),
    )
