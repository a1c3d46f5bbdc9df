"""One POST to a sign-in endpoint: paced, retried, and its answer read.

No message here quotes a `requests` exception or the server: the query string of the direct login holds a password
(reference, section 2), and a server may echo what it was sent.
"""

from __future__ import annotations

import json
import logging
import math
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests

from target_engagevoice.api.auth.refusal_code import refusal_code
from target_engagevoice.api.auth.tokens import HEADER_SAFE
from target_engagevoice.api.http_adapter import bounded_session
from target_engagevoice.api.ratelimit.backoff import parse_retry_after
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.api.response_body import BodyTooLargeError
from target_engagevoice.api.retry import Done, Retries, RetryPolicy, TryAgain
from target_engagevoice.api.transport import proxies
from target_engagevoice.errors import SignInError
from target_engagevoice.logger import auth_logger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from requests.auth import AuthBase

    from target_engagevoice.api.ratelimit.pace import Pace
    from target_engagevoice.api.retry import Attempt
    from target_engagevoice.clock import Clock


SIGN_IN_WINDOW = Window(5, 60)
"""The exchange allows 5 a minute, RingCentral's auth group about as many (reference, section 2)."""

ONCE = -math.inf
"""A deadline that allows no second try."""

TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Statuses that the next try may not meet again; the same holds for every 5xx."""

FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.SSLError, "could not be reached: the TLS handshake failed"),
    (requests.exceptions.ProxyError, "could not be reached through the proxy"),
    (requests.Timeout, "did not answer in time"),
    (BodyTooLargeError, "sent an answer of more than 64 MB"),
    (requests.ConnectionError, "could not be reached, or closed the connection"),
    (requests.RequestException, "sent an answer that is incomplete or not HTTP"),
)
"""What a message says of an exception; the first class that fits counts."""

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""In the text of an exception: OpenSSL does not trust the certificate, so another try would fail as well."""


class SignInRefused(SignInError):  # noqa: N818 - named after what happened
    """The endpoint gave an answer that another try would not change."""


@dataclass(frozen=True)
class Endpoint:
    """Where to post.

    Attributes:
        name: Its name in messages.
        url: Its address, without credentials.
        pace: Shared by the endpoints that the server counts together.
        advice: What to do when it refuses.
        penalty: Seconds without requests after a 429, at least.
    """

    name: str
    url: str
    pace: Pace
    advice: str
    penalty: float = 0.0

    @property
    def label(self) -> str:
        """Name and address, for messages."""
        return f"{self.name} ({self.url})"


@dataclass(frozen=True)
class SignInAnswer:
    """The JSON object an endpoint answered with.

    Attributes:
        endpoint: Which endpoint answered.
        fields: The object. It holds tokens, so `repr` leaves it out.
        asked_at: The monotonic time when the request was sent. The token in the answer is no older.
    """

    endpoint: Endpoint
    fields: Mapping[str, Any]
    asked_at: float

    def __repr__(self) -> str:
        return f"SignInAnswer({self.endpoint.name})"

    def token(self, name: str) -> str:
        """The token in the field `name`.

        Raises:
            SignInRefused: It is missing, or cannot be sent in a header.
        """
        value = self.fields.get(name)
        if not isinstance(value, str) or not HEADER_SAFE.fullmatch(value):
            raise SignInRefused(
                f"{self.endpoint.label} answered without a usable {name}; check its address in the settings."
            )
        return value

    def optional_token(self, name: str) -> str | None:
        """The token in the field `name`, or None."""
        value = self.fields.get(name)
        return value if isinstance(value, str) and HEADER_SAFE.fullmatch(value) else None


@dataclass(frozen=True)
class FailedTry:
    """A try that failed, while the next may succeed: what happened, and how many seconds to send nothing."""

    problem: str
    keep_away: float = 0.0


