"""Records: the processor time of one record, compared with the stock SDK target and the floor.

`python benchmarks/records.py [--records 100000] [--rounds 5] [--profile]`

The contenders run one after another as whole processes, in rotating order, on the same file. Each posts to its own
server in another process. The cost of the start is measured with a short stream in the same round and subtracted.
"""

from __future__ import annotations

import argparse
import math
import pstats
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # run by its path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import stream
from benchmarks.contenders import CONTENDERS, OURS, STOCK
from benchmarks.machine import description
from benchmarks.process import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.contenders import Contender
    from benchmarks.process import Spent

SHORT_RECORDS = 1_000
CPU_TARGET = 25.0
"""Microseconds a record (issue 4, point 1)."""
RATIO_TARGET = 0.15
"""Of the stock target's."""
_MICRO = 1e6


@dataclass(frozen=True)
class Round:
    """One contender in one round.

    Attributes:
        records: Of the long stream.
        short_records: Of the short one.
    """

    records: int
    short_records: int
    long: Spent
    short: Spent

    @property
    def cpu(self) -> float:
        """Microseconds of processor time a record, without the start."""
        return (self.long.cpu - self.short.cpu) / (self.records - self.short_records) * _MICRO

    @property
    def gross(self) -> float:
        """The same with the start."""
        return self.long.cpu / self.records * _MICRO

    @property
    def rate(self) -> float:
        """Records a second by the clock on the wall, without the start."""
        return _quotient(self.records - self.short_records, self.long.wall - self.short.wall)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a contender failed or dropped something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="profile this target instead: its top 20 by own time")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="benchmark-records-") as name:
        folder = Path(name)
        try:
            if options.profile:
                _profile(options.records, folder)
            else:
                _compare(options.records, options.rounds, folder)
        except RunFailedError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _compare(records: int, rounds: int, folder: Path) -> None:
    _say(description())
    short_records = min(SHORT_RECORDS, max(1, records // 10))
    long, short = folder / "long.singer", folder / "short.singer"
    size = stream.write(long, records)
    stream.write(short, short_records)
    fields = len(stream.SCHEMA["properties"])
    _say(f"{records} records of {fields} fields, {size:.0f} bytes a line; {rounds} rounds")
    measured: dict[str, list[Round]] = {contender.name: [] for contender in CONTENDERS}
    for number in range(rounds):
        for contender in _rotated(number):
            spent = []
            for source, count in ((short, short_records), (long, records)):
                spent.append(contender.measure(source, count, folder / "run"))
                shutil.rmtree(folder / "run")
            measured[contender.name].append(Round(records, short_records, long=spent[1], short=spent[0]))
    _say(table(measured))


def _rotated(number: int) -> tuple[Contender, ...]:
    """A different contender runs first in each round: the machine may be getting warmer or busier."""
    start = number % len(CONTENDERS)
    return CONTENDERS[start:] + CONTENDERS[:start]


def table(measured: dict[str, list[Round]]) -> str:
    """The contenders' figures and this target's ratios to the others."""
    rows = [f"{'median [least-most]':20} {'CPU a record, µs':>22} {'with the start, µs':>22} {'records a second':>24}"]
    for name, rounds in measured.items():
        cells = (
            _spread([each.cpu for each in rounds], ".1f"),
            _spread([each.gross for each in rounds], ".1f"),
            _spread([each.rate for each in rounds], ".0f"),
        )
        rows.append(f"{name:20} {cells[0]:>22} {cells[1]:>22} {cells[2]:>24}")
    ours = measured[OURS.name]
    for name, others in measured.items():
        if name != OURS.name:
            ratios = [_quotient(mine.cpu, other.cpu) for mine, other in zip(ours, others, strict=True)]
            rows.append(f"{OURS.name} / {name}: {_spread(ratios, '.2f')}{_aim(name, statistics.median(ratios))}")
    cpu = statistics.median(each.cpu for each in ours)
    rows.append(f"CPU a record: {cpu:.1f} µs, target {CPU_TARGET:.0f} µs: {_verdict(cpu, CPU_TARGET)}")
    return "\n".join(rows)


def _aim(name: str, ratio: float) -> str:
    return f", target {RATIO_TARGET}: {_verdict(ratio, RATIO_TARGET)}" if name == STOCK.name else ""


def _quotient(value: float, by: float) -> float:
    """NaN where there were too few records to measure."""
    return value / by if by > 0 else math.nan


def _verdict(value: float, target: float) -> str:
    return "reached" if value <= target else "not reached"


def _spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} [{min(values):{form}}-{max(values):{form}}]"


def _profile(records: int, folder: Path) -> None:
    """Run this target under `cProfile`: before Python 3.12 it sees the main thread, after that all of them mixed."""
    stats = folder / "stats"
    source = folder / "long.singer"
    stream.write(source, records)
    command = (sys.executable, "-m", "cProfile", "-o", stats, *OURS.command)
    replace(OURS, command=command).measure(source, records, folder / "run")
    pstats.Stats(str(stats), stream=sys.stdout).sort_stats("tottime").print_stats(20)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
