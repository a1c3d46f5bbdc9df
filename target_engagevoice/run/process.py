"""The process around a run: its signals, its standard output, and the way out."""

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

    from target_engagevoice.run.lifecycle import RunLife

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Target(Protocol):
    """What the process is for."""

    run_life: RunLife

    def listen(self, file_input: IO[Any] | None = None) -> None:
        """Read a file, or standard input, to its end."""


def run_to_its_end(make: Callable[[], Target], file_input: IO[bytes] | None) -> None:
    """Make a target and let it read, from its first step to its last word.

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
        end_on_signals(target.run_life.stop)
        _ = target.run_life.run
        target.run_life.watch()
        target.listen(file_input)
    except EngageVoiceError as error:
        failure = error
    except Exception as error:  # whatever it is, it ends in one line without the data that its text may hold
        logger.debug("A mistake in %s itself:", NAME, exc_info=True)
        failure = from_mistake(error, NAME)
    if target is not None:
        try:
            target.run_life.close(failure)
        except EngageVoiceError as error:
            failure = failure or error
    let_go_of_stdout()
    if failure is None:
        return
    if file_input is None and sys.stdin is not None and not isinstance(failure, Interrupted):
        (target.run_life.discard if target is not None else discard)(sys.stdin.buffer)
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
        words = f"stopped by {signal.Signals(number).name}: what was not loaded is not in STATE. Run again to go on."
        stop(Interrupted(words))

    for each in SIGNALS:
        signal.signal(each, end)


def let_go_of_stdout() -> None:
    """Nobody may be reading any more; Python would complain of that after our last word, and change the exit code."""
    if sys.stdout is None:  # the process was started without one
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
