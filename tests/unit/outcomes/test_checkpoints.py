"""STATE is written when everything before it is settled, in order, and as soon as that is so."""

from __future__ import annotations

import json
import sys
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from target_engagevoice.errors import StorageError
from target_engagevoice.outcomes.checkpoints import Checkpoints, Epoch, write_to_stdout
from tests.support.factories import nothing

if TYPE_CHECKING:
    from collections.abc import Callable


def checkpoints(make_durable: Callable[[], None] = nothing) -> tuple[Checkpoints, list[str]]:
    lines: list[str] = []
    return Checkpoints(make_durable, lines.append), lines


class AnyInterleaving(RuleBasedStateMachine):
    """Records are read, STATEs come in between, outcomes arrive in any order and any number at once."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.durable = 0
        self.checkpoints = Checkpoints(self._make_durable, self._write)
        self.waiting: list[tuple[int, Epoch]] = []  # the number of STATEs read before the record, and its epoch
        self.states: list[str] = []
        self.expected: list[str] = []

    def _make_durable(self) -> None:
        self.durable += 1

    def _write(self, line: str) -> None:
        assert self.durable == len(self.lines) + 1, "STATE without its outcomes on disk"
        self.lines.append(line)

    def _expect(self) -> None:
        """The newest STATE that no waiting record comes before, once."""
        free = min((place for place, _ in self.waiting), default=len(self.states))
        due = self.states[:free]
        if due and self.expected[-1:] != due[-1:]:
            self.expected.append(due[-1])

    @rule()
    def read(self) -> None:
        self.waiting.append((len(self.states), self.checkpoints.open_record()))

    @rule(value=st.sampled_from([1, 2, {"bookmarks": {"Lead": "2026"}}]))
    def state(self, value: Any) -> None:
        self.checkpoints.state(value)
        self.states.append(json.dumps(value))
        self._expect()

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sets(st.sampled_from(range(len(self.waiting))))) if self.waiting else set()
        self.checkpoints.settle([self.waiting[place][1] for place in sorted(chosen)])
        self.waiting = [each for place, each in enumerate(self.waiting) if place not in chosen]
        self._expect()

    @invariant()
    def exactly_the_expected_is_written(self) -> None:
        assert self.lines == self.expected

    @invariant()
    def it_counts_what_it_wrote(self) -> None:
        assert self.checkpoints.written == len(self.lines)


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_state_before_any_record_is_written_at_once() -> None:
    made, lines = checkpoints()
    made.state({"a": 1})
    assert lines == ['{"a": 1}']


def test_a_state_that_does_not_change_is_written_once() -> None:
    made, lines = checkpoints()
    made.state({"a": 1})
    made.state({"a": 1})
    assert len(lines) == 1


def test_a_state_that_comes_back_after_another_is_written_again() -> None:
    made, lines = checkpoints()
    for value in (1, 2, 1):
        made.state(value)
    assert lines == ["1", "2", "1"]


def test_of_several_states_that_become_due_together_the_newest_is_written() -> None:
    made, lines = checkpoints()
    first = made.open_record()
    for value in (1, 2, 3):
        made.state(value)
    made.settle([first])
    assert lines == ["3"]


@pytest.mark.parametrize(
    "text", ['{"a": 1.10}', '{"a": 12345678901234567890.123456789}', '{"b": 1, "a": [null, true]}', '{"a": NaN}']
)
def test_a_state_is_written_unchanged(text: str) -> None:
    made, lines = checkpoints()
    made.state(json.loads(text, parse_float=Decimal))
    assert lines == [text]


def test_a_state_is_one_line_of_ascii() -> None:
    made, lines = checkpoints()
    made.state({"a": "Zoë\n\ud800"})
    assert lines == ['{"a": "Zo\\u00eb\\n\\ud800"}']


def test_a_dry_run_writes_no_state() -> None:
    made = Checkpoints(nothing, None)
    made.state(1)
    assert made.written == 0


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")])
def test_a_write_that_fails_is_a_storage_error(error: OSError) -> None:
    def write(_line: str) -> None:
        raise error

    with pytest.raises(StorageError, match=rf"STATE cannot be written: {error.strerror}\."):
        Checkpoints(nothing, write).state(1)


def test_a_closed_standard_output_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/null", "w", encoding="utf-8") as closed:  # noqa: PTH123 - a file like stdout
        closed.close()
        monkeypatch.setattr(sys, "stdout", closed)
        with pytest.raises(StorageError, match="STATE cannot be written"):
            Checkpoints(nothing, write_to_stdout).state(1)


def test_a_process_without_standard_output_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(StorageError, match="STATE cannot be written"):
        Checkpoints(nothing, write_to_stdout).state(1)


def test_a_write_that_fails_is_not_counted() -> None:
    def write(_line: str) -> None:
        raise OSError(28, "No space left on device")

    made = Checkpoints(nothing, write)
    with pytest.raises(StorageError):
        made.state(1)
    assert made.written == 0


def test_outcomes_that_cannot_reach_the_disk_hold_state_back() -> None:
    def make_durable() -> None:
        raise StorageError("the disk is full")

    made, lines = checkpoints(make_durable)
    with pytest.raises(StorageError, match="the disk is full"):
        made.state(1)
    assert lines == []


def test_nothing_is_synced_while_no_state_is_due() -> None:
    calls: list[str] = []
    made, _ = checkpoints(lambda: calls.append("durable"))
    epoch = made.open_record()
    made.state(1)
    made.settle([])
    assert calls == []
    made.settle([epoch])
    assert calls == ["durable"]


def test_many_threads_settle_without_a_state_getting_ahead() -> None:
    made, lines = checkpoints()
    epochs = []
    for number in range(200):
        epochs += [made.open_record() for _ in range(5)]
        made.state(number)
    parts = [epochs[start::4] for start in range(4)]

    def settle(part: list[Epoch]) -> None:
        for epoch in part:
            made.settle([epoch])

    threads = [threading.Thread(target=settle, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [int(line) for line in lines]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 199


def test_standard_output_gets_a_whole_line_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_to_stdout('{"a": 1}')
    assert capsys.readouterr().out == '{"a": 1}\n'
