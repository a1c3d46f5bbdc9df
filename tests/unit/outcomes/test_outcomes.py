"""Each record has one outcome: it is counted once, written if rejected, and no longer holds STATE back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from target_engagevoice.errors import RejectedTooMany, StorageError
from target_engagevoice.model.lead import Outcome, Rejection, Stage
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.counts import Run
from target_engagevoice.outcomes.outcomes import CHECKED_FROM_RECORDS, Outcomes
from target_engagevoice.outcomes.rejects import Rejects
from tests.support.factories import RENEWALS, lead
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REJECTION = Rejection(Stage.MAP, "bad_value", "it is bad")


class Setup:
    def __init__(self, folder: Path, percent: float = 10.0) -> None:
        clock = FakeClock()
        self.states: list[str] = []
        self.run = Run(clock)
        self.rejects = Rejects(folder / "rejects.jsonl", self.run.name, clock)
        self.checkpoints = Checkpoints(self.rejects.make_durable, self.states.append)
        self.outcomes = Outcomes(self.run, self.rejects, self.checkpoints, percent)

    def reject(self, count: int = 1) -> None:
        for _ in range(count):
            self.outcomes.reject(self.outcomes.read("people", {}), RENEWALS, REJECTION)

    def load(self, count: int = 1) -> None:
        for _ in range(count):
            self.outcomes.settle(self.outcomes.read("people", {}), RENEWALS, Outcome.LOADED)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    made = Setup(tmp_path)
    yield made
    made.rejects.close()


def test_a_record_that_is_read_holds_state_back(setup: Setup) -> None:
    setup.outcomes.read("people", {})
    setup.checkpoints.state(1)
    assert setup.states == []


@pytest.mark.parametrize("outcome", Outcome)
def test_any_outcome_lets_state_pass(setup: Setup, outcome: Outcome) -> None:
    record = setup.outcomes.read("people", {})
    setup.checkpoints.state(1)
    setup.outcomes.settle(record, None, outcome)
    assert setup.states == ["1"]


@pytest.mark.parametrize("outcome", Outcome)
def test_any_outcome_is_counted_once(setup: Setup, outcome: Outcome) -> None:
    setup.outcomes.settle(setup.outcomes.read("people", {}), RENEWALS, outcome)
    assert {name: count for name, count in setup.run.totals().items() if count} == {"read": 1, outcome.value: 1}


def test_records_are_settled_together(setup: Setup) -> None:
    records = [setup.outcomes.read("people", {}) for _ in range(2)]
    setup.checkpoints.state(1)
    setup.outcomes.settle_all(records, RENEWALS, Outcome.LOADED)
    assert (setup.states, setup.run.totals()["read"]) == (["1"], 2)


def test_a_reject_is_written_as_read(setup: Setup) -> None:
    setup.outcomes.reject(setup.outcomes.read("people", {"Id": 7}), RENEWALS, REJECTION, lead(0))
    line = json.loads(setup.rejects.path.read_text("utf-8"))
    assert (line["record"], line["extern_id"], line["campaign_id"], line["reason"]) == (
        {"Id": 7},
        "L0",
        "1001",
        "bad_value",
    )


def test_a_reject_is_on_disk_before_state_passes_it(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    record = setup.outcomes.read("people", {})
    sizes: list[int] = []
    setup.checkpoints._write = lambda _: sizes.append(setup.rejects.path.stat().st_size)
    setup.checkpoints.state(1)
    setup.outcomes.reject(record, None, REJECTION)
    setup.rejects.close()
    assert sizes[0] > 0


def test_a_reject_that_cannot_be_written_is_not_settled(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr(setup.rejects, "write", fail)
    record = setup.outcomes.read("people", {})
    setup.checkpoints.state(1)
    with pytest.raises(StorageError, match="full"):
        setup.outcomes.reject(record, None, REJECTION)
    assert (setup.states, setup.run.totals()["read"]) == ([], 0)


# The threshold


def test_the_first_records_may_all_be_bad(setup: Setup) -> None:
    setup.reject(CHECKED_FROM_RECORDS - 1)
    assert setup.run.rejected == CHECKED_FROM_RECORDS - 1


def test_from_a_hundred_records_on_the_threshold_holds(setup: Setup) -> None:
    setup.reject(CHECKED_FROM_RECORDS - 1)
    with pytest.raises(RejectedTooMany):
        setup.reject()


def test_exactly_the_threshold_is_allowed(setup: Setup) -> None:
    setup.load(90)
    setup.reject(10)
    setup.outcomes.check_rejected()


def test_one_more_is_not(setup: Setup) -> None:
    setup.load(90)
    setup.reject(10)
    with pytest.raises(RejectedTooMany):
        setup.reject()


def test_the_record_that_crosses_the_threshold_is_settled_as_well(setup: Setup) -> None:
    setup.reject(CHECKED_FROM_RECORDS - 1)
    with pytest.raises(RejectedTooMany):
        setup.reject()
    assert (setup.run.totals()["rejected"], len(setup.rejects.path.read_text("utf-8").splitlines())) == (100, 100)


def test_at_the_end_the_threshold_holds_for_few_records_too(setup: Setup) -> None:
    setup.reject()
    with pytest.raises(
        RejectedTooMany, match=r"1 of 1 records were rejected \(100\.0 %\).*max_rejected_percent \(10 %\)"
    ):
        setup.outcomes.check_rejected()


@pytest.mark.parametrize(("percent", "crossed"), [(0, True), (100, False)])
def test_the_threshold_may_be_anything(tmp_path: Path, percent: float, crossed: bool) -> None:
    setup = Setup(tmp_path, percent)
    setup.load(500)
    setup.run.rejected += 1  # as one reject would
    try:
        setup.outcomes.check_rejected()
    except RejectedTooMany:
        assert crossed
    else:
        assert not crossed


def test_too_many_rejects_exit_with_three() -> None:
    assert RejectedTooMany.exit_code == 3
