"""Whether a run would be accepted, asked of the rooms that a run asks; every failure is found, not only the first."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from target_engagevoice.api.ratelimit.windows import JITTER_MARGIN_SECONDS
from target_engagevoice.config.mistakes import read_in_parts
from target_engagevoice.config.settings import Settings, offline
from target_engagevoice.errors import ConfigError, EngageVoiceError, FatalError
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.mapping.config import CampaignByRecord, StreamMapping
from target_engagevoice.mapping.router import found
from target_engagevoice.mapping.stream import compile_stream
from target_engagevoice.model.lead import EXTENDED, LEAD_PHONE_E164
from target_engagevoice.preflight.lineage import forbidding, origins
from target_engagevoice.preflight.preview import AnyDirectory, PreviewTarget
from target_engagevoice.private_files import make_state_dir
from target_engagevoice.run.session import connect
from target_engagevoice.singer.catalog import as_messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_engagevoice.clock import Clock
    from target_engagevoice.model.campaign import Campaign, Directory
    from target_engagevoice.preflight.lineage import Origin
    from target_engagevoice.run.session import Connection
    from target_engagevoice.sinks import LeadSink

PATIENCE_SECONDS = 30.0
"""A server that does not answer is asked for so long; a run goes on for `retry_max_seconds`."""

_UNKNOWN: Mapping[str, Any] = MappingProxyType({})
"""The schema of a stream that was not shown: it names no field, so every field may be there."""

_RUN = "check"
"""Stands for the run where the ledger wants one; nothing is written."""


@dataclass(frozen=True)
class Failure:
    """Why a run would not be accepted.

    Attributes:
        code: A stable word, see `errors`.
        message: What is wrong, with what, and what to do.
    """

    code: str
    message: str


@dataclass(frozen=True)
class CheckedStream:
    """What becomes of the records of a stream.

    Attributes:
        name: The stream's; a pattern of the mappings where no stream is known; None for every stream that none names.
        pattern: The mapping that takes it; None when none does.
        preset: The preset; None for a stream that is not loaded.
        campaign: Where its records go, in words.
        origins: What feeds each lead field.
        forbidding: The fields that forbid the call.
    """

    name: str | None
    pattern: str | None
    preset: str | None
    campaign: str = ""
    origins: tuple[Origin, ...] = ()
    forbidding: tuple[str, ...] = ()


@dataclass
class Checkup:
    """What a check found. Owned by the one who checks.

    Attributes:
        base_url: As it is set; None when nobody answered there.
        account_id: Which account it is; None when that can not be told.
        campaigns: Those that the configuration names, to the places where it does.
        notes: What an operator may want to know; nothing is wrong.
    """

    base_url: str | None = None
    account_id: str | None = None
    campaigns: dict[Campaign, list[str]] = field(default_factory=dict)
    streams: list[CheckedStream] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether a run would be accepted."""
        return not self.failures

    def fail(self, error: EngageVoiceError) -> None:
        """Take a failure down, once."""
        failure = Failure(error.code, str(error))
        if failure not in self.failures:
            self.failures.append(failure)

    @contextmanager
    def failures_of(self, *kinds: type[EngageVoiceError]) -> Iterator[None]:
        """Take down what ends the block, if it is of these kinds."""
        try:
            yield
        except kinds as error:
            self.fail(error)

    def warn(self, message: str) -> None:
        """Take a warning down, once."""
        if message not in self.warnings:
            self.warnings.append(message)


