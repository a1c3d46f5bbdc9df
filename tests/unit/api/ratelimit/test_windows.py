"""What becomes of the account's quota, in simulated time: never exceeded when alone, and hardly any left unused."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.ratelimit.pace import OwnQuota, Pace
from target_engagevoice.api.ratelimit.share import Share
from target_engagevoice.api.ratelimit.windows import JITTER_MARGIN_SECONDS, SlidingWindows, Window
from target_engagevoice.errors import Interrupted
from tests.support.fake_clock import FakeClock
from tests.support.simulated_clock import SimulatedClock

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOWS = (Window(30, 10), Window(120, 60))
SENDERS = 8
CONNECT_SECONDS = 0.2
"""What comes between a sender's first slot and its request."""

JITTER_SECONDS = 0.08
"""How much later than another a request may arrive."""


@dataclass
class Server:
    """Takes what its windows allow, and says 429 at once to the rest, which does not count."""

    taken: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    foreign_refused: int = 0
    counted: deque[float] = field(default_factory=deque)

    def admit(self, now: float) -> bool:
        while self.counted and self.counted[0] <= now - 60:
            self.counted.popleft()
        if any(sum(at > now - window.seconds for at in self.counted) >= window.requests for window in WINDOWS):
            return False
        self.counted.append(now)
        return True


@dataclass
class Account:
    """Senders that load batches one after another, with latencies of 1 to 3 s."""

    seed: int
    margin: float = JITTER_MARGIN_SECONDS
    jitter: float = JITTER_SECONDS
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    server: Server = field(default_factory=Server)

    def __post_init__(self) -> None:
        self.pace = Pace(OwnQuota(SlidingWindows(WINDOWS, self.margin), self.clock), self.clock)
        self.chance = random.Random(self.seed)  # noqa: S311 - no secret hangs on it
        self.left = 0
        self.latencies: list[float] = []

    def sender(self) -> None:
        connecting = CONNECT_SECONDS
        while self.left > 0:
            self.left -= 1
            latency, taken = self.chance.uniform(1, 3), False
            while not taken:
                slot = self.pace.wait(self.clock.sleep)
                self.clock.sleep(connecting)
                slot, connecting = self.pace.mark_sent(slot), 0.0
                way = self.chance.uniform(0, self.jitter)
                self.clock.sleep(way)
                now = self.clock.monotonic()
                taken = self.server.admit(now)
                (self.server.taken if taken else self.server.refused).append(now)
                if taken:
                    self.latencies.append(latency)
                self.clock.sleep(latency - way if taken else 0.05)
                if not taken:
                    self.pace.throttled(slot, 1.0)
                    self.clock.sleep(1.0)

    def load(self, batches: int, *others: Callable[[], None]) -> float:
        self.left = batches
        return self.clock.run([self.sender] * SENDERS + list(others))

    def foreign(self, every: float, seconds: float) -> Callable[[], None]:
        """Another program, which sends at a steady rate for a while and does not retry."""

        def act() -> None:
            end = self.clock.monotonic() + seconds
            while self.clock.monotonic() < end:
                self.server.foreign_refused += not self.server.admit(self.clock.monotonic())
                self.clock.sleep(every)

        return act


def shortest(latencies: list[float], senders: int) -> float:
    """The shortest schedule of requests with these latencies: each at the first moment the windows permit."""
    sent: list[float] = []
    free = [0.0] * senders
    for number, latency in enumerate(latencies):
        free.sort()
        at = max(
            [free[0], *(sent[-window.requests] + window.seconds for window in WINDOWS if number >= window.requests)]
        )
        sent.append(at)
        free[0] = at + latency
    return max(free)


def hundred(seed: int) -> tuple[float, list[float]]:
    """100 batches by eight senders: the seconds they take, and the latencies in the order they were sent."""
    account = Account(seed)
    seconds = account.load(100)
    assert account.server.refused == []
    return seconds, account.latencies


def test_alone_with_eight_senders_nothing_is_refused_and_hardly_anything_left_unused() -> None:
    """Eight senders cannot have the ten last batches in flight at once: some of what is above 1 comes from that."""
    ratios = []
    for seed in range(60):
        seconds, latencies = hundred(seed)
        ratios.append(seconds / shortest(latencies, senders=100))
    assert median(ratios) <= 1.05


@pytest.mark.parametrize("seed", range(20))
def test_the_windows_are_used_as_well_as_eight_senders_can(seed: int) -> None:
    seconds, latencies = hundred(seed)
    assert seconds / shortest(latencies, senders=SENDERS) <= 1.05


def test_hours_alone_go_without_a_429_at_95_percent_of_the_quota() -> None:
    account = Account(seed=1)
    seconds = account.load(7200)
    assert account.server.refused == []
    assert 7200 / seconds >= 0.95 * 120 / 60


def test_a_margin_that_is_too_small_costs_few_429s_and_is_widened() -> None:
    account = Account(seed=2, jitter=0.35)
    account.load(1200)
    assert 1 <= len(account.server.refused) <= 4 * SENDERS
    assert all(at < 1000 + 180 for at in account.server.refused)


