"""What the sign-in endpoints may answer, played by a script: waits, refusals, redirects, nonsense."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter

from target_engagevoice.api.auth.authentication import Authentication, authentication
from target_engagevoice.api.auth.credentials import (
    AccessToken,
    ApiToken,
    Credentials,
    JwtGrant,
    LegacyLogin,
    PasswordLogin,
)
from target_engagevoice.errors import SignInError
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

Answer = tuple[int, Any, dict[str, str]]
Step = Answer | Exception | Callable[[], None]

BASE = "https://ringcx.example.com/voice"
JWT = JwtGrant("client", "s3cret-client", "s3cret-jwt", "https://platform.example.com")
PASSWORD = PasswordLogin("ada@example.com", "s3cret-password", "1001")
LEGACY = LegacyLogin("ada@example.com", "s3cret-password")
SIGNED_IN: Answer = (200, {"accessToken": "access-1", "refreshToken": "refresh-1"}, {})
OAUTH: Answer = (200, {"access_token": "rc-1", "expires_in": 3600}, {})


class Script(BaseAdapter):
    """Plays the server: each request gets the next step; the last step is repeated."""

    def __init__(self, clock: FakeClock, *steps: Step) -> None:
        super().__init__()
        self.steps = list(steps)
        self.clock = clock
        self.requests: list[requests.PreparedRequest] = []
        self.times: list[float] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        self.times.append(self.clock.monotonic())
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        if callable(step):
            step()
            step = SIGNED_IN
        response = requests.Response()
        response.status_code, body, headers = step
        response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response.headers.update(headers)
        response.url, response.request = str(request.url), request
        return response

    def close(self) -> None:
        pass


class Stage:
    """An authentication whose sign-ins go to a script."""

    def __init__(self, given: Credentials, *steps: Step, retry_max_seconds: float = 600) -> None:
        self.clock = FakeClock()
        self.script = Script(self.clock, *steps)
        session = requests.Session()
        session.mount("https://", self.script)
        self.auth: Authentication = authentication(
            given,
            base_url=BASE,
            session=session,
            timeout=10,
            retry_max_seconds=retry_max_seconds,
            clock=self.clock,
            user_agent="target-engagevoice/test",
        )

    def failure(self) -> str:
        with pytest.raises(SignInError) as caught:
            self.auth.sign_in()
        assert caught.value.__context__ is None
        return str(caught.value)

    @property
    def gaps(self) -> list[float]:
        times = self.script.times
        return [later - earlier for earlier, later in itertools.pairwise(times)]


def form(request: requests.PreparedRequest) -> dict[str, list[str]]:
    return parse_qs(str(request.body))


def test_the_jwt_sign_in_says_what_the_reference_says() -> None:
    stage = Stage(JWT, OAUTH, SIGNED_IN)
    stage.auth.sign_in()
    oauth, exchange = stage.script.requests
    assert oauth.url == "https://platform.example.com/restapi/oauth/token"
    assert oauth.headers["Authorization"] == requests.auth._basic_auth_str("client", "s3cret-client")
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert form(oauth) == {"grant_type": [grant], "assertion": ["s3cret-jwt"]}
    assert exchange.url == "https://ringcx.example.com/api/auth/login/rc/accesstoken?includeRefresh=true"
    assert form(exchange) == {"rcAccessToken": ["rc-1"], "rcTokenType": ["Bearer"]}
    assert "Authorization" not in exchange.headers
    assert {request.headers["User-Agent"] for request in stage.script.requests} == {"target-engagevoice/test"}


def test_the_password_login_stands_in_the_query() -> None:
    stage = Stage(PASSWORD, SIGNED_IN)
    stage.auth.sign_in()
    parts = urlsplit(str(stage.script.requests[0].url))
    assert parts._replace(query="").geturl() == "https://ringcx.example.com/api/auth/login/admin"
    expected = {"username": ["ada@example.com"], "password": ["s3cret-password"], "platformId": ["1001"]}
    assert parse_qs(parts.query) == expected


def test_the_legacy_login_keeps_the_path_of_the_base_url() -> None:
    stage = Stage(LEGACY, (200, {"authToken": "legacy-1"}, {}))
    stage.auth.sign_in()
    assert stage.script.requests[0].url == f"{BASE}/api/v1/auth/login"
    assert form(stage.script.requests[0]) == {
        "username": ["ada@example.com"],
        "password": ["s3cret-password"],
    }


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("17", 17), ("Thu, 01 Jan 2026 00:00:17 GMT", 17), ("59.5", 59.5)]
)
def test_retry_after_is_honored(retry_after: str, seconds: float) -> None:
    stage = Stage(PASSWORD, (429, {}, {"Retry-After": retry_after}), SIGNED_IN)
    stage.auth.sign_in()
    assert stage.gaps == [pytest.approx(seconds, abs=0.5)]


def test_ringcentral_is_left_alone_for_a_minute_after_a_429() -> None:
    stage = Stage(JWT, (429, {"errorCode": "CMN-301"}, {"Retry-After": "1"}), (429, {}, {}), OAUTH, SIGNED_IN)
    stage.auth.sign_in()
    assert all(gap > 60 for gap in stage.gaps[:2])


def test_a_retry_after_beyond_the_deadline_fails_at_once() -> None:
    stage = Stage(LEGACY, (503, {}, {"Retry-After": "7200"}))
    message = stage.failure()
    assert "HTTP 503" in message
    assert stage.clock.monotonic() == 1000


def test_a_refused_refresh_with_a_long_retry_after_does_not_sleep_it_out() -> None:
    stage = Stage(PASSWORD, SIGNED_IN, (429, {}, {"Retry-After": "7200"}))
    stage.auth.sign_in()
    stage.clock.advance(300)
    with pytest.raises(SignInError, match="7200 s"):
        stage.auth.ready()
    assert len(stage.script.requests) == 2
    assert stage.clock.slept == []


@pytest.mark.parametrize("retry_max_seconds", [0, 5, 600, 3600])
def test_trouble_that_outlasts_the_deadline_fails(retry_max_seconds: float) -> None:
    stage = Stage(LEGACY, (503, b"<html>", {}), retry_max_seconds=retry_max_seconds)
    message = stage.failure()
    assert "legacy portal login" in message
    assert "HTTP 503" in message
    took = stage.clock.monotonic() - 1000
    assert took <= retry_max_seconds
    assert took >= retry_max_seconds - 62
    ordered = stage.script.times
    assert all(sixth - first >= 60 for first, sixth in zip(ordered, ordered[5:], strict=False))


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("https://x/?password=s3cret-password"),
        requests.Timeout("https://x/?password=s3cret-password"),
        requests.exceptions.ChunkedEncodingError("https://x/?password=s3cret-password"),
        requests.exceptions.ProxyError("https://x/?password=s3cret-password"),
        requests.exceptions.SSLError("https://x/?password=s3cret-password"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_broken_connections_are_retried_and_reported_without_their_text(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stage = Stage(PASSWORD, error, error, SIGNED_IN)
    stage.auth.sign_in()
    stage = Stage(PASSWORD, error)
    message = stage.failure()
    assert "https://ringcx.example.com/api/auth/login/admin" in message
    assert "s3cret" not in message + caplog.text
    assert "ada@example.com" not in message + caplog.text


def test_an_untrusted_certificate_is_final() -> None:
    stage = Stage(PASSWORD, requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] s3cret-password"))
    message = stage.failure()
    assert "certificate" in message
    assert "s3cret" not in message
    assert len(stage.script.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("given", [JWT, PASSWORD, LEGACY], ids=["jwt", "password", "legacy"])
def test_credentials_do_not_follow_a_redirect(given: Credentials, status: int) -> None:
    stage = Stage(given, (status, b"", {"Location": "https://elsewhere.example.com/s3cret-password"}))
    message = stage.failure()
    assert "redirect" in message
    assert "elsewhere" not in message
    assert len(stage.script.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": "invalid_client", "errors": [{"errorCode": "OAU-146"}]}, "OAU-146"),
        (400, {"errorCode": "OAU-140", "message": "s3cret-jwt"}, "OAU-140"),
        (400, {"error": "invalid_grant", "error_description": "s3cret-jwt"}, "invalid_grant"),
        (403, {"errorCode": "s3cret-jwt", "error": "s3cret-jwt"}, "HTTP 403)"),
        (401, b"s3cret-jwt", "HTTP 401)"),
        (404, b"<html>s3cret-jwt", "HTTP 404)"),
        (400, {"errors": ["s3cret-jwt"], "error": ["s3cret-jwt"]}, "HTTP 400)"),
        (400, ["s3cret-jwt"], "HTTP 400)"),
    ],
)
def test_a_refusal_is_final_and_reported_by_its_code_only(
    status: int, body: Any, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stage = Stage(JWT, (status, body, {}))
    message = stage.failure()
    assert code in message
    assert stage.auth.advice in message
    assert "s3cret" not in message + caplog.text
    assert len(stage.script.requests) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"accessToken": None}, {"accessToken": ""}, {"accessToken": 7}, {"accessToken": "a\r\nb"}],
)
def test_an_answer_without_a_token_is_final(body: Any) -> None:
    stage = Stage(PASSWORD, (200, body, {}))
    assert "accessToken" in stage.failure()
    assert len(stage.script.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"accessToken": "acc', b"[1]", b"[" * 100_000])
def test_something_else_than_json_is_retried(body: bytes) -> None:
    stage = Stage(PASSWORD, (200, body, {"Content-Type": "text/html"}), SIGNED_IN)
    stage.auth.sign_in()
    assert len(stage.script.requests) == 2


def test_trouble_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Stage(PASSWORD, *[(503, {}, {})] * 8, SIGNED_IN).auth.sign_in()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("expires_in", [None, "soon", 30, -1, {}])
def test_a_ringcentral_token_without_a_future_is_used_once(expires_in: Any) -> None:
    no_refresh: Answer = (200, {"accessToken": "access-1"}, {})
    oauth: Answer = (200, {"access_token": "rc-1", "expires_in": expires_in}, {})
    stage = Stage(JWT, oauth, no_refresh, oauth, no_refresh)
    stage.auth.sign_in()
    stage.clock.advance(240)
    stage.auth.ready()
    assert len(stage.script.requests) == 4


def test_the_password_of_netrc_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    stage = Stage(LEGACY, (200, {"authToken": "legacy-1"}, {}))
    stage.auth.sign_in()
    assert "Authorization" not in stage.script.requests[0].headers


@pytest.mark.parametrize("token", ["", " ", "Bearer s3cret", "s3cret\nX-Evil: 1", "s3crét", '"s3cr et"'])
@pytest.mark.parametrize("kind", [ApiToken, AccessToken])
def test_a_given_token_that_cannot_be_one(kind: Callable[[str], Credentials], token: str) -> None:
    message = Stage(kind(token), SIGNED_IN).failure()
    assert "Bearer" in message
    assert "s3cr" not in message


def test_a_given_token_may_come_with_white_space_around_it() -> None:
    stage = Stage(ApiToken(" aws80:1 \n"), SIGNED_IN)
    request = stage.auth(requests.Request("GET", BASE).prepare())
    assert request.headers["X-Auth-Token"] == "aws80:1"


def test_credentials_that_cannot_be_encoded() -> None:
    stage = Stage(LegacyLogin("ada", "s3cret\ud800"), SIGNED_IN)
    message = stage.failure()
    assert "characters" in message
    assert "s3cret" not in message


def test_credentials_beyond_ascii_are_sent_as_utf_8() -> None:
    stage = Stage(JwtGrant("cliént€", "gehéim€", "jwt", "https://platform.example.com"), OAUTH, SIGNED_IN)
    stage.auth.sign_in()
    expected = requests.auth._basic_auth_str("cliént€".encode(), "gehéim€".encode())
    assert stage.script.requests[0].headers["Authorization"] == expected


def test_those_who_wait_do_not_wait_for_ever_when_the_renewing_thread_is_stopped() -> None:
    waiting, outcomes = threading.Event(), list[str]()

    def wait_for_it() -> None:
        waiting.set()
        try:
            stage.auth.ready()
        except SignInError as error:
            outcomes.append(str(error))

    waiter = threading.Thread(target=wait_for_it)

    def stopped() -> None:
        waiter.start()
        waiting.wait()
        waiter.join(1)  # it cannot end: it waits for this very sign-in
        assert waiter.is_alive()
        raise KeyboardInterrupt

    stage = Stage(PASSWORD, stopped, SIGNED_IN)
    with pytest.raises(KeyboardInterrupt):
        stage.auth.sign_in()
    waiter.join(10)
    assert outcomes == ["the sign-in was interrupted in another thread; run again."]
    stage.auth.ready()  # that failure does not stay
