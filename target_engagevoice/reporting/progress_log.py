"""How far a run is, as one line of the log: for runs without a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from target_engagevoice.logger import logger

if TYPE_CHECKING:
    from target_engagevoice.reporting.progress import Progress


class ProgressLog:
    """Logs at INFO how far the run is: numbers only, as `key=value`, in an order that does not change.

    The same values are the log record's `progress`. Formatters that write JSON, such as the SDK's that Meltano asks
    for, pass them on as an object.
    """

    every_seconds = 30.0

    def begin(self) -> None:
        """Log nothing: the run has logged that it started."""

    def show(self, progress: Progress) -> None:
        """Log one line."""
        values = progress_values(progress)
        text = " ".join(f"{name}={'?' if value is None else value}" for name, value in values.items())
        logger.info("Progress: %s", text, extra={"progress": values})

    def end(self, progress: Progress | None) -> None:
        """Log nothing: the summary of the run follows."""


def progress_values(progress: Progress) -> dict[str, Any]:
    """The values of the line, in its order. None stands for an unknown value.

    Returns:
        `read`, the eight outcomes, `unsettled` (read, without an outcome so far), `campaigns` (how many), `seconds`
        (since the start), `read_per_second`, `loaded_per_second`, the efforts, `under_way` (batches being loaded),
        `waiting` (those of them that wait for the quota), `quota` (for each window what is taken, then the window, as
        in `21/30/10s`), `done_percent`, `seconds_to_go`.
    """
    snapshot, done = progress.snapshot, progress.done
    return {
        "read": snapshot.read,
        **progress.outcomes,
        "unsettled": snapshot.read - progress.settled,
        "campaigns": sum(each.campaign_id is not None for each in snapshot.campaigns),
        "seconds": round(progress.seconds),
        "read_per_second": round(progress.read_rate),
        "loaded_per_second": round(progress.loaded_rate),
        **progress.efforts,
        "under_way": snapshot.under_way,
        "waiting": snapshot.waiting,
        "quota": ",".join(f"{each.taken}/{each.window}" for each in snapshot.windows) or None,
        "done_percent": None if done is None else math.floor(100 * done),
        "seconds_to_go": None if progress.to_go is None else round(progress.to_go),
    }
