"""The run of a target, from its opening to its end."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Protocol

from target_engagevoice.clock import SystemClock
from target_engagevoice.errors import EngageVoiceError, InputError
from target_engagevoice.logger import logger
from target_engagevoice.reporting.monitor import Monitor, choose_view
from target_engagevoice.reporting.progress import Position
from target_engagevoice.singer.reader import LineReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.halt import Halt
    from target_engagevoice.reporting.progress import Snapshot
    from target_engagevoice.run.ending import Ending
    from target_engagevoice.run.open_run import OpenRun


class NewRun(Protocol):
    """A run that is not open yet: `load_run.LoadRun`, or `preview.Preview`."""

    @property
    def halt(self) -> Halt:
        """What stops it."""

    @property
    def ending(self) -> Ending:
        """What ended it."""

    def open(self, closers: ExitStack) -> OpenRun:
        """Open it.

        Args:
            closers: Given what closes each part as soon as it is open.

        Raises:
            FatalError: It cannot begin.
        """

    def write_record(self) -> None:
        """Everything is closed: write down what it did.

        Raises:
            StorageError: That cannot be written.
        """


class Lifecycle:
    """Opens the run when it is first asked for, and ends it once.

    Owned by the main thread, where a signal handler may call `stop` between any two instructions.

    Args:
        new_run: Makes the run, not yet opened.
        before_end: Called when a run is about to end.
        fate: What becomes of the lines before one that is no message, see `LineReader`.

    Attributes:
        lines: What the run reads.
    """

    def __init__(self, new_run: Callable[[], NewRun], before_end: Callable[[], None], fate: str) -> None:
        self.lines = LineReader(logger.warning, fate=fate, before_waiting=self._hand_over)
        self._new_run = new_run
        self._before_end = before_end
        self._new: NewRun | None = None
        self._run: OpenRun | None = None
        self._closers = ExitStack()
        self._monitor: Monitor | None = None
        self._opening = False

    @property
    def run(self) -> OpenRun:
        """The run, opened when first asked for.

        Raises:
            FatalError: It cannot begin.
        """
        if self._run is None:
            self._new = self._new_run()
            self._opening = True
            try:
                self._run = self._new.open(self._closers)
            finally:
                self._opening = False
        return self._run

    def watch(self) -> None:
        """Show how far the run is until it is over: live on a terminal, in the log elsewhere."""
        run, lines = self.run, self.lines

        def look(at: float) -> Snapshot:
            return run.snapshot(at, Position(lines.bytes_read, lines.bytes_total))

        self._monitor = Monitor(look, lambda: choose_view(sys.stderr, os.environ), SystemClock().monotonic)
        self._monitor.start()

    def finish(self) -> None:
        """Standard input is at its end: deliver every lead, and end the run.

        Raises:
            EngageVoiceError: The run cannot deliver them, or too many records were rejected.
        """
        try:
            self.run.finish()
        except EngageVoiceError as error:
            self.close(error)
            raise
        self.close(None)

    def close(self, error: EngageVoiceError | None) -> None:
        """Close everything that is open and write the run record, whatever fails; a second call does nothing.

        Args:
            error: What ended the run; None when it came to its end.

        Raises:
            EngageVoiceError: What failed first while a run that came to its end was closed.
        """
        new, self._new, self._run = self._new, None, None
        if new is None:
            return
        self._before_end()
        ending = new.ending
        if error is not None:
            ending.fail(error)
        with ExitStack() as steps:  # each step is taken, whatever the one before raises
            if self._monitor is not None:
                steps.callback(self._monitor.stop)
            steps.push(self._closers.pop_all())
        ending.attempt(new.write_record)
        if error is None and ending.error is not None:
            raise ending.error

    def stop(self, error: EngageVoiceError) -> None:
        """Stop as soon as possible, whatever the program is doing. For signal handlers.

        Raises:
            EngageVoiceError: At once, where nothing is lost by it: while a line is waited for, or a run is opening.
        """
        if self._new is not None:
            self._new.halt.set(error)
        self.lines.stop(error)
        if self._opening:
            raise error

    def discard(self, source: IO[bytes]) -> None:
        """Read what the tap still writes and throw it away, until its end or a signal."""
        self.lines.discard(source)

    def _hand_over(self) -> None:
        """The tap may be waited for now: no lead may stay with the reading thread meanwhile."""
        if self._run is not None:
            self._run.destination.hand_over()


class RunReader:
    """What the SDK reads with: the reader of lines, and the end of the run where a message ends it."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self.assert_line_requires = lifecycle.lines.assert_line_requires

    def process_lines(self, file_input: IO[Any] | None, callbacks: Mapping[Any, Any]) -> Any:
        """Read everything; see `LineReader.process_lines`."""
        try:
            return self._lifecycle.lines.process_lines(file_input, callbacks)
        except InputError as error:
            self._finish_before(error)
            raise
        except EngageVoiceError as error:
            self._lifecycle.close(error)
            raise

    def _finish_before(self, error: InputError) -> None:
        """Deliver what came before the line that cannot be read, and write its STATE."""
        try:
            self._lifecycle.run.finish(whole=False)
        except EngageVoiceError as worse:
            logger.warning("%s", worse)
        self._lifecycle.close(error)
