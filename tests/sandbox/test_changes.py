from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import ACCOUNT, CALLBACKS, RENEWALS, WINBACK, Client, lead, leads

if TYPE_CHECKING:
    import requests

    from tests.support.fake_clock import FakeClock


def states(client: Client) -> list[str]:
    return [one["leadState"] for one in client.sandbox.leads()]


def change(client: Client, method: str, lead_id: Any, campaign: Any = RENEWALS, **fields: Any) -> requests.Response:
    path = f"/{ACCOUNT}/campaignLeads/{lead_id}?campaignId={campaign}"
    return client.admin(method, path, json=fields)


@pytest.mark.parametrize(
    ("action", "state"),
    [("CANCEL_LEADS", "CANCELLED"), ("PAUSE_LEADS", "PAUSED"), ("RESET_LEADS", "READY"), ("READY_LEADS", "READY")],
)
def test_an_action_changes_the_state_of_the_leads_that_fit(client: Client, action: str, state: str) -> None:
    client.load(leads(2))
    done = client.act(action, campaignIds=[RENEWALS], externIds=["id-1"])
    assert done["success"] is True
    assert (done["leadUpdateCount"], done["leadDeleteCount"], done["errorMessage"]) == (1, 0, None)
    assert states(client) == ["READY", state]


def test_a_fresh_lead_can_be_acted_on_before_it_is_found(client: Client) -> None:
    client.load(leads(1))
    assert client.search() == []
    assert client.act("PAUSE_LEADS", campaignIds=[RENEWALS])["leadUpdateCount"] == 1


def test_deleted_leads_are_gone_and_their_phones_free(client: Client) -> None:
    client.load(leads(2), duplicateHandling="REMOVE_ALL_EXISTING")
    assert client.act("DELETE_LEADS", externIds=["id-0"])["leadDeleteCount"] == 1
    assert [one["externId"] for one in client.sandbox.leads()] == ["id-1"]
    body = client.load(leads(2), duplicateHandling="REMOVE_ALL_EXISTING").json()
    assert body["leadsInserted"] == 1


def test_suppressed_leads_keep_their_state(client: Client, clock: FakeClock) -> None:
    client.load(leads(2))
    clock.advance(2)
    assert client.act("SUPPRESS_LEADS", externIds=["id-0"])["leadUpdateCount"] == 1
    assert states(client) == ["READY", "READY"]
    assert [one["externId"] for one in client.search(suppressed="ONLY_SUPPRESSED")] == ["id-0"]
    client.act("UNSUPPRESS_LEADS", externIds=["id-0"])
    assert client.search(suppressed="ONLY_SUPPRESSED") == []


def test_leads_move_to_another_campaign(client: Client) -> None:
    client.load(leads(2))
    assert client.act("MOVE_TO_CAMPAIGN", {"campaignId": WINBACK}, externIds=["id-1"])["leadUpdateCount"] == 1
    assert [one["externId"] for one in client.sandbox.leads(WINBACK)] == ["id-1"]


@pytest.mark.parametrize("parameters", [None, {}, {"campaignId": 9}, {"campaignId": "x"}])
def test_a_move_to_an_unknown_campaign_fails(client: Client, parameters: dict[str, Any] | None) -> None:
    client.load(leads(1))
    done = client.act("MOVE_TO_CAMPAIGN", parameters, externIds=["id-0"])
    assert done["success"] is False
    assert done["errorMessage"]
    assert len(client.sandbox.leads(RENEWALS)) == 1


def test_an_action_without_criteria_does_not_touch_everything(client: Client) -> None:
    client.load(leads(2))
    assert client.act("DELETE_LEADS", externIds=[])["success"] is False
    assert len(client.sandbox.leads()) == 2


def test_the_dialer_refresh_touches_no_lead(client: Client) -> None:
    done = client.act("DIALER_REFRESH", campaignIds=[RENEWALS])
    assert (done["success"], done["dialerRefreshed"], done["leadUpdateCount"]) == (True, True, 0)


