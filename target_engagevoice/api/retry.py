"""One retry loop for every request of this target: of the admin API, of leads that change, of loads, of the sign-in.

The caller writes one attempt as a function. It sends the request and returns what came of it as a value: `Done`, or
`TryAgain`. The loop waits between attempts and gives up when the next one would start too late.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from target_engagevoice.api import answers
from target_engagevoice.api.ratelimit.backoff import backoff_delays, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_engagevoice.clock import Clock
    from target_engagevoice.errors import EngageVoiceError

PATIENCE_WITH_500 = 3
"""After this many answers of 500 in a row the request itself is suspected to break the server."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Result]):
    """The attempt settled the request; the loop returns `result`."""

    result: Result


@dataclass(frozen=True)
class TryAgain:
    """The attempt failed, and the next one may succeed.

    Attributes:
        problem: What happened, such as `HTTP 503`; for the error message.
        pause: Seconds to wait before the next attempt.
    """

    problem: str
    pause: float


@dataclass(frozen=True)
class Attempt:
    """What the loop gives an attempt.

    Attributes:
        number: 0 for the first.
        delay: The back-off in seconds that is due after this attempt, unless the server asks for another.
        sleep: Waits so many seconds for a slot in a rate limit. The first attempt waits as long as that takes;
            later ones raise the error of `RetryPolicy.give_up` where the wait would end after `RetryPolicy.until`.
    """

    number: int
    delay: float
    sleep: Callable[[float], None]

    @property
    def is_retry(self) -> bool:
        """Whether the request was sent before."""
        return self.number > 0


@dataclass(frozen=True)
class RetryPolicy:
    """When to give up.

    Attributes:
        until: Monotonic seconds. No second or later attempt starts after this time.
        give_up: Makes the error to raise from the last problem. It is called when the loop gives up.
    """

    until: float
    give_up: Callable[[str], EngageVoiceError]


class Retries:
    """Runs attempts until one is done. Any thread may call it: it holds no state of its own.

    Args:
        clock: Time.
        sleep: Waits so many seconds. May raise, such as `Halt.sleep` when the run stops.
    """

    def __init__(self, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep

    def run(self, attempt: Callable[[Attempt], Done[Result] | TryAgain], policy: RetryPolicy) -> Result:
        """Repeat an attempt until it is done.

        Raises:
            EngageVoiceError: What `policy.give_up` makes, when it is too late for another attempt; or what the attempt
                or the sleep raises.
        """
        sleep = self._sleep
        for number, delay in enumerate(backoff_delays()):
            outcome = attempt(Attempt(number, delay, sleep))
            if isinstance(outcome, Done):
                return outcome.result
            sleep = partial(self._sleep_in_time, policy, outcome.problem)
            sleep(outcome.pause)
        raise AssertionError  # `backoff_delays` has no end

    def _sleep_in_time(self, policy: RetryPolicy, problem: str, seconds: float) -> None:
        if self._clock.monotonic() + seconds > policy.until:
            raise policy.give_up(problem)
        self._sleep(seconds)


class ServerFailures:
    """Counts answers of 500 in a row to one request. Owned by the thread that sends it.

    Args:
        patience: This many in a row are too many.
    """

    def __init__(self, patience: int = PATIENCE_WITH_500) -> None:
        self._patience = patience
        self._in_a_row = 0

    def are_too_many(self, *, failed: bool) -> bool:
        """Count one more answer; one that is not a 500 (`failed` is False) starts the count again."""
        self._in_a_row = self._in_a_row + 1 if failed else 0
        return self._in_a_row >= self._patience


def try_again(answer: answers.Throttled | answers.NotSent | answers.Unknown, delay: float, now: float) -> TryAgain:
    """What follows from an answer that another attempt may change.

    After a 429 the server's `Retry-After` replaces the back-off, even by a shorter wait. After any other trouble
    the longer of the two holds: an overloaded server may promise too much.

    Args:
        answer: What came back.
        delay: The back-off in seconds that is due.
        now: Epoch seconds, for a `Retry-After` that is a date.
    """
    if isinstance(answer, answers.NotSent):
        return TryAgain(answer.what, delay)
    asked = parse_retry_after(answer.retry_after, now)
    if isinstance(answer, answers.Throttled):
        return TryAgain("HTTP 429", delay if asked is None else asked)
    return TryAgain(answer.what, max(delay, asked or 0.0))
