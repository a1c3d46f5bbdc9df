from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import Client, leads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fake_clock import FakeClock

JWT = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.jwt"}
BASIC = ("client-id", "client-secret")


def oauth(client: Client, auth: tuple[str, str] | None = BASIC, **form: str) -> requests.Response:
    return client.post("/restapi/oauth/token", data={**JWT, **form}, auth=auth)


def exchange(client: Client, token: str, query: str = "?includeRefresh=true") -> requests.Response:
    form = {"rcAccessToken": token, "rcTokenType": "Bearer"}
    return client.post(f"/api/auth/login/rc/accesstoken{query}", data=form)


def refresh(client: Client, token: str) -> requests.Response:
    return client.post("/api/auth/token/refresh", data={"refresh_token": token})


def accounts(client: Client, **headers: str) -> requests.Response:
    url = f"{client.sandbox.base_url}/api/v1/admin/accounts"
    return requests.get(url, headers=headers, timeout=30)


def signed_in(client: Client) -> Any:
    return exchange(client, oauth(client).json()["access_token"]).json()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_jwt_becomes_an_engage_token_in_two_steps(client: Client) -> None:
    first = oauth(client)
    assert first.status_code == 200
    assert first.json()["expires_in"] == 3600
    second = exchange(client, first.json()["access_token"])
    assert second.status_code == 200
    body = second.json()
    assert body["tokenType"] == "Bearer"
    assert body["agentDetails"][0]["accountId"] == "99990001"
    assert accounts(client, **bearer(body["accessToken"])).status_code == 200


def test_the_exchange_gives_no_refresh_token_unless_asked(client: Client) -> None:
    assert "refreshToken" not in exchange(client, oauth(client).json()["access_token"], "").json()


@pytest.mark.parametrize("auth", [None, ("", "secret"), ("id", ""), ("wrong-id", "secret"), ("id", "a WRONG secret")])
def test_wrong_client_credentials_are_oau_146(client: Client, auth: tuple[str, str] | None) -> None:
    answer = oauth(client, auth)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["errorCode"] == "OAU-146"


def test_a_client_secret_that_is_not_base64_is_oau_146(client: Client) -> None:
    answer = client.post("/restapi/oauth/token", data=JWT, headers={"Authorization": "Basic ***"})
    assert answer.status_code == 401


@pytest.mark.parametrize("jwt", ["", "the-wrong-jwt"])
def test_a_wrong_jwt_is_refused(client: Client, jwt: str) -> None:
    answer = oauth(client, assertion=jwt)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_grant"


def test_an_unknown_grant_is_refused(client: Client) -> None:
    assert oauth(client, grant_type="guess").status_code == 400


def test_ringcentrals_refresh_token_works_once(client: Client) -> None:
    token = oauth(client).json()["refresh_token"]
    assert oauth(client, grant_type="refresh_token", refresh_token=token).status_code == 200
    assert oauth(client, grant_type="refresh_token", refresh_token=token).status_code == 400


def test_the_sixth_sign_in_within_a_minute_is_refused_and_each_further_try_restarts_the_penalty(
    client: Client, clock: FakeClock
) -> None:
    assert [oauth(client).status_code for _ in range(5)] == [200] * 5
    refused = oauth(client)
    assert (refused.status_code, refused.json()["errorCode"]) == (429, "CMN-301")
    assert refused.headers["Retry-After"] == "60"
    clock.advance(59)
    assert oauth(client).status_code == 429
    clock.advance(59)
    assert oauth(client).status_code == 429, "the try one second before the end began another minute"
    clock.advance(60)
    assert oauth(client).status_code == 200
    assert oauth(client, assertion="of-another-user").status_code == 200


def test_the_exchange_is_limited_to_five_a_minute(client: Client, clock: FakeClock) -> None:
    token = oauth(client).json()["access_token"]
    assert [exchange(client, token).status_code for _ in range(6)] == [200] * 5 + [429]
    clock.advance(60)
    assert exchange(client, token).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_wrong_ringcentral_token_is_not_exchanged(client: Client, token: str) -> None:
    assert exchange(client, token).status_code == 401


def test_an_old_ringcentral_token_is_not_exchanged(client: Client, clock: FakeClock) -> None:
    token = oauth(client).json()["access_token"]
    clock.advance(3600)
    assert exchange(client, token).status_code == 401


def test_the_admin_api_refuses_a_ringcentral_token(client: Client) -> None:
    assert accounts(client, **bearer(oauth(client).json()["access_token"])).status_code == 401


def test_an_access_token_lives_five_minutes(client: Client, clock: FakeClock) -> None:
    token = signed_in(client)["accessToken"]
    clock.advance(299)
    assert accounts(client, **bearer(token)).status_code == 200
    clock.advance(1)
    late = accounts(client, **bearer(token))
    assert (late.status_code, late.text) == (401, "Jwt is expired")
    assert late.headers["Content-Type"].startswith("text/plain")


