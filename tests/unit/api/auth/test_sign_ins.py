"""The five sign-ins against the sandbox: headers, renewal, one renewal for all threads, the limit."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import HTTPAdapter

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
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("jwt", "password", "legacy", "api_token", "access_token")
RENEWABLE = ("jwt", "password", "legacy")
SECRETS = ("s3cret-client", "s3cret-jwt", "s3cret-password", "s3cret-token", "ada@example.com")


def credentials(method: str, server: str, taint: str = "") -> Credentials:
    """Credentials the sandbox takes; with a `taint` of "wrong" it refuses them."""
    every: dict[str, Credentials] = {
        "jwt": JwtGrant("client", f"s3cret-client{taint}", "s3cret-jwt", server),
        "password": PasswordLogin("ada@example.com", f"s3cret-password{taint}", "1001"),
        "legacy": LegacyLogin("ada@example.com", f"s3cret-password{taint}"),
        "api_token": ApiToken(f"aws80:s3cret-token{taint}"),
        "access_token": AccessToken(f"s3cret-token{taint}"),
    }
    return every[method]


@dataclass
class Desk:
    """A sandbox, a client in front of it, and a clock for each, so that they can disagree about a token."""

    sandbox: Sandbox
    server: FakeClock
    clock: FakeClock
    session: requests.Session

    def authentication(self, given: Credentials, retry_max_seconds: float = 600) -> Authentication:
        return authentication(
            given,
            base_url=self.sandbox.base_url,
            session=None,
            timeout=10,
            retry_max_seconds=retry_max_seconds,
            clock=self.clock,
            user_agent="target-engagevoice/test",
        )

    def use(self, method: str, **options: Any) -> Authentication:
        """Sign the session in by one of the five."""
        auth = self.authentication(credentials(method, self.sandbox.origin), **options)
        self.session.auth = auth
        return auth

    def get(self) -> requests.Response:
        return self.session.get(f"{self.sandbox.base_url}/api/v1/admin/accounts", timeout=10, allow_redirects=False)

    def asked(self, kind: str) -> int:
        return len(self.sandbox.requests(kind))

    def advance(self, seconds: float) -> None:
        self.server.advance(seconds)
        self.clock.advance(seconds)


@pytest.fixture
def desk() -> Iterator[Desk]:
    server = FakeClock()
    with Sandbox(store=None, clock=server.time) as sandbox, requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=64))
        yield Desk(sandbox, server, FakeClock(), session)


@pytest.mark.parametrize(
    ("method", "header", "start"),
    [
        ("jwt", "Authorization", "Bearer access-"),
        ("password", "Authorization", "Bearer access-"),
        ("legacy", "X-Auth-Token", "legacy-"),
        ("api_token", "X-Auth-Token", "aws80:s3cret-token"),
        ("access_token", "Authorization", "Bearer s3cret-token"),
    ],
)
def test_each_sign_in_gets_its_header(desk: Desk, method: str, header: str, start: str) -> None:
    desk.use(method).sign_in()
    answer = desk.get()
    assert answer.status_code == 200
    assert answer.request.headers[header].startswith(start)
    assert {"Authorization", "X-Auth-Token"} & set(answer.request.headers) == {header}


@pytest.mark.parametrize("method", METHODS)
def test_the_first_request_signs_in_by_itself(desk: Desk, method: str) -> None:
    desk.use(method)
    assert desk.get().status_code == 200


@pytest.mark.parametrize("method", ["jwt", "password"])
def test_a_token_older_than_four_minutes_is_renewed_before_the_request(desk: Desk, method: str) -> None:
    desk.use(method).sign_in()
    desk.advance(239)
    first = desk.get()
    assert desk.asked("refresh") == 0
    desk.advance(2)
    second = desk.get()
    assert desk.asked("refresh") == 1
    assert [entry["status"] for entry in desk.sandbox.requests("accounts")] == [200, 200]
    assert first.request.headers["Authorization"] != second.request.headers["Authorization"]


def test_the_refresh_token_rotates(desk: Desk) -> None:
    desk.use("jwt").sign_in()
    for _ in range(5):
        desk.advance(241)
        assert desk.get().status_code == 200
    assert [entry["status"] for entry in desk.sandbox.requests("refresh")] == [200] * 5
    assert (desk.asked("exchange"), desk.asked("oauth")) == (1, 1)


def test_a_legacy_token_is_renewed_after_fifty_five_minutes(desk: Desk) -> None:
    desk.use("legacy").sign_in()
    desk.advance(54 * 60)
    desk.get()
    assert desk.asked("login_legacy") == 1
    desk.advance(61)
    desk.get()
    assert desk.asked("login_legacy") == 2


@pytest.mark.parametrize("method", RENEWABLE)
def test_a_401_in_the_middle_renews_once_and_repeats_once(desk: Desk, method: str) -> None:
    desk.use(method).sign_in()
    desk.server.advance(3601)  # the server's clock alone: here the token looks fresh
    answer = desk.get()
    assert answer.status_code == 200
    assert [entry["status"] for entry in desk.sandbox.requests("accounts")] == [401, 200]
    assert [earlier.status_code for earlier in answer.history] == [401]
    renewals = {"jwt": "refresh", "password": "refresh", "legacy": "login_legacy"}
    assert desk.asked(renewals[method]) == {"legacy": 2}.get(method, 1)


def test_the_repeated_request_is_the_same_request(desk: Desk) -> None:
    desk.use("jwt").sign_in()
    desk.server.advance(301)
    body = b'{"uploadLeads":[]}'
    url = f"{desk.sandbox.base_url}/api/v1/admin/accounts/99990001/campaigns/1001/leadLoader/direct?x=1"
    answer = desk.session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=10)
    first, second = answer.history[0].request, answer.request
    assert (second.method, second.url, second.body) == (first.method, first.url, body)
    changed = {name for name in second.headers if second.headers[name] != first.headers.get(name)}
    assert changed == {"Authorization"}


def test_a_second_401_stays_a_401(desk: Desk) -> None:
    auth = desk.use("jwt")
    auth.sign_in()
    desk.sandbox.faults([{"on": "accounts", "times": None, "do": "status", "status": 401}])
    assert desk.get().status_code == 401
    assert desk.asked("accounts") == 2
    assert desk.asked("refresh") == 1
    assert "client_id" in auth.advice


@pytest.mark.parametrize(("method", "word"), [("api_token", "api_token"), ("access_token", "access_token")])
def test_a_given_token_is_not_renewed(desk: Desk, method: str, word: str) -> None:
    auth = desk.authentication(credentials(method, desk.sandbox.origin, "-wrong"))
    auth.sign_in()
    desk.session.auth = auth
    assert desk.get().status_code == 401
    assert desk.asked("accounts") == 1
    assert word in auth.advice


@pytest.mark.parametrize("clocks", ["together", "server alone"])
def test_fifty_threads_with_an_expired_token_cause_one_renewal(desk: Desk, clocks: str) -> None:
    desk.use("jwt").sign_in()
    (desk.advance if clocks == "together" else desk.server.advance)(301)
    barrier = threading.Barrier(50)

    def get(_: int) -> int:
        barrier.wait()
        return desk.get().status_code

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(get, range(50))) == [200] * 50
    assert desk.asked("refresh") == 1
    assert (desk.asked("exchange"), desk.asked("oauth")) == (1, 1)


def test_fifty_threads_share_a_failure(desk: Desk) -> None:
    desk.use("jwt", retry_max_seconds=5).sign_in()
    desk.advance(301)
    desk.sandbox.faults([{"on": kind, "times": None, "do": "drop_before"} for kind in ("refresh", "exchange", "oauth")])
    barrier = threading.Barrier(50)

    def get(_: int) -> str:
        barrier.wait()
        with pytest.raises(SignInError) as caught:
            desk.get()
        return str(caught.value)

    with ThreadPoolExecutor(50) as pool:
        messages = set(pool.map(get, range(50)))
    assert len(messages) == 1
    assert desk.asked("refresh") == 1
    assert desk.asked("exchange") <= 5


def test_after_a_failure_sign_in_tries_again(desk: Desk) -> None:
    auth = desk.use("password")
    desk.sandbox.faults([{"on": "login_admin", "times": 1, "do": "status", "status": 400}])
    for _ in range(2):
        with pytest.raises(SignInError):
            desk.get()
    assert desk.asked("login_admin") == 1
    auth.sign_in()
    assert desk.get().status_code == 200


def test_a_used_refresh_token_falls_back_to_the_exchange(desk: Desk) -> None:
    desk.use("jwt").sign_in()
    desk.sandbox.faults([{"on": "refresh", "times": 1, "do": "drop_after"}])  # used up, and the answer is lost
    desk.advance(241)
    assert desk.get().status_code == 200
    assert (desk.asked("refresh"), desk.asked("exchange"), desk.asked("oauth")) == (1, 2, 1)


def test_a_refused_refresh_falls_back_to_the_login(desk: Desk) -> None:
    desk.use("password").sign_in()
    desk.sandbox.faults([{"on": "refresh", "times": None, "do": "status", "status": 401}])
    desk.advance(241)
    assert desk.get().status_code == 200
    assert desk.asked("login_admin") == 2


def test_an_old_ringcentral_token_is_not_exchanged_again(desk: Desk) -> None:
    desk.use("jwt").sign_in()
    desk.sandbox.faults([{"on": "refresh", "times": None, "do": "status", "status": 401}])
    desk.advance(3541)  # its hour less a minute
    assert desk.get().status_code == 200
    assert (desk.asked("exchange"), desk.asked("oauth")) == (2, 2)


def test_a_refused_exchange_starts_at_ringcentral_again(desk: Desk) -> None:
    desk.use("jwt").sign_in()
    desk.server.advance(3601)
    desk.sandbox.faults([{"on": "refresh", "times": None, "do": "status", "status": 401}])
    assert desk.get().status_code == 200
    assert [entry["status"] for entry in desk.sandbox.requests("exchange")] == [200, 401, 200]
    assert desk.asked("oauth") == 2


def most_in_a_minute(desk: Desk, *kinds: str) -> int:
    times: list[float] = sorted(entry["at"] for kind in kinds for entry in desk.sandbox.requests(kind))
    return max(sum(start <= at < start + 60 for at in times) for start in times)


@pytest.mark.parametrize("refresh", ["works", "fails"])
def test_an_hour_of_requests_stays_inside_five_exchanges_a_minute(desk: Desk, refresh: str) -> None:
    desk.clock = desk.server
    desk.use("jwt").sign_in()
    if refresh == "fails":
        desk.sandbox.faults([{"on": "refresh", "times": None, "do": "status", "status": 401}])
    for _ in range(3600):
        desk.server.advance(1)
        assert desk.get().status_code == 200
    assert {entry["status"] for entry in desk.sandbox.requests("accounts")} == {200}
    assert most_in_a_minute(desk, "exchange", "refresh") <= 2
    assert desk.asked("refresh") == 15
    assert desk.asked("exchange") == {"works": 1, "fails": 16}[refresh]


@pytest.mark.parametrize("refresh", ["works", "fails"])
def test_a_server_that_answers_401_to_everything_is_not_hammered(desk: Desk, refresh: str) -> None:
    desk.clock = desk.server
    desk.use("jwt").sign_in()
    script = [{"on": "accounts", "times": None, "do": "status", "status": 401}]
    if refresh == "fails":
        script.append({"on": "refresh", "times": None, "do": "status", "status": 401})
    desk.sandbox.faults(script)
    for _ in range(60):
        assert desk.get().status_code == 401
    assert most_in_a_minute(desk, "exchange", "refresh") <= 5
    statuses = {entry["status"] for kind in ("exchange", "oauth") for entry in desk.sandbox.requests(kind)}
    assert statuses == {200}


@pytest.mark.parametrize("method", RENEWABLE)
def test_wrong_credentials_are_reported_without_them(desk: Desk, method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    auth = desk.authentication(credentials(method, desk.sandbox.origin, "-wrong"))
    with pytest.raises(SignInError) as caught:
        auth.sign_in()
    message = str(caught.value)
    assert "HTTP 401" in message
    assert method != "jwt" or "OAU-146" in message
    assert auth.advice in message
    assert not [secret for secret in SECRETS if secret in message + caplog.text]
    assert caught.value.__context__ is None
    assert sum(desk.asked(kind) for kind in ("oauth", "login_admin", "login_legacy")) == 1


@pytest.mark.parametrize("method", METHODS)
def test_nothing_shows_a_secret(desk: Desk, method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    auth = desk.use(method)
    auth.sign_in()
    desk.advance(301)
    desk.get()
    token = auth._token
    assert token is not None
    shown = " ".join([repr(auth), repr(vars(auth)), repr(vars(auth._sign_in)), str(token), caplog.text])
    bare = token.value.removeprefix("Bearer ")
    assert not [secret for secret in (*SECRETS[:4], bare, token.refresh or bare) if secret in shown]


@pytest.mark.parametrize("method", RENEWABLE)
def test_one_line_at_info_for_the_sign_in_none_for_renewals(
    desk: Desk, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="target-engagevoice.auth")
    desk.use(method).sign_in()
    for _ in range(3):
        desk.advance(3541)
        desk.get()
    assert [record.getMessage() for record in caplog.records] == [f"signed in ({method})"]


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "status", "status": 503},
        {"do": "status", "status": 429},
        {"do": "html"},
        {"do": "drop_before"},
        {"do": "drop_after"},
        {"do": "truncate"},
    ],
    ids=lambda fault: "-".join(str(part) for part in fault.values()),
)
@pytest.mark.parametrize(
    ("method", "kind"),
    [("jwt", "oauth"), ("jwt", "exchange"), ("password", "login_admin"), ("legacy", "login_legacy")],
)
def test_passing_trouble_is_outlasted(desk: Desk, method: str, kind: str, fault: dict[str, Any]) -> None:
    desk.sandbox.faults([{"on": kind, "times": 3, **fault}])
    desk.use(method).sign_in()
    assert desk.get().status_code == 200
    assert desk.asked(kind) == 4
