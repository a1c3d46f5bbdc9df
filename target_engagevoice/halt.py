"""The one word that stops everything: a signal, or the first fatal error of any thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from target_engagevoice.errors import EngageVoiceError, FatalError

if TYPE_CHECKING:
    from target_engagevoice.clock import Clock

SLICE_SECONDS = 0.5
"""How long a sleeping thread may take to notice."""


class Halt:
    """Set once, read by every thread; its lock guards which error came first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may come in between
        self.error: EngageVoiceError | None = None

    def set(self, error: EngageVoiceError) -> bool:
        """Stop for this reason; False when something else stopped us before."""
        with self._lock:
            if self.error is not None:
                return False
            self.error = error
            return True

    def set_for(self, error: BaseException) -> None:
        """Stop for whatever a thread met: our errors as they are, anything else without the data its text may hold."""
        if not isinstance(error, EngageVoiceError):
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{place.tb_lineno}" if place else "?"
            what = f"{type(error).__name__} at {where}"
            wrapped = FatalError(f"a mistake in target-engagevoice itself: {what}. Report it, with this line.")
            wrapped.__cause__ = error
            error = wrapped
        self.set(error)

    def check(self) -> None:
        """Go on, or not.

        Raises:
            EngageVoiceError: The first reason to stop.
        """
        if self.error is not None:
            raise self.error

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until there is a reason to stop.

        Raises:
            EngageVoiceError: The first reason to stop.
        """
        self.check()
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, SLICE_SECONDS))
            self.check()
