"""Requests over time: every curve has the highest values of its number, compared with a slow count."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.api.request_journal import Exchange
from target_engagevoice.reporting.timeline import ROWS, STEPS, timeline

STARTED = datetime(2026, 1, 1, tzinfo=timezone.utc)
WINDOWS = (Window(30, 10), Window(120, 60))


def load(start: float, seconds: float = 1.0, status: int = 200, *, retry: bool = False) -> Exchange:
    at = (STARTED + timedelta(seconds=start)).isoformat(timespec="microseconds")
    return Exchange(time=at, kind="load", seconds=seconds, status=status, retry=retry)


MILLISECONDS = st.integers(0, 200_000).map(lambda number: number / 1000)
LOADS = st.lists(st.builds(load, MILLISECONDS, MILLISECONDS, st.sampled_from([200, 429])), min_size=1, max_size=30)


@given(LOADS)
def test_the_most_of_a_window_is_the_most_at_any_request(loads: list[Exchange]) -> None:
    made = timeline(loads, STARTED, 1.0, WINDOWS, 8)
    starts = [datetime.fromisoformat(each.time) for each in loads]
    for window, curve in zip(WINDOWS, made.curves, strict=False):
        length = timedelta(seconds=window.seconds)
        assert curve.most == max(sum(end - length < start <= end for start in starts) for end in starts)


@given(LOADS)
def test_nothing_is_lost_between_the_rows(loads: list[Exchange]) -> None:
    made = timeline(loads, STARTED, 1.0, WINDOWS, 8)
    assert len(made.stretches) == ROWS
    assert sum(stretch.requests for stretch in made.stretches) == len(loads)
    throttled = sum(each.throttled for each in loads)
    assert throttled == sum(made.throttled) == sum(stretch.throttled for stretch in made.stretches)


@given(LOADS)
def test_the_rows_hold_the_most_of_their_steps(loads: list[Exchange]) -> None:
    made = timeline(loads, STARTED, 1.0, WINDOWS, 8)
    for place, curve in enumerate(made.curves):
        assert len(curve.steps) == STEPS
        assert max(stretch.most[place] for stretch in made.stretches) == curve.most


def test_requests_one_after_another_are_one_in_flight() -> None:
    made = timeline([load(0.0), load(1.0), load(2.0)], STARTED, 3.0, WINDOWS, 8)
    assert made.curves[-1].most == 1


def test_requests_at_the_same_time_are_counted_together() -> None:
    made = timeline([load(0.0, 3), load(1.0, 3), load(2.0, 3)], STARTED, 5.0, WINDOWS, 8)
    assert made.curves[-1].most == 3


def test_a_window_is_left_when_its_time_is_over() -> None:
    made = timeline([load(0.0, 0), load(0.5, 0)], STARTED, 120.0, WINDOWS, 8)
    assert [made.curves[0].steps[step] for step in (0, 9, 11)] == [2, 2, 0]


def test_a_request_that_outlasts_the_run_is_still_shown() -> None:
    assert timeline([load(0.0, 9)], STARTED, 3.0, WINDOWS, 8).seconds == 8.9999
