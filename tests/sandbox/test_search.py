from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import ACCOUNT, RENEWALS, WINBACK, Client, lead, leads

if TYPE_CHECKING:
    from tests.support.fake_clock import FakeClock


@pytest.fixture
def full(client: Client, clock: FakeClock) -> Client:
    client.load(leads(3), description="First")
    clock.advance(60)
    client.load([*leads(2, 3), lead(1)], WINBACK, description="Second")
    clock.advance(60)
    return client


def ids(rows: Any) -> list[str]:
    return [row["externId"] for row in rows]


def test_the_search_gives_a_bare_array_of_rows(full: Client) -> None:
    (row,) = full.search(campaignIds=[RENEWALS], externIds=["id-1"])
    stored = full.sandbox.leads(RENEWALS)[1]
    assert {name: stored[name] for name in row} == row
    assert row["leadPhone"] == lead(1)["leadPhone"]
    assert (row["campaignId"], row["listDesc"], row["leadState"]) == (RENEWALS, "First", "READY")
    assert row["loadedDts"] == "2026-01-01T00:00:00.000+0000"


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 1]),
        ({"campaignIds": [RENEWALS]}, [0, 1, 2]),
        ({"campaignIds": [str(WINBACK)]}, [3, 4, 1]),
        ({"campaignId": WINBACK}, [3, 4, 1]),
        ({"campaignIds": [RENEWALS, WINBACK], "externIds": ["id-1", "id-4", "nobody"]}, [1, 4, 1]),
        ({"leadPhoneNumbers": ["6500000002", "16500000003"]}, [2, 3]),
        ({"leadStates": ["READY"]}, [0, 1, 2, 3, 4, 1]),
        ({"leadStates": ["PAUSED"]}, []),
        ({"loadedDtsStart": "2026-01-01T00:00:00.001+0000"}, [3, 4, 1]),
        ({"loadedDtsStart": "2026-01-01T00:01:00Z"}, [3, 4, 1]),
        ({"loadedDtsEnd": "2026-01-01T01:00:59.999+01:00"}, [0, 1, 2]),
        ({"campaignIds": [], "externIds": None, "leadStates": []}, [0, 1, 2, 3, 4, 1]),
        ({"suppressed": "ONLY_SUPPRESSED"}, []),
        ({"unheardOf": [1]}, [0, 1, 2, 3, 4, 1]),
    ],
)
def test_criteria_narrow_the_search(full: Client, criteria: dict[str, Any], expected: list[int]) -> None:
    assert ids(full.search(**criteria)) == [f"id-{number}" for number in expected]


def test_list_ids_and_lead_ids_are_criteria(full: Client) -> None:
    second = full.sandbox.leads(WINBACK)
    assert ids(full.search(listIds=[second[0]["listId"]])) == ids(second)
    assert ids(full.search(leadIds=[second[1]["leadId"]])) == ["id-4"]


def test_names_are_criteria(client: Client, clock: FakeClock) -> None:
    client.load([lead(1, firstName="Larry"), lead(2, firstName="Lora")])
    clock.advance(2)
    assert ids(client.search(firstName="Larry")) == ["id-1"]


def test_each_number_of_a_lead_finds_it(client: Client, clock: FakeClock) -> None:
    client.load([lead(1, leadPhone="6500000001|6500000077")])
    clock.advance(2)
    assert ids(client.search(leadPhoneNumbers=["6500000077"])) == ["id-1"]


def test_count_gives_a_number(full: Client) -> None:
    assert full.search("?count=true", campaignIds=[RENEWALS]) == 3


