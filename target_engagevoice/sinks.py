"""SDK sink → this package's flow. One sink per stream, and one per stream and campaign; short on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import Sink

from target_engagevoice.leads import Lead, Outcome, Rejection
from target_engagevoice.streams import RECORD_METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Target

    from target_engagevoice.buffers import Buffer
    from target_engagevoice.campaigns import Campaign
    from target_engagevoice.load_run import LoadRun
    from target_engagevoice.outcomes import ReadRecord
    from target_engagevoice.streams import Stream

READ_RECORD = "read_record"
"""Key of the context under which the target hands over the record as it was read."""


class LeadSink(Sink):
    """Takes the records of one stream that are bound for one campaign; those bound for none end here as well."""

    def __init__(
        self,
        target: Target,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._load_run: LoadRun | None = None
        self._stream: Stream | None = None
        self._campaign: Campaign | None = None
        self._buffer: Buffer | None = None

    def bind(self, load_run: LoadRun, stream: Stream | None, campaign: Campaign | None) -> None:
        """Say what it is for.

        Args:
            load_run: The run it delivers to.
            stream: The compiled stream; None for one that is skipped.
            campaign: Where it delivers; None for records that no campaign is known for.
        """
        self._load_run, self._stream, self._campaign = load_run, stream, campaign
        if stream is not None and campaign is not None:
            self._buffer = load_run.delivery.buffer(stream.name, campaign, stream.options)

    def get_validator(self) -> None:
        """No validator of the SDK's: it logs the values that do not fit. `Stream.check` does it instead."""

    def _remove_sdc_metadata_from_record(self, record: dict[str, Any]) -> None:
        """Remove what the SDK would, but `_sdc_deleted_at`: a deleted row must be known as one."""
        for name in RECORD_METADATA & record.keys():
            del record[name]

    def _validate_and_parse(self, record: dict[str, Any]) -> dict[str, Any]:
        """Leave dates as the text they came in; the check comes later and ends in a rejection."""
        return record

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """See a record to its outcome, or into its buffer.

        Args:
            record: After stream maps.
            context: Holds the record as read under `READ_RECORD`.
        """
        assert self._load_run is not None  # noqa: S101 - a mistake of this program, not of a user
        read: ReadRecord = context[READ_RECORD]
        outcome = self._outcome(record)
        if isinstance(outcome, Rejection):
            self._load_run.outcomes.reject(read, self._campaign, outcome)
        elif isinstance(outcome, Outcome):
            self._load_run.outcomes.settle(read, self._campaign, outcome)
        elif self._buffer is not None:
            self._load_run.delivery.add(self._buffer, read, outcome)

    def _outcome(self, record: dict[str, Any]) -> Lead | Rejection | Outcome:
        if self._stream is None:
            return Outcome.SKIPPED
        screened = self._stream.mapping.screen(record)
        if screened is not None:
            return screened
        wrong = self._stream.check(record)
        if wrong is not None:
            return wrong
        if self._campaign is None:
            routed = self._stream.route(record)
            assert isinstance(routed, Rejection)  # noqa: S101 - get_sink chose this sink because routing failed
            return routed
        return self._stream.mapping.lead(record, single_phone=self._campaign.single_phone)

    @property
    def current_size(self) -> int:
        """Leads in the buffer."""
        return len(self._buffer) if self._buffer is not None else 0

    @property
    def is_full(self) -> bool:
        """Whether the buffer is to be drained by rows or bytes."""
        assert self._load_run is not None  # noqa: S101 - a mistake of this program, not of a user
        return self._buffer is not None and self._load_run.delivery.is_full(self._buffer)

    def process_batch(self, context: dict[str, Any]) -> None:
        """Drain the buffer.

        Args:
            context: Not used: the leads are in the buffer.
        """
        del context
        if self._load_run is not None and self._buffer is not None:
            self._load_run.delivery.drain(self._buffer)
