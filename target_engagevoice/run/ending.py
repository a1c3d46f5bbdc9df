"""How a run ends: with the first error, or without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.errors import EngageVoiceError, RejectedTooMany
from target_engagevoice.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable


class Ending:
    """What ended a run. Owned by the main thread.

    Attributes:
        error: The first error; None for none so far.
        complete: Whether all that was read was delivered.
    """

    def __init__(self) -> None:
        self.error: EngageVoiceError | None = None
        self.complete = False

    @property
    def in_full(self) -> bool:
        """Whether every record that was read has its outcome; too many rejects do not change that."""
        return self.complete and (self.error is None or isinstance(self.error, RejectedTooMany))

    @property
    def status(self) -> str:
        """As the run record says it: `ok`, `rejected` or `failed`."""
        if self.error is None:
            return "ok"
        return "rejected" if isinstance(self.error, RejectedTooMany) else "failed"

    def fail(self, error: EngageVoiceError) -> None:
        """The run failed; a later error is only logged."""
        if self.error is None:
            self.error = error
        else:
            logger.warning("%s", error)

    def attempt(self, step: Callable[[], None]) -> None:
        """Take a step, and fail with what it raises."""
        try:
            step()
        except EngageVoiceError as error:
            self.fail(error)
