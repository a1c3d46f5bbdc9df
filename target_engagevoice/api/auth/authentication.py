"""The header of every request: renewed ahead of time, renewed on a 401, by one thread for all."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from functools import partial
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


BROKEN_OFF = "the sign-in was broken off in another thread; run again."


class Authentication(AuthBase):
    """Signs requests. Any number of threads may share it.

    A request carries the token that is current when it is prepared. A token that is too old is renewed first.
    A 401 is answered by a renewal, unless another thread has renewed since, and the request is repeated once;
    a second 401 is handed to the caller, who finds in `advice` what to tell the user.

    One renewal is in flight at a time: the thread that finds none starts it, those that come meanwhile wait
    for it and share its outcome, a failure included. A failed sign-in ends the run, so a failure stays: later
    requests raise it at once, until `sign_in` is called again.

    Redirects: `requests` drops `Authorization` on the way to another host, but not `X-Auth-Token`. Use this
    with `allow_redirects=False`.
    """

    def __init__(self, sign_in: SignIn, clock: Clock) -> None:
        self._sign_in = sign_in  # used by the thread that holds the flight, and by no other
        self._clock = clock
        self._lock = threading.Lock()  # guards the three below; never held while waiting or asking a server
        self._token: Token | None = None
        self._flight: Future[Token | str] | None = None
        self._failure: str | None = None

    def __repr__(self) -> str:
        return f"Authentication({self._sign_in.method})"

    @property
    def method(self) -> str:
        """The sign-in, as the setting `auth_method` names it."""
        return self._sign_in.method

    @property
    def advice(self) -> str:
        """A sentence: what to do when a 401 stays a 401."""
        return self._sign_in.advice

    def sign_in(self) -> None:
        """Sign in now if it has not been done, to find wrong credentials before there is work to lose.

        Raises:
            SignInError: The credentials are refused, or the trouble outlasted `retry_max_seconds`.
        """
        with self._lock:
            self._failure = None
        self._current()

    def ready(self) -> None:
        """Renew now what would be renewed with the next request.

        Called before a slot in a rate limit's window is taken, it keeps the waiting for a renewal from
        coming between the slot and the request, where it would bunch requests up.

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
        """The response hook: on a 401 renew and repeat once. A 401 stored nothing (reference, section 2).

        The repetition goes straight to the adapter, which runs no hooks: a second 401 can not come back here.
        """
        if response.status_code != requests.codes.unauthorized:
            return response
        _give_back(response)
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
            SignInError: Getting one failed, in this thread or in the one this waited for.
        """
        with self._lock:
            token, flight = self._token, self._flight
            if token is not None and token is not refused and self._clock.monotonic() < token.renew_at:
                return token
            if self._failure is not None:
                raise SignInError(self._failure)
            mine = flight is None
            if flight is None:
                flight = self._flight = Future()
        if mine:
            self._fly(flight, token)
        outcome = flight.result()
        if isinstance(outcome, str):
            raise SignInError(outcome)
        return outcome

    def _fly(self, flight: Future[Token | str], previous: Token | None) -> None:
        """Get a new token for everybody. The flight lands on every way out: others wait for it."""
        outcome: Token | str = BROKEN_OFF
        failure: str | None = None
        try:
            outcome = self._sign_in.obtain(previous)
        except SignInError as error:
            outcome = failure = str(error)
        finally:
            with self._lock:
                self._token = previous if isinstance(outcome, str) else outcome
                self._failure = failure
                self._flight = None
            flight.set_result(outcome)
        if failure is None:
            level, verb = (logging.INFO, "signed in") if previous is None else (logging.DEBUG, "renewed the sign-in")
            auth_logger.log(level, "%s (%s)", verb, self.method)


def authentication(  # noqa: PLR0913 - the composition root hands over what it has
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
        retry_max_seconds: How long a sign-in is retried through passing trouble.
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


def _give_back(response: Response) -> None:
    """Read the rest of a response so that its connection is free before this thread waits for a renewal."""
    try:
        _ = response.content
    except requests.RequestException:
        pass  # the status is known, and that is all this needs
    finally:
        response.close()
