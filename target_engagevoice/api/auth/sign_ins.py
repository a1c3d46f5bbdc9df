"""How each of the five sign-ins gets its token. Facts: `reference/ENGAGE_VOICE_API.md`, section 2."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from requests.auth import HTTPBasicAuth

from target_engagevoice.api.auth.posting import ONCE, SIGN_IN_WINDOW, Endpoint, Posting, SignInAnswer, SignInRefused
from target_engagevoice.api.auth.tokens import HEADER_SAFE, Token
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.errors import SignInError
from target_engagevoice.logger import auth_logger

if TYPE_CHECKING:
    from target_engagevoice.api.auth.credentials import AccessToken, ApiToken, JwtGrant, LegacyLogin, PasswordLogin
    from target_engagevoice.clock import Clock


RINGCX_SECONDS = 240.0
"""Age at which a RingCX token is renewed. It lives 300 s, though no answer says so; other clients renew at 240."""

LEGACY_SECONDS = 55 * 60.0
"""Age at which a legacy portal token is renewed: it lives an hour after its last use."""

RC_MARGIN_SECONDS = 60.0
"""A RingCentral token is not used in the last minute of its `expires_in`."""

OAUTH_PENALTY_SECONDS = 61.0
"""After a 429 RingCentral's auth group refuses for 60 s, and any request restarts them; one second is to spare."""

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class SignIn(ABC):
    """One method to get a token.

    Only the thread that renews the token (`Authentication`) calls `obtain`, so the state of a sign-in needs no lock.
    """

    method: ClassVar[str]
    """The value of the setting `auth_method`."""

    advice: ClassVar[str]
    """What to do when the server refuses the credentials or the token."""

    renewable: ClassVar[bool] = True
    """Whether a refused token can be replaced."""

    @abstractmethod
    def obtain(self, previous: Token | None) -> Token:
        """Get a new token.

        Args:
            previous: The token it replaces, None at the first sign-in.

        Raises:
            SignInError: The credentials are refused, or the tries failed for `retry_max_seconds`.
        """


