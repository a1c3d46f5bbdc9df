"""Overlap: how much faster several requests at once are when each is slow (issue 4, point 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.quota import CAMPAIGNS, load, seconds
from benchmarks.script import Script

if TYPE_CHECKING:
    from pathlib import Path

BATCHES = 50


def overlap(folder: Path, *, quick: bool) -> list[Figure]:
    """50 batches over 10 campaigns at 2 s a request: `max_in_flight` 1, then its default."""
    latency = 0.5 if quick else 2.0
    script = Script(latency=(latency, latency), campaigns=CAMPAIGNS)
    one = seconds(load(script, BATCHES, folder / "one", max_in_flight=1))
    many = seconds(load(script, BATCHES, folder / "many"))
    remark = f"{one:.1f} s and {many:.1f} s at {latency:g} s a request"
    return [
        Figure("overlap: one at a time, as a multiple of the default", one / many, target=5, bound=">=", remark=remark)
    ]
