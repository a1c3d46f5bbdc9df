"""The admin API in both its forms (reference, section 1).

Requests that change nothing are repeated until the server answers them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from target_engagevoice.api import answers
from target_engagevoice.api.ratelimit.backoff import parse_retry_after
from target_engagevoice.api.request_journal import LISTING
from target_engagevoice.api.retry import Done, Retries, RetryPolicy, TryAgain
from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.api.request_journal import RequestJournal
    from target_engagevoice.api.retry import Attempt
    from target_engagevoice.api.transport import Transport
    from target_engagevoice.clock import Clock
    from target_engagevoice.halt import Halt

    Reply: TypeAlias = HttpAnswer | answers.NotSent | answers.Unknown | answers.Denied


@dataclass(frozen=True)
class Form:
    """One form of the API: the paths of the admin API and of the loader."""

    admin: str
    loader: str


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "v1": Form("/api/v1/admin", "leadLoader/direct"),
        "legacy": Form("/api/admin", "loader/direct"),
    },
)

_TRANSIENT = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    },
)


@dataclass(frozen=True)
class AdminRequest:
    """One request to the admin API.

    Attributes:
        method: The HTTP method.
        path: The path after the prefix of the admin API.
        params: The query.
        body: JSON.
        kind: For the journal of requests; see `Exchange`.
        about: Further attributes of `Exchange`.
    """

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: bytes | None = None
    kind: str = LISTING
    about: Mapping[str, Any] = field(default_factory=dict)


class AdminApi:
    """Sends requests to one server. Any thread may call it; the form that answers is learned once, then only read.

    Args:
        forms: The forms that may answer.
        retry_max_seconds: How long one request is repeated.
        advice: What the user can do when the server keeps answering 401.
        journal: Records each request.

    Attributes:
        forms: The forms that may still answer: only one, after one has answered.
    """

    def __init__(  # noqa: PLR0913 - the composition root passes parts, not a bag of them
        self,
        *,
        base_url: str,
        forms: tuple[Form, ...],
        transport: Transport,
        clock: Clock,
        halt: Halt,
        retry_max_seconds: float,
        advice: str,
        journal: RequestJournal,
    ) -> None:
        self.forms = forms
        self._base_url = base_url
        self._transport = transport
        self._clock = clock
        self._retries = Retries(clock, halt.sleep)
        self._retry_max_seconds = retry_max_seconds
        self._advice = advice
        self._journal = journal
        self._has_answered = False

    def send(self, request: AdminRequest, on_sent: Callable[[], None] | None = None) -> Reply:
        """Send a request once, in the form that has answered so far, else in the first form.

        Args:
            request: What to send.
            on_sent: Called when it has been written.

        Raises:
            SignInError: A token was needed and could not be obtained.
        """
        return self._send(self.forms[0], request, on_sent)

    def ask(self, request: AdminRequest, seconds: float | None = None) -> Any:
        """Repeat a request that changes nothing until the server answers it in JSON.

        Args:
            request: What to send.
            seconds: How long to repeat it, where that is less than `retry_max_seconds`.

        Returns:
            The parsed JSON.

        Raises:
            SignInError: A token was needed and could not be obtained.
            ServerError: There is no answer in time, or one that another try would not change.
        """
        what = request.path.rsplit("/", 1)[-1]
        longest = self._retry_max_seconds
        until = self._clock.monotonic() + (longest if seconds is None else min(seconds, longest))

        def give_up(problem: str) -> ServerError:
            return ServerError(
                f"{what}: no answer within retry_max_seconds; the last was: {problem}. "
                "Check base_url and the network, or run again later.",
            )

        return self._retries.run(lambda this: self._ask_each_form(request, what, this), RetryPolicy(until, give_up))

    def _ask_each_form(self, request: AdminRequest, what: str, this: Attempt) -> Done[Any] | TryAgain:
        """One attempt: try each form that may still answer until one of them does.

        Raises:
            ServerError: Another try would not change the answer.
        """
        problem, pause = "", this.delay
        for form in self.forms:
            reply = self._send(form, request)
            if isinstance(reply, answers.Denied):
                msg = (
                    f"{self._base_url} cannot be reached: {reply.what}. Check base_url and which certificates "
                    "this machine trusts."
                )
                raise ServerError(msg)
            if isinstance(reply, answers.Oversized):
                msg = f"{what}: the server sends {reply.what}, which is not read. Check base_url."
                raise ServerError(msg)
            if not isinstance(reply, HttpAnswer):
                return TryAgain(reply.what, pause)
            problem = f"HTTP {reply.status}"
            retry_after = parse_retry_after(reply.headers.get("retry-after"), self._clock.time())
            pause = max(this.delay, retry_after or 0)
            if reply.status in _TRANSIENT:
                return TryAgain(problem, pause)
            if reply.is_page and reply.is_success and self._has_answered:
                return TryAgain(f"{problem} with an HTML page", pause)  # from a proxy: this form answers elsewhere
            if reply.is_page or reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
                continue
            self._raise_for(reply, what)
            try:
                content = json.loads(reply.body)
            except (ValueError, RecursionError):
                return TryAgain(f"HTTP {reply.status} with a body that is not JSON", pause)
            self.forms = (form,)
            self._has_answered = True
            return Done(content)
        raise self.no_route("admin API", problem)

    def _send(self, form: Form, request: AdminRequest, on_sent: Callable[[], None] | None = None) -> Reply:
        url = self._base_url + form.admin + request.path
        pending = self._journal.begin(request.kind, **request.about)
        reply = self._transport.send(request.method, url, params=request.params, body=request.body, on_sent=on_sent)
        pending.end(reply)
        return reply

    def _raise_for(self, reply: HttpAnswer, what: str) -> None:
        if reply.is_success:
            return
        answer = answers.classify(reply.status, reply.content_type, reply.body)
        raise self.denied(what, answer.what if isinstance(answer, answers.Denied) else f"HTTP {reply.status}")

    def denied(self, what: str, problem: str) -> ServerError:
        """The error for a denial, which another try would not change."""
        advice = self._advice if problem.startswith("HTTP 401") else "Check the user's permissions and account_id."
        return ServerError(f"the server refuses {what}: {problem}. {advice}")

    def no_route(self, what: str, problem: str) -> ServerError:
        """The error for a deployment where no part of the API answers."""
        return ServerError(
            f"no {what} answers under {self._base_url} ({problem}). Check base_url (the host of RingCX and of the "
            "older Engage ends in /voice, a legacy portal does not) and api_version.",
        )