def test_an_unknown_action_is_400(client: Client) -> None:
    for query in ("?leadAction=SING", ""):
        answer = client.admin("PUT", f"/{ACCOUNT}/campaignLeads/actions{query}", json={})
        assert answer.status_code == 400


def test_a_patch_changes_what_it_names(client: Client, clock: FakeClock) -> None:
    client.load([lead(1, firstName="Ann", city="Rome", state="X")])
    (row,) = client.sandbox.leads()
    answer = change(client, "PATCH", row["leadId"], firstName="Bea", city=None, state="", leadPhone="6501111111")
    assert answer.status_code == 200
    (row,) = client.sandbox.leads()
    assert row["fields"] == {"externId": "id-1", "leadPhone": "6501111111", "firstName": "Bea"}
    clock.advance(2)
    assert [one["firstName"] for one in client.search(leadPhoneNumbers=["6501111111"])] == ["Bea"]
    assert client.search(leadPhoneNumbers=[lead(1)["leadPhone"]]) == []


def test_a_put_clears_what_it_does_not_name(client: Client) -> None:
    client.load([lead(1, firstName="Ann", city="Rome")])
    (row,) = client.sandbox.leads()
    assert change(client, "PUT", row["leadId"], city="Oslo").status_code == 200
    assert client.sandbox.leads()[0]["fields"] == {**lead(1), "city": "Oslo"}


def test_a_map_is_replaced_as_a_whole_and_an_empty_one_clears_it(client: Client) -> None:
    client.load([lead(1, extendedLeadData={"a": "1", "b": "2"})])
    (row,) = client.sandbox.leads()
    change(client, "PATCH", row["leadId"], extendedLeadData={"b": "3"})
    assert client.sandbox.leads()[0]["fields"]["extendedLeadData"] == {"b": "3"}
    blanks: tuple[Any, ...] = ({}, None)
    for blank in blanks:
        assert change(client, "PATCH", row["leadId"], extendedLeadData=blank).status_code == 200
        assert client.sandbox.leads()[0]["fields"] == lead(1)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("timezoneOption=ZIPCODE&duplicateHandling=RETAIN_ALL", 200),
        ("timezoneOption=COUNTRY", 400),
        ("duplicateHandling=KEEP", 400),
    ],
)
def test_the_query_of_a_change_is_checked(client: Client, query: str, status: int) -> None:
    client.load([lead(1)])
    lead_id = client.sandbox.leads()[0]["leadId"]
    path = f"/{ACCOUNT}/campaignLeads/{lead_id}?campaignId={RENEWALS}&{query}"
    assert client.admin("PATCH", path, json={"city": "Oslo"}).status_code == status


@pytest.mark.parametrize(
    ("loaded", "changed", "status"),
    [
        ("REMOVE_ALL_EXISTING", "REMOVE_ALL_EXISTING", 400),
        ("REMOVE_ALL_EXISTING", "REMOVE_FROM_LIST", 200),
        ("REMOVE_FROM_LIST", "REMOVE_ALL_EXISTING", 200),
        ("REMOVE_ALL_EXISTING", None, 200),
    ],
)
def test_remove_all_existing_refuses_the_phone_of_another_lead(
    client: Client, loaded: str, changed: str | None, status: int
) -> None:
    client.load(leads(2), duplicateHandling=loaded)
    first, second = client.sandbox.leads()
    query = f"&duplicateHandling={changed}" if changed else ""
    path = f"/{ACCOUNT}/campaignLeads/{second['leadId']}?campaignId={RENEWALS}{query}"
    assert client.admin("PATCH", path, json={"leadPhone": second["leadPhone"]}).status_code == 200, (
        "its own is no other"
    )
    assert client.admin("PATCH", path, json={"leadPhone": first["leadPhone"]}).status_code == status


def test_a_lead_with_an_international_number_may_get_another_one(client: Client) -> None:
    client.load([lead(1, leadPhone="+4930123456")], numberOriginCountry="e164")
    client.load([lead(2)])
    abroad, at_home = (one["leadId"] for one in client.sandbox.leads())
    assert change(client, "PATCH", abroad, leadPhone="+33170189900").status_code == 200
    assert change(client, "PATCH", at_home, leadPhone="+33170189900").status_code == 400


