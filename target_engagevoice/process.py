"""The process around a run: its environment, its signals, its standard output, and the way out."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from dotenv import find_dotenv, load_dotenv

from target_engagevoice.errors import Interrupted
from target_engagevoice.settings import from_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def environment() -> dict[str, str]:
    """The settings in the environment, and in the nearest `.env` where the environment does not have them."""
    load_dotenv(find_dotenv(usecwd=True))
    return from_environment(os.environ)


def end_on_signals(stop: Callable[[Interrupted], None]) -> None:
    """Let SIGTERM and SIGINT stop the run; a second one stops the process, at once.

    Args:
        stop: Called in the main thread, wherever it is.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, lambda *_: os._exit(1))
        stop(Interrupted(f"stopped by {signal.Signals(number).name}: what was not loaded is not in STATE."))

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
