"""Memory: the most the target holds at once, by records and by campaigns (issue 4, point 5)."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from benchmarks import stream
from benchmarks.contenders import CONFIG, OURS, loaded, target_config
from benchmarks.figures import Figure
from benchmarks.lead_mapping import target_mapping
from benchmarks.loopback import Loopback
from benchmarks.process import RunFailedError, run
from benchmarks.quota import BY_FIELD
from benchmarks.script import Script

if TYPE_CHECKING:
    from pathlib import Path

TARGET_MB = 150
_MB = 1_000_000

SIZES = ((100_000, 1), (1_000_000, 1), (1_000_000, 1_000))
QUICK_SIZES = ((20_000, 1), (100_000, 1), (300_000, 1_000))
"""Records and campaigns."""


def memory(folder: Path, *, quick: bool) -> list[Figure]:
    """Loads of several sizes, in one campaign and over a thousand."""
    return [peak(records, campaigns, folder) for records, campaigns in (QUICK_SIZES if quick else SIZES)]


def peak(records: int, campaigns: int, folder: Path) -> Figure:
    """The most memory of one load, in MB; its folder, which may be large, is removed.

    Raises:
        RunFailedError: The target did not load each record.
    """
    script = Script(campaigns=campaigns)
    run_folder = folder / f"memory-{records}-{campaigns}"
    run_folder.mkdir(parents=True)
    source = run_folder / "leads.singer"
    stream.write(source, records, campaigns=script.campaign_ids)
    with Loopback(script) as server:
        config = target_config(server.url, mappings={stream.STREAM: target_mapping(BY_FIELD)})
        (run_folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        spent = run(OURS.command, folder=run_folder, stdin=source)
        journal = server.journal()
    if loaded(run_folder) != records or journal.leads != records:
        msg = f"the server counted {journal.leads} leads of {records} records."
        raise RunFailedError(msg)
    shutil.rmtree(run_folder)
    remark = f"{records / len(journal.served):.0f} leads a request, {records / spent.wall:.0f} records a second"
    name = f"memory: {records} records, {campaigns} campaign{'s' if campaigns > 1 else ''}"
    return Figure(name, spent.memory / _MB, " MB", TARGET_MB, remark=remark)
