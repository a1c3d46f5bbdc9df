"""The route of a stream's records: the stream maps they go through, and the sink behind each."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from singer_sdk import metrics
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.sinks import Sink

from target_engagevoice.mapping.stream import RECORD_METADATA
from target_engagevoice.model.campaign import Campaign
from target_engagevoice.model.lead import Lead, Outcome, Rejection, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk import Target
    from singer_sdk.mapper import StreamMap

    from target_engagevoice.delivery.buffer import LeadBuffer
    from target_engagevoice.delivery.stream_versions import Versions
    from target_engagevoice.mapping.stream import Stream
    from target_engagevoice.outcomes.outcomes import Outcomes, ReadRecord
    from target_engagevoice.run.open_run import OpenRun

    Transform: TypeAlias = "Callable[[dict[str, Any]], dict[str, Any] | None]"

METADATA_PREFIX = b"_sdc_"
"""In the line of a record that may have the SDK's metadata; looking for it is cheaper than for the fields."""

COUNTED_AT_ONCE = 100
"""The SDK's counters count so many records in one call: each call asks for the time."""

READ_RECORD = "read_record"
"""Key of the context under which the target hands over the record as it was read."""


def batch_timer(stream: str) -> metrics.Timer:
    """The SDK's timer of a batch; a new one each, since several of a stream are under way together."""
    return metrics.Timer(metrics.Metric.BATCH_PROCESSING_TIME, {metrics.Tag.STREAM: stream})


class LeadTarget(Protocol):
    """What a sink needs of its target: the SDK makes a sink of its class, and hands it nothing but the target."""

    @property
    def open_run(self) -> OpenRun:
        """The run that the sink delivers to."""

    def compiled(self, stream_name: str) -> Stream | None:
        """The compiled stream; None for one that is skipped."""


class LeadSink(Sink):
    """Gives each record of one stream its outcome, or puts its lead into the buffer of its campaign.

    Not one sink a campaign, as `get_sink` would allow: each would copy the schema, and there may be a thousand.

    Args:
        target: The SDK's, and a `LeadTarget`, which has compiled the stream already.
        stream_name: As stream maps name it.
        schema: Of its SCHEMA message.
        key_properties: Its key.
    """

    def __init__(
        self,
        target: Target,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        lead_target = cast("LeadTarget", target)
        self._run = lead_target.open_run
        self._stream = stream = lead_target.compiled(stream_name)
        self._buffers: dict[str, LeadBuffer] = {}  # by campaign id: a campaign's own hash is that of all it has
        self._uncounted = 0
        self._fast_lead = stream.fast_lead if stream is not None else None
        self._only = stream.router.only if stream is not None else None

    def get_validator(self) -> None:
        """No validator of the SDK's: it logs the values that do not fit. `Stream.check` does it instead."""

    def _remove_sdc_metadata_from_record(self, record: dict[str, Any]) -> None:
        """Remove what the SDK would, but `_sdc_deleted_at`: a deleted row must be known as one."""
        for name in RECORD_METADATA:
            record.pop(name, None)

    def _validate_and_parse(self, record: dict[str, Any]) -> dict[str, Any]:
        """Leave dates as the text they came in; the check comes later and ends in a rejection."""
        return record

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Give a record its outcome, or put its lead into its buffer.

        Args:
            record: After stream maps.
            context: Holds the record as read under `READ_RECORD`.
        """
        run, stream = self._run, self._stream
        read: ReadRecord = context[READ_RECORD]
        self._uncounted += 1
        if self._uncounted >= COUNTED_AT_ONCE:
            self.count_records()
        if stream is None:
            run.outcomes.settle(read, None, Outcome.SKIPPED)
            return
        campaign = self._only or stream.route(record)
        outcome: Lead | Rejection | Outcome | None = None
        if self._fast_lead is not None and type(campaign) is Campaign:
            outcome = self._fast_lead(record)
        if outcome is None:
            outcome = stream.outcome(record, campaign)
        if isinstance(outcome, Lead) and type(campaign) is Campaign:
            buffer = self._buffers.get(campaign.campaign_id)
            if buffer is None:
                buffer = run.destination.buffer(stream.name, campaign, stream.options)
                self._buffers[campaign.campaign_id] = buffer
            run.destination.take(buffer, read, outcome)
            return
        known = None if isinstance(campaign, Rejection) else campaign
        if not isinstance(outcome, Outcome):
            assert isinstance(outcome, Rejection)  # noqa: S101 - a lead without a campaign is none
            if run.versions is not None:
                run.versions.note(stream.name, [(read, stream.mapping.extern_id(record) or "")])
            run.outcomes.reject(read, known, outcome)
            return
        retirement = stream.retirement(record, outcome, known)
        if retirement is None:
            run.outcomes.settle(read, known, outcome)
        else:
            run.destination.retire(read, retirement)

    def count_records(self) -> None:
        """Add the records since the last call to the SDK's counters."""
        self.tally_record_read(self._uncounted)
        self.record_counter_metric.increment(self._uncounted)
        self._uncounted = 0

    def clean_up(self) -> None:
        """The stream is at its end, or has a new SCHEMA: let the SDK's counter log how many records there were."""
        self.count_records()
        super().clean_up()

    @property
    def current_size(self) -> int:
        """Nothing waits here: leads are in the buffers of their campaigns, which are drained when they are full."""
        return 0

    def process_batch(self, context: dict[str, Any]) -> None:
        """Nothing to do, see `current_size`."""


@dataclass(frozen=True)
class Route:
    """Where the records of a stream go, through one stream map.

    Attributes:
        alias: The stream's name behind the stream map.
        outcomes: Where a record ends that the stream map removes or fails on.
        transform: The stream map; None for one that returns the very record, which need not be copied or called.
        sink: Takes the records behind it.
        add_metadata: Whether the SDK's metadata are to be added.
        versions: Notes a record on which the stream map fails; None unless `load_method` is `overwrite`.
    """

    alias: str
    outcomes: Outcomes
    transform: Transform | None
    sink: LeadSink
    add_metadata: bool
    versions: Versions | None

    def transformed(self, transform: Transform, read: ReadRecord, record: dict[str, Any]) -> dict[str, Any] | None:
        """A record behind its stream map; None when it has its outcome."""
        try:
            transformed = transform(copy.copy(record))
        except Exception as error:  # noqa: BLE001 - a user's expression may raise anything for one record
            message = (
                f"a stream map of {self.alias} fails on this record: {type(error).__name__}. Let its expression take "
                "what this record holds, or lacks."
            )
            if self.versions is not None:
                self.versions.note_unknown(self.alias, read)
            self.outcomes.reject(read, None, Rejection(Stage.MAP, "stream_map", message))
            return None
        if transformed is None:
            self.outcomes.settle(read, None, Outcome.SKIPPED)
        return transformed


def routes_of(
    stream_maps: Sequence[StreamMap], sinks: Mapping[str, Sink], run: OpenRun, *, add_metadata: bool
) -> tuple[Route, ...]:
    """The routes of the records of a stream that has these stream maps, to the sinks of these names."""
    alone = len(stream_maps) == 1

    def changes_nothing(each: StreamMap) -> bool:
        return alone and type(each) is SameRecordTransform and not each.flattening_enabled

    return tuple(
        Route(
            each.stream_alias,
            run.outcomes,
            None if changes_nothing(each) else each.transform,
            cast("LeadSink", sinks[each.stream_alias]),
            add_metadata,
            run.versions,
        )
        for each in stream_maps
    )
