"""Start: the time until the target prints something, and until it posts (issue 4, point 6)."""

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
    """`--version`, `--help`, and the first POST with the records ready on standard input, on a warm cache."""
    times = 3 if quick else TIMES
    source = folder / "leads.singer"
    stream.write(source, RECORDS)
    first_post(source, folder / "warm-up")
    figures = [_option(option, times, folder / "start") for option in ("--version", "--help")]
    first = statistics.median(first_post(source, folder / f"start-{number}") for number in range(times))
    return [*figures, Figure("start: process to first POST", first, " s", 1.5, remark=f"median of {times}")]


def first_post(source: Path, folder: Path) -> float:
    """Seconds from the start of the process to the arrival of its first load."""
    folder.mkdir(parents=True)
    with Loopback(Script()) as server:
        (folder / CONFIG).write_text(json.dumps(target_config(server.url)), encoding="utf-8")
        spent = run(OURS.command, folder=folder, stdin=source)
        return server.journal().loads[0].arrived - spent.started


def _option(option: str, times: int, folder: Path) -> Figure:
    """Wall time; the processor's, in the remark, depends less on what else the machine does."""
    spent = [run((TARGET, option), folder=folder) for _ in range(times)]
    remark = f"median of {times}; {statistics.median(each.cpu for each in spent):.2f} s of processor time"
    return Figure(f"start: {option}", statistics.median(each.wall for each in spent), " s", 0.5, remark=remark)
