"""Where every record ends: counted once, put aside if rejected, and let out of its epoch so that STATE may pass."""

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
"""`max_rejected_percent` is not looked at before so many records: the first one of a run may well be a bad one."""


class ReadRecord(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A record on its way.

    Attributes:
        stream: The stream it came on, as stream maps named it.
        source: The line it came in, which takes a quarter of the room of what it is read into; or the record itself.
        epoch: Where it is counted for STATE.
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
        """Of its stream, as its message says; None where it says none."""
        version = None if isinstance(self.source, Mapping) else decode(self.source).get("version")
        return version if isinstance(version, int) else None


class Outcomes:
    """The way out. Any thread may call it; the parts it calls have their own locks."""

    def __init__(self, run: Run, rejects: RejectWriter, checkpoints: Checkpoints, max_rejected_percent: float) -> None:
        self._run = run
        self._rejects = rejects
        self._checkpoints = checkpoints
        self._max_rejected_percent = max_rejected_percent

    def read(self, stream: str, source: bytes | Mapping[str, Any]) -> ReadRecord:
        """A record was read: from here on it must be settled exactly once. Only for the thread that reads.

        Args:
            stream: The stream it came on.
            source: The line it came in, or the record itself.

        Raises:
            RejectedTooMany: Of the records before it more were rejected than allowed.
        """
        if self._run.rejected and self._run.read >= CHECKED_FROM_RECORDS:
            self.check_rejected()
        self._run.read += 1
        return ReadRecord(stream, source, self._checkpoints.open_record())

    def settle(self, record: ReadRecord, campaign: Campaign | None, outcome: Outcome) -> None:
        """A record has its outcome.

        Raises:
            StorageError: A STATE became due and can not be written.
        """
        self.settle_all([record], campaign, outcome)

    def settle_all(self, records: Sequence[ReadRecord], campaign: Campaign | None, outcome: Outcome) -> None:
        """Records of one stream have the same outcome together.

        Raises:
            StorageError: A STATE became due and can not be written.
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
        """A record can not be loaded; it is put aside first, then settled.

        Raises:
            StorageError: It can not be put aside, or a STATE became due and can not be written.
            RejectedTooMany: More were rejected than allowed, with enough records read to tell.
        """
        campaign_id = campaign.campaign_id if campaign else None
        source, content = record.read
        self._rejects.write(record.stream, campaign_id, rejection, content, lead, source)
        self.settle(record, campaign, Outcome.REJECTED)
        if self._run.read >= CHECKED_FROM_RECORDS:
            self.check_rejected()

    def check_rejected(self) -> None:
        """Compare the rejects with `max_rejected_percent`.

        Raises:
            RejectedTooMany: They are more.
        """
        percent = self._run.rejected_percent()
        if percent > self._max_rejected_percent:
            msg = (
                f"{self._run.rejected} of {self._run.read} records were rejected ({percent:.1f} %), more than "
                f"max_rejected_percent ({self._max_rejected_percent:g} %) allows. Each one is in {self._rejects.path} "
                "with its reason."
            )
            raise RejectedTooMany(msg)
