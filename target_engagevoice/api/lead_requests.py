"""Requests that change loaded leads, each repeated until the server answers it.

Unlike a load, such a request may be repeated when its fate is unknown: a second try that follows a successful first one
changes nothing. So the caller only learns the final answer.
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
    Problem: TypeAlias = answers.NotSent | answers.Failure


@dataclass(frozen=True)
class Changed:
    """The server made the change. For an action: how many leads it changed, 0 where the server does not say."""

    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class LeadRequest:
    """One request that changes leads.

    Attributes:
        what: Its name in an error message, as in "the server refuses the change of a lead".
        undone: What failed, for an error message, as in "campaign 1001: a lead could not be changed".
        pace: The rate limit it falls under.
        method: The HTTP method.
        path: The path after that of the account.
        content: The body, as JSON values.
        read: Gives the meaning of a body in the 200s.
        kind: For the journal of requests; see `Exchange`.
        about: Further attributes of `Exchange`.
        params: The query.
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
        client: Sends the requests of the account.
        clock: Time.
        halt: Ends all waiting when the run stops.
        retry_max_seconds: How long one request is repeated before the run fails.
    """

    def __init__(self, client: Client, clock: Clock, halt: Halt, retry_max_seconds: float) -> None:
        self._client = client
        self._clock = clock
        self._halt = halt
        self._retries = Retries(clock, halt.sleep)
        self._retry_max_seconds = retry_max_seconds

    def ask(self, request: LeadRequest, effort: Callable[[str], None]) -> Settled:
        """Repeat a request until the server answers it.

        Args:
            request: What to send.
            effort: Called with `requests`, `retries` or `throttled` each time one is to be counted.

        Raises:
            ServerError: The server does not answer in time, or denies the request.
            SignInError: A token was needed and could not be obtained.
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
    """What a reply means; `request.read` gives the meaning of a success."""
    if not isinstance(reply, HttpAnswer):
        return reply
    if not reply.is_success:
        retry_after = reply.headers.get("retry-after")
        return answers.classify_failure(reply.status, reply.content_type, reply.body, retry_after)
    if reply.is_page:
        return answers.Unknown(f"HTTP {reply.status} with an HTML page")  # from a proxy
    if not reply.body.strip() or "json" not in reply.content_type.casefold():
        return request.read({})  # the status alone is a full answer
    try:
        return request.read(json.loads(reply.body))
    except (ValueError, RecursionError):
        return answers.Unknown(f"HTTP {reply.status} with a body that is not JSON")