def test_a_refresh_token_rotates_and_the_used_one_is_refused(client: Client, clock: FakeClock) -> None:
    first = signed_in(client)
    clock.advance(299)
    second = refresh(client, first["refreshToken"]).json()
    assert second["refreshToken"] != first["refreshToken"]
    clock.advance(200)
    assert accounts(client, **bearer(second["accessToken"])).status_code == 200
    assert refresh(client, first["refreshToken"]).status_code == 401
    assert refresh(client, second["refreshToken"]).status_code == 200


def test_an_access_token_is_no_refresh_token(client: Client) -> None:
    tokens = signed_in(client)
    assert refresh(client, tokens["accessToken"]).status_code == 401
    assert accounts(client, **bearer(tokens["refreshToken"])).status_code == 401


def test_a_throttled_refresh_does_not_use_up_the_token(clock: FakeClock) -> None:
    with (
        Sandbox(clock=clock.time, config={"rate_limits": {"refresh": ["1/60s"]}}) as sandbox,
        Client(sandbox) as client,
    ):
        again = refresh(client, signed_in(client)["refreshToken"]).json()["refreshToken"]
        assert refresh(client, again).status_code == 429
        clock.advance(60)
        assert refresh(client, again).status_code == 200


@pytest.mark.parametrize("where", ["params", "data"])
def test_engage_direct_login_takes_query_or_form(client: Client, where: str) -> None:
    credentials = {"username": "someone", "password": "secret", "platformId": "aws80"}
    answer = client.post("/api/auth/login/admin", **{where: credentials})
    assert answer.status_code == 200
    assert accounts(client, **bearer(answer.json()["accessToken"])).status_code == 200
    assert refresh(client, answer.json()["refreshToken"]).status_code == 200


@pytest.mark.parametrize("missing", ["username", "password", "platformId"])
def test_engage_direct_login_needs_all_three(client: Client, missing: str) -> None:
    credentials = {"username": "someone", "password": "secret", "platformId": "aws80", missing: "wrong"}
    assert client.post("/api/auth/login/admin", params=credentials).status_code == 401
    del credentials[missing]
    assert client.post("/api/auth/login/admin", params=credentials).status_code == 401


@pytest.mark.parametrize("prefix", ["", "/voice"])
def test_legacy_login_lives_an_hour_after_its_last_use(client: Client, clock: FakeClock, prefix: str) -> None:
    form = {"username": "someone", "password": "secret"}
    answer = client.post(f"{prefix}/api/v1/auth/login", data=form)
    token = answer.json()["authToken"]
    for _ in range(3):
        clock.advance(3599)
        assert accounts(client, **{"X-Auth-Token": token}).status_code == 200
    clock.advance(3600)
    assert accounts(client, **{"X-Auth-Token": token}).status_code == 401


def test_a_wrong_legacy_password_is_refused(client: Client) -> None:
    form = {"username": "someone", "password": "wrong"}
    assert client.post("/api/v1/auth/login", data=form).status_code == 401


def test_a_permanent_token_outlives_the_token_it_was_made_with(client: Client, clock: FakeClock) -> None:
    headers = bearer(signed_in(client)["accessToken"])
    permanent = client.post("/voice/api/v1/admin/token", headers=headers).text
    clock.advance(10 * 86_400)
    assert accounts(client, **{"X-Auth-Token": permanent}).status_code == 200
    revoked = client.session.delete(f"{client.sandbox.base_url}/api/v1/admin/token/{permanent}", timeout=30)
    assert revoked.status_code == 200
    assert accounts(client, **{"X-Auth-Token": permanent}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        ({"X-Auth-Token": "wrong"}, 401),
        ({"Authorization": "Bearer ready-made"}, 200),
        ({"X-Auth-Token": "sandbox:anything"}, 200),
    ],
)
def test_the_admin_api_accepts_any_token_that_is_not_empty_or_wrong(
    client: Client, headers: dict[str, str], status: int
) -> None:
    assert accounts(client, **headers).status_code == status


def test_tokens_outlive_a_restart_of_the_sandbox(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox) as client:
        tokens = signed_in(client)
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox) as client:
        assert accounts(client, **bearer(tokens["accessToken"])).status_code == 200
        clock.advance(300)
        assert accounts(client, **bearer(tokens["accessToken"])).text == "Jwt is expired"


def test_neither_the_store_nor_the_journal_holds_a_secret(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox, "Sesame-1") as client:
        tokens = exchange(client, oauth(client, assertion="Sesame-2").json()["access_token"]).json()
        query = {"username": "Sesame-3", "password": "Sesame-4", "platformId": "Sesame-5"}
        client.post("/api/auth/login/admin", params=query)
        client.load(leads(1))
        client.session.delete(f"{sandbox.base_url}/api/v1/admin/token/Sesame-6", timeout=30)
        assert "Sesame" not in str(sandbox.requests())
    connection = sqlite3.connect(store)
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert "Sesame" not in dump
    assert tokens["accessToken"] not in dump
    assert tokens["refreshToken"] not in dump
