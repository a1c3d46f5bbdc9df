"""Shows how far a run is while it goes: a thread of its own counts what is there and hands it to a view."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TextIO

from target_engagevoice.logger import logger
from target_engagevoice.reporting.progress import History
from target_engagevoice.reporting.progress_log import ProgressLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.reporting.progress import Progress, Snapshot

JOIN_SECONDS = 5.0
"""How long the end of a run waits for the last view; a terminal that was stopped (Ctrl-S) accepts no more output."""

NOT_ADDRESSABLE = ("", "dumb", "unknown")
"""Values of `TERM` for terminals whose cursor cannot be moved."""


class View(Protocol):
    """Shows how far a run is. Called by the monitor's thread only.

    Attributes:
        every_seconds: The interval between two calls of `show`.
    """

    @property
    def every_seconds(self) -> float:
        """The interval between two calls of `show`."""

    def begin(self) -> None:
        """The run has begun."""

    def show(self, progress: Progress) -> None:
        """Show how far the run is."""

    def end(self, progress: Progress | None) -> None:
        """The run is over. Show how far it came; None when that is unknown."""


class Monitor:
    """Takes a snapshot of a run at regular intervals and once more at its end, and shows each in a view.

    It takes no lock that loading needs often. An error in it is logged at DEBUG and ends the monitor, not the run.
    Its thread owns the view and the history; `start` and `stop` are called by the main thread.

    Args:
        take_snapshot: Counts what is there, at a monotonic time in seconds.
        make_view: Makes the view, on the monitor's thread: the run does not wait for the view's imports.
        now: Monotonic seconds.
        wait: Waits so many seconds, or until the run is over; returns whether it is over. `stop` ends the wait when
            this is None.
    """

    def __init__(
        self,
        take_snapshot: Callable[[float], Snapshot],
        make_view: Callable[[], View],
        now: Callable[[], float],
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._take_snapshot = take_snapshot
        self._make_view = make_view
        self._now = now
        self._over = threading.Event()
        self._wait = wait or self._over.wait
        self._history = History(now())
        self._thread = threading.Thread(target=self.run, name="monitor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """The run's counts are final: show them and release the terminal. A second call does nothing."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)

    def run(self) -> None:
        """Show the run until it is over; what the thread does."""
        try:
            view = self._make_view()
            view.begin()
            last = None
            try:
                while not self._wait(view.every_seconds):
                    view.show(self._progress())
                last = self._progress()
            finally:
                view.end(last)
        except Exception:  # a run does not fail because its progress cannot be shown: its counts are in its record
            logger.debug("The progress cannot be shown any more.", exc_info=True)

    def _progress(self) -> Progress:
        return self._history.add(self._take_snapshot(self._now()))


def choose_view(stderr: TextIO | None, environ: Mapping[str, str]) -> View:
    """A live display on a terminal; log lines where there is none, or one whose cursor cannot be moved.

    Args:
        stderr: Standard error, for the log and the display; standard output is for STATE.
        environ: The environment; the display itself honors `NO_COLOR`.
    """
    if stderr is None or stderr.closed or not stderr.isatty() or environ.get("TERM", "") in NOT_ADDRESSABLE:
        return ProgressLog()
    from target_engagevoice.reporting.display import Display  # noqa: PLC0415 - most runs have no terminal; it imports rich

    return Display(stderr)
