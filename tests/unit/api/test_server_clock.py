"""What the server's clock says is never claimed more exactly than is known."""

from __future__ import annotations

from email.utils import formatdate
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.server_clock import RESOLUTION_SECONDS, ServerClock

ROUNDING = 1e-6
"""Epoch seconds as a float are exact to a quarter of this."""

offsets = st.floats(-2e9, 2e9).map(lambda offset: offset + 2e9)
latencies = st.floats(0, 120)
answers = st.lists(st.tuples(latencies, latencies, st.floats(0, 600)), min_size=1, max_size=20)


def observed(offset: float, exchanges: list[tuple[float, float, float]]) -> tuple[ServerClock, float]:
    """A clock that saw these exchanges (there, back, pause), and the monotonic moment after them."""
    clock, now = ServerClock(), 1000.0
    for there, back, pause in exchanges:
        sent, stamped, received = now, now + there, now + there + back
        clock.observe(formatdate(floor(stamped + offset), usegmt=True), sent, received)
        now = received + pause
    return clock, now


@given(offsets, answers, st.floats(0, 1e5))
def test_the_servers_time_is_within_the_bounds(
    offset: float, exchanges: list[tuple[float, float, float]], later: float
) -> None:
    clock, now = observed(offset, exchanges)
    moment = now + later
    assert clock.earliest(moment, 0) <= moment + offset + ROUNDING
    assert moment + offset <= clock.latest(moment, 0) + ROUNDING


@given(offsets, answers)
def test_the_bounds_are_no_wider_than_the_fastest_exchange_and_a_second(
    offset: float, exchanges: list[tuple[float, float, float]]
) -> None:
    clock, now = observed(offset, exchanges)
    fastest = min(there + back for there, back, _ in exchanges)
    assert clock.latest(now, 0) - clock.earliest(now, 0) <= fastest + RESOLUTION_SECONDS + ROUNDING


@given(offsets, answers, answers)
def test_more_answers_never_make_it_less_exact(
    offset: float, first: list[tuple[float, float, float]], second: list[tuple[float, float, float]]
) -> None:
    some, now = observed(offset, first)
    more, _ = observed(offset, first + second)
    assert more.earliest(now, 0) >= some.earliest(now, 0) - ROUNDING
    assert more.latest(now, 0) <= some.latest(now, 0) + ROUNDING


def test_before_any_answer_the_fallback_holds() -> None:
    assert (ServerClock().earliest(5, 17.0), ServerClock().latest(5, 18.0)) == (17.0, 18.0)


@pytest.mark.parametrize("date", [None, "", "soon", "Thu, 32 Jan 2026 00:00:00 GMT", "\ud800", "9" * 400])
def test_a_date_that_cannot_be_read_is_ignored(date: str | None) -> None:
    clock = ServerClock()
    clock.observe(date, 0, 1)
    assert clock.earliest(5, 17.0) == 17.0


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_server_whose_clock_is_set_anew_is_believed(step: float) -> None:
    clock = ServerClock()
    for offset in (1e9, 1e9 + step):
        clock.observe(formatdate(floor(10 + offset), usegmt=True), 10, 10.1)
    assert clock.earliest(20, 0) <= 20 + 1e9 + step <= clock.latest(20, 0)
