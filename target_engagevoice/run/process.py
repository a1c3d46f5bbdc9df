"""The process around a run: its signals, its standard output, its exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import IO, TYPE_CHECKING, Any, Protocol

from target_engagevoice.errors import EngageVoiceError, Interrupted, from_mistake
from target_engagevoice.logger import NAME, logger
from target_engagevoice.singer.reader import discard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from target_engagevoice.run.lifecycle import Lifecycle

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Target(Protocol):
    """What the process is for."""

    lifecycle: Lifecycle

    def listen(self, file_input: IO[Any] | None = None) -> None:
        """Read a file, or standard input, to its end."""


def run_to_its_end(make: Callable[[], Target], file_input: IO[bytes] | None) -> None:
    """Make a target, let it read to the end of its input, and exit.

    Args:
        make: Makes it of a configuration that may be wrong.
        file_input: Where messages come from; standard input when None.

    Raises:
        SystemExit: It failed; with the exit code of the contract, section 2.
    """
    target: Target | None = None
    failure: EngageVoiceError | None = None
    try:
        target = make()
        end_on_signals(target.lifecycle.stop)
        _ = target.lifecycle.run
        target.lifecycle.watch()
        target.listen(file_input)
    except EngageVoiceError as error:
        failure = error
    except Exception as error:  # whatever it is, it ends in one line without the data that its text may hold
        logger.debug("A mistake in %s itself:", NAME, exc_info=True)
        failure = from_mistake(error, NAME)
    if target is not None:
        try:
            target.lifecycle.close(failure)
        except EngageVoiceError as error:
            failure = failure or error
    flush_stdout()
    if failure is None:
        return
    if file_input is None and sys.stdin is not None and not isinstance(failure, Interrupted):
        (target.lifecycle.discard if target is not None else discard)(sys.stdin.buffer)
    logger.error("%s", failure)
    sys.exit(failure.exit_code)


def end_on_signals(stop: Callable[[Interrupted], None]) -> None:
    """Let SIGTERM and SIGINT stop the run; a second one stops the process, at once.

    Args:
        stop: Called in the main thread, wherever it is.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, lambda *_: os._exit(1))
        name = signal.Signals(number).name
        stop(Interrupted(f"stopped by {name}: what was not loaded is not in STATE. Run again to continue."))

    for each in SIGNALS:
        signal.signal(each, end)


def flush_stdout() -> None:
    """Flush what Python would flush on exit: where nothing reads it, Python would log that and change the exit code."""
    if sys.stdout is None:  # the process was started without one
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
