"""The run of a target, from its opening to its end."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, Any

from target_engagevoice.clock import SystemClock
from target_engagevoice.errors import EngageVoiceError, InputError
from target_engagevoice.logger import logger
from target_engagevoice.reporting.monitor import Monitor, choose_view
from target_engagevoice.reporting.progress import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.reporting.progress import Snapshot
    from target_engagevoice.run.load_run import LoadRun
    from target_engagevoice.singer.reader import LineReader


class RunLife:
    """Opens the run when it is first asked for, and ends it once.

    Owned by the main thread, where `stop` may come in the midst of anything.

    Args:
        new_run: Makes the run, not yet opened.
        lines: What it reads.
        before_end: Called when an opened run is about to end.
    """

    def __init__(self, new_run: Callable[[], LoadRun], lines: LineReader, before_end: Callable[[], None]) -> None:
        self._new_run = new_run
        self._lines = lines
        self._before_end = before_end
        self._run: LoadRun | None = None
        self._opening = False
        lines.before_waiting = self._hand_over

    @property
    def run(self) -> LoadRun:
        """The run, opened when first asked for.

        Raises:
            FatalError: It can not begin.
        """
        if self._run is None:
            self._run = self._new_run()
            self._opening = True
            try:
                self._run.open()
            finally:
                self._opening = False
        return self._run

    def watch(self) -> None:
        """Show how far the run is until it is over: live on a terminal, in the log elsewhere."""
        run, lines = self.run, self._lines

        def look(at: float) -> Snapshot:
            return run.snapshot(at, Position(lines.bytes_read, lines.bytes_total))

        monitor = Monitor(look, lambda: choose_view(sys.stderr, os.environ), SystemClock().monotonic)
        run.when_settled = monitor.stop
        monitor.start()

    def finish(self) -> None:
        """Standard input is at its end: see every lead out.

        Raises:
            EngageVoiceError: The run can not come to its end, or too many records were rejected.
        """
        try:
            self.run.finish()
        except EngageVoiceError as error:
            self.close(error)
            raise
        self.close(None)

    def close(self, error: EngageVoiceError | None) -> None:
        """End the run and write its record; a second call does nothing.

        Args:
            error: What ended it; None when it came to its end.

        Raises:
            EngageVoiceError: What went wrong on the way out of a run that came to its end.
        """
        run, self._run = self._run, None
        if run is None:
            return
        self._before_end()
        try:
            run.close(error)
        finally:
            run.when_settled()

    def stop(self, error: EngageVoiceError) -> None:
        """Stop as soon as possible, whatever the program is doing. For signal handlers.

        Raises:
            EngageVoiceError: At once, where nothing is lost by it: while a line is waited for, or a run is opening.
        """
        if self._run is not None:
            self._run.halt.set(error)
        self._lines.stop(error)
        if self._opening:
            raise error

    def discard(self, source: IO[bytes]) -> None:
        """Let the tap finish writing, to nobody; a signal ends it."""
        self._lines.discard(source)

    def _hand_over(self) -> None:
        """Nothing may be kept in hand while the tap is waited for."""
        if self._run is not None and not self._opening:
            self._run.delivery.hand_over()


class RunReader:
    """What the SDK reads with: our reader of lines, with the run ended when a message ends it."""

    def __init__(self, life: RunLife, lines: LineReader) -> None:
        self._life = life
        self._lines = lines
        self.assert_line_requires = lines.assert_line_requires

    def process_lines(self, file_input: IO[Any] | None, callbacks: Mapping[Any, Any]) -> Any:
        """Read everything; see `LineReader.process_lines`."""
        try:
            return self._lines.process_lines(file_input, callbacks)
        except InputError as error:
            self._see_out(error)
            raise
        except EngageVoiceError as error:
            self._life.close(error)
            raise

    def _see_out(self, error: InputError) -> None:
        """What came before the line that can not be read is good: load it, and let STATE follow."""
        try:
            self._life.run.finish(whole=False)
        except EngageVoiceError as worse:
            logger.warning("%s", worse)
        self._life.close(error)
