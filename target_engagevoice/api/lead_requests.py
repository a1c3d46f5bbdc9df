"""Requests that change loaded leads, each repeated until the server answers it.

Unlike a load, such a request may be repeated when its fate is unknown: the second time finds done what the first did.
So its caller learns nothing of what came in between.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from target_engagevoice.api import answers
from target_engagevoice.api.admin import AdminRequest
from target_engagevoice.api.retry import Done, Retries, RetryPolicy, ServerFailures, TryAgain, try_again
from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.api.admin import Reply
    from target_engagevoice.api.client import Client
    from target_engagevoice.api.ratelimit.pace import Pace, Slot
    from target_engagevoice.api.retry import Attempt
    from target_engagevoice.clock import Clock
    from target_engagevoice.halt import Halt

    Settled: TypeAlias = "Changed | answers.Refused | answers.NoRoute"
    Problem: TypeAlias = (
        answers.Refused | answers.Throttled | answers.NotSent | answers.Unknown | answers.NoRoute | answers.Denied
    )


@dataclass(frozen=True)
class Changed:
    """The server did what was asked; how many leads an action touched, as far as it said."""

    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class LeadRequest:
    """What is asked of the server until it answers.

    Attributes:
        what: Its name, as in "the server refuses the change of a lead".
        undone: What could not be done, as in "campaign 1001: a lead could not be changed".
        read: What the body of an answer in the 200s means.
        kind: For the journal of requests; see `Exchange`.
        about: What else it notes of the request.
    """

    what: str
    undone: str
    pace: Pace
    method: str
    path: str
    content: Mapping[str, Any]
    read: Callable[[Any], Changed | answers.Refused | answers.Unknown]
    kind: str
    about: Mapping[str, Any]
    params: Mapping[str, str] | None = None


class LeadRequests:
    """Sends such requests for one account. Any thread may call it; it holds no state of its own.

    Args:
        client: Speaks to the account.
        clock: Time.
        halt: Breaks off all waiting.
        retry_max_seconds: How long one request is repeated before the run fails.
    """

    def __init__(self, client: Client, clock: Clock, halt: Halt, retry_max_seconds: float) -> None:
        self._client = client
        self._clock = clock
        self._halt = halt
        self._retries = Retries(clock, halt.sleep)
        self._retry_max_seconds = retry_max_seconds

    def ask(self, request: LeadRequest, effort: Callable[[str], None]) -> Settled:
        """Send a request until the server answers it.

        Raises:
            ServerError: It does not, or denies it.
        """
        body = json.dumps(request.content).encode()
        failures = ServerFailures()

        def attempt(this: Attempt) -> Done[Settled] | TryAgain:
            slot, reply = self._post(request, body, this, effort)
            answer = _meaning(request, reply)
            failed = isinstance(answer, answers.Unknown) and answer.repeatable
            too_many = failures.are_too_many(failed=failed)
            if isinstance(answer, (Changed, answers.Refused, answers.NoRoute)):
                return Done(answer)
            if isinstance(answer, answers.Denied):
                raise self._client.admin.denied(request.what, answer.what)
            again = try_again(answer, this.delay, self._clock.time())
            if isinstance(answer, answers.Throttled):
                request.pace.throttled(slot, again.pause)
                effort("throttled")
            return Done(answers.Refused("http_500", again.problem)) if too_many else again

        def give_up(problem: str) -> ServerError:
            return ServerError(
                f"{request.undone} within retry_max_seconds; the last problem was: {problem}. It is not in STATE: "
                "run again.",
            )

        until = self._clock.monotonic() + self._retry_max_seconds
        return self._retries.run(attempt, RetryPolicy(until, give_up))

    def _post(
        self, request: LeadRequest, body: bytes, this: Attempt, effort: Callable[[str], None]
    ) -> tuple[Slot, Reply]:
        self._halt.check()
        self._client.ready()
        slot = request.pace.wait(this.sleep)
        effort("requests")
        if this.is_retry:
            effort("retries")

        def mark_sent() -> None:
            nonlocal slot
            slot = request.pace.mark_sent(slot)

        about = {**request.about, "retry": this.is_retry}
        sent = AdminRequest(request.method, request.path, request.params, body, request.kind, about)
        reply = self._client.send(sent, mark_sent)
        return slot, reply


def _meaning(request: LeadRequest, reply: Reply) -> Changed | Problem:
    """What came back, in this request's own words where it is a success."""
    if not isinstance(reply, HttpAnswer):
        return reply
    if reply.status >= 300:  # noqa: PLR2004 - no success
        problem = answers.classify(reply.status, reply.content_type, reply.body, reply.headers.get("retry-after"))
        assert not isinstance(problem, answers.Counted)  # noqa: S101 - only a success counts
        return problem
    if "html" in reply.content_type.casefold():
        return answers.Unknown(f"HTTP {reply.status} with an HTML page")  # from something in between
    if not reply.body.strip() or "json" not in reply.content_type.casefold():
        return request.read({})  # it need not say more than its status
    try:
        return request.read(json.loads(reply.body))
    except (ValueError, RecursionError):
        return answers.Unknown(f"HTTP {reply.status} with a body that is not JSON")
