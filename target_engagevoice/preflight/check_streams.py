"""The checks of mappings and streams: each is compiled as a run does."""

from __future__ import annotations

from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError, EngageVoiceError, FatalError
from target_engagevoice.mapping.config import CampaignByRecord, StreamMapping
from target_engagevoice.mapping.stream import compile_stream
from target_engagevoice.model.lead import EXTENDED
from target_engagevoice.preflight.check_result import CheckedStream
from target_engagevoice.preflight.lineage import forbidding, origins
from target_engagevoice.preflight.preview import AnyDirectory, PreviewTarget
from target_engagevoice.singer.catalog import as_messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_engagevoice.config.settings import Settings
    from target_engagevoice.model.campaign import Directory
    from target_engagevoice.preflight.check_result import CheckResult
    from target_engagevoice.sinks import LeadSink

_UNKNOWN: Mapping[str, Any] = MappingProxyType({})
"""The schema of a stream that was not shown: it names no field, so every field may be there."""


def check_mappings(result: CheckResult, settings: Settings, directory: Directory) -> None:
    """Compile each mapping for a stream of that name whose fields are not known."""
    by_pattern = settings.mappings.by_pattern
    for pattern, mapping in by_pattern.items():
        with result.failures_of(FatalError):
            compile_stream(pattern, _UNKNOWN, (), settings.stream_rules, directory)
        try:  # again with every campaign known: a mapping whose campaign is unknown is not compiled
            compile_stream(pattern, _UNKNOWN, (), settings.stream_rules, AnyDirectory())
        except FatalError as error:
            result.fail(error)
            continue
        result.streams.append(_describe(pattern, mapping, settings, directory, _UNKNOWN, ()))
    sending = [f"mappings.{pattern}" for pattern, mapping in by_pattern.items() if EXTENDED in mapping.maps]
    sending += ["unmapped_fields"] if settings.extend_unmapped else []
    if sending:
        result.warn(
            f"extendedLeadData is sent ({', '.join(sending)}): each campaign needs a custom-field group for it, and "
            "the API does not show whether it has one. Look in the campaign's settings."
        )
    if settings.campaign is not None:
        result.streams.append(_describe(None, None, settings, directory, _UNKNOWN, ()))
    elif not by_pattern:
        message = (
            "no stream has a campaign to go to; set 'campaign', for every stream, or 'mappings.<stream>.campaign'."
        )
        result.fail(ConfigError(message))


def check_streams(
    result: CheckResult, config: dict[str, Any], settings: Settings, directory: Directory, schemas: IO[Any]
) -> None:
    """Compile each stream of the input; the result then lists these streams instead of the mappings."""
    result.streams.clear()
    target = _SchemaTarget(config, directory, result)
    with result.failures_of(EngageVoiceError):
        target.listen(as_messages(schemas))
    if not target.seen and not result.failures:
        result.warn("the input has no SCHEMA message, so no stream was checked; give what the tap writes.")
    named = {mapping.pattern for name in target.seen if (mapping := settings.mappings.find(name))}
    for pattern in settings.mappings.by_pattern:
        if pattern not in named:
            result.warn(f"mappings.{pattern}: no stream of the input is named like this.")


class _SchemaTarget(PreviewTarget):
    """Compiles every stream of its input as a run does, continues after one that fails, and ignores records."""

    def __init__(self, config: dict[str, Any], directory: Directory, result: CheckResult) -> None:
        super().__init__(config, directory=directory)
        self._result = result
        self.seen: dict[str, None] = {}

    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> LeadSink:
        """Compile a stream, and add it to the result."""
        self.seen[stream_name] = None
        sink = super().get_sink(stream_name, record=record, schema=schema, key_properties=key_properties)
        mapping = self._settings.mappings.find(stream_name)
        stream = self._streams[stream_name]
        for warning in stream.mapping.warnings if stream is not None else ():
            self._result.warn(warning)
        keys = tuple(key_properties or ())
        shown = _describe(stream_name, mapping, self._settings, self.open_run.directory, schema or _UNKNOWN, keys)
        self._result.streams.append(shown)
        return sink

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        with self._result.failures_of(FatalError):
            super()._process_schema_message(message_dict)

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Ignore it: a check looks at streams only."""

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        with self._result.failures_of(FatalError):
            super()._process_batch_message(message_dict)


def _describe(
    name: str | None,
    mapping: StreamMapping | None,
    settings: Settings,
    directory: Directory,
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
) -> CheckedStream:
    pattern = None if mapping is None else mapping.pattern
    mapping = mapping or StreamMapping(pattern=name or "*")
    if mapping.skip:
        return CheckedStream(name, pattern, None)
    return CheckedStream(
        name=name,
        pattern=pattern,
        preset=mapping.preset,
        campaign=_destination(mapping, settings, directory),
        origins=tuple(origins(mapping, schema, key_properties, extend_unmapped=settings.extend_unmapped)),
        forbidding=forbidding(mapping, schema),
    )


def _destination(mapping: StreamMapping, settings: Settings, directory: Directory) -> str:
    """Where the records of a stream go, as a sentence for the operator."""

    def named(reference: str) -> str:
        campaign = directory.find(reference)
        return str(getattr(campaign, "path", reference)).removeprefix("/")

    campaign = mapping.campaign if mapping.campaign is not None else settings.campaign or ""
    if not isinstance(campaign, CampaignByRecord):
        return named(campaign)
    known = ", ".join(f"{value} → {named(name)}" for value, name in (campaign.names or {}).items())
    default = f"otherwise to {named(campaign.default)}" if campaign.default else "otherwise it is rejected"
    return f"by record, as field {campaign.source} says: {known or 'a campaign by its id or name'}; {default}"
