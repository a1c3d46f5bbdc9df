"""The pace is never broken and never slower than it must be."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.windows import JITTER_MARGIN_SECONDS, Window
from target_engagevoice.clock import SystemClock
from target_engagevoice.errors import ConfigError
from tests.support.fake_clock import FakeClock

windows = st.lists(st.builds(Window, st.integers(1, 8), st.floats(0.1, 60, allow_nan=False)), min_size=1, max_size=3)
events = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.just(0.0)),
        st.tuples(st.just("advance"), st.floats(0, 40)),
        st.tuples(st.just("pause"), st.floats(0, 90)),
    ),
    max_size=60,
)


def crowded(times: list[float], window: Window) -> bool:
    """Whether more requests than the window allows fall into some stretch of its length."""
    ordered = sorted(times)
    pairs = zip(ordered, ordered[window.requests :], strict=False)
    return any(later - earlier < window.seconds for earlier, later in pairs)


@given(windows, events)
def test_no_window_ever_holds_more_than_it_may(limits: list[Window], script: list[tuple[str, float]]) -> None:
    clock, sent = FakeClock(), list[float]()
    pace = Pace(limits, clock)
    not_before = 0.0
    for what, seconds in script:
        if what == "advance":
            clock.advance(seconds)
        elif what == "pause":
            pace.pause(seconds)
            not_before = max(not_before, clock.monotonic() + seconds)
        else:
            pace.wait()
            sent.append(clock.monotonic())
            assert sent[-1] >= not_before - 1e-6
    assert not any(crowded(sent, window) for window in limits)


@given(windows, events)
def test_slots_come_in_the_order_they_were_taken(limits: list[Window], script: list[tuple[str, float]]) -> None:
    clock, slots = FakeClock(), list[float]()
    pace = Pace(limits, clock)
    for what, seconds in script:
        if what == "advance":
            clock.advance(seconds)
        elif what == "pause":
            pace.pause(seconds)
        else:
            slots.append(pace.wait().at)
    assert all(earlier <= later + 1e-6 for earlier, later in itertools.pairwise(slots))
    assert not any(crowded(slots, window) for window in limits)


@given(windows, events)
def test_no_slot_is_free_before_it_is_said_to_be(limits: list[Window], script: list[tuple[str, float]]) -> None:
    clock = FakeClock()
    pace = Pace(limits, clock)
    for what, seconds in script:
        if what == "advance":
            clock.advance(seconds)
        elif what == "pause":
            pace.pause(seconds)
        else:
            asked = 0
            while (wait := pace.take()) > 0:
                asked += 1
                if wait > 0.001:
                    clock.advance(wait - 0.001)
                    assert pace.take() > 0
                clock.advance(min(wait, 0.001))
            assert asked <= 2 * (len(limits) + 1)  # each window and the pause in turn, and the clock's own rounding


@given(st.integers(1, 40), st.floats(1, 60), st.integers(1, 300))
def test_a_busy_run_uses_what_the_window_allows(requests: int, seconds: float, total: int) -> None:
    clock = FakeClock()
    pace = Pace([Window(requests, seconds)], clock)
    began = clock.monotonic()
    for _ in range(total):
        pace.wait()
    full_windows = (total - 1) // requests
    assert clock.monotonic() - began == pytest.approx(
        full_windows * (seconds + JITTER_MARGIN_SECONDS),
        abs=0.000_01 * total,  # slots are stamped in microseconds
    )


def test_the_loader_windows_leave_less_than_five_percent_unused() -> None:
    clock = FakeClock()
    pace = Pace([Window(30, 10), Window(120, 60)], clock)
    for _ in range(1200):
        pace.wait()
    assert 1200 / (clock.monotonic() - 1000) > 0.95 * 120 / 60


def test_threads_share_one_pace() -> None:
    """On the machine's clock: 8 threads want 48 requests through 6 in 0.2 s. Load can only delay them."""
    pace, sent, lock = Pace([Window(6, 0.2)], SystemClock()), list[float](), threading.Lock()
    began = time.monotonic()

    def run() -> None:
        for _ in range(6):
            pace.wait()
            with lock:
                sent.append(time.monotonic())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 48
    earliest = [began + (0.2 + JITTER_MARGIN_SECONDS) * (n // 6) for n in range(48)]
    assert all(at >= earliest[n] for n, at in enumerate(sorted(sent)))


def test_threads_take_different_slots() -> None:
    clock = FakeClock()
    pace = Pace([Window(5, 10)], clock)
    slots, barrier, lock = list[float](), threading.Barrier(16), threading.Lock()

    def run() -> None:
        barrier.wait()
        for _ in range(20):
            slot = pace.wait()
            with lock:
                slots.append(slot.at)

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slots) == 320
    assert not crowded(slots, Window(5, 10))
    assert pace.take() > 0


class PausedMidway(FakeClock):
    """A 429 arrives while a thread sleeps on this clock."""

    pace: Pace | None = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        pace, self.pace = self.pace, None
        if pace is not None:
            pace.pause(30)


def test_a_pause_holds_for_those_who_already_wait() -> None:
    clock = PausedMidway()
    pace = Pace([Window(1, 10)], clock)
    pace.wait()
    clock.pace = pace
    pace.wait()
    assert clock.monotonic() == pytest.approx(1000 + 10 + JITTER_MARGIN_SECONDS + 30)


def test_a_pause_is_never_shortened() -> None:
    clock = FakeClock()
    pace = Pace([Window(5, 1)], clock)
    pace.pause(60)
    pace.pause(1)
    assert pace.take() == pytest.approx(60)


@pytest.mark.parametrize(
    ("text", "window"),
    [("30/10s", Window(30, 10)), (" 120 / 60 s ", Window(120, 60)), ("1/0.5s", Window(1, 0.5))],
)
def test_windows_are_read(text: str, window: Window) -> None:
    assert Window.parse(text) == window


@pytest.mark.parametrize("text", ["", "30", "30/10", "0/10s", "30/0s", "-1/10s", "30/10m", "30/10s, 120/60s"])
def test_what_is_no_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="30/10s"):
        Window.parse(text)


def test_what_is_taken_of_each_window_is_known_and_runs_out() -> None:
    clock = FakeClock()
    pace = Pace([Window(5, 10), Window(20, 60)], clock)

    def taken() -> list[int]:
        return [each.taken for each in pace.in_use()]

    before = taken()
    for _ in range(3):
        pace.wait()
    at_once = taken()
    clock.advance(10)
    later = taken()
    clock.advance(60)
    assert (before, at_once, later, taken()) == ([0, 0], [3, 3], [0, 3], [0, 0])


@pytest.mark.parametrize("text", ["30/10s", "120/60s", "5/0.5s"])
def test_a_window_is_shown_as_the_setting_writes_it(text: str) -> None:
    assert str(Window.parse(text)) == text
