"""The outcomes of a run as bars, in the units of an SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import Outcome
from target_engagevoice.reporting.summary import campaign_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH = 1000
"""Width of the longest bar."""

MIN_SEGMENT_WIDTH = 4
"""An outcome that occurred stays visible, however rare it is."""


@dataclass(frozen=True)
class Segment:
    """One outcome in a bar.

    Attributes:
        start: Where it begins; `width` likewise in units of `WIDTH`.
    """

    outcome: str
    count: int
    start: float
    width: float


@dataclass(frozen=True)
class Bar:
    """The outcomes of one stream in one campaign.

    Attributes:
        stream: Its name, not escaped for HTML, like every text here.
        campaign: Path and id.
        read: The number of records.
        text: The same as text.
    """

    stream: str
    campaign: str
    read: int
    segments: tuple[Segment, ...]
    text: str


def outcome_bars(record: Mapping[str, Any]) -> list[Bar]:
    """A bar for each stream and campaign, the longest first; lengths are in proportion to the longest.

    Args:
        record: The run record.
    """
    rows = [(stream["stream"], row) for stream in record["streams"] for row in stream["campaigns"]]
    longest = max((row["read"] for _, row in rows), default=0)
    bars = [_bar(stream, row, longest) for stream, row in rows if row["read"]]
    return sorted(bars, key=lambda bar: -bar.read)


def _bar(stream: str, row: Mapping[str, Any], longest: int) -> Bar:
    counts = [(outcome.value, row.get(outcome.value, 0)) for outcome in Outcome]
    found = [(outcome, count) for outcome, count in counts if count]
    text = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in found)
    return Bar(stream, campaign_name(row), row["read"], _segments(found, longest), text)


def _segments(found: Sequence[tuple[str, int]], longest: int) -> tuple[Segment, ...]:
    """Side by side. Where thin segments were widened, all are scaled down, so that bars stay in proportion."""
    total = sum(count for _, count in found)
    length = max(total / longest * WIDTH, MIN_SEGMENT_WIDTH * len(found))
    widths = [max(MIN_SEGMENT_WIDTH, count / total * length) for _, count in found]
    scale = length / sum(widths)
    segments = []
    start = 0.0
    for (outcome, count), width in zip(found, widths, strict=True):
        segments.append(Segment(outcome, count, round(start, 2), round(width * scale, 2)))
        start += width * scale
    return tuple(segments)
