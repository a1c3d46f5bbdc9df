"""The reject writer of a preview: it keeps one example of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from target_engagevoice.model.lead import Lead, Rejection


@dataclass(frozen=True)
class RejectedKind:
    """Rejects of one stream that fail for the same reason.

    Attributes:
        count: How many.
        record: The first of them, as read.
    """

    stream: str
    rejection: Rejection
    count: int
    record: Mapping[str, Any]


class RejectExamples:
    """Counts rejects by kind and keeps the first of each; writes no file. The reading thread's own.

    Args:
        path: Where a run would write them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._first: dict[tuple[str, str, str], tuple[Rejection, Mapping[str, Any]]] = {}

    def keep_schema(self, source: str, line: bytes) -> None:
        """Nothing to do: only a rejects file needs the schemas."""

    def write(
        self,
        stream: str,
        campaign_id: str | None,
        rejection: Rejection,
        record: Mapping[str, Any],
        lead: Lead | None = None,
        source: str | None = None,
    ) -> None:
        """Count one record, and keep it if it is the first of its kind; see `Rejects.write`."""
        del campaign_id, lead, source
        kind = (stream, rejection.stage.value, rejection.reason)
        self._counts[kind] += 1
        self._first.setdefault(kind, (rejection, record))

    def kinds(self) -> list[RejectedKind]:
        """Each kind, the most frequent first."""
        return [
            RejectedKind(kind[0], self._first[kind][0], count, self._first[kind][1])
            for kind, count in self._counts.most_common()
        ]
