"""The token of every request: renewed ahead of time or on a 401, by one thread for all threads."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from requests.auth import AuthBase

from target_engagevoice.api.auth.credentials import (
    AccessToken,
    ApiToken,
    Credentials,
    JwtGrant,
    LegacyLogin,
    PasswordLogin,
)
from target_engagevoice.api.auth.posting import Posting
from target_engagevoice.api.auth.sign_ins import (
    AccessTokenSignIn,
    ApiTokenSignIn,
    JwtSignIn,
    LegacySignIn,
    PasswordSignIn,
    SignIn,
)
from target_engagevoice.errors import SignInError
from target_engagevoice.logger import auth_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest, Response

    from target_engagevoice.api.auth.tokens import Token
    from target_engagevoice.clock import Clock


INTERRUPTED = "the sign-in was interrupted in another thread; run again."


class Authentication(AuthBase):
    """Signs requests. Any number of threads may share it.

    A request carries the token that is current when it is prepared. A token that is too old is renewed first.
    A 401 is answered by a renewal, unless another thread has renewed since, and the request is repeated once;
    a second 401 is returned to the caller, and `advice` says what the user can do.

    One renewal is in flight at a time. The thread that finds none starts it; threads that come meanwhile wait
    for it and share its outcome, a failure included. A failed sign-in ends the run, so a failure is kept: later
    requests raise it at once, until `sign_in` is called again.

    Redirects: `requests` drops `Authorization` for another host, but not `X-Auth-Token`. Use this with
    `allow_redirects=False`.
    """

    def __init__(self, sign_in: SignIn, clock: Clock) -> None:
        self._sign_in = sign_in  # used only by the thread that renews
        self._clock = clock
        self._lock = threading.Lock()  # guards the next three; never held while waiting or asking a server
        self._token: Token | None = None
        self._renewal: Future[Token | str] | None = None
        self._failure: str | None = None

    def __repr__(self) -> str:
        return f"Authentication({self._sign_in.method})"

    @property
    def method(self) -> str:
        """The sign-in, under its name in the setting `auth_method`."""
        return self._sign_in.method

    @property
    def advice(self) -> str:
        """A sentence that says what to do when renewing the token does not end the 401s."""
        return self._sign_in.advice

    def sign_in(self) -> None:
        """Sign in now if that has not been done, so that wrong credentials are found before any data is read.

        Raises:
            SignInError: The credentials are refused, or the tries failed for `retry_max_seconds`.
        """
        with self._lock:
            self._failure = None
        self._current()

    def ready(self) -> None:
        """Renew now a token that the next request would renew.

        Called before a slot in a rate limit's window is taken, it keeps the wait for a renewal from
        coming between the slot and the request, where it would send requests in bursts.

        Raises:
            SignInError: As when a request is signed.
        """
        self._current()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request; `requests` calls this as the last step of preparing it.

        Raises:
            SignInError: There was no valid token, and signing in failed.
        """
        token = self._current()
        request.headers[token.header] = token.value
        if self._sign_in.renewable:
            request.hooks["response"].append(partial(self._answered, token))
        return request

    def _answered(self, used: Token, response: Response, **options: Any) -> Response:
        """The response hook: on a 401, renew and repeat once. A 401 stored nothing (reference, section 2).

        The repetition is sent through the adapter, which runs no hooks: a second 401 does not come back here.
        """
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        _free_connection(response)
        token = self._current(refused=used)
        again = response.request.copy()
        again.headers[token.header] = token.value
        answer: Response = response.connection.send(again, **options)
        answer.history.append(response)
        answer.request = again
        return answer

    def _current(self, refused: Token | None = None) -> Token:
        """The token to use now.

        Args:
            refused: A token the server has just answered with 401.

        Raises:
            SignInError: Getting one failed, in this thread or in the one that it waited for.
        """
        with self._lock:
            token, renewal = self._token, self._renewal
            if token is not None and token is not refused and self._clock.monotonic() < token.renew_at:
                return token
            if self._failure is not None:
                raise SignInError(self._failure)
            mine = renewal is None
            if renewal is None:
                renewal = self._renewal = Future()
        if mine:
            self._renew(renewal, token)
        outcome = renewal.result()
        if isinstance(outcome, str):
            raise SignInError(outcome)
        return outcome

    def _renew(self, renewal: Future[Token | str], previous: Token | None) -> None:
        """Get a new token for all threads. Whatever happens, the renewal gets a result: other threads wait for it."""
        outcome: Token | str = INTERRUPTED
        failure: str | None = None
        try:
            outcome = self._sign_in.obtain(previous)
        except SignInError as error:
            outcome = failure = str(error)
        finally:
            with self._lock:
                self._token = previous if isinstance(outcome, str) else outcome
                self._failure = failure
                self._renewal = None
            renewal.set_result(outcome)
        if failure is None:
            level, verb = (logging.INFO, "signed in") if previous is None else (logging.DEBUG, "renewed the sign-in")
            auth_logger.log(level, "%s (%s)", verb, self.method)


def authentication(  # noqa: PLR0913 - the composition root passes parts, not a bag of them
    credentials: Credentials,
    *,
    base_url: str,
    session: requests.Session | None,
    timeout: float,
    retry_max_seconds: float,
    clock: Clock,
    user_agent: str,
) -> Authentication:
    """The authentication that fits the credentials. Nothing is sent before it is used.

    Args:
        credentials: Which sign-in, and what it needs.
        base_url: The deployment's base URL; RingCX signs in at its scheme and host.
        session: For the sign-ins' own requests, closed by its owner; None opens one for each of them.
        timeout: Seconds, per request.
        retry_max_seconds: How long a sign-in is retried.
        clock: Time.
        user_agent: The `User-Agent` of the sign-ins' requests.
    """
    if isinstance(credentials, ApiToken | AccessToken):
        given: Mapping[type, Any] = {ApiToken: ApiTokenSignIn, AccessToken: AccessTokenSignIn}
        return Authentication(given[type(credentials)](credentials), clock)
    online: Mapping[type, Any] = {
        JwtGrant: JwtSignIn,
        PasswordLogin: PasswordSignIn,
        LegacyLogin: LegacySignIn,
    }
    sign_in = online[type(credentials)](
        credentials,
        base_url=base_url,
        posting=Posting(session=session, timeout=timeout, clock=clock, user_agent=user_agent),
        retry_max_seconds=retry_max_seconds,
        clock=clock,
    )
    return Authentication(sign_in, clock)


def _free_connection(response: Response) -> None:
    """Read the rest of a response so that its connection is free before this thread waits for a renewal."""
    try:
        _ = response.content
    except requests.RequestException:
        pass  # only the status is needed, and it is known
    finally:
        response.close()
