"""The summary at the end of a run."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.model.lead import Outcome
from target_engagevoice.outcomes.counts import Run
from target_engagevoice.reporting.summary import campaign_lines, closing_lines, log_summary, printable, table_lines
from tests.support.factories import RENEWALS, WINBACK
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from target_engagevoice.model.campaign import Campaign

RECORD, REJECTS = Path("runs/run.json"), Path("rejects/run.jsonl")


def recorded(*counts: tuple[str, Campaign | None, Outcome, int], unsettled: int = 0, **more: Any) -> dict[str, Any]:
    run = Run(FakeClock())
    for stream, campaign, outcome, count in counts:
        run.read += count
        run.count(stream, campaign, outcome, count)
    run.read += unsettled
    return {**run.record("1", "ok", dry_run=False, error=None), "run": "run", **more}


TWO = (
    ("people", RENEWALS, Outcome.LOADED, 1200),
    ("people", WINBACK, Outcome.REJECTED, 1),
    ("people", None, Outcome.SKIPPED, 7),
)


def test_the_table_has_a_row_for_each_campaign_and_no_column_of_zeros() -> None:
    assert [line.rstrip() for line in table_lines(recorded(*TWO))] == [
        "stream  campaign                   read  loaded  rejected  skipped",
        "people  Outbound/Renewals (1001)  1,200   1,200         0        0",
        "people  Outbound/Winback (1002)       1       0         1        0",
        "people  no campaign                   7       0         0        7",
        "total                             1,208   1,200         1        7",
    ]


def test_counters_that_a_later_version_adds_are_shown_as_well() -> None:
    record = recorded(*TWO)
    record["totals"]["retired"] = record["streams"][0]["campaigns"][0]["retired"] = 5
    assert [line.split()[-1] for line in table_lines(record)] == ["retired", "5", "0", "0", "5"]
    assert campaign_lines(record)[0].endswith(", 5 retired")


def test_a_line_for_each_campaign_has_the_counts_that_are_not_zero() -> None:
    assert campaign_lines(recorded(*TWO)) == [
        "people → Outbound/Renewals (1001): 1,200 read, 1,200 loaded",
        "people → Outbound/Winback (1002): 1 read, 1 rejected",
        "people → no campaign: 7 read, 7 skipped",
    ]


def test_the_closing_lines_name_the_files_to_look_into() -> None:
    rejects, run = closing_lines(recorded(*TWO, seconds=2.04), RECORD, REJECTS)
    assert rejects == "Rejects: rejects/run.jsonl (`engagevoice rejects run` shows them by reason)"
    assert run == "Run run: ok; 1,208 read, 1,200 loaded, 1 rejected, 7 skipped; 2.0 seconds. Record: runs/run.json"


def test_the_summary_of_a_run_that_read_nothing() -> None:
    (line,) = closing_lines(recorded(dry_run=True), RECORD, REJECTS)
    assert line.startswith("Run run: ok (dry run: nothing was sent); nothing read; ")


def test_records_without_an_outcome_are_counted() -> None:
    assert closing_lines(recorded(unsettled=3), RECORD, REJECTS)[0].startswith("3 records were read and have no")


@pytest.mark.parametrize(("number", "numbers"), [(1, "1 record read"), (1203, "1,203 records read")])
def test_a_run_that_ends_before_any_record_has_an_outcome_counts_what_it_read(number: int, numbers: str) -> None:
    line = closing_lines(recorded(unsettled=number, status="failed"), RECORD, REJECTS)[-1]
    assert line.startswith(f"Run run: failed; {numbers}, none with an outcome; ")


def test_one_record_without_an_outcome_is_described_in_the_singular() -> None:
    line = closing_lines(recorded(unsettled=1), RECORD, REJECTS)[0]
    assert line == "1 record was read and has no outcome; the next run reads it again."


def test_names_cannot_move_the_cursor() -> None:
    stream = "people\x1b[2J\r\n"
    lines = "".join(table_lines(recorded((stream, RENEWALS, Outcome.LOADED, 1))))
    assert lines.isprintable()
    assert printable(stream) == "people\ufffd[2J\ufffd\ufffd"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_table_is_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with caplog.at_level(logging.INFO):
        log_summary(recorded(*TWO), RECORD, REJECTS)
    assert "stream  campaign" in terminal.getvalue()
    assert caplog.messages == []


def test_elsewhere_the_log_has_the_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with caplog.at_level(logging.INFO):
        log_summary(recorded(*TWO), RECORD, REJECTS)
    assert pipe.getvalue() == ""
    assert len(caplog.messages) == 5
