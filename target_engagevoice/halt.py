"""What stops every thread of a run: a signal, or the first fatal error of any thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from target_engagevoice.errors import EngageVoiceError, from_mistake
from target_engagevoice.logger import NAME, logger

if TYPE_CHECKING:
    from target_engagevoice.clock import Clock

SLICE_SECONDS = 0.5
"""How long a sleeping thread may take to notice a reason to stop."""


class Halt:
    """Set once, read by every thread; its lock guards which error came first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may come in between
        self.error: EngageVoiceError | None = None

    def set(self, error: EngageVoiceError) -> bool:
        """Stop for this reason; False when there was one before."""
        with self._lock:
            if self.error is not None:
                return False
            self.error = error
            return True

    def set_for(self, error: BaseException) -> None:
        """Stop because of what a thread raised; see `from_mistake` for what is no `EngageVoiceError`."""
        if isinstance(error, EngageVoiceError):
            self.set(error)
            return
        logger.debug("A mistake in %s itself:", NAME, exc_info=error)
        self.set(from_mistake(error, NAME))

    def check(self) -> None:
        """Raise the reason to stop, if there is one.

        Raises:
            EngageVoiceError: The first reason to stop.
        """
        if self.error is not None:
            raise self.error

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds, or until there is a reason to stop.

        Raises:
            EngageVoiceError: The first reason to stop.
        """
        self.check()
        end = self._clock.monotonic() + seconds
        while (remaining := end - self._clock.monotonic()) > 0:
            self._clock.sleep(min(remaining, SLICE_SECONDS))
            self.check()
