"""The checker of the OpenAPI facts finds deviations, and every endpoint of the sandbox is checked by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support import openapi_plugin
from tests.support.executable import against, run_target, serving
from tests.support.messages import records, schema
from tests.support.openapi import check_answer, check_request, find_operation
from tests.support.sandbox_client import ACCOUNT, RENEWALS, Client, lead, leads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fake_clock import FakeClock

ACCOUNTS = f"/voice/api/v1/admin/accounts/{ACCOUNT}"
LOADER = f"{ACCOUNTS}/campaigns/{RENEWALS}/leadLoader/direct"
LEAD = f"{ACCOUNTS}/campaignLeads/7000001"
SEARCH = f"{ACCOUNTS}/campaignLeads/leadSearch"
ACTIONS = f"{ACCOUNTS}/campaignLeads/actions"
OPTIONS = {"dialPriority": "NORMAL", "duplicateHandling": "RETAIN_ALL", "timeZoneOption": "NPA_NXX"}


def loading(**body: Any) -> dict[str, Any]:
    return {**OPTIONS, "uploadLeads": [lead(1)], **body}


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", LOADER, {}, loading(description="A", dncTags=["x"], listState="PAUSED")),
        (
            "POST",
            LOADER,
            {},
            loading(uploadLeads=[lead(1, maxPasses=3, extendedLeadData={"a": "b"}, reserveAgent="x")]),
        ),
        ("POST", "/voice/api/admin/accounts/1/campaigns/1/loader/direct", {}, loading()),
        ("POST", SEARCH, {"maxRows": "5", "page": "0", "count": "true"}, {"campaignIds": [1], "externIds": ["a"]}),
        ("PUT", ACTIONS, {"leadAction": "PAUSE_LEADS"}, {"campaignLeadSearchCriteria": {"leadIds": [1]}}),
        ("PATCH", LEAD, {"campaignId": "1"}, {"city": None, "firstName": "", "extendedLeadData": {}}),
        ("POST", "/api/auth/token/refresh", {"refresh_token": "a", "rcTokenType": "Bearer"}, None),
        ("GET", "/somewhere/else", {"any": "thing"}, None),
    ],
)
def test_a_request_of_the_description_has_no_deviations(
    method: str, path: str, query: dict[str, str], body: Any
) -> None:
    assert check_request(method, path, query, body) == []


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "deviation"),
    [
        ("POST", LOADER, {}, None, "a body is required"),
        ("POST", LOADER, {"page": "1"}, loading(), "there is no parameter page"),
        ("POST", LOADER, {}, {"uploadLeads": []}, "LeadListProcessingRequest.dialPriority is required"),
        ("POST", LOADER, {}, loading(dialPriority="FAST"), "dialPriority has the value 'FAST'"),
        ("POST", LOADER, {}, loading(list="A"), "LeadListProcessingRequest has no property list"),
        ("POST", LOADER, {}, loading(fileType="COMMA"), "fileType is not for the direct loader"),
        ("POST", LOADER, {}, loading(uploadLeads=[lead(1, auxData1=5)]), "auxData1 is not of type string"),
        ("POST", LOADER, {}, loading(uploadLeads=[lead(1, maxPasses=True)]), "maxPasses is not of type integer"),
        ("POST", LOADER, {}, loading(uploadLeads=[lead(1, extendedLeadData={"a": 1})]), "{} is not of type string"),
        ("POST", LOADER, {}, loading(uploadLeads=[lead(1, firstName=None)]), "firstName is null"),
        ("POST", LOADER, {}, loading(uploadLeads=[lead(1, firstName="")]), "firstName is empty"),
        ("POST", LOADER, {}, loading(uploadLeads=[lead(1, middleName="x")]), "has no property middleName"),
        ("POST", LOADER, {}, loading(uploadLeads=[lead(1, leadId=1)]), "leadId is not written"),
        ("POST", LOADER, {}, loading(uploadLeads=[{"leadPhone": "6505550100"}]), "externId is required"),
        ("POST", SEARCH, {"maxRows": "many"}, {}, "maxRows is not an integer"),
        ("POST", SEARCH, {"count": "yes"}, {}, "count is not a boolean"),
        ("POST", SEARCH, {}, {"campaignIds": ["1"]}, "campaignIds[] is not of type integer"),
        ("POST", SEARCH, {}, {"loadedDtsStart": "2026-01-01"}, "loadedDtsStart is not a date"),
        ("PUT", ACTIONS, {}, {}, "leadAction is required"),
        ("PUT", ACTIONS, {"leadAction": "SING"}, {}, "SING is not a value of leadAction"),
        ("PATCH", LEAD, {"campaignId": "1", "timezoneOption": "COUNTRY"}, {}, "COUNTRY is not a value"),
        ("PATCH", LEAD, {"campaignId": "1"}, {"stateDts": "x"}, "stateDts is not written"),
        ("POST", "/api/auth/token/refresh", {}, None, "refresh_token is required"),
    ],
)
def test_a_deviation_of_a_request_is_found(
    method: str, path: str, query: dict[str, str], body: Any, deviation: str
) -> None:
    assert deviation in "\n".join(check_request(method, path, query, body))


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "deviation"),
    [
        ("POST", LOADER, 200, {"leadsInserted": "3"}, "leadsInserted is not of type integer"),
        ("POST", LOADER, 200, {"processingStatus": "FINE"}, "has the value 'FINE'"),
        ("POST", LOADER, 200, {"leadIds": [1]}, "has no property leadIds"),
        ("POST", LOADER, 204, None, "204 is not an answer of it"),
        ("POST", LOADER, 403, {"errorCode": "x", "reason": "y"}, "an error has no reason"),
        ("POST", SEARCH, 200, {"content": []}, "leadSearch is not of type array"),
        ("POST", SEARCH, 200, [{"phone": "x"}], "leadSearch[] has no property phone"),
        ("GET", f"{ACCOUNTS}/dialGroups", 200, [{"dialGroupId": "501"}], "dialGroupId is not of type integer"),
        ("GET", "/voice/api/v1/admin/accounts", 200, [{"accountId": 1}], "accountId is not of type string"),
    ],
)
def test_a_deviation_of_an_answer_is_found(method: str, path: str, status: int, body: Any, deviation: str) -> None:
    assert deviation in "\n".join(check_answer(method, path, status, body))


def test_every_answer_of_the_sandbox_is_checked(client: Client, clock: FakeClock, monkeypatch: Any) -> None:
    checked: list[tuple[str, str, int]] = []

    def note(method: str, path: str, status: int, body: Any) -> list[str]:
        checked.append((method, path, status))
        return check_answer(method, path, status, body)

    monkeypatch.setattr(openapi_plugin, "check_answer", note)
    client.load(leads(2))
    clock.advance(2)
    (first, _) = client.search(campaignIds=[RENEWALS])
    client.act("PAUSE_LEADS", leadIds=[first["leadId"]])
    client.admin("PATCH", f"/{ACCOUNT}/campaignLeads/{first['leadId']}?campaignId={RENEWALS}", json={"city": "Oslo"})
    paths = ("", f"/{ACCOUNT}", *(f"/{ACCOUNT}/{part}" for part in ("dialGroups", "dialGroups/withChildren")))
    for path in (*paths, f"/{ACCOUNT}/dialGroups/501/campaigns", f"/{ACCOUNT}/persona-phone-config"):
        client.admin("GET", path)
    client.admin("GET", f"/{ACCOUNT}/campaignLeads/leadStates")
    client.admin("GET", f"/{ACCOUNT}/campaignLeads/systemDispositions")
    client.admin("POST", f"/{ACCOUNT}/campaignLeads/leadSearchByPhoneList", files={"file": ("a", b"6500000001")})
    client.post("/api/auth/login/admin", data={"username": "a", "password": "b", "platformId": "c"})
    client.post("/voice/api/v1/auth/login", data={"username": "a", "password": "b"})
    assert len(checked) == 15
    assert {status for _, _, status in checked} == {200}
    assert [path for method, path, _ in checked if find_operation(method, path) is None] == []


def test_a_deviation_fails_the_test_it_happens_in(clock: FakeClock, monkeypatch: Any) -> None:
    monkeypatch.setattr(openapi_plugin, "check_answer", lambda *_: ["a deviation"])
    with Sandbox(clock=clock.time) as sandbox, Client(sandbox) as client:
        client.admin("GET", "")
    assert openapi_plugin.DEVIATIONS == ["a deviation"]
    openapi_plugin.DEVIATIONS.clear()


def test_every_request_of_the_target_is_checked(monkeypatch: Any, tmp_path: Path) -> None:
    checked: list[str] = []

    def note(_method: str, path: str, _query: Any, _body: Any) -> list[str]:
        checked.append(path)
        return []

    monkeypatch.setattr(openapi_plugin, "check_request", note)
    with serving() as running:
        run_target(tmp_path, against(running), [schema(), *records(3)])
        assert len(checked) == len(running.requests()) > 1
