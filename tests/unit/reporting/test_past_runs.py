"""Runs are found by their names, or by a unique beginning of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_engagevoice.errors import StorageError, UsageError
from target_engagevoice.model.lead import Outcome
from target_engagevoice.reporting.past_runs import PastRun, find_run, past_runs
from tests.support.past_runs import PastDay

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def three(tmp_path: Path) -> list[PastRun]:
    """Three runs, the newest first."""
    day = PastDay(tmp_path)
    return [day.run({Outcome.LOADED: 1}) for _ in range(3)][::-1]


def test_the_newest_is_first(tmp_path: Path, three: list[PastRun]) -> None:
    assert past_runs(tmp_path) == three


def test_a_killed_run_is_found_by_its_files(tmp_path: Path, three: list[PastRun]) -> None:
    killed = PastRun(tmp_path, "20270101T000000Z-abcdef")
    PastDay(tmp_path).reject(killed, {"id": 1})
    assert past_runs(tmp_path) == [killed, *three]
    with pytest.raises(StorageError, match="still running, or it was killed"):
        _ = killed.record


@pytest.mark.parametrize("name", [None, "latest"])
def test_without_a_name_it_is_the_newest(tmp_path: Path, three: list[PastRun], name: str | None) -> None:
    assert find_run(tmp_path, name) == three[0]


def test_a_name_or_its_beginning_finds_a_run(tmp_path: Path, three: list[PastRun]) -> None:
    for run in three:
        assert find_run(tmp_path, run.name) == run
        assert find_run(tmp_path, run.name[:-6]) == run


def test_a_beginning_that_several_share_names_them(tmp_path: Path, three: list[PastRun]) -> None:
    with pytest.raises(UsageError, match="3 runs begin with '2026'") as error:
        find_run(tmp_path, "2026")
    assert three[0].name in str(error.value)


def test_an_unknown_name_is_an_error_with_the_nearest_and_the_newest_run(tmp_path: Path, three: list[PastRun]) -> None:
    mistyped = three[2].name.replace("Z", "X")
    with pytest.raises(UsageError, match="there is no run") as error:
        find_run(tmp_path, mistyped)
    assert f"Did you mean {three[2].name}?" in str(error.value)
    assert f"The newest is {three[0].name}" in str(error.value)


def test_a_folder_without_runs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no files of any run in"):
        find_run(tmp_path / "nowhere", None)


@pytest.mark.parametrize(("content", "words"), [("{", "it is not JSON"), ("[]", "not a run record")])
def test_another_file_is_not_a_run_record(tmp_path: Path, three: list[PastRun], content: str, words: str) -> None:
    three[0].record_path.write_text(content)
    with pytest.raises(StorageError, match=words):
        _ = PastRun(tmp_path, three[0].name).record