def test_pages_follow_one_another(full: Client) -> None:
    pages = [ids(full.search(f"?page={page}&maxRows=4")) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [4, 2, 0]
    assert [one for page in pages for one in page] == ids(full.sandbox.leads())


def test_a_fresh_lead_is_found_after_a_while(client: Client, clock: FakeClock) -> None:
    client.load(leads(1))
    clock.advance(1.9)
    assert client.search() == []
    assert client.search("?count=true") == 0
    assert len(client.sandbox.leads()) == 1
    clock.advance(0.1)
    assert ids(client.search()) == ["id-0"]


def test_the_delay_can_be_set_to_nothing(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time, config={"search_delay_seconds": 0}) as sandbox, Client(sandbox) as client:
        client.load(leads(1))
        assert ids(client.search()) == ["id-0"]


def test_the_search_can_ignore_extern_ids(clock: FakeClock) -> None:
    config = {"extern_ids_ignored": True, "search_delay_seconds": 0}
    with Sandbox(clock=clock.time, config=config) as sandbox, Client(sandbox) as client:
        client.load(leads(3))
        assert ids(client.search(campaignIds=[RENEWALS], externIds=["id-1"])) == ["id-0", "id-1", "id-2"]


def test_the_search_and_actions_can_ignore_lead_ids(clock: FakeClock) -> None:
    config = {"lead_ids_ignored": True, "search_delay_seconds": 0}
    with Sandbox(clock=clock.time, config=config) as sandbox, Client(sandbox) as client:
        client.load(leads(3))
        one = sandbox.leads()[0]["leadId"]
        assert ids(client.search(campaignIds=[RENEWALS], leadIds=[one])) == ["id-0", "id-1", "id-2"]
        assert client.act("CANCEL_LEADS", campaignIds=[RENEWALS], leadIds=[one])["leadUpdateCount"] == 3


def test_leads_are_found_by_a_file_of_phone_numbers(full: Client) -> None:
    path = f"/{ACCOUNT}/campaignLeads/leadSearchByPhoneList"
    numbers = b"phone\n(not a number)\n6500000001\n+16500000003\n6509999999\n"
    found = full.admin("POST", path, files={"file": ("phones.csv", numbers)}).json()
    assert ids(found) == ["id-1", "id-3", "id-1"]
    page = full.admin("POST", f"{path}?page=2&maxRows=2", files={"file": ("phones.csv", numbers)}).json()
    assert ids(page) == ["id-1"]
    assert full.admin("POST", path, files={"other": ("phones.csv", numbers)}).status_code == 400
    assert [entry["kind"] for entry in full.sandbox.requests()][-3:] == ["phone_search"] * 3


@pytest.mark.parametrize(
    ("path", "member"), [("campaignLeads/leadStates", "PENDING-HCI"), ("campaignLeads/systemDispositions", "APP_DNC")]
)
def test_states_and_dispositions_are_listed(client: Client, path: str, member: str) -> None:
    assert member in client.admin("GET", f"/{ACCOUNT}/{path}").json()
    assert client.admin("GET", f"/1/{path}").status_code == 403


def test_do_not_call_tags_are_listed(client: Client) -> None:
    assert client.admin("GET", f"/{ACCOUNT}/dncTags").json() == [{"dncTagId": 0, "dncTagLabel": "GLOBAL"}]


@pytest.mark.parametrize(
    "criteria",
    [
        [],
        "text",
        {"campaignIds": ["x"]},
        {"campaignIds": [10**30]},
        {"campaignIds": {}},
        {"externIds": "id-1"},
        {"externIds": [1]},
        {"externIds": ["\ud83d"]},
        {"loadedDtsStart": "yesterday"},
        {"loadedDtsStart": 5},
        {"suppressed": "SOME"},
        {"firstName": ["Larry"]},
    ],
)
def test_invalid_criteria_are_400(client: Client, criteria: Any) -> None:
    answer = client.admin("POST", f"/{ACCOUNT}/campaignLeads/leadSearch", json=criteria)
    assert answer.status_code == 400


def test_the_leads_of_one_account_are_not_found_in_another(clock: FakeClock) -> None:
    campaign = {"campaignId": 10, "campaignName": "C"}
    group = {"dialGroupId": 1, "dialGroupName": "G", "campaigns": [campaign]}
    config = {"accounts": [{"accountId": "1", "dialGroups": [group]}, {"accountId": "2"}]}
    with Sandbox(clock=clock.time, config=config) as sandbox, Client(sandbox) as client:
        client.admin("POST", "/1/campaigns/10/leadLoader/direct", json={"uploadLeads": leads(1)})
        clock.advance(2)
        found = [client.admin("POST", f"/{one}/campaignLeads/leadSearch", json={}).json() for one in "12"]
        assert [len(rows) for rows in found] == [1, 0]
        wrong = client.admin("POST", "/2/campaigns/10/leadLoader/direct", json={"uploadLeads": leads(1)})
        assert wrong.status_code == 404
