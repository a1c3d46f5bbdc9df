"""Whoever looks on while a run goes: a thread of its own that counts what is there and shows it, again and again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TextIO

from target_engagevoice.logger import logger
from target_engagevoice.reporting.progress import History
from target_engagevoice.reporting.progress_log import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.reporting.progress import Progress, Snapshot

LAST_LOOK_SECONDS = 5.0
"""How long the end of a run waits for the last look; a terminal that somebody has stopped takes no more."""

NOT_ADDRESSABLE = ("", "dumb", "unknown")
"""Values of `TERM` for terminals whose cursor can not be moved."""


class View(Protocol):
    """Shows how far a run is. Only the thread that looks calls it.

    Attributes:
        every_seconds: How often it wants to.
    """

    @property
    def every_seconds(self) -> float:
        """How often it wants to."""

    def begin(self) -> None:
        """The run has begun."""

    def show(self, progress: Progress) -> None:
        """This is how far it is."""

    def end(self, progress: Progress | None) -> None:
        """The run is over, and came so far; None when nobody can tell."""


class Watch:
    """Looks at a run every so often, and once more at its end.

    It takes no lock of the run's hot path. What goes wrong in it is nobody's concern but that of whoever debugs it: a
    run is not to fail because it can not be shown.

    Args:
        look: Counts what is there, at a monotonic time.
        view: Makes what shows it, on the thread that looks: a run does not wait for its imports.
        now: Monotonic seconds.
        wait: Waits so many seconds, or until the run is over; whether it is. An event's when None.
    """

    def __init__(
        self,
        look: Callable[[float], Snapshot],
        view: Callable[[], View],
        now: Callable[[], float],
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._look = look
        self._view = view
        self._now = now
        self._over = threading.Event()
        self._wait = wait or self._over.wait
        self._history = History(now())
        self._thread = threading.Thread(target=self.watch, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look, on the thread."""
        self._thread.start()

    def stop(self) -> None:
        """The run's numbers are final: look once more and let go of the terminal. A second call does nothing."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(LAST_LOOK_SECONDS)

    def watch(self) -> None:
        """Look until the run is over; what the thread does."""
        try:
            view = self._view()
            view.begin()
            last = None
            try:
                while not self._wait(view.every_seconds):
                    view.show(self._progress())
                last = self._progress()
            finally:
                view.end(last)
        except Exception:  # a run is not to fail because it can not be shown: its numbers are in its record
            logger.debug("The progress can not be shown any more.", exc_info=True)

    def _progress(self) -> Progress:
        return self._history.add(self._look(self._now()))


def view_for(stderr: TextIO | None, environ: Mapping[str, str]) -> View:
    """A live display on a terminal; lines in the log where there is none, or one whose cursor can not be moved.

    Args:
        stderr: Where the log goes, and the display; standard output is for STATE.
        environ: The environment; `NO_COLOR` is minded by the display itself.
    """
    if stderr is None or stderr.closed or not stderr.isatty() or environ.get("TERM", "") in NOT_ADDRESSABLE:
        return ProgressLine()
    from target_engagevoice.reporting.display import Display  # noqa: PLC0415 - most runs have no terminal, and it brings rich

    return Display(stderr)
