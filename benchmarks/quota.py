"""Quota: how much of what the rate limits allow is used, and whether a request is refused (issue 4, point 2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks import stream
from benchmarks.contenders import CONFIG, OURS, loaded, target_config
from benchmarks.figures import Figure
from benchmarks.lead_mapping import target_mapping
from benchmarks.loopback import Journal, Loopback
from benchmarks.process import RunFailedError, run
from benchmarks.script import Script, Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WINDOWS = (Window(30, 10), Window(120, 60))
"""Of the loader, per account (reference, section 4)."""
LATENCY = (1.0, 3.0)
ROWS = 20
CAMPAIGNS = 10
BY_FIELD = {"field": "Campaign__c"}


def quota(folder: Path, *, quick: bool) -> list[Figure]:
    """100 full batches against a server that enforces the windows, 1 to 3 s a request."""
    batches = 60 if quick else 100
    script = Script(windows=WINDOWS, latency=LATENCY, campaigns=CAMPAIGNS)
    limits = [f"{window.requests}/{window.seconds:g}s" for window in WINDOWS]
    journal = load(script, batches, folder / "quota", rate_limits=limits)
    took = seconds(journal)
    shortest = shortest_seconds(WINDOWS, [load.answered - load.arrived for load in journal.served])
    remark = f"{took:.1f} s; the shortest the windows permit is {shortest:.1f} s"
    return [
        Figure(f"quota: 429 answers in {batches} batches", journal.refused, target=0),
        Figure("quota: time, as a multiple of the shortest", took / shortest, target=1.05, remark=remark),
    ]


def load(script: Script, batches: int, folder: Path, **settings: Any) -> Journal:
    """Load so many full batches, spread over all campaigns in turn.

    Raises:
        RunFailedError: The target did not load each record, or not in as many requests.
    """
    records = batches * ROWS
    folder.mkdir(parents=True)
    source = folder / "leads.singer"
    stream.write(source, records, campaigns=script.campaign_ids)
    with Loopback(script) as server:
        settings |= {"batch_size_rows": ROWS, "batch_wait_limit_seconds": 600}
        mappings = {stream.STREAM: target_mapping(BY_FIELD)}
        config = target_config(server.url, mappings=mappings, **settings)
        (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        run(OURS.command, folder=folder, stdin=source)
        journal = server.journal()
    if loaded(folder) != records or journal.leads != records or len(journal.served) != batches:
        msg = f"{records} records came as {journal.leads} leads in {len(journal.served)} requests, not in {batches}."
        raise RunFailedError(msg)
    return journal


def seconds(journal: Journal) -> float:
    """From the first request's arrival to the last answer."""
    return max(load.answered for load in journal.served) - journal.loads[0].arrived


def shortest_seconds(windows: Sequence[Window], latencies: Sequence[float]) -> float:
    """The same for the best there can be: any number of senders, each request at the first instant permitted.

    Args:
        windows: What the server enforces at arrival.
        latencies: Seconds that each request takes, in order of arrival.
    """
    arrivals: list[float] = []
    for number in range(len(latencies)):
        behind = (arrivals[number - w.requests] + w.seconds for w in windows if number >= w.requests)
        arrivals.append(max(behind, default=0.0))
    return max(arrived + latency for arrived, latency in zip(arrivals, latencies, strict=True))
