"""The retry loop: an attempt is repeated until it is done, and no attempt starts too late."""

from __future__ import annotations

import pytest

from target_engagevoice.api.answers import NotSent, Throttled, Unknown
from target_engagevoice.api.retry import Attempt, Done, Retries, RetryPolicy, ServerFailures, TryAgain, try_again
from target_engagevoice.errors import ServerError
from tests.support.fake_clock import NEW_YEAR_2026, FakeClock


def repeat(clock: FakeClock, *outcomes: Done[str] | TryAgain, seconds: float = 60) -> tuple[str, list[int]]:
    """What the loop returns when the attempts have these outcomes, and the numbers of the attempts."""
    numbers, todo = list[int](), iter(outcomes)

    def attempt(this: Attempt) -> Done[str] | TryAgain:
        numbers.append(this.number)
        return next(todo)

    policy = RetryPolicy(clock.monotonic() + seconds, lambda problem: ServerError(f"gave up: {problem}"))
    return Retries(clock, clock.sleep).run(attempt, policy), numbers


def test_an_attempt_is_repeated_after_its_pause_until_it_is_done() -> None:
    clock = FakeClock()
    began = clock.monotonic()
    assert repeat(clock, TryAgain("HTTP 503", 7), TryAgain("HTTP 502", 5), Done("yes")) == ("yes", [0, 1, 2])
    assert clock.monotonic() - began == 12


def test_a_pause_that_ends_at_the_deadline_is_waited_for_and_a_longer_one_is_not() -> None:
    assert repeat(FakeClock(), TryAgain("HTTP 503", 60), Done("yes")) == ("yes", [0, 1])
    clock = FakeClock()
    began = clock.monotonic()
    with pytest.raises(ServerError, match=r"gave up: HTTP 503"):
        repeat(clock, TryAgain("HTTP 502", 10), TryAgain("HTTP 503", 50.5))
    assert clock.monotonic() - began == 10


def test_only_a_retry_gives_up_while_it_waits_for_a_slot() -> None:
    clock = FakeClock()

    def attempt(this: Attempt) -> Done[None] | TryAgain:
        this.sleep(90)
        return TryAgain("HTTP 503", 0)

    policy = RetryPolicy(clock.monotonic() + 100, lambda problem: ServerError(f"gave up: {problem}"))
    began = clock.monotonic()
    with pytest.raises(ServerError, match=r"gave up: HTTP 503"):
        Retries(clock, clock.sleep).run(attempt, policy)
    assert clock.monotonic() - began == 90


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (NotSent("no route to host"), TryAgain("no route to host", 4.0)),
        (Throttled(None), TryAgain("HTTP 429", 4.0)),
        (Throttled("1"), TryAgain("HTTP 429", 1.0)),
        (Unknown("HTTP 503"), TryAgain("HTTP 503", 4.0)),
        (Unknown("HTTP 503", retry_after="1"), TryAgain("HTTP 503", 4.0)),
        (Unknown("HTTP 503", retry_after="9"), TryAgain("HTTP 503", 9.0)),
    ],
)
def test_a_429_pauses_as_the_server_asks_and_other_trouble_for_the_longer_wait(
    answer: NotSent | Throttled | Unknown, again: TryAgain
) -> None:
    assert try_again(answer, 4.0, NEW_YEAR_2026) == again


def test_answers_of_500_are_too_many_when_they_come_in_a_row() -> None:
    failures = ServerFailures(patience=3)
    answers = [True, True, False, True, True, True]
    assert [failures.are_too_many(failed=failed) for failed in answers] == [False] * 5 + [True]