@pytest.mark.parametrize(
    ("every", "most"), [(0.5, 8), (1.0, 5), (2.0, 4), (6.0, 3)], ids=["all", "half", "a quarter", "a twelfth"]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_foreign_user_costs_few_429s_and_the_full_rate_is_back_within_a_minute(
    every: float, most: int, seed: int
) -> None:
    """`most` 429s a minute; pauses alone cost 40, 25, 16 and 5."""
    account, minutes = Account(seed), 5
    account.load(1200, account.foreign(every, seconds=60 * minutes))
    gone = 1000 + 60 * minutes
    refused = account.server.refused
    assert len(refused) <= most * minutes
    assert not [at for at in refused if at > gone + 60]  # what the other sent counts so long
    before, after = (
        sum(begin <= at < end for at in account.server.taken) / (end - begin)
        for begin, end in ((1000, gone), (gone + 60, gone + 180))
    )
    assert before >= 0.9 * (2 - 1 / every)
    assert after >= 0.95 * 2


def test_those_who_wait_go_in_the_order_they_came() -> None:
    clock, order = SimulatedClock(), list[int]()
    pace = Pace([Window(1, 10)], clock)

    def come(number: int) -> None:
        clock.sleep(number)
        for turn in range(3):
            pace.wait(clock.sleep)
            order.append(number + 10 * turn)

    clock.run([lambda number=number: come(number) for number in range(5)])  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert order == [0, 10, 1, 2, 3, 4, 20, 11, 12, 13, 14, 21, 22, 23, 24]


def test_who_gives_up_waiting_does_not_hold_up_the_others() -> None:
    clock, went = SimulatedClock(), list[float]()
    pace = Pace([Window(1, 10)], clock)
    pace.wait()

    def give_up(seconds: float) -> None:
        clock.sleep(seconds / 2)
        raise Interrupted("stop")

    def first() -> None:
        with pytest.raises(Interrupted):
            pace.wait(give_up)

    def second() -> None:
        clock.sleep(1)
        went.append(pace.wait(clock.sleep).at)

    clock.run([first, second])
    assert went == [pytest.approx(1000 + 10 + JITTER_MARGIN_SECONDS, abs=0.01)]


def test_a_request_that_was_sent_late_counts_from_then() -> None:
    clock = FakeClock()
    pace = Pace([Window(2, 10)], clock)
    late = pace.wait()
    pace.wait()
    clock.advance(3)
    late = pace.mark_sent(late)
    assert late.taken == clock.monotonic()
    clock.advance(7 + JITTER_MARGIN_SECONDS + 0.001)
    pace.wait()
    assert pace.take() == pytest.approx(3, abs=0.01)


def test_requests_that_were_in_flight_together_are_refused_once() -> None:
    clock = FakeClock()
    quota = OwnQuota(SlidingWindows(WINDOWS, JITTER_MARGIN_SECONDS), clock)
    pace = Pace(quota, clock)
    slots = [pace.wait() for _ in range(20)]
    clock.advance(1)
    pace.throttled(slots[-1], 1.0)
    once = quota._windows.share
    for slot in slots[:-1]:
        pace.throttled(slot, 1.0)
    assert quota._windows.share == once
    clock.advance(1)
    assert pace.take() > 0  # 20 went in the window, and 19 of 30 are what is left of it


def test_a_pause_asked_for_by_another_of_them_still_holds() -> None:
    clock = FakeClock()
    pace = Pace(WINDOWS, clock)
    first, second = pace.wait(), pace.wait()
    pace.throttled(first, 1.0)
    pace.throttled(second, 40.0)
    assert pace.take() == pytest.approx(40)


def test_however_often_it_is_refused_one_request_a_window_goes() -> None:
    clock = FakeClock()
    pace = Pace(WINDOWS, clock)
    for _ in range(50):
        slot = pace.wait()
        clock.advance(1)
        pace.throttled(slot, 0.0)
    began = clock.monotonic()
    pace.wait()
    assert clock.monotonic() - began <= 10 + JITTER_MARGIN_SECONDS * 10


shares = st.builds(
    Share,
    low=st.floats(0.05, 1),
    peak=st.floats(0.05, 1),
    since=st.floats(0, 100),
    margin=st.floats(0, 0.5),
    not_before=st.floats(0, 100),
).filter(lambda share: share.low <= share.peak)


@given(shares, st.floats(0, 400), st.floats(0, 400))
def test_the_share_only_grows_while_no_429_comes(share: Share, one: float, other: float) -> None:
    earlier, later = sorted([one, other])
    assert share.low - 1e-9 <= share.at(earlier) <= share.at(later) + 1e-9 <= 1 + 2e-9


@given(shares, st.floats(100, 400), st.floats(0, 90), st.floats(0, 1))
def test_after_a_429_less_is_used_and_all_again_a_minute_later(
    share: Share, slot: float, pause: float, used: float
) -> None:
    after = share.throttled(slot, slot + pause, used=used, least=1 / 30, margin=0.0)
    assert after.at(slot + pause) < share.at(slot)
    assert after.at(slot + pause) <= max(used, share.at(slot) / 2, 1 / 30)
    assert after.at(slot + pause) >= 1 / 30
    assert after.at(slot + pause + 60) == pytest.approx(1)
