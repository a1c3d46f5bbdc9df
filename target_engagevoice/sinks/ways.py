"""The ways of a stream's records, one through each of its stream maps."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from singer_sdk.mapper import SameRecordTransform

from target_engagevoice.leads import Outcome, Rejection, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.mapper import StreamMap
    from singer_sdk.sinks import Sink

    from target_engagevoice.load_run import LoadRun
    from target_engagevoice.outcomes import Outcomes, ReadRecord
    from target_engagevoice.sinks.lead_sink import LeadSink
    from target_engagevoice.versions import Versions

    Transform: TypeAlias = "Callable[[dict[str, Any]], dict[str, Any] | None]"


@dataclass(frozen=True)
class Way:
    """Where the records of a stream go, through one stream map.

    Attributes:
        alias: The stream's name behind the stream map.
        outcomes: Where a record ends that the stream map lets go no further.
        transform: The stream map; None for one that gives back the very record, which need not be copied nor asked.
        sink: Takes the records behind it.
        add_metadata: Whether the SDK's metadata are to be added.
        versions: Told of a record on which the stream map fails.
    """

    alias: str
    outcomes: Outcomes
    transform: Transform | None
    sink: LeadSink
    add_metadata: bool
    versions: Versions | None

    def transformed(self, transform: Transform, read: ReadRecord, record: dict[str, Any]) -> dict[str, Any] | None:
        """A record behind its stream map; None when it has its outcome."""
        try:
            transformed = transform(copy.copy(record))
        except Exception as error:  # noqa: BLE001 - a user's expression may raise anything for one record
            words = (
                f"a stream map of {self.alias} fails on this record: {type(error).__name__}. Let its expression take "
                "what this record holds, or lacks."
            )
            if self.versions is not None:
                self.versions.doubt(self.alias, read)
            self.outcomes.reject(read, None, Rejection(Stage.MAP, "stream_map", words))
            return None
        if transformed is None:
            self.outcomes.settle(read, None, Outcome.SKIPPED)
        return transformed


def ways_of(
    stream_maps: Sequence[StreamMap], sinks: Mapping[str, Sink], run: LoadRun, *, add_metadata: bool
) -> tuple[Way, ...]:
    """The ways of the records of a stream that has these stream maps, to the sinks of these names."""
    alone = len(stream_maps) == 1

    def changes_nothing(each: StreamMap) -> bool:
        return alone and type(each) is SameRecordTransform and not each.flattening_enabled

    return tuple(
        Way(
            each.stream_alias,
            run.outcomes,
            None if changes_nothing(each) else each.transform,
            cast("LeadSink", sinks[each.stream_alias]),
            add_metadata,
            run.versions,
        )
        for each in stream_maps
    )
