"""How far a run is: rates and the time to go, and how they are shown."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.ratelimit.windows import InUse, Window
from target_engagevoice.outcomes.counts import EFFORTS, OUTCOMES, CampaignCounts
from target_engagevoice.reporting.display import busiest, duration
from target_engagevoice.reporting.monitor import Monitor, choose_view
from target_engagevoice.reporting.progress import (
    MIN_ESTIMATE_SECONDS,
    RATE_SECONDS,
    History,
    Position,
    Progress,
    Snapshot,
    expected_records,
    rate,
    time_to_go,
)
from target_engagevoice.reporting.progress_log import ProgressLog, progress_values
from target_engagevoice.reporting.summary import printable
from tests.support.fake_clock import FakeClock

NOWHERE = Position(0, None)


def standing(number: int | None = 1, efforts: dict[str, int] | None = None, **outcomes: int) -> CampaignCounts:
    return CampaignCounts(
        None if number is None else str(1000 + number),
        None if number is None else f"Outbound/Campaign {number}",
        dict.fromkeys(OUTCOMES, 0) | outcomes,
        dict.fromkeys(EFFORTS, 0) | (efforts or {}),
    )


def snapshot(at: float, read: int, *campaigns: CampaignCounts, position: Position = NOWHERE, **more: Any) -> Snapshot:
    rest: dict[str, Any] = {"windows": (), "under_way": 0, "waiting": 0} | more
    return Snapshot(at=at, read=read, campaigns=campaigns, position=position, **rest)


SECONDS = st.floats(0, 1e9)
COUNTS = st.integers(0, 10**12)
STEPS = st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=30)


@given(COUNTS | st.integers(-5, 5), SECONDS)
def test_a_rate_is_never_negative(count: int, seconds: float) -> None:
    assert rate(count, seconds) >= 0


@given(st.none() | SECONDS, COUNTS, SECONDS)
def test_the_time_to_go_is_never_negative(expected: float | None, settled: int, settled_rate: float) -> None:
    seconds = time_to_go(expected, settled, settled_rate)
    assert seconds is None or seconds >= 0


@given(COUNTS, COUNTS, st.none() | COUNTS)
def test_no_fewer_records_are_expected_than_were_read(read: int, bytes_read: int, bytes_total: int | None) -> None:
    expected = expected_records(read, Position(bytes_read, bytes_total))
    assert expected is None or expected >= read


@given(STEPS, st.none() | st.integers(0, 10**9))
def test_any_counts_have_a_progress_that_can_be_shown(steps: list[Any], bytes_total: int | None) -> None:
    history, at, read, loaded = History(0.0), 0.0, 0, 0
    for seconds, more_read, more_loaded in steps:
        at, read = at + seconds, read + more_read
        loaded = min(read, loaded + more_loaded)
        progress = history.add(snapshot(at, read, standing(loaded=loaded), position=Position(90 * read, bytes_total)))
        assert progress.read_rate >= 0
        assert progress.loaded_rate >= 0
        assert progress.done is None or 0 <= progress.done <= 1
        assert progress.to_go is None or progress.to_go >= 0
        assert set(progress_values(progress)) > {"read", "seconds_to_go"}
        assert duration(progress.to_go)


def steady(seconds: int, bytes_total: int | None = None) -> Progress:
    """Ten records a second read, of ten bytes each, and half of them loaded."""
    history = History(100.0)
    for second in range(1, seconds + 1):
        position = Position(100 * second, bytes_total)
        progress = history.add(snapshot(100.0 + second, 10 * second, standing(loaded=5 * second), position=position))
    return progress


@pytest.mark.parametrize("seconds", [1, 7, 300])
def test_a_steady_run_has_its_rate_at_any_time(seconds: int) -> None:
    progress = steady(seconds)
    assert (progress.read_rate, progress.loaded_rate, progress.seconds) == (10, 5, seconds)


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    history = History(0.0)
    history.add(snapshot(1000.0, 1_000_000))
    for second in range(1, 41):
        progress = history.add(snapshot(1000.0 + second, 1_000_000))
    assert RATE_SECONDS < 40
    assert progress.read_rate == 0


def test_the_time_to_go_is_that_of_the_records_without_an_outcome() -> None:
    progress = steady(20, bytes_total=4000)  # 200 of 400 records are read, 100 have their outcome, 5 more a second
    assert progress.done == 0.25
    assert progress.to_go == pytest.approx(60)


def test_the_time_to_go_of_a_pipe_is_not_known() -> None:
    progress = steady(20)
    assert (progress.done, progress.to_go) == (None, None)


def test_the_time_to_go_is_not_shown_too_soon() -> None:
    assert steady(int(MIN_ESTIMATE_SECONDS) - 1, bytes_total=4000).to_go is None
    assert steady(int(MIN_ESTIMATE_SECONDS), bytes_total=4000).to_go is not None


# The table's rows


def several(*counts: int) -> Progress:
    campaigns = [standing(number, loaded=count) for number, count in enumerate(counts, 1)]
    return History(0.0).add(snapshot(1.0, sum(counts), *campaigns))


@given(st.lists(st.integers(0, 999), max_size=12), st.integers(1, 9))
def test_rows_fit_and_nothing_is_left_out_of_them(counts: list[int], room: int) -> None:
    *rows, total = busiest(several(*counts), room)
    assert len(rows) <= room
    assert total.outcomes["loaded"] == sum(counts) == sum(row.outcomes["loaded"] for row in rows)
    told = [row.outcomes["loaded"] for row in rows if "more" not in row.name]
    assert all(before >= after for before, after in pairwise(told))
    assert told == sorted(counts, reverse=True)[: len(told)]


def test_the_busiest_campaigns_have_rows_of_their_own() -> None:
    names = [row.name for row in busiest(several(1, 30, 2, 20), 3)]
    assert names == ["Outbound/Campaign 2", "Outbound/Campaign 4", "(2 more)", "total"]


def test_records_without_a_campaign_have_a_row() -> None:
    progress = History(0.0).add(snapshot(1.0, 3, standing(None, rejected=3)))
    assert [row.name for row in busiest(progress, 5)] == ["(no campaign)", "total"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3723, "1:02:03"), (None, "?"), (float("inf"), "?")],
)
def test_a_duration_reads_as_a_clock_does(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@given(st.text())
def test_a_name_from_elsewhere_cannot_steer_the_terminal(name: str) -> None:
    assert printable(name).isprintable()
    assert len(printable(name)) == len(name)


# The line in the log


LINE = (
    "Progress: read=1200 loaded=1000 updated=0 unchanged=40 not_inserted=0 rejected=3 do_not_call=7 deleted=0 "
    "skipped=0 unsettled=150 campaigns=2 seconds=30 read_per_second=40 loaded_per_second=33 requests=12 retries=1 "
    "throttled=0 retired=0 listed=0 under_way=4 waiting=3 quota=12/30/10s,12/120/60s done_percent=87 seconds_to_go=4"
)


def half_a_minute() -> Progress:
    return History(0.0).add(
        snapshot(
            30.0,
            1200,
            standing(1, {"requests": 8, "retries": 1}, loaded=600, unchanged=40),
            standing(2, {"requests": 4}, loaded=400),
            standing(None, rejected=3, do_not_call=7),
            position=Position(1000, 1000),
            windows=(InUse(Window(30, 10), 12), InUse(Window(120, 60), 12)),
            under_way=4,
            waiting=3,
        )
    )


def test_the_line_has_a_fixed_order_and_numbers_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ProgressLog().show(half_a_minute())
    assert caplog.messages == [LINE]


def test_a_formatter_of_json_finds_the_values_of_the_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ProgressLog().show(half_a_minute())
    values = caplog.records[0].__dict__["progress"]
    assert (values["read"], values["unsettled"], values["quota"]) == (1200, 150, "12/30/10s,12/120/60s")


def test_an_unknown_value_is_a_question_mark(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ProgressLog().show(steady(1))
    assert caplog.messages[0].endswith("quota=? done_percent=? seconds_to_go=?")


# The monitor


class Record:
    """A view that keeps what it is shown."""

    every_seconds = 30.0

    def __init__(self, *, fails: bool = False) -> None:
        self.seen: list[tuple[str, Any]] = []
        self._fails = fails

    def begin(self) -> None:
        self.seen.append(("begin", None))

    def show(self, progress: Progress) -> None:
        self.seen.append(("show", progress.seconds))
        if self._fails:
            raise OSError("the terminal is gone")

    def end(self, progress: Progress | None) -> None:
        self.seen.append(("end", progress and progress.seconds))


def watched(view: Record | ProgressLog, times: int) -> None:
    """Look so many times, and once more at the end."""
    clock, waits = FakeClock(), iter([False] * times + [True])

    def wait(seconds: float) -> bool:
        clock.advance(seconds)
        return next(waits)

    def look(at: float) -> Snapshot:
        return snapshot(at, int(at) - 1000)

    Monitor(look, lambda: view, clock.monotonic, wait).run()


def test_a_run_is_shown_every_thirty_seconds_and_at_its_end() -> None:
    view = Record()
    watched(view, 3)
    assert view.seen == [("begin", None), ("show", 30), ("show", 60), ("show", 90), ("end", 120)]


def test_a_line_is_logged_every_thirty_seconds(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        watched(ProgressLog(), 3)
    assert [values.__dict__["progress"]["seconds"] for values in caplog.records] == [30, 60, 90]
    assert {values.__dict__["progress"]["read_per_second"] for values in caplog.records} == {1}


def test_a_run_shorter_than_that_has_no_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        watched(ProgressLog(), 0)
    assert caplog.records == []


def test_a_view_that_fails_is_ended_and_the_run_goes_on() -> None:
    view = Record(fails=True)
    watched(view, 3)
    assert view.seen == [("begin", None), ("show", 30), ("end", None)]


class Terminal:
    """A stream that is a terminal, or none."""

    def __init__(self, *, is_terminal: bool = True, closed: bool = False) -> None:
        self.isatty = lambda: is_terminal
        self.closed = closed


@pytest.mark.parametrize(
    ("stream", "environ"),
    [
        (Terminal(is_terminal=False), {"TERM": "xterm"}),
        (Terminal(), {"TERM": "dumb"}),
        (Terminal(), {}),
        (Terminal(closed=True), {"TERM": "xterm"}),
        (None, {"TERM": "xterm"}),
    ],
)
def test_without_a_terminal_that_can_be_drawn_on_there_are_lines(stream: Any, environ: dict[str, str]) -> None:
    assert isinstance(choose_view(stream, environ), ProgressLog)