@pytest.mark.parametrize(
    ("personas", "status"), [({"Home": "6501111111"}, 200), ({"Boat": "6501111111"}, 400), ({"Home": "1"}, 400)]
)
def test_the_labels_of_a_change_are_checked_as_those_of_a_load(
    client: Client, personas: dict[str, str], status: int
) -> None:
    client.load([lead(1, personaPhoneConfig={"Mobile": "6501111112"})], CALLBACKS)
    (row,) = client.sandbox.leads()
    assert change(client, "PATCH", row["leadId"], CALLBACKS, personaPhoneConfig=personas).status_code == status


@pytest.mark.parametrize("fields", [{"firstName": 5}, {"leadPhone": "123"}, {"leadId": 1}, {"firstName": "\ud83d"}])
def test_an_invalid_change_is_400(client: Client, fields: dict[str, Any]) -> None:
    client.load([lead(1)])
    lead_id = client.sandbox.leads()[0]["leadId"]
    assert change(client, "PATCH", lead_id, **fields).status_code == 400
    assert client.sandbox.leads()[0]["fields"] == lead(1)


def test_a_change_of_a_lead_that_does_not_exist_is_404(client: Client) -> None:
    client.load([lead(1)])
    lead_id = client.sandbox.leads()[0]["leadId"]
    assert change(client, "PATCH", 1).status_code == 404
    assert change(client, "PATCH", "9" * 40).status_code == 404
    assert change(client, "PATCH", "abc").status_code == 404
    assert change(client, "PATCH", lead_id, CALLBACKS).status_code == 404
    assert change(client, "PATCH", lead_id, "").status_code == 404


def test_a_change_converts_scalars_as_a_load_does(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load([lead(1)])
        (row,) = sandbox.leads()
        fields = {"zip": 94105, "maxPasses": "3", "extendedLeadData": {"a": True}, "city": None}
        assert change(client, "PATCH", row["leadId"], **fields).status_code == 200
        changed = {**lead(1), "zip": "94105", "maxPasses": 3, "extendedLeadData": {"a": "true"}}
        assert sandbox.leads()[0]["fields"] == changed
        assert change(client, "PATCH", row["leadId"], zip=[]).status_code == 400


def test_a_do_not_call_entry_is_answered_as_ringcentral_shows_it(client: Client) -> None:
    entry = {"phone": "6500000001", "countryCode": {"id": "CAN"}, "tag": "GLOBAL", "dncTagId": 0}
    shown = client.admin("POST", f"/{ACCOUNT}/dncLists", json=entry).json()
    assert shown == {
        "phone": "6500000001",
        "tag": "GLOBAL",
        "countryCode": {"id": "CAN", "description": None},
        "addedDate": "2026-01-01T00:00:00.000+0000",
        "addedBy": "Sandbox",
        "reason": None,
        "dncTagId": 0,
        "externId": None,
    }


def test_do_not_call_entries_are_listed_once(client: Client) -> None:
    path = f"/{ACCOUNT}/dncLists"
    for entry in ({"phone": "6500000001"}, {"phone": "+16500000001", "externId": "x", "dncTagId": 5}):
        assert client.admin("POST", path, json=entry).status_code == 200
    (shown,) = client.admin("GET", path).json()
    assert (shown["phone"], shown["externId"], shown["dncTagId"]) == ("6500000001", "x", 5)
    (stored,) = client.sandbox.dnc()
    assert (stored["phone"], stored["externId"], stored["dncTagId"]) == ("6500000001", "x", 5)


@pytest.mark.parametrize(
    "entry",
    [{}, [], {"phone": ""}, {"phone": "abc"}, {"phone": 6500000001}, {"phone": "6500000001", "dncTagId": []}],
)
def test_a_do_not_call_entry_without_a_phone_is_400(client: Client, entry: Any) -> None:
    assert client.admin("POST", f"/{ACCOUNT}/dncLists", json=entry).status_code == 400
    assert client.sandbox.dnc() == []