class Posting:
    """Posts credentials. Only the thread that renews the token (`Authentication`) calls it, so it has no lock.

    Args:
        session: The session to use; its owner closes it. None opens one for each request: sign-ins are
            minutes apart, and no connection would stay open that long.
        timeout: Seconds, per request.
        clock: Time.
        user_agent: The `User-Agent` header.
    """

    def __init__(self, *, session: requests.Session | None, timeout: float, clock: Clock, user_agent: str) -> None:
        self._session = session
        self._timeout = timeout
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._clock = clock
        self._retries = Retries(clock, clock.sleep)

    def post(
        self,
        endpoint: Endpoint,
        *,
        until: float,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        basic: AuthBase | None = None,
    ) -> SignInAnswer:
        """Post until there is an answer.

        Args:
            endpoint: Where to.
            until: The monotonic time after which no further try starts. The first try is always made.
            form: The body.
            query: The query string.
            basic: HTTP Basic credentials.

        Raises:
            SignInRefused: The server refuses, redirects, or sends an answer that cannot be read.
            SignInError: The tries failed until the deadline.
        """
        began = self._clock.monotonic()

        def attempt(this: Attempt) -> Done[SignInAnswer] | TryAgain:
            endpoint.pace.wait(this.sleep if this.is_retry else partial(self._first_sleep, endpoint, began, until))
            result = self._try(endpoint, form=form, query=query, auth=basic or _no_auth)
            if isinstance(result, SignInAnswer):
                return Done(result)
            level = logging.DEBUG if this.is_retry or until == ONCE else logging.WARNING
            auth_logger.log(level, "%s %s; trying again", endpoint.label, result.problem)
            endpoint.pace.pause(max(this.delay, result.keep_away))
            return TryAgain(result.problem, 0.0)  # the pace makes the next attempt wait

        def give_up(problem: str) -> SignInError:
            seconds = self._clock.monotonic() - began
            return SignInError(
                f"{endpoint.label} {problem}; gave up after {seconds:.0f} s (retry_max_seconds). "
                "Check its address in the settings and the network, or run again later."
            )

        return self._retries.run(attempt, RetryPolicy(until, give_up))

    def _first_sleep(self, endpoint: Endpoint, began: float, until: float, seconds: float) -> None:
        """Wait for the slot of a first attempt: for as long as the window is, even when the deadline is sooner.

        Raises:
            SignInError: The endpoint has asked for a longer pause.
        """
        latest = max(until, began + SIGN_IN_WINDOW.seconds + 1)
        if self._clock.monotonic() + seconds > latest:
            raise SignInError(
                f"{endpoint.label} asked for {seconds:.0f} s without requests, longer than retry_max_seconds "
                "allows; run again later."
            )
        self._clock.sleep(seconds)

    def _try(
        self,
        endpoint: Endpoint,
        *,
        form: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        auth: Any,
    ) -> SignInAnswer | FailedTry:
        asked_at = self._clock.monotonic()
        try:
            with self._open() as session:
                response = session.post(
                    endpoint.url,
                    data=form,
                    params=query,
                    auth=auth,
                    headers=self._headers,
                    timeout=self._timeout,
                    allow_redirects=False,  # another host must not get the credentials
                    proxies=proxies(endpoint.url),
                )
        except requests.RequestException as error:
            if UNTRUSTED not in str(error):
                return FailedTry(next(text for kind, text in FAILURES if isinstance(error, kind)))
            final = "its TLS certificate is not trusted. Check its address, or set REQUESTS_CA_BUNDLE."
        except UnicodeError:
            final = f"the credentials hold characters that cannot be sent. {endpoint.advice}"
        else:
            return self._read(endpoint, response, asked_at)
        # Outside `except`, so that the exception, and what it quotes, is not the context of this one.
        raise SignInRefused(f"{endpoint.label}: {final}")

    def _open(self) -> AbstractContextManager[requests.Session]:
        return bounded_session() if self._session is None else nullcontext(self._session)

    def _read(self, endpoint: Endpoint, response: requests.Response, asked_at: float) -> SignInAnswer | FailedTry:
        status = response.status_code
        body = _json(response)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            if isinstance(body, dict):
                return SignInAnswer(endpoint, body, asked_at)
            return FailedTry("answered with something other than JSON, such as a web page")
        if status in TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            asked_for = parse_retry_after(response.headers.get("Retry-After"), self._clock.time()) or 0.0
            penalty = endpoint.penalty if status == HTTPStatus.TOO_MANY_REQUESTS else 0.0
            return FailedTry(f"answered HTTP {status}", max(asked_for, penalty))
        if status < HTTPStatus.BAD_REQUEST:
            raise SignInRefused(
                f"{endpoint.label} answered with a redirect (HTTP {status}), and credentials are not sent "
                "to another address; set the address that answers."
            )
        code = refusal_code(body)
        reason = f"HTTP {status}, {code}" if code else f"HTTP {status}"
        raise SignInRefused(f"{endpoint.label} refused the sign-in ({reason}). {endpoint.advice}")


def _json(response: requests.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing. Without an `auth`, `requests` would look up the host's password in `~/.netrc`."""
    return request
