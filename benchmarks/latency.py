"""Latency: how soon a fresh record is a lead on the server (issue 4, point 4)."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

from benchmarks import stream
from benchmarks.contenders import target_config
from benchmarks.feed import Feed
from benchmarks.figures import Figure
from benchmarks.lead_mapping import target_mapping
from benchmarks.loopback import Loopback
from benchmarks.quota import BY_FIELD
from benchmarks.script import Script

if TYPE_CHECKING:
    from pathlib import Path

WAIT_LIMIT = 2
A_SECOND = 5
CAMPAIGNS = 3
TARGET_SECONDS = 3.0
PATIENCE_SECONDS = 60.0
DIRECTORY_READS = 3
"""The account, its dial groups, the campaigns of the only one: then the target reads its input."""


def latency(folder: Path, *, quick: bool) -> list[Figure]:
    """One record and then silence; then five a second over three campaigns, for 20 s."""
    single = arrivals(1, folder / "single")[0]
    trickle = arrivals(A_SECOND * (5 if quick else 20), folder / "trickle")
    remark = f"{len(trickle)} records, {A_SECOND} a second; the slowest {max(trickle):.2f} s"
    return [
        Figure("latency: one record, then silence", single, " s", TARGET_SECONDS),
        Figure("latency: a trickle, 99th percentile", percentile(trickle, 99), " s", TARGET_SECONDS, remark=remark),
    ]


def arrivals(records: int, folder: Path) -> list[float]:
    """Seconds from writing each record to its arrival; standard input stays open until all are there.

    Raises:
        TimeoutError: They do not arrive.
        RunFailedError: The target failed.
    """
    script = Script(campaigns=CAMPAIGNS, keep_ids=True)
    draw = random.Random(script.seed)  # noqa: S311 - nothing secret is drawn
    written: dict[str, float] = {}
    with Loopback(script) as server:
        mappings = {stream.STREAM: target_mapping(BY_FIELD)}
        config = target_config(server.url, mappings=mappings, batch_wait_limit_seconds=WAIT_LIMIT)
        with Feed(folder, config) as feed:
            feed.write(stream.schema_line())
            server.wait_until(lambda journal: journal.reads >= DIRECTORY_READS, PATIENCE_SECONDS)
            start = time.monotonic() + 1.0
            for number in range(records):
                time.sleep(max(0.0, start + number / A_SECOND - time.monotonic()))
                content = stream.record(number, draw, script.campaign_ids)
                written[content["Id"]] = feed.write(stream.record_line(content))
            journal = server.wait_until(lambda journal: journal.leads >= records, PATIENCE_SECONDS)
    arrived = {extern_id: load.arrived for load in journal.served for extern_id in load.ids}
    return [arrived[extern_id] - moment for extern_id, moment in written.items()]


def percentile(values: list[float], percent: float) -> float:
    """The least value that so many percent of all do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
