"""A run that loads leads: how it opens, and the record it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.errors import EngageVoiceError
from target_engagevoice.logger import logger
from target_engagevoice.outcomes.counts import write_record
from target_engagevoice.reporting.past_runs import PastRun
from target_engagevoice.reporting.summary import log_summary
from target_engagevoice.run.builder import open_run

if TYPE_CHECKING:
    from contextlib import ExitStack

    from target_engagevoice.halt import Halt
    from target_engagevoice.run.builder import Timed
    from target_engagevoice.run.ending import Ending
    from target_engagevoice.run.open_run import OpenRun
    from target_engagevoice.run.start import RunStart


@dataclass(frozen=True)
class LoadRun:
    """A run from its opening to its record; see `lifecycle.NewRun`.

    Attributes:
        start: What it has before it is opened.
        version: Of this package.
        timed: Times the loading of a batch of a stream, by name, for the SDK's metrics.
    """

    start: RunStart
    version: str
    timed: Timed

    @property
    def halt(self) -> Halt:
        """What stops it."""
        return self.start.halt

    @property
    def ending(self) -> Ending:
        """What ended it."""
        return self.start.ending

    def open(self, closers: ExitStack) -> OpenRun:
        """Open it, see `builder.open_run`.

        Raises:
            FatalError: It cannot begin.
        """
        return open_run(self.start, self.version, self.timed, closers)

    def write_record(self) -> None:
        """Write the run record and the report, and log the summary.

        Raises:
            StorageError: The record cannot be written.
        """
        settings, counts, error = self.start.settings, self.start.counts, self.start.ending.error
        shown = None if error is None else {"code": error.code, "message": str(error)}
        record = counts.record(self.version, self.start.ending.status, dry_run=settings.dry_run, error=shown)
        record["config"] = settings.shown
        path = write_record(settings.state_dir / "runs", record)
        log_summary(record, path, self.start.rejects.path)
        if settings.report:
            self._write_report()

    def _write_report(self) -> None:
        """Write the run report. A run whose leads are loaded does not fail because its report cannot be written."""
        from target_engagevoice.reporting.html import write_report  # noqa: PLC0415 - most runs make none, or make it later

        try:
            logger.info("Report: %s", write_report(PastRun(self.start.settings.state_dir, self.start.counts.name)))
        except EngageVoiceError as error:
            logger.warning("%s", error)
