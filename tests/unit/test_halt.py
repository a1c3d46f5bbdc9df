"""What stops every thread: set once, noticed by every thread, soon."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.clock import SystemClock
from target_engagevoice.errors import Interrupted, ServerError
from target_engagevoice.halt import SLICE_SECONDS, Halt
from tests.support.fake_clock import FakeClock


def test_without_a_reason_nothing_stops() -> None:
    Halt(FakeClock()).check()


def test_a_reason_is_raised_wherever_it_is_asked_for() -> None:
    halt = Halt(FakeClock())
    halt.set(ServerError("gone"))
    for _ in range(2):
        with pytest.raises(ServerError, match="gone"):
            halt.check()


def test_the_first_reason_counts() -> None:
    halt = Halt(FakeClock())
    assert (halt.set(ServerError("first")), halt.set(Interrupted("second"))) == (True, False)
    with pytest.raises(ServerError, match="first"):
        halt.check()


@given(st.floats(0, 1000))
def test_sleep_is_as_long_as_asked(seconds: float) -> None:
    clock = FakeClock()
    Halt(clock).sleep(seconds)
    assert clock.monotonic() - 1000 == pytest.approx(seconds, abs=1e-6)


@given(st.floats(0, 100))
def test_sleep_is_in_slices(seconds: float) -> None:
    clock = FakeClock()
    Halt(clock).sleep(seconds)
    assert max(clock.slept, default=0) <= SLICE_SECONDS


@pytest.mark.parametrize("seconds", [0, -1, -1e9])
def test_no_time_is_no_sleep(seconds: float) -> None:
    clock = FakeClock()
    Halt(clock).sleep(seconds)
    assert clock.slept == []


def test_sleep_does_not_begin_once_there_is_a_reason() -> None:
    clock = FakeClock()
    halt = Halt(clock)
    halt.set(Interrupted("stopped"))
    with pytest.raises(Interrupted):
        halt.sleep(0)
    assert clock.slept == []


def test_a_reason_ends_a_sleep_within_a_slice() -> None:
    halt = Halt(SystemClock())
    threading.Timer(0.05, halt.set, [Interrupted("stopped")]).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        halt.sleep(60)
    assert time.monotonic() - began < 10 * SLICE_SECONDS


def test_a_signal_handler_may_set_it_while_it_is_being_set() -> None:
    halt = Halt(FakeClock())
    before = signal.signal(signal.SIGALRM, lambda *_: halt.set(Interrupted("stopped")) and None)
    try:
        with halt._lock:  # as in the middle of `set`
            signal.raise_signal(signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert isinstance(halt.error, Interrupted)


def test_of_many_threads_one_is_first() -> None:
    halt = Halt(FakeClock())
    firsts: list[bool] = []
    threads = [threading.Thread(target=lambda: firsts.append(halt.set(ServerError("x")))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == [False] * 15 + [True]
