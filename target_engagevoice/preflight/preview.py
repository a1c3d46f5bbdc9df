"""A preview reads, routes and maps as a run does, and shows what a run would send: nothing is sent or written.

It is the target of every run with another destination, which shows leads instead of sending them, and another reject
writer, which keeps one example of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.clock import SystemClock
from target_engagevoice.delivery.buffer import LeadBuffer
from target_engagevoice.halt import Halt
from target_engagevoice.mapping.config import StreamMapping
from target_engagevoice.model.campaign import Campaign, Directory
from target_engagevoice.model.lead import Outcome
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.counts import Run
from target_engagevoice.outcomes.outcomes import Outcomes
from target_engagevoice.preflight.lineage import Lineage
from target_engagevoice.preflight.reject_examples import RejectExamples
from target_engagevoice.run.account_checks import check_account
from target_engagevoice.run.ending import Ending
from target_engagevoice.run.open_run import OpenRun
from target_engagevoice.run.session import connect
from target_engagevoice.sinks import LeadSink
from target_engagevoice.target import TargetEngageVoice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from target_engagevoice.clock import Clock
    from target_engagevoice.config.settings import Settings
    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.outcomes import ReadRecord
    from target_engagevoice.preflight.lineage import FieldOrigin


@dataclass(frozen=True)
class MappedLead:
    """A lead that a run would send.

    Attributes:
        fed: Its fields, and where they came from.
    """

    stream: str
    campaign: Campaign
    fed: tuple[FieldOrigin, ...]


class AnyDirectory(Directory):
    """Every campaign that a configuration or a record names, without asking the server whether it exists."""

    def __init__(self) -> None:
        super().__init__(())

    def find(self, reference: str) -> Campaign:
        """A campaign of that name."""
        reference = reference.strip()
        return Campaign(reference, reference, "", "", dnc_scrub="INTERNAL_ONLY")


class ShownLeads:
    """A destination that shows the first leads, and counts all of them as if they were loaded.

    The reading thread's own.

    Args:
        outcomes: Where leads are counted.
        limit: So many are shown.
        show: Shows one.
    """

    def __init__(self, outcomes: Outcomes, limit: int, show: Callable[[MappedLead], None]) -> None:
        self._outcomes = outcomes
        self._to_show = limit
        self._show = show
        self._record: Mapping[str, Any] = {}
        self._lineage: Lineage | None = None
        self.under_way = 0

    def note(self, record: Mapping[str, Any], lineage: Lineage) -> None:
        """The next lead is made of this record, which has been through the stream maps."""
        self._record, self._lineage = record, lineage

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> LeadBuffer:
        """The buffer of a stream and campaign, which stays empty."""
        return LeadBuffer(stream=stream, campaign=campaign, options=options)

    def take(self, buffer: LeadBuffer, record: ReadRecord, lead: Lead) -> None:
        """Show a lead, if not enough have been shown, and count it."""
        if self._to_show > 0 and self._lineage is not None:
            self._to_show -= 1
            fields = self._lineage.of(self._record, lead.fields)
            self._show(MappedLead(buffer.stream, buffer.campaign, tuple(fields)))
        self._outcomes.settle(record, buffer.campaign, Outcome.LOADED)

    def retire(self, record: ReadRecord, flagged: FlaggedRecord) -> None:
        """Count a record whose lead a run would retire."""
        self._outcomes.settle(record, flagged.campaign, flagged.outcome)

    def hand_over(self) -> None:
        """Nothing to do: no lead is kept."""

    def catch_up(self) -> None:
        """Nothing to do: every lead has its outcome."""

    def finish(self) -> None:
        """Nothing to do: every lead has its outcome."""


class Preview:
    """A run without ledger, rejects file, run record and STATE; see `lifecycle.NewRun`. Owned by the main thread.

    Args:
        settings: Those of the run.
        clock: Time.
        version: Of this package.
        limit: So many leads are shown.
        show: Shows one.
        directory: The campaigns; None for those that the server lists.

    Attributes:
        counts: The numbers.
        rejected: The rejects.
        leads: Where leads go.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        version: str,
        *,
        limit: int,
        show: Callable[[MappedLead], None],
        directory: Directory | None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._version = version
        self._directory = directory
        self.halt = Halt(clock)
        self.ending = Ending()
        self.counts = Run(clock)
        self.rejected = RejectExamples(settings.state_dir / "rejects" / f"{self.counts.name}.jsonl")
        self._checkpoints = Checkpoints(make_durable=lambda: None, write=None)
        self._outcomes = Outcomes(self.counts, self.rejected, self._checkpoints, max_rejected_percent=100.0)
        self.leads = ShownLeads(self._outcomes, limit, show)

    @property
    def would_stop(self) -> str | None:
        """Why a run of these records would stop early, or end with an error; None when it would not."""
        most = self.settings.max_rejected_percent
        percent = self.counts.rejected_percent()
        if percent <= most:
            return None
        return f"{percent:.1f} % are rejected, and max_rejected_percent allows {most:g} %."

    def open(self, closers: ExitStack) -> OpenRun:
        """Sign in and check the account as a run does; not where a directory was given.

        Raises:
            FatalError: A run could not begin.
        """
        return OpenRun(
            counts=self.counts,
            outcomes=self._outcomes,
            rejects=self.rejected,
            checkpoints=self._checkpoints,
            directory=self._directory if self._directory is not None else self._sign_in(closers),
            destination=self.leads,
            pace=Pace(self.settings.rate_limits, self._clock),
            versions=None,
            refusals=None,
            ending=self.ending,
        )

    def write_record(self) -> None:
        """Nothing to do: only a run leaves a record."""

    def _sign_in(self, closers: ExitStack) -> Directory:
        connection = connect(self.settings, self._clock, self.halt, self._version)
        closers.callback(connection.close)
        check_account(self.settings, connection, self._clock)
        return connection.directory


class PreviewSink(LeadSink):
    """Passes each record to the preview as well, which shows where the fields of its lead come from.

    Args:
        target: Has the preview.
        stream_name: See `LeadSink`.
        schema: See `LeadSink`.
        key_properties: See `LeadSink`.
    """

    def __init__(
        self, target: PreviewTarget, stream_name: str, schema: dict[str, Any], key_properties: Sequence[str] | None
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        preview = target.preview
        mapping = preview.settings.mappings.find(stream_name) or StreamMapping(pattern=stream_name)
        self._leads = preview.leads
        self._lineage = Lineage(mapping, schema, tuple(key_properties or ()), preview.settings.phones)

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Give a record its outcome; see `LeadSink.process_record`."""
        self._leads.note(record, self._lineage)
        super().process_record(record, context)

    def clean_up(self) -> None:
        """Log no metric of the SDK's: nothing was loaded."""


class PreviewTarget(TargetEngageVoice):
    """The target, with a preview for its run.

    Args:
        config: The configuration, as for a run.
        limit: So many leads are shown.
        show: Shows one.
        directory: The campaigns; None for those that the server lists.

    Attributes:
        preview: The preview.
    """

    default_sink_class = PreviewSink

    def __init__(
        self,
        config: dict[str, Any],
        *,
        limit: int = 0,
        show: Callable[[MappedLead], None] = lambda _lead: None,
        directory: Directory | None = None,
    ) -> None:
        super().__init__(config=config, fate="read")
        self.preview = Preview(
            self._settings, SystemClock(), self.plugin_version, limit=limit, show=show, directory=directory
        )

    def new_run(self) -> Preview:
        """The preview."""
        return self.preview
