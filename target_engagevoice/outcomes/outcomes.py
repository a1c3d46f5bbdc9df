"""Gives each record its outcome: counts it, writes it to the rejects file if it was rejected, and settles its epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from target_engagevoice.errors import RejectedTooMany
from target_engagevoice.model.lead import Lead, Outcome, Rejection
from target_engagevoice.singer.json import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.outcomes.checkpoints import Checkpoints, Epoch
    from target_engagevoice.outcomes.counts import Run
    from target_engagevoice.outcomes.rejects import RejectWriter

CHECKED_FROM_RECORDS = 100
"""`max_rejected_percent` is not checked before so many records were read: a bad one may come first."""


class ReadRecord(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A record that was read and has no outcome yet.

    Attributes:
        stream: The stream it came on, as stream maps named it.
        source: The line it came in, which takes a quarter of the memory of the decoded record; or the record itself.
        epoch: The epoch that STATE waits for.
    """

    stream: str
    source: bytes | Mapping[str, Any]
    epoch: Epoch

    @property
    def record(self) -> Mapping[str, Any]:
        """As read, before stream maps."""
        return self.read[1]

    @property
    def read(self) -> tuple[str, Mapping[str, Any]]:
        """The stream as the tap names it, and the record, both before stream maps."""
        if isinstance(self.source, Mapping):
            return self.stream, self.source
        message: Mapping[str, Any] = decode(self.source)
        return message["stream"], message["record"]

    @property
    def version(self) -> int | None:
        """The version of its stream in its message; None where there is none."""
        version = None if isinstance(self.source, Mapping) else decode(self.source).get("version")
        return version if isinstance(version, int) else None


class Outcomes:
    """Records outcomes. Any thread may call it; the objects it calls have their own locks."""

    def __init__(self, run: Run, rejects: RejectWriter, checkpoints: Checkpoints, max_rejected_percent: float) -> None:
        self._run = run
        self._rejects = rejects
        self._checkpoints = checkpoints
        self._max_rejected_percent = max_rejected_percent

    def read(self, stream: str, source: bytes | Mapping[str, Any]) -> ReadRecord:
        """Count a record that was read. It must be settled exactly once. Only for the thread that reads.

        Args:
            stream: The stream it came on.
            source: The line it came in, or the record itself.

        Raises:
            RejectedTooMany: More of the records before it were rejected than allowed.
        """
        if self._run.rejected and self._run.read >= CHECKED_FROM_RECORDS:
            self.check_rejected()
        self._run.read += 1
        return ReadRecord(stream, source, self._checkpoints.open_record())

    def settle(self, record: ReadRecord, campaign: Campaign | None, outcome: Outcome) -> None:
        """Record the outcome of a record.

        Raises:
            StorageError: A STATE became due and cannot be written.
        """
        self.settle_all([record], campaign, outcome)

    def settle_all(self, records: Sequence[ReadRecord], campaign: Campaign | None, outcome: Outcome) -> None:
        """Record the same outcome for records of one stream.

        Raises:
            StorageError: A STATE became due and cannot be written.
        """
        if records:
            self._run.count(records[0].stream, campaign, outcome, len(records))
            self._checkpoints.settle([record.epoch for record in records])

    def reject(
        self,
        record: ReadRecord,
        campaign: Campaign | None,
        rejection: Rejection,
        lead: Lead | None = None,
    ) -> None:
        """Write a record to the rejects file, then settle it.

        Raises:
            StorageError: The rejects file cannot be written, or a STATE became due and cannot.
            RejectedTooMany: More were rejected than allowed, and enough records were read to judge that.
        """
        campaign_id = campaign.campaign_id if campaign else None
        source, content = record.read
        self._rejects.write(record.stream, campaign_id, rejection, content, lead, source)
        self.settle(record, campaign, Outcome.REJECTED)
        if self._run.read >= CHECKED_FROM_RECORDS:
            self.check_rejected()

    def check_rejected(self) -> None:
        """Check the share of rejects against `max_rejected_percent`.

        Raises:
            RejectedTooMany: It is larger.
        """
        percent = self._run.rejected_percent()
        if percent > self._max_rejected_percent:
            msg = (
                f"{self._run.rejected} of {self._run.read} records were rejected ({percent:.1f} %), more than "
                f"max_rejected_percent ({self._max_rejected_percent:g} %) allows. Each one is in {self._rejects.path} "
                "with its reason."
            )
            raise RejectedTooMany(msg)
