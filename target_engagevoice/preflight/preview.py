"""A run that reads, routes and maps as every run does, and shows what it would send: nothing is sent or written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from target_engagevoice.clock import SystemClock
from target_engagevoice.delivery.buffer import LeadBuffer, VersionQueue
from target_engagevoice.mapping.config import StreamMapping
from target_engagevoice.model.campaign import Campaign, Directory
from target_engagevoice.model.lead import Outcome
from target_engagevoice.outcomes.outcomes import Outcomes
from target_engagevoice.outcomes.rejects import Rejects
from target_engagevoice.preflight.lineage import Lineage
from target_engagevoice.run.load_run import LoadRun
from target_engagevoice.run.session import connect
from target_engagevoice.sinks import LeadSink
from target_engagevoice.target import TargetEngageVoice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_engagevoice.clock import Clock
    from target_engagevoice.config.settings import Settings
    from target_engagevoice.errors import EngageVoiceError
    from target_engagevoice.model.lead import Lead, Rejection
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.outcomes import ReadRecord
    from target_engagevoice.preflight.lineage import Fed


@dataclass(frozen=True)
class MappedLead:
    """A lead that a run would send.

    Attributes:
        fed: Its fields, and where they came from.
    """

    stream: str
    campaign: Campaign
    fed: tuple[Fed, ...]


@dataclass(frozen=True)
class RejectedKind:
    """Rejects of one stream that fail for the same reason.

    Attributes:
        count: How many.
        record: The first of them, as read.
    """

    stream: str
    rejection: Rejection
    count: int
    record: Mapping[str, Any]


class AnyDirectory(Directory):
    """Every campaign that a configuration or a record names, taken at its word: nobody is asked."""

    def __init__(self) -> None:
        super().__init__(())

    def find(self, reference: str) -> Campaign:
        """A campaign of that name."""
        reference = reference.strip()
        return Campaign(reference, reference, "", "")


class KeptRejects(Rejects):
    """Counts rejects by kind and keeps the first of each; writes no file. The reading thread's own."""

    def __init__(self, rejects: Rejects, run: str, clock: Clock) -> None:
        super().__init__(rejects.path, run, clock)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._first: dict[tuple[str, str, str], tuple[Rejection, Mapping[str, Any]]] = {}

    def write(
        self,
        stream: str,
        campaign_id: str | None,
        rejection: Rejection,
        record: Mapping[str, Any],
        lead: Lead | None = None,
        source: str | None = None,
    ) -> None:
        """Keep one record in mind; see `Rejects.write`."""
        del campaign_id, lead, source
        kind = (stream, rejection.stage.value, rejection.reason)
        self._counts[kind] += 1
        self._first.setdefault(kind, (rejection, record))

    def kinds(self) -> list[RejectedKind]:
        """Each kind, the most frequent first."""
        return [
            RejectedKind(kind[0], self._first[kind][0], count, self._first[kind][1])
            for kind, count in self._counts.most_common()
        ]


class LeadShow:
    """Where leads go instead of out: the first ones are shown, all are counted as if they were loaded.

    The reading thread's own.

    Attributes:
        record: The record that is being mapped, after stream maps.
        lineages: Of each stream.
    """

    def __init__(self, outcomes: Outcomes, limit: int, show: Callable[[MappedLead], None]) -> None:
        self._outcomes = outcomes
        self._left = limit
        self._show = show
        self.record: Mapping[str, Any] = {}
        self.lineages: dict[str, Lineage] = {}

    def retire(self, record: ReadRecord, flagged: FlaggedRecord) -> None:
        """Only counted, as every record that must not be called."""
        self._outcomes.settle(record, flagged.campaign, flagged.outcome)

    def buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> LeadBuffer:
        """The buffer of a stream and campaign, which stays empty."""
        return LeadBuffer(stream=stream, lane=VersionQueue(), campaign=campaign, options=options)

    def hand_over(self) -> None:
        """Nothing is kept in hand."""

    def take(self, buffer: LeadBuffer, record: ReadRecord, lead: Lead) -> None:
        """Show a lead, if not enough have been shown."""
        if self._left > 0:
            self._left -= 1
            fed = self.lineages[buffer.stream].of(self.record, lead.fields)
            self._show(MappedLead(buffer.stream, buffer.campaign, tuple(fed)))
        self._outcomes.settle(record, buffer.campaign, Outcome.LOADED)


