from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import stream
from benchmarks.contenders import CONTENDERS, STOCK, target_config
from benchmarks.feed import Feed
from benchmarks.figures import Figure
from benchmarks.machine import ROOT
from benchmarks.process import RunFailedError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_small_run_ends_well_and_names_every_contender() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "records.py"), "--records", "500", "--rounds", "1"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert all(contender.name in done.stdout for contender in CONTENDERS)


def test_a_contender_that_drops_records_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "leads.singer"
    stream.write(source, 10)
    idle = replace(STOCK, command=(sys.executable, "-c", "import sys; sys.stdin.read()"))

    with pytest.raises(RunFailedError, match="counted 0 leads of 10 records"):
        idle.measure(source, 10, tmp_path / "run")


def test_a_contender_that_fails_is_an_error_that_shows_its_last_output(tmp_path: Path) -> None:
    source = tmp_path / "leads.singer"
    stream.write(source, 1)
    broken = replace(STOCK, command=(sys.executable, "-c", "raise SystemExit('no such thing')"))

    with pytest.raises(RunFailedError, match="no such thing"):
        broken.measure(source, 1, tmp_path / "run")


def test_everything_that_costs_time_is_on() -> None:
    config = target_config("http://127.0.0.1:1")

    assert config["validate_records"] is True
    assert config["dedupe"] == "changed"
    assert not config.get("dry_run")


@pytest.mark.parametrize(
    ("value", "bound", "reached"), [(1.0, "<=", True), (1.1, "<=", False), (1.0, ">=", True), (0.9, ">=", False)]
)
def test_a_figure_says_whether_its_target_was_reached(value: float, bound: str, *, reached: bool) -> None:
    figure = Figure("x", value, target=1.0, bound=bound)

    assert figure.reached is reached
    assert ("NOT reached" in figure.line()) is not reached


def test_a_target_that_fails_while_it_is_fed_is_an_error_that_shows_its_last_output(tmp_path: Path) -> None:
    with (
        pytest.raises(RunFailedError, match="base_url"),
        Feed(tmp_path / "run", {"base_url": "http://example.com"}),
    ):
        pass
