"""Account: how well the target uses an account's quota, and its latency, memory and start, with a scripted server.

`python benchmarks/account.py [--quick] all`, or one of `quota`, `overlap`, `latency`, `memory`, `start`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if not __package__:  # run by its path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.latency import latency
from benchmarks.machine import description
from benchmarks.memory import memory
from benchmarks.overlap import overlap
from benchmarks.process import RunFailedError
from benchmarks.quota import quota
from benchmarks.start import start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.figures import Figure


class Measurement(Protocol):
    """One part of the benchmark."""

    def __call__(self, folder: Path, *, quick: bool) -> list[Figure]:
        """Measure in an empty folder."""


PARTS: Mapping[str, Measurement] = MappingProxyType(
    {"quota": quota, "overlap": overlap, "latency": latency, "memory": memory, "start": start},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when the target failed or dropped something. A target not reached is no failure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=("all", *PARTS))
    parser.add_argument("--quick", action="store_true", help="smaller sizes: minutes, not half an hour")
    options = parser.parse_args(arguments)
    _say(description())
    code = 0
    for name, measure in PARTS.items():
        if options.part not in ("all", name):
            continue
        with tempfile.TemporaryDirectory(prefix=f"benchmark-{name}-") as folder:
            try:
                for figure in measure(Path(folder), quick=options.quick):
                    _say(figure.line())
            except (RunFailedError, TimeoutError) as error:
                _say(f"{name}: FAILED: {error}")
                code = 1
    return code


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
