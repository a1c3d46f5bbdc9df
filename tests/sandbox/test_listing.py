from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import ACCOUNT, CALLBACKS, RENEWALS, Client, leads

if TYPE_CHECKING:
    from tests.support.fake_clock import FakeClock

TWO_ACCOUNTS = {
    "accounts": [
        {"accountId": "1", "dialGroups": [{"dialGroupId": 10, "dialGroupName": "A", "campaigns": []}]},
        {"accountId": 2, "accountName": "Second", "mainAccountId": "7"},
    ],
}


def test_the_default_account_is_the_one_of_the_contract(client: Client) -> None:
    (account,) = client.admin("GET", "").json()
    assert account["accountId"] == ACCOUNT
    groups = client.admin("GET", f"/{ACCOUNT}/dialGroups").json()
    assert [(group["dialGroupId"], group["dialGroupName"], group["dialMode"]) for group in groups] == [
        (501, "Outbound", "PREDICTIVE"),
        (502, "Inbound callbacks", "PREVIEW"),
    ]
    found = {
        campaign["campaignId"]: (
            campaign["campaignName"],
            campaign["isActive"],
            campaign["callingConfiguration"],
        )
        for group in groups
        for campaign in client.admin("GET", f"/{ACCOUNT}/dialGroups/{group['dialGroupId']}/campaigns").json()
    }
    assert found == {
        1001: ("Renewals", 1, "SIMPLE"),
        1002: ("Winback", 1, "SIMPLE"),
        1003: ("Dormant", 0, "SIMPLE"),
        2001: ("Callbacks", 1, "STRATEGIC"),
    }


def test_with_children_gives_groups_and_campaigns_in_one_call(client: Client) -> None:
    groups = client.admin("GET", f"/{ACCOUNT}/dialGroups/withChildren").json()
    assert [[campaign["campaignId"] for campaign in group["campaigns"]] for group in groups] == [
        [1001, 1002, 1003],
        [2001],
    ]


def test_one_account_and_one_campaign_can_be_asked_for(client: Client) -> None:
    assert client.admin("GET", f"/{ACCOUNT}").json()["accountId"] == ACCOUNT
    path = f"/{ACCOUNT}/dialGroups/501/campaigns/{RENEWALS}"
    assert client.admin("GET", path).json()["campaignName"] == "Renewals"


def test_the_account_lists_its_phone_labels(client: Client) -> None:
    path = f"/{ACCOUNT}/persona-phone-config"
    assert client.admin("GET", path).json() == [
        {"accountId": ACCOUNT, "phoneId": number, "phoneLabel": label}
        for number, label in enumerate(("Leadphone", "Mobile", "Home", "Work"), start=1)
    ]
    client.sandbox.faults([{"on": "personas", "do": "status", "status": 404}])
    assert client.admin("GET", path).status_code == 404


def test_pages_are_optional(client: Client) -> None:
    path = f"/{ACCOUNT}/dialGroups/501/campaigns?page=2&maxRows=2"
    assert [one["campaignId"] for one in client.admin("GET", path).json()] == [1003]
    assert client.admin("GET", f"/{ACCOUNT}/dialGroups?page=0").status_code == 400


def test_an_account_the_user_cannot_see_is_403(client: Client) -> None:
    for account in ("4711", "~"):
        answer = client.admin("GET", f"/{account}/dialGroups")
        assert answer.status_code == 403
        assert answer.json()["errorCode"] == "access.denied.exception"
        assert set(answer.json()) == {"errorCode", "generalMessage", "timestamp"}


def test_an_unknown_dial_group_is_404(client: Client) -> None:
    assert client.admin("GET", f"/{ACCOUNT}/dialGroups/9/campaigns").status_code == 404


def test_the_lists_of_a_campaign_are_its_loads(client: Client, clock: FakeClock) -> None:
    client.load(leads(2), description="First")
    clock.advance(0.0105)
    client.load(leads(3), description="Second", listState="PAUSED")
    client.load(leads(1), 1002)
    path = f"/{ACCOUNT}/dialGroups/501/campaigns/{RENEWALS}/lists"
    first, second = client.admin("GET", path).json()
    assert (first["listDesc"], first["leadsSupplied"], first["listState"]) == ("First", 2, "ACTIVE")
    assert first["uploadDate"] == "2026-01-01T00:00:00.000+0000"
    assert (second["listDesc"], second["leadsAccepted"], second["listState"]) == ("Second", 3, "PAUSED")
    assert second["uploadDate"] == "2026-01-01T00:00:00.010+0000"
    assert len(client.sandbox.lists()) == 3


def test_several_accounts_can_be_configured(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time, config=TWO_ACCOUNTS) as sandbox, Client(sandbox) as client:
        first, second = client.admin("GET", "").json()
        assert (first["accountId"], first["mainAccountId"]) == ("1", "1")
        assert (second["accountId"], second["accountName"], second["mainAccountId"]) == ("2", "Second", "7")
        assert client.admin("GET", "/2/dialGroups").json() == []
        assert client.admin("GET", f"/2/dialGroups/10/campaigns/{CALLBACKS}").status_code == 404


@pytest.mark.parametrize("prefix", ["/voice/api/v1/admin", "/voice/api/admin", "/api/v1/admin", "/api/admin"])
def test_every_admin_prefix_answers(client: Client, prefix: str) -> None:
    answer = client.session.get(f"{client.sandbox.origin}{prefix}/accounts", timeout=30)
    assert answer.json()[0]["accountId"] == ACCOUNT


@pytest.mark.parametrize(
    ("prefix", "route", "status"),
    [
        ("/api/v1/admin", "leadLoader/direct", 200),
        ("/api/admin", "loader/direct", 200),
        ("/api/admin", "leadLoader/direct", 404),
        ("/api/v1/admin", "loader/direct", 404),
    ],
)
@pytest.mark.parametrize("voice", ["/voice", ""])
def test_each_form_has_its_own_loader(client: Client, prefix: str, route: str, status: int, voice: str) -> None:
    url = f"{client.sandbox.origin}{voice}{prefix}/accounts/{ACCOUNT}/campaigns/{RENEWALS}/{route}"
    answer = client.session.post(url, json={"uploadLeads": leads(1)}, timeout=30)
    assert answer.status_code == status
    assert len(client.sandbox.leads()) == (status == 200)


@pytest.mark.parametrize(("on", "off"), [("v1", "api/admin"), ("legacy", "api/v1/admin")])
def test_a_form_that_is_off_is_404(clock: FakeClock, on: str, off: str) -> None:
    with Sandbox(clock=clock.time, config={"api": [on]}) as sandbox, Client(sandbox) as client:
        answer = client.session.get(f"{sandbox.base_url}/{off}/accounts", timeout=30)
        assert answer.status_code == 404
        assert answer.json()["errorCode"] == "route.not.found"
        form = {"username": "someone", "password": "secret"}
        assert client.post("/voice/api/v1/auth/login", data=form).status_code == 200


def test_unknown_paths_can_answer_with_the_web_application(clock: FakeClock) -> None:
    with (
        Sandbox(clock=clock.time, config={"html_for_unknown_paths": True}) as sandbox,
        Client(sandbox) as client,
    ):
        answer = client.admin("GET", "/nothing/here")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/html")
        assert [entry["kind"] for entry in sandbox.requests()] == ["unknown"]


def test_another_method_is_405(client: Client) -> None:
    assert client.admin("DELETE", "").status_code == 405
