"""A run that is open: what a target reads records into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from target_engagevoice.reporting.progress import Snapshot

if TYPE_CHECKING:
    from target_engagevoice.api.ratelimit.pace import Pace
    from target_engagevoice.delivery.buffer import LeadBuffer
    from target_engagevoice.delivery.refusals import Refusals
    from target_engagevoice.delivery.stream_versions import Versions
    from target_engagevoice.model.campaign import Campaign, Directory
    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.checkpoints import Checkpoints
    from target_engagevoice.outcomes.counts import Run
    from target_engagevoice.outcomes.outcomes import Outcomes, ReadRecord
    from target_engagevoice.outcomes.rejects import RejectWriter
    from target_engagevoice.reporting.progress import Position
    from target_engagevoice.run.ending import Ending


class Destination(Protocol):
    """Where mapped leads go: `delivery.Delivery` in a run, `preview.ShownLeads` in a preview."""

    @property
    def under_way(self) -> int:
        """Batches being loaded."""

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> LeadBuffer:
        """The buffer of a stream and campaign."""

    def take(self, buffer: LeadBuffer, record: ReadRecord, lead: Lead) -> None:
        """Take a lead."""

    def hand_over(self) -> None:
        """The reading thread is about to wait: put what was taken into the buffers."""

    def retire(self, record: ReadRecord, flagged: FlaggedRecord) -> None:
        """Take a record whose leads are to be retired, or whose phones are to be listed."""

    def catch_up(self) -> None:
        """Send everything that was taken, and wait for its outcomes; more will be read."""

    def finish(self) -> None:
        """Send everything that was taken, and wait for its outcomes; nothing more is read."""


@dataclass(frozen=True)
class OpenRun:
    """A run that takes records. Owned by the main thread; another thread may only call `snapshot`.

    Attributes:
        counts: Its name and numbers.
        outcomes: Where each record ends.
        rejects: Where rejected records are written.
        checkpoints: Where STATE goes.
        directory: The campaigns of the account.
        destination: Where leads go.
        pace: The account's, for the loader.
        versions: What the versions of streams hold; None unless `load_method` is `overwrite`.
        refusals: Leads that the server refused; None where nothing is sent.
        ending: What ends it.
    """

    counts: Run
    outcomes: Outcomes
    rejects: RejectWriter
    checkpoints: Checkpoints
    directory: Directory
    destination: Destination
    pace: Pace
    versions: Versions | None
    refusals: Refusals | None
    ending: Ending

    def state(self, value: Any) -> None:
        """A STATE message was read, see `Checkpoints.state`."""
        self.checkpoints.state(value)

    def activate(self, stream: str, version: int) -> None:
        """A version of a stream is whole: deliver what came before, then retire what the version does not hold.

        Raises:
            EngageVoiceError: The run cannot continue, or too much would be retired.
        """
        if self.versions is not None:
            self.destination.catch_up()
            self.versions.activate(stream, version)

    def finish(self, *, whole: bool = True) -> None:
        """Standard input is at its end: deliver every lead.

        Args:
            whole: Whether it came to its end, rather than to a line that cannot be read.

        Raises:
            EngageVoiceError: The run cannot deliver them, or too many records were rejected.
        """
        self.destination.finish()
        if self.versions is not None:
            self.versions.finish(whole=whole)
        if self.refusals is not None:
            self.refusals.finish()
        self.ending.complete = True
        self.outcomes.check_rejected()

    def snapshot(self, at: float, position: Position) -> Snapshot:
        """How far the run is. For the thread that shows it: no thread that loads waits for this one.

        Args:
            at: Monotonic seconds now.
            position: Of the input.
        """
        return Snapshot(
            at,
            self.counts.read,
            self.counts.by_campaign(),
            self.pace.in_use(),
            self.destination.under_way,
            self.pace.waiting,
            position,
        )