class Rehearsal(LoadRun):
    """A run without ledger, rejects file, run record and STATE. Owned by the main thread.

    Args:
        limit: So many leads are shown.
        show: Shows one.
        directory: The campaigns, when nobody is to be asked for them.
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
        super().__init__(replace(settings, dry_run=True), clock, version, _write_nothing)
        self._directory = directory
        self.kept = self.rejects = KeptRejects(self.rejects, self.run.name, clock)
        self.outcomes = Outcomes(self.run, self.rejects, self._checkpoints, max_rejected_percent=100.0)
        self.leads = LeadShow(self.outcomes, limit, show)

    @property
    def would_stop(self) -> str | None:
        """Why a run of these records would end before its time, or with an error at its end."""
        most = self._settings.max_rejected_percent
        percent = self.run.rejected_percent()
        if percent <= most:
            return None
        return f"{percent:.1f} % are rejected, and max_rejected_percent allows {most:g} %."

    @property
    def directory(self) -> Directory:
        """The account's campaigns."""
        return self._directory if self._directory is not None else super().directory

    @property
    def delivery(self) -> LeadShow:
        """Where leads go."""
        return self.leads

    def open(self) -> None:
        """Sign in and check every campaign the settings name, as a run does.

        Raises:
            FatalError: A run could not begin.
        """
        if self._directory is not None:
            return
        self._connection = connect(self._settings, self._clock, self.halt, self._version)
        self._check_campaigns(self._connection.directory)

    def finish(self, *, whole: bool = True) -> None:
        """Standard input is at its end: there is nothing more to see out."""
        del whole

    def close(self, error: EngageVoiceError | None) -> None:
        """Sign off."""
        del error
        if self._connection is not None:
            self._connection.close()


def _write_nothing(_line: str) -> None:
    """STATE is for runs that loaded something."""


class RehearsalSink(LeadSink):
    """Lets the show see the record that is being mapped."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """See a record to its outcome; see `LeadSink.process_record`."""
        if isinstance(self._load_run, Rehearsal):
            self._load_run.leads.record = record
        super().process_record(record, context)

    def clean_up(self) -> None:
        """Nothing was done that the SDK's metrics should tell of."""


class RehearsalTarget(TargetEngageVoice):
    """The target, with a rehearsal for its run.

    Args:
        config: The configuration, as for a run.
        limit: So many leads are shown.
        show: Shows one.
        directory: The campaigns, when nobody is to be asked for them.
    """

    default_sink_class = RehearsalSink

    def __init__(
        self,
        config: dict[str, Any],
        *,
        limit: int = 0,
        show: Callable[[MappedLead], None] = lambda _lead: None,
        directory: Directory | None = None,
    ) -> None:
        super().__init__(config=config)
        self._lines.fate = "read"
        self.rehearsal = Rehearsal(
            self._settings, SystemClock(), self.plugin_version, limit=limit, show=show, directory=directory
        )

    def new_run(self) -> LoadRun:
        """The rehearsal."""
        return self.rehearsal

    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> LeadSink:
        """The sink of a stream; see `TargetEngageVoice.get_sink`."""
        sink = super().get_sink(stream_name, record=record, schema=schema, key_properties=key_properties)
        if schema is not None:
            mapping = self._settings.mappings.find(stream_name) or StreamMapping(pattern=stream_name)
            self.rehearsal.leads.lineages[stream_name] = Lineage(
                mapping, schema, tuple(key_properties or ()), self._settings.phones
            )
        return cast("LeadSink", sink)
