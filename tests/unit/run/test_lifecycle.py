"""A run is opened once and ended once, and everything that was opened is closed in every case."""

from __future__ import annotations

import io
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from target_engagevoice.errors import EngageVoiceError, LedgerError, ServerError, StorageError
from target_engagevoice.halt import Halt
from target_engagevoice.run.ending import Ending
from target_engagevoice.run.lifecycle import Lifecycle
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from target_engagevoice.run.open_run import OpenRun

PARTS = ("journal", "connection", "ledger", "delivery")


class FakeRun:
    """A run that opens parts, notes what happens to them, and fails where it is told to.

    Args:
        failures: What opening or closing a part, or `record`, raises.
    """

    def __init__(self, failures: Mapping[str, BaseException]) -> None:
        self.halt = Halt(FakeClock())
        self.ending = Ending()
        self.happened: list[str] = []
        self._failures = failures

    def open(self, closers: ExitStack) -> OpenRun:
        for part in PARTS:
            self._step(f"open {part}")
            closers.callback(self.ending.attempt, partial(self._step, f"close {part}"))
        return cast("OpenRun", SimpleNamespace(destination=self))

    def hand_over(self) -> None:
        self._step("hand over")

    def write_record(self) -> None:
        self._step(f"record {self.ending.status}")

    def _step(self, name: str) -> None:
        self.happened.append(name)
        if name in self._failures:
            raise self._failures[name]


def lifecycle(**failures: BaseException) -> tuple[Lifecycle, FakeRun]:
    run = FakeRun({name.replace("_", " "): error for name, error in failures.items()})
    return Lifecycle(lambda: run, lambda: run.happened.append("end"), "loaded"), run


OPENED = [f"open {part}" for part in PARTS]
CLOSED = [f"close {part}" for part in reversed(PARTS)]


def test_parts_are_closed_in_reverse_and_then_the_record_is_written() -> None:
    life, run = lifecycle()
    assert life.run is life.run
    life.close(None)
    assert run.happened == [*OPENED, "end", *CLOSED, "record ok"]


def test_a_second_close_does_nothing() -> None:
    life, run = lifecycle()
    _ = life.run
    life.close(None)
    happened = list(run.happened)
    life.close(ServerError("late"))
    assert run.happened == happened


def test_a_run_that_was_never_opened_has_nothing_to_close() -> None:
    life, run = lifecycle()
    life.close(ServerError("early"))
    assert run.happened == []


def test_what_is_open_is_closed_where_the_next_part_fails_to_open() -> None:
    life, run = lifecycle(open_ledger=LedgerError("locked"))
    with pytest.raises(LedgerError) as caught:
        _ = life.run
    life.close(caught.value)
    assert run.happened == [*OPENED[:3], "end", *CLOSED[2:], "record failed"]


def test_a_part_that_fails_to_close_fails_the_run_and_keeps_no_other_open() -> None:
    life, run = lifecycle(close_delivery=ServerError("gone"))
    _ = life.run
    with pytest.raises(ServerError, match="gone"):
        life.close(None)
    assert run.happened == [*OPENED, "end", *CLOSED, "record failed"]


def test_the_error_that_ended_a_run_is_not_replaced(caplog: pytest.LogCaptureFixture) -> None:
    life, run = lifecycle(close_ledger=LedgerError("second"))
    _ = life.run
    life.close(ServerError("first"))
    assert str(run.ending.error) == "first"
    assert caplog.messages == ["second"]


def test_a_record_that_cannot_be_written_fails_a_run_that_came_to_its_end() -> None:
    life, _run = lifecycle(record_ok=StorageError("full"))
    _ = life.run
    with pytest.raises(StorageError, match="full"):
        life.close(None)


def test_an_interpreter_error_closes_everything_and_leaves_no_record_that_says_ok() -> None:
    life, run = lifecycle(close_delivery=KeyboardInterrupt())
    _ = life.run
    with pytest.raises(KeyboardInterrupt):
        life.close(None)
    assert run.happened == [*OPENED, "end", *CLOSED]


def test_stopping_a_run_halts_it_and_its_reader() -> None:
    life, run = lifecycle()
    _ = life.run
    life.stop(ServerError("stopped"))
    assert isinstance(run.halt.error, ServerError)
    with pytest.raises(EngageVoiceError, match="stopped"):
        life.lines.process_lines(io.BytesIO(b"{}"), {})


def test_leads_are_handed_over_before_more_is_waited_for() -> None:
    life, run = lifecycle()
    life.lines.process_lines(io.BytesIO(b""), {})
    assert run.happened == []
    _ = life.run
    life.lines.process_lines(io.BytesIO(b""), {})
    assert run.happened == [*OPENED, "hand over"]
