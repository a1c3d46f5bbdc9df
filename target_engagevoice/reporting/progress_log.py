"""How far a run is, in one line of the log: for runs that nobody looks on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from target_engagevoice.logger import logger

if TYPE_CHECKING:
    from target_engagevoice.reporting.progress import Progress


class ProgressLine:
    """Says at INFO how far the run is; `key=value` in an order that does not change, numbers only.

    The same values are the log record's `progress`: formatters that write JSON, such as the SDK's, which Meltano asks
    for, hand them on as an object.
    """

    every_seconds = 30.0

    def begin(self) -> None:
        """Nothing yet: the run has said that it started."""

    def show(self, progress: Progress) -> None:
        """Say it."""
        values = line_values(progress)
        words = " ".join(f"{name}={'?' if value is None else value}" for name, value in values.items())
        logger.info("Progress: %s", words, extra={"progress": values})

    def end(self, progress: Progress | None) -> None:
        """Nothing more: the run says what it did."""


def line_values(progress: Progress) -> dict[str, Any]:
    """What the line says, in its order. None is what nobody knows.

    Returns:
        `read`, the eight outcomes, `unsettled` (read, without an outcome so far), `campaigns` (how many), `seconds`
        (since the start), `read_per_second`, `loaded_per_second`, the three efforts, `under_way` (batches being
        loaded), `waiting` (those of them that wait for the quota), `quota` (of each window what is taken, then the
        window, as in `21/30/10s`), `done_percent`, `seconds_to_go`.
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