def check(config: Mapping[str, Any], schemas: IO[Any] | None, clock: Clock, version: str) -> Checkup:
    """See whether a run would be accepted.

    Args:
        config: As read from files and environment.
        schemas: Singer messages, whose SCHEMA messages tell of the streams, or a catalog; None when they are not known.
        clock: Time.
        version: Of this package.
    """
    checkup = Checkup()
    reading = read_in_parts(config, PreviewTarget)
    for mistake in reading.mistakes:
        checkup.fail(ConfigError(mistake))
    valid = reading.valid if reading.can_connect else offline(reading.valid)
    settings = Settings.parse(valid)
    connection: Connection | None = None
    if reading.can_connect:
        connection = _connection(checkup, settings, clock, version)
    else:
        checkup.notes.append(
            "The server was not asked for account and campaigns: correct base_url or the sign-in first."
        )
    directory: Directory = AnyDirectory()
    try:
        if connection is not None:
            directory = connection.directory
            checkup.base_url, checkup.account_id = settings.base_url, connection.account_id
            _look_at_stores(checkup, settings, connection, clock)
            _look_at_campaigns(checkup, settings, directory, clock)
        _look_at_mappings(checkup, settings, directory)
        if schemas is not None:
            _look_at_streams(checkup, valid, settings, directory, schemas)
        else:
            checkup.notes.append(
                "The streams of the tap are not known, so their fields, and stream maps, are not compared with the "
                "mappings. Give what the tap writes with --input."
            )
    finally:
        if connection is not None:
            connection.close()
    _remark(checkup, settings)
    return checkup


def _connection(checkup: Checkup, settings: Settings, clock: Clock, version: str) -> Connection | None:
    """Sign in as a run does, with less patience; None when that fails."""
    impatient = replace(settings, retry_max_seconds=min(settings.retry_max_seconds, PATIENCE_SECONDS))
    try:
        make_state_dir(settings.state_dir)
        return connect(impatient, clock, Halt(clock), version)
    except EngageVoiceError as error:
        checkup.fail(error)
    return None


def _look_at_stores(checkup: Checkup, settings: Settings, connection: Connection, clock: Clock) -> None:
    """Open the ledger, as a dry run does, and the shared quota."""
    with checkup.failures_of(EngageVoiceError):
        Ledger.open(settings.ledger_url, settings.state_dir, connection.account_id, _RUN, read_only=True).close()
    if settings.rate_limit_store is None:
        return
    from target_engagevoice.api.ratelimit.postgres import SharedQuota  # noqa: PLC0415 - most runs have no store

    store, windows = settings.rate_limit_store, settings.rate_limits
    with checkup.failures_of(EngageVoiceError):
        SharedQuota.open(store, connection.quota, windows, JITTER_MARGIN_SECONDS, clock).close()


def _look_at_campaigns(checkup: Checkup, settings: Settings, directory: Directory, clock: Clock) -> None:
    for where, reference in settings.campaign_references():
        with checkup.failures_of(ConfigError):
            checkup.campaigns.setdefault(found(where, reference, directory), []).append(where)
    for campaign in checkup.campaigns:
        for doubt in campaign.doubts(clock.time()):
            checkup.warn(doubt)


def _look_at_mappings(checkup: Checkup, settings: Settings, directory: Directory) -> None:
    """Compile each mapping as if a stream of that name came whose fields are not known."""
    by_pattern = settings.mappings.by_pattern
    for pattern, mapping in by_pattern.items():
        with checkup.failures_of(FatalError):
            compile_stream(pattern, _UNKNOWN, (), settings.stream_rules, directory)
        try:  # once more, with every campaign there, since a mapping is compiled only where its campaign is
            compile_stream(pattern, _UNKNOWN, (), settings.stream_rules, AnyDirectory())
        except FatalError as error:
            checkup.fail(error)
            continue
        checkup.streams.append(_checked(pattern, mapping, settings, directory, _UNKNOWN, ()))
    sending = [f"mappings.{pattern}" for pattern, mapping in by_pattern.items() if EXTENDED in mapping.maps]
    sending += ["unmapped_fields"] if settings.extend_unmapped else []
    if sending:
        checkup.warn(
            f"extendedLeadData is sent ({', '.join(sending)}): each campaign needs a custom-field group for it, and "
            "the API does not show whether it has one. Look in the campaign's settings."
        )
    if settings.campaign is not None:
        checkup.streams.append(_checked(None, None, settings, directory, _UNKNOWN, ()))
    elif not by_pattern:
        words = "no stream has a campaign to go to; set 'campaign', for every stream, or 'mappings.<stream>.campaign'."
        checkup.fail(ConfigError(words))


