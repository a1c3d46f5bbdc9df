"""A CRM under random faults and kills: in the end the server holds what the newest records say.

Each schedule is drawn from a seed, so that a failure can be played again: `draw(seed)`.
"""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.reliability.crm_schedule import CrmChain, draw
from tests.support.killable_target import make_killable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEDULES = 150
PARTS = 10
SOAK_FIRST = int(os.environ.get("SOAK_FIRST", "10000"))
SOAK_SCHEDULES = int(os.environ.get("SOAK_SCHEDULES", "10000"))
SOAK_PARTS = 20


@pytest.fixture(autouse=True, scope="module")
def _killable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_killable(monkeypatch, all_steps=True)
        logging.disable(logging.CRITICAL)
        yield
        logging.disable(logging.NOTSET)


def play(number: int, folder: Path) -> CrmChain:
    chain = CrmChain(draw(number), folder / str(number))
    chain.play()
    assert not chain.problems, f"schedule {number} ({chain.runs} runs, {chain.killed} killed): {chain.problems}"
    return chain


@pytest.mark.parametrize("part", range(PARTS))
def test_the_newest_record_holds_at_last_whatever_breaks(part: int, tmp_path: Path) -> None:
    killed = 0
    for number in range(part * SCHEDULES // PARTS, (part + 1) * SCHEDULES // PARTS):
        killed += play(number, tmp_path).killed
    assert killed > SCHEDULES // PARTS // 4, "the schedules kill too rarely to show anything"


@pytest.mark.parametrize("number", [1142, 1177, 1183, 1385, 2000, 10705, 20119, 20327])
def test_schedules_that_once_broke_a_promise_keep_it(number: int, tmp_path: Path) -> None:
    play(number, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(SOAK_PARTS))
def test_soak(part: int, tmp_path: Path) -> None:
    killed = runs = 0
    numbers = range(SOAK_FIRST + part, SOAK_FIRST + SOAK_SCHEDULES, SOAK_PARTS)
    for number in numbers:
        chain = play(number, tmp_path)
        killed, runs = killed + chain.killed, runs + chain.runs
        shutil.rmtree(tmp_path / str(number))
    print(f"{len(numbers)} schedules: {runs} runs, {killed} of them killed, 0 broken")  # noqa: T201 - what a soak shows for its hours
