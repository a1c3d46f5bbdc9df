"""Signing in, end to end: the five ways, wrong credentials, tokens that expire, and both forms of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import against, ids, run_target, serving
from tests.support.messages import record, records, schema, state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

SIGN_INS: Mapping[str, Mapping[str, str]] = {
    "jwt": {"client_id": "app-4711", "client_secret": "sesame-client", "jwt": "sesame-jwt"},
    "password": {"username": "sesame-user", "password": "sesame-word", "platform_id": "pf-1"},
    "legacy": {"username": "sesame-user", "password": "sesame-word"},
    "api_token": {"api_token": "sesame-api"},
    "access_token": {"access_token": "sesame-access"},
}
RENEWABLE = ("jwt", "password", "legacy")
LINES: list[dict[str, Any]] = [schema(), *records(3), state("end")]


def signed_in_by(method: str, sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    """The configuration of a run that signs in so."""
    config = against(sandbox, rc_server_url=sandbox.origin, **settings)
    del config["api_token"]
    return {**config, **SIGN_INS[method]}


def loads(sandbox: Sandbox) -> list[int | None]:
    """The status of every request to the loader, in order."""
    return [request["status"] for request in sandbox.requests("load")]


@pytest.mark.parametrize("method", SIGN_INS)
def test_leads_are_loaded_with_each_sign_in(method: str, tmp_path: Path) -> None:
    with serving() as sandbox:
        finished = run_target(tmp_path, signed_in_by(method, sandbox), LINES)
        assert ids(sandbox.leads()) == ["L0", "L1", "L2"]
    assert (finished.code, finished.states) == (0, [{"bookmark": "end"}])
    assert "sesame" not in finished.stderr


@pytest.mark.parametrize("method", SIGN_INS)
def test_refused_credentials_end_the_run_with_one_line_and_no_secret(method: str, tmp_path: Path) -> None:
    with serving() as sandbox:
        config = signed_in_by(method, sandbox)
        secrets = {name: f"wrong-{value}" for name, value in SIGN_INS[method].items()}
        finished = run_target(tmp_path, config | secrets, [*LINES, *records(3000, 100)])
        assert sandbox.requests("load") == []
    assert (finished.code, finished.states, finished.fed) == (1, [], True)
    assert "401" in finished.error
    given = [value for name, value in SIGN_INS[method].items() if name not in ("client_id", "platform_id")]
    assert not any(secret in finished.stderr for secret in given)
    assert (finished.run_record["status"], finished.outcomes) == ("failed", {})
    assert finished.run_record["error"] == {"code": finished.run_record["error"]["code"], "message": finished.error}
    assert not any(secret in str(finished.run_record) for secret in given)


@pytest.mark.parametrize("method", RENEWABLE)
def test_a_token_that_expires_on_the_way_is_renewed(method: str, tmp_path: Path) -> None:
    expiry = {"on": "load", "do": "expire_token", "every": 2, "times": 2}
    with serving(expiry) as sandbox:
        config = signed_in_by(method, sandbox, batch_size_rows=5, max_in_flight=1)
        finished = run_target(tmp_path, config, [schema(), *records(20), state("end")])
        assert ids(sandbox.leads()) == ids(row["record"] | {"externId": row["record"]["id"]} for row in records(20))
        assert loads(sandbox).count(401) == 2
    assert (finished.code, finished.states) == (0, [{"bookmark": "end"}])


def test_a_run_much_longer_than_a_token_lives_stays_within_the_sign_ins_limit(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "delay", "seconds": 0.6, "times": None}, token_seconds=1.5) as sandbox:
        config = signed_in_by("jwt", sandbox, batch_size_rows=1, max_in_flight=1)
        finished = run_target(tmp_path, config, [schema(), *records(4), state("end")])
        assert ids(sandbox.leads()) == ["L0", "L1", "L2", "L3"]
        asked = [request["status"] for kind in ("oauth", "exchange") for request in sandbox.requests(kind)]
        assert asked == [200, 200], "the refresh token does the rest"
        assert len(sandbox.requests("refresh")) >= 1
    assert (finished.code, finished.states) == (0, [{"bookmark": "end"}])


def test_an_access_token_that_expires_ends_the_run_with_what_was_loaded_in_state(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "expire_token", "after": 1}) as sandbox:
        config = signed_in_by("access_token", sandbox, batch_size_rows=2, max_in_flight=1)
        lines = [schema(), *records(2), state("one"), *records(2, 10), state("two")]
        finished = run_target(tmp_path, config, lines)
        assert ids(sandbox.leads()) == ["L0", "L1"]
    assert (finished.code, finished.states) == (1, [{"bookmark": "one"}])
    assert "access_token has expired" in finished.error


@pytest.mark.parametrize(("asked", "served"), [("auto", "legacy"), ("v1", "v1"), ("legacy", "legacy")])
def test_leads_are_loaded_through_either_form_of_the_api(asked: str, served: str, tmp_path: Path) -> None:
    paths = {"v1": "leadLoader/direct", "legacy": "/loader/direct"}
    # What does not exist answers 200 with a page, as the web application does.
    with serving(api=[served], html_for_unknown_paths=True) as sandbox:
        config = against(sandbox, api_version=asked, batch_size_rows=1, max_in_flight=1)
        finished = run_target(tmp_path, config, LINES)
        assert ids(sandbox.leads()) == ["L0", "L1", "L2"]
        assert loads(sandbox) == [200] * 3
        assert all(request["path"].endswith(paths[served]) for request in sandbox.requests("load"))
        assert len(sandbox.requests("unknown")) <= (2 if asked == "auto" else 0), "what answers is remembered"
    assert finished.code == 0


def test_a_page_that_answers_200_is_not_success(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "html", "times": None}) as sandbox:
        finished = run_target(tmp_path, against(sandbox, retry_max_seconds=1), LINES)
        assert sandbox.leads() == []
    assert (finished.code, finished.states, finished.outcomes) == (1, [], {})
    assert "HTML page" in finished.error


def test_a_deployment_without_the_form_asked_for_ends_the_run(tmp_path: Path) -> None:
    with serving(api=["legacy"], html_for_unknown_paths=True) as sandbox:
        finished = run_target(tmp_path, against(sandbox, api_version="v1"), [*LINES, record(9)])
    assert (finished.code, finished.states, finished.fed) == (1, [], True)
    assert "api_version" in finished.error
    assert "base_url" in finished.error