def _look_at_streams(
    checkup: Checkup, config: dict[str, Any], settings: Settings, directory: Directory, schemas: IO[Any]
) -> None:
    """Compile each stream of the input; what is shown of the mappings is then shown of the streams."""
    checkup.streams.clear()
    target = _SchemaTarget(config, directory, checkup)
    with checkup.failures_of(EngageVoiceError):
        target.listen(as_messages(schemas))
    if not target.seen and not checkup.failures:
        checkup.warn("the input has no SCHEMA message, so no stream was looked at; give what the tap writes.")
    named = {mapping.pattern for name in target.seen if (mapping := settings.mappings.find(name))}
    for pattern in settings.mappings.by_pattern:
        if pattern not in named:
            checkup.warn(f"mappings.{pattern}: no stream of the input is named like this.")


class _SchemaTarget(PreviewTarget):
    """Compiles every stream of its input as a run does, goes on after one that fails, and passes over the rest."""

    def __init__(self, config: dict[str, Any], directory: Directory, checkup: Checkup) -> None:
        super().__init__(config, directory=directory)
        self._checkup = checkup
        self.seen: dict[str, None] = {}

    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> LeadSink:
        """Compile a stream, and take down what it is like."""
        self.seen[stream_name] = None
        sink = super().get_sink(stream_name, record=record, schema=schema, key_properties=key_properties)
        mapping = self._settings.mappings.find(stream_name)
        stream = self._streams[stream_name]
        for warning in stream.mapping.warnings if stream is not None else ():
            self._checkup.warn(warning)
        keys = tuple(key_properties or ())
        shown = _checked(stream_name, mapping, self._settings, self.open_run.directory, schema or _UNKNOWN, keys)
        self._checkup.streams.append(shown)
        return sink

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        with self._checkup.failures_of(FatalError):
            super()._process_schema_message(message_dict)

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """A record says nothing of its stream."""

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        with self._checkup.failures_of(FatalError):
            super()._process_batch_message(message_dict)


def _checked(
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
    """Where the records of a stream go, in words."""

    def named(reference: str) -> str:
        campaign = directory.find(reference)
        return str(getattr(campaign, "path", reference)).removeprefix("/")

    campaign = mapping.campaign if mapping.campaign is not None else settings.campaign or ""
    if not isinstance(campaign, CampaignByRecord):
        return named(campaign)
    known = ", ".join(f"{value} → {named(name)}" for value, name in (campaign.names or {}).items())
    default = f"otherwise to {named(campaign.default)}" if campaign.default else "otherwise it is rejected"
    return f"by record, as field {campaign.source} says: {known or 'a campaign by its id or name'}; {default}"


def _remark(checkup: Checkup, settings: Settings) -> None:
    """Say what the API can not tell, and what may surprise."""
    mappings = settings.mappings.by_pattern.values()
    for campaign in checkup.campaigns:
        if campaign.single_phone:
            checkup.notes.append(
                f"Campaign {campaign.path} ({campaign.campaign_id}) is STRATEGIC: it takes one number in leadPhone; "
                "map others to personaPhoneConfig, with labels that match the campaign's exactly."
            )
    if settings.phones.format != "e164" and not any(LEAD_PHONE_E164 in mapping.fields for mapping in mappings):
        checkup.notes.append(
            f"phone_format is {settings.phones.format!r}: an account in E.164 mode takes such leads and does not load "
            "them. If yours is in that mode, set phone_format to 'e164'."
        )
    if settings.campaign is None and mappings:
        checkup.notes.append("A stream that no mapping names ends the run, since 'campaign' is not set.")
    if settings.dry_run:
        checkup.notes.append("dry_run is set: a run will read and map, and send nothing.")