class Online(SignIn):
    """Common parts of the sign-ins that ask a server: one pace for everything under `base_url`, one deadline."""

    def __init__(self, *, base_url: str, posting: Posting, retry_max_seconds: float, clock: Clock) -> None:
        parts = urlsplit(base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base_url = base_url.rstrip("/")
        self._posting = posting
        self._retry_max_seconds = retry_max_seconds
        self._clock = clock
        self._pace = Pace([SIGN_IN_WINDOW], clock)

    def _deadline(self) -> float:
        return self._clock.monotonic() + self._retry_max_seconds


class Refreshing(Online):
    """A RingCX token: five minutes, renewed with a refresh token that works once."""

    def obtain(self, previous: Token | None) -> Token:
        """Get a token by the refresh token if there is one, else by signing in.

        The refresh is tried only once. A try whose answer was lost may have used up the refresh token, and signing in,
        which is retried, gives the same result.
        """
        until = self._deadline()
        if previous is not None and previous.refresh is not None:
            endpoint = Endpoint("token refresh", f"{self._origin}/api/auth/token/refresh", self._pace, self.advice)
            try:
                form = {"refresh_token": previous.refresh}
                return self._token(self._posting.post(endpoint, until=ONCE, form=form))
            except SignInError as error:
                auth_logger.debug("%s; signing in again", error)
        return self._token(self._sign_in(until))

    @abstractmethod
    def _sign_in(self, until: float) -> SignInAnswer:
        """The answer that holds `accessToken` and `refreshToken`."""

    @staticmethod
    def _token(answer: SignInAnswer) -> Token:
        return Token.bearer(
            answer.token("accessToken"),
            renew_at=answer.asked_at + RINGCX_SECONDS,
            refresh=answer.optional_token("refreshToken"),
        )


@dataclass(frozen=True)
class RingCentralToken:
    """A token of RingCentral's own sign-in, to be exchanged, and the monotonic time until which it is used."""

    value: str = field(repr=False)
    use_until: float


class JwtSignIn(Refreshing):
    """RingCentral JWT, then the RingCX token exchange."""

    method = "jwt"
    advice = (
        "Check client_id, client_secret, jwt and rc_server_url, that the app may use the JWT flow, and that "
        "the jwt's user may use RingCX."
    )

    def __init__(
        self, grant: JwtGrant, *, base_url: str, posting: Posting, retry_max_seconds: float, clock: Clock
    ) -> None:
        super().__init__(base_url=base_url, posting=posting, retry_max_seconds=retry_max_seconds, clock=clock)
        self._grant = grant
        self._oauth = Endpoint(
            "RingCentral sign-in",
            f"{grant.rc_server_url.rstrip('/')}/restapi/oauth/token",
            Pace([SIGN_IN_WINDOW], clock),
            self.advice,
            OAUTH_PENALTY_SECONDS,
        )
        self._exchange = Endpoint(
            "RingCX token exchange", f"{self._origin}/api/auth/login/rc/accesstoken", self._pace, self.advice
        )
        self._rc_token: RingCentralToken | None = None

    def _sign_in(self, until: float) -> SignInAnswer:
        """Exchange the RingCentral token, or a new one if that is too old or refused."""
        if self._rc_token is not None and self._clock.monotonic() < self._rc_token.use_until:
            try:
                return self._exchanged(self._rc_token, until)
            except SignInRefused as error:
                auth_logger.debug("%s; signing in to RingCentral again", error)
        self._rc_token = None  # so that a failure to get a new one does not keep the refused one
        self._rc_token = self._ringcentral(until)
        return self._exchanged(self._rc_token, until)

    def _exchanged(self, rc_token: RingCentralToken, until: float) -> SignInAnswer:
        form = {"rcAccessToken": rc_token.value, "rcTokenType": "Bearer"}
        return self._posting.post(self._exchange, until=until, query={"includeRefresh": "true"}, form=form)

    def _ringcentral(self, until: float) -> RingCentralToken:
        grant = self._grant
        answer = self._posting.post(
            self._oauth,
            until=until,
            form={"grant_type": JWT_BEARER, "assertion": grant.jwt},
            basic=HTTPBasicAuth(grant.client_id.encode(), grant.client_secret.encode()),
        )
        lives = _seconds(answer.fields.get("expires_in"))
        return RingCentralToken(answer.token("access_token"), answer.asked_at + lives - RC_MARGIN_SECONDS)


class PasswordSignIn(Refreshing):
    """Engage direct login: user, password and platform, in the query string."""

    method = "password"
    advice = "Check username, password and platform_id, and that base_url is the host this user signs in to."

    def __init__(
        self, login: PasswordLogin, *, base_url: str, posting: Posting, retry_max_seconds: float, clock: Clock
    ) -> None:
        super().__init__(base_url=base_url, posting=posting, retry_max_seconds=retry_max_seconds, clock=clock)
        self._login = login
        url = f"{self._origin}/api/auth/login/admin"
        self._endpoint = Endpoint("Engage login", url, self._pace, self.advice)
        logging.getLogger("urllib3.connectionpool").addFilter(hide_password)

    def _sign_in(self, until: float) -> SignInAnswer:
        login = self._login
        query = {"username": login.username, "password": login.password, "platformId": login.platform_id}
        return self._posting.post(self._endpoint, until=until, query=query)


class LegacySignIn(Online):
    """Legacy portal login: user and password for an `X-Auth-Token`."""

    method = "legacy"
    advice = "Check username and password, and that base_url is the portal this user signs in to."

    def __init__(
        self, login: LegacyLogin, *, base_url: str, posting: Posting, retry_max_seconds: float, clock: Clock
    ) -> None:
        super().__init__(base_url=base_url, posting=posting, retry_max_seconds=retry_max_seconds, clock=clock)
        self._login = login
        url = f"{self._base_url}/api/v1/auth/login"
        self._endpoint = Endpoint("legacy portal login", url, self._pace, self.advice)

    def obtain(self, previous: Token | None) -> Token:  # noqa: ARG002 - a legacy token is never refreshed
        """Sign in for a token."""
        form = {"username": self._login.username, "password": self._login.password}
        answer = self._posting.post(self._endpoint, until=self._deadline(), form=form)
        return Token.x_auth(answer.token("authToken"), renew_at=answer.asked_at + LEGACY_SECONDS)


class Given(SignIn):
    """A token from the settings. It cannot be renewed."""

    renewable = False

    def __init__(self, credentials: ApiToken | AccessToken) -> None:
        self._credentials = credentials

    def obtain(self, previous: Token | None) -> Token:  # noqa: ARG002 - there is only one
        """Return the token of the settings.

        Raises:
            SignInError: It cannot be sent in a header.
        """
        token = self._credentials.token.strip()
        if not HEADER_SAFE.fullmatch(token):
            raise SignInError(
                f"{self.method} is empty or holds characters no token has, such as spaces; give the bare "
                'token, without "Bearer".'
            )
        return self._as_token(token)

    @staticmethod
    @abstractmethod
    def _as_token(token: str) -> Token:
        """The token in its header."""


class ApiTokenSignIn(Given):
    """A permanent token."""

    method = "api_token"
    advice = "The api_token is not valid for this base_url, or was revoked; make a new one."
    _as_token = staticmethod(Token.x_auth)


class AccessTokenSignIn(Given):
    """A ready bearer token."""

    method = "access_token"
    advice = (
        "The access_token has expired (it lives five minutes) or is not valid for this base_url; give a new "
        "one, or credentials that last: jwt, password, legacy or api_token."
    )
    _as_token = staticmethod(Token.bearer)


def hide_password(record: logging.LogRecord) -> bool:
    """A log filter: urllib3 logs the URL of a request, and that of the direct login holds the password."""
    return "/api/auth/login/admin?" not in record.getMessage()


def _seconds(value: object) -> float:
    """`expires_in` as a number. A value that cannot be read counts as 0, so the token is used once."""
    try:
        return float(str(value))
    except ValueError:
        return 0.0
