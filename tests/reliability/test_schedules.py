"""Promises 1 to 4 of the design under random faults and kills, for leads that are loaded and leads that change.

Each schedule is drawn from a seed, so that a failure can be played again: `draw(seed)`.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.support import crm_schedule, load_schedule
from tests.support.crm_schedule import CrmChain
from tests.support.killable_target import make_killable
from tests.support.load_schedule import LoadChain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.schedule import Chain

MEMORY = "/dev/shm"

SOAK_FIRST = int(os.environ.get("SOAK_FIRST", "10000"))
SOAK_SCHEDULES = int(os.environ.get("SOAK_SCHEDULES", "10000"))
SOAK_PARTS = 20


@dataclass(frozen=True)
class Kind:
    """A kind of source.

    Attributes:
        chain: Plays a schedule of a seed in a folder.
        schedules: How many are played.
        quick: How many of them in every run of the tests.
        part: How many of them in one test.
        changes: Whether changing, retiring and listing count as steps too.
        broken: Seeds that once broke a promise.
    """

    name: str
    chain: Callable[[int, Path], Chain[Any]]
    schedules: int
    quick: int
    part: int
    changes: bool
    broken: tuple[int, ...]

    def __str__(self) -> str:
        return self.name


LOADS = Kind(
    name="loads",
    chain=lambda number, folder: LoadChain(load_schedule.draw(number), folder),
    schedules=500,
    quick=60,
    part=20,
    changes=False,
    broken=(11001, 17588, 19694),
)
CHANGES = Kind(
    name="changes",
    chain=lambda number, folder: CrmChain(crm_schedule.draw(number), folder),
    schedules=150,
    quick=30,
    part=15,
    changes=True,
    broken=(1142, 1177, 1183, 1385, 2000, 10705, 20119, 20327),
)
KINDS = (LOADS, CHANGES)

PARTS = [
    pytest.param(
        kind,
        range(first, first + kind.part),
        id=f"{kind}-{first}",
        marks=[pytest.mark.thorough] if first >= kind.quick else [],
    )
    for kind in KINDS
    for first in range(0, kind.schedules, kind.part)
]
BROKEN = [pytest.param(kind, number, id=f"{kind}-{number}") for kind in KINDS for number in kind.broken]


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a ledger waits for the disk hundreds of times."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        yield Path(made)


def play(kind: Kind, number: int, folder: Path) -> Chain[Any]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_killable(monkeypatch, all_steps=kind.changes)
        chain = kind.chain(number, folder / str(number))
        chain.play()
    assert not chain.problems, f"{kind} {number} ({chain.runs} runs, {chain.killed} killed): {chain.problems}"
    shutil.rmtree(chain.folder, ignore_errors=True)
    return chain


@pytest.mark.parametrize(("kind", "numbers"), PARTS)
def test_no_promise_is_broken_whatever_breaks(kind: Kind, numbers: range, folder: Path) -> None:
    killed = sum(play(kind, number, folder).killed for number in numbers)
    assert killed > len(numbers) // 4, "the schedules kill too rarely to show anything"


@pytest.mark.parametrize(("kind", "number"), BROKEN)
def test_schedules_that_once_broke_a_promise_keep_it(kind: Kind, number: int, folder: Path) -> None:
    play(kind, number, folder)


@pytest.mark.thorough
@seed(20261124)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(min_value=1_000_000, max_value=2**48))
def test_no_lead_is_lost_or_loaded_twice_on_seeds_of_hypothesis_choice(
    tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    play(LOADS, number, tmp_path_factory.mktemp("schedule"))


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(SOAK_PARTS))
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_soak(kind: Kind, part: int, folder: Path) -> None:
    numbers = range(SOAK_FIRST + part, SOAK_FIRST + SOAK_SCHEDULES, SOAK_PARTS)
    runs = killed = 0
    for number in numbers:
        chain = play(kind, number, folder)
        runs, killed = runs + chain.runs, killed + chain.killed
    print(f"{len(numbers)} {kind}: {runs} runs, {killed} of them killed, 0 broken")  # noqa: T201 - what a soak shows for its hours
