"""Start: how long until the target says something, and until it posts (issue 4, point 6)."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING

from benchmarks import stream
from benchmarks.contenders import CONFIG, OURS, TARGET, target_config
from benchmarks.figures import Figure
from benchmarks.loopback import Loopback
from benchmarks.process import run
from benchmarks.script import Script

if TYPE_CHECKING:
    from pathlib import Path

TIMES = 7
RECORDS = 600
"""More than one batch, so that the first is sent because it is full."""


def start(folder: Path, *, quick: bool) -> list[Figure]:
    """`--version`, `--help`, and the first POST with the records ready on standard input."""
    times = 3 if quick else TIMES
    figures = [
        Figure(
            f"start: {option}",
            statistics.median(run((TARGET, option), folder=folder / "start").wall for _ in range(times)),
            " s",
            0.5,
            remark=f"median of {times}",
        )
        for option in ("--version", "--help")
    ]
    source = folder / "leads.singer"
    stream.write(source, RECORDS)
    first = statistics.median(first_post(source, folder / f"start-{number}") for number in range(times))
    return [*figures, Figure("start: process to first POST", first, " s", 1.5, remark=f"median of {times}")]


def first_post(source: Path, folder: Path) -> float:
    """Seconds from the start of the process to the arrival of its first load."""
    folder.mkdir(parents=True)
    with Loopback(Script()) as server:
        (folder / CONFIG).write_text(json.dumps(target_config(server.url)), encoding="utf-8")
        spent = run(OURS.command, folder=folder, stdin=source)
        return server.journal().loads[0].arrived - spent.started
