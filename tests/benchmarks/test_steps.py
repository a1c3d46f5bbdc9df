from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.machine import ROOT
from benchmarks.steps import Cost, measure, table

if TYPE_CHECKING:
    from pathlib import Path

STEPS = ["read", "validate", "map", "phones", "digest", "ledger", "encode"]


def test_a_small_run_ends_well_and_names_every_step() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "steps.py"), "--records", "100", "--rounds", "1"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-8:-1]] == STEPS


def test_steps_with_two_paths_are_measured_on_both(tmp_path: Path) -> None:
    costs = measure(records=100, rounds=1, folder=tmp_path)

    assert [name for name, cost in costs.items() if cost.has_plain] == ["read", "validate", "map", "phones", "encode"]
    assert all(cost.plain == cost.fast for cost in costs.values() if not cost.has_plain)


def test_the_table_shows_each_share_and_how_much_the_plain_path_costs() -> None:
    read, digest, whole = table(
        {"read": Cost(1.0, 4.0, has_plain=True), "digest": Cost(3.0, 3.0, has_plain=False)}
    ).splitlines()[1:]

    assert read.split() == ["read", "1.00", "25%", "4.00", "4.0"]
    assert digest.split() == ["digest", "3.00", "75%"]
    assert whole.split() == ["all", "steps", "4.00", "100%", "7.00", "1.8"]
