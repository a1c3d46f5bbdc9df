"""What a run has before it is opened: its name, its numbers, its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.api.request_journal import RequestJournal
from target_engagevoice.halt import Halt
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.counts import Run
from target_engagevoice.outcomes.outcomes import Outcomes
from target_engagevoice.outcomes.rejects import Rejects
from target_engagevoice.run.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_engagevoice.clock import Clock
    from target_engagevoice.config.settings import Settings


@dataclass(frozen=True)
class RunStart:
    """What a run has before it is opened. No file is made before something is written to it.

    Attributes:
        halt: What stops it.
        ending: What ended it.
        counts: Its name and numbers.
    """

    settings: Settings
    clock: Clock
    halt: Halt
    ending: Ending
    counts: Run
    rejects: Rejects
    journal: RequestJournal
    checkpoints: Checkpoints
    outcomes: Outcomes

    @classmethod
    def of(cls, settings: Settings, clock: Clock, write_state: Callable[[str], None]) -> RunStart:
        """The start of a run.

        Args:
            settings: Say where its files are.
            clock: Time.
            write_state: Writes one STATE line; not called in a dry run.
        """
        counts = Run(clock)
        rejects = Rejects(settings.state_dir / "rejects" / f"{counts.name}.jsonl", counts.name, clock)
        checkpoints = Checkpoints(rejects.make_durable, None if settings.dry_run else write_state)
        return cls(
            settings=settings,
            clock=clock,
            halt=Halt(clock),
            ending=Ending(),
            counts=counts,
            rejects=rejects,
            journal=RequestJournal(settings.state_dir / "requests" / f"{counts.name}.jsonl", clock),
            checkpoints=checkpoints,
            outcomes=Outcomes(counts, rejects, checkpoints, settings.max_rejected_percent),
        )
