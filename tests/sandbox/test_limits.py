from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import ACCOUNT, RENEWALS, Client, leads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fake_clock import FakeClock


def test_the_31st_load_within_ten_seconds_is_refused(client: Client, clock: FakeClock) -> None:
    assert {client.load(leads(1)).status_code for _ in range(30)} == {200}
    clock.advance(9.9)
    refused = client.load(leads(1))
    assert (refused.status_code, refused.text) == (429, "rate")
    assert refused.headers["Retry-After"] == "1"
    assert len(client.sandbox.leads()) == 30, "a refused load stores nothing"
    clock.advance(0.1)
    assert client.load(leads(1)).status_code == 200


def test_the_longer_window_holds_as_well(client: Client, clock: FakeClock) -> None:
    for _ in range(4):
        assert {client.load(leads(1)).status_code for _ in range(30)} == {200}
        clock.advance(10)
    assert client.load(leads(1)).status_code == 429
    clock.advance(20)
    assert client.load(leads(1)).status_code == 200


def test_the_windows_slide(client: Client, clock: FakeClock) -> None:
    for _ in range(30):
        client.load(leads(1))
        clock.advance(0.25)
    clock.advance(2.5)  # 10 s after the first one, 9.75 s after the second
    assert client.load(leads(1)).status_code == 200
    assert client.load(leads(1)).status_code == 429


def test_a_refused_request_does_not_count(client: Client, clock: FakeClock) -> None:
    for _ in range(60):
        client.load(leads(1))
    clock.advance(10)
    assert {client.load(leads(1)).status_code for _ in range(30)} == {200}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "leadSearch", 15),
        ("POST", "leadSearch?count=true", 90),
        ("PUT", "actions?leadAction=DIALER_REFRESH", 30),
        ("PATCH", f"1?campaignId={RENEWALS}", 12),
        ("PUT", f"1?campaignId={RENEWALS}", 12),
    ],
)
def test_every_kind_has_its_own_windows(client: Client, method: str, path: str, allowed: int) -> None:
    body = {"campaignLeadSearchCriteria": {"campaignIds": [RENEWALS]}} if "actions" in path else {}
    statuses = [
        client.admin(method, f"/{ACCOUNT}/campaignLeads/{path}", json=body).status_code for _ in range(allowed + 1)
    ]
    assert statuses.index(429) == allowed
    assert client.load(leads(1)).status_code == 200


def test_the_do_not_call_list_has_windows_as_well(client: Client) -> None:
    path = f"/{ACCOUNT}/dncLists"
    statuses = [client.admin("POST", path, json={"phone": "6500000001"}).status_code for _ in range(31)]
    assert statuses.index(429) == 30
    assert client.admin("GET", path).status_code == 200


def test_kinds_without_a_limit_in_the_reference_are_not_limited(client: Client) -> None:
    assert {client.admin("GET", "").status_code for _ in range(200)} == {200}


def test_limits_can_be_changed_and_switched_off(clock: FakeClock) -> None:
    config = {"rate_limits": {"load": [], "search": ["2/1s"]}, "retry_after": None}
    with Sandbox(clock=clock.time, config=config) as sandbox, Client(sandbox) as client:
        assert {client.load(leads(1)).status_code for _ in range(130)} == {200}
        answers = [client.admin("POST", f"/{ACCOUNT}/campaignLeads/leadSearch", json={}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "Retry-After" not in answers[-1].headers


def test_two_sandboxes_on_one_store_count_one_account(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with (
        Sandbox(store=store, clock=clock.time) as one,
        Sandbox(store=store, clock=clock.time) as two,
        Client(one) as first,
        Client(two) as second,
    ):
        for _ in range(15):
            assert first.load(leads(1)).status_code == 200
            assert second.load(leads(1)).status_code == 200
        assert first.load(leads(1)).status_code == 429
        assert second.load(leads(1)).status_code == 429
