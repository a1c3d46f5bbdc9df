from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.fault_rules import FaultScript, read_rules
from target_engagevoice.sandbox.fault_table import FAULTS
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import ACCOUNT, RENEWALS, WINBACK, Client, lead, leads

if TYPE_CHECKING:
    from tests.support.fake_clock import FakeClock


def stored(client: Client) -> int:
    return len(client.sandbox.leads())


def script(client: Client, do: str, **rule: Any) -> None:
    client.sandbox.faults([{"on": "load", "do": do, **rule}])


@pytest.mark.parametrize(("do", "kept"), [("drop_before", 0), ("drop_after", 2)])
def test_a_dropped_connection_is_reset(client: Client, do: str, kept: int) -> None:
    script(client, do)
    with pytest.raises(requests.ConnectionError, match=r"reset|aborted"):
        client.load(leads(2))
    assert stored(client) == kept
    (entry,) = client.sandbox.requests("load")
    assert (entry["status"], entry["fault"], entry["leads"]) == (None, do, 2)
    assert client.load(leads(2)).status_code == 200, "once is once"


@pytest.mark.parametrize(("do", "kept"), [("timeout_before", 0), ("timeout_after", 2)])
def test_a_timeout_hangs_and_then_closes_the_connection(client: Client, do: str, kept: int) -> None:
    script(client, do, seconds=0.1)
    began = time.perf_counter()
    with pytest.raises(requests.ConnectionError):
        client.load(leads(2))
    assert time.perf_counter() - began >= 0.1
    assert stored(client) == kept


def test_a_hanging_request_does_not_delay_the_stop(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time) as sandbox, Client(sandbox) as client:
        sandbox.faults([{"on": "accounts", "do": "timeout_before"}])
        with pytest.raises(requests.ReadTimeout):
            client.session.get(f"{sandbox.base_url}/api/v1/admin/accounts", timeout=0.1)
        began = time.perf_counter()
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("status", [400, 413, 422, 429, 500, 502, 503])
def test_any_status_can_be_answered(client: Client, status: int) -> None:
    script(client, "status", status=status, body="rate", content_type="text/plain", retry_after="1")
    answer = client.load(leads(2))
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (status, "rate", "1")
    assert stored(client) == 0
    script(client, "status", status=status, stored=True)
    answer = client.load(leads(2))
    assert answer.status_code == status
    assert "Retry-After" not in answer.headers
    assert stored(client) == 2


def test_a_retry_after_can_be_a_date(client: Client) -> None:
    script(client, "status", status=503, retry_after="Thu, 01 Jan 2026 00:00:05 GMT")
    answer = client.load(leads(1))
    assert answer.headers["Retry-After"] == "Thu, 01 Jan 2026 00:00:05 GMT"
    assert answer.headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT", "the Date goes by the same clock"


def test_a_truncated_answer_ends_before_its_length(client: Client) -> None:
    script(client, "truncate")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.load(leads(2))
    assert stored(client) == 2


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("do", "status", "text"), [("created_empty", 201, ""), ("empty_object", 200, "{}"), ("no_content", 204, "")]
)
def test_an_answer_without_counts_says_nothing_about_what_is_stored(
    client: Client, do: str, status: int, text: str, kept: bool
) -> None:
    script(client, do, stored=kept)
    answer = client.load(leads(2))
    assert (answer.status_code, answer.text) == (status, text)
    assert stored(client) == (2 if kept else 0)


@pytest.mark.parametrize("status", [400, 408, 425])
def test_a_refusal_can_come_after_the_leads_are_stored(client: Client, status: int) -> None:
    script(client, "status", status=status, stored=True)
    assert client.load(leads(2)).status_code == status
    assert stored(client) == 2


def test_an_answer_can_come_byte_by_byte(client: Client) -> None:
    script(client, "trickle", seconds=0.001)
    began = time.perf_counter()
    answer = client.load(leads(2))
    assert answer.json()["leadsInserted"] == 2
    assert time.perf_counter() - began >= 0.001 * len(answer.content)
    script(client, "trickle", seconds=0.01, stored=False)
    assert client.load(leads(2)).json()["processingStatus"] == "GENERAL_FAILURE"
    assert stored(client) == 2


def test_a_trickle_ends_with_the_sandbox(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time) as sandbox, Client(sandbox) as client:
        sandbox.faults([{"on": "accounts", "do": "trickle"}])
        url = f"{sandbox.base_url}/api/v1/admin/accounts"
        with client.session.get(url, timeout=30, stream=True) as answer:
            assert answer.raw.read(1) == b"["
            began = time.perf_counter()
            sandbox.stop()
            assert time.perf_counter() - began < 5


@pytest.mark.parametrize(("do", "sent"), [("giant", 3_000_000), ("gzip_bomb", 20_000)])
def test_an_answer_can_be_very_large(client: Client, do: str, sent: int) -> None:
    script(client, do, megabytes=3)
    url = f"{client.sandbox.base_url}/api/v1/admin/accounts/{ACCOUNT}/campaigns/{RENEWALS}/leadLoader/direct"
    answer = client.session.post(url, json={"uploadLeads": leads(2)}, timeout=30)
    assert len(answer.content) > 3_000_000
    assert answer.json()["leadsInserted"] == 2
    length = int(answer.headers["Content-Length"])
    assert length < sent if do == "gzip_bomb" else length == len(answer.content)
    assert client.load(leads(1)).status_code == 200, "the connection survives"


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 0001 00:00:00 GMT", "yesterday"])
def test_headers_can_be_out_of_range(client: Client, date: str) -> None:
    script(client, "headers", date=date, retry_after="99999999999999")
    answer = client.load(leads(2))
    assert (answer.status_code, answer.headers["Date"]) == (200, date)
    assert answer.headers["Retry-After"] == "99999999999999"
    assert stored(client) == 2
    script(client, "headers")
    assert client.load(leads(1)).headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.mark.parametrize("kept", [True, False])
def test_garbage_is_json_cut_in_the_middle(client: Client, kept: bool) -> None:
    script(client, "garbage", stored=kept)
    answer = client.load(leads(2))
    assert answer.status_code == 200
    assert answer.text.startswith("{")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert stored(client) == (2 if kept else 0)


@pytest.mark.parametrize("kept", [True, False])
def test_html_looks_like_the_web_application(client: Client, kept: bool) -> None:
    script(client, "html", stored=kept)
    answer = client.load(leads(2))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert stored(client) == (2 if kept else 0)


def test_a_token_can_be_expired(client: Client) -> None:
    client.sandbox.faults([{"on": "any", "do": "expire_token"}])
    for _ in range(2):
        answer = client.load(leads(2))
        assert (answer.status_code, answer.text) == (401, "Jwt is expired")
    assert stored(client) == 0
    client.session.headers["X-Auth-Token"] = "another"
    assert client.load(leads(2)).status_code == 200


def test_a_general_failure_stores_nothing(client: Client) -> None:
    script(client, "general_failure")
    body = client.load(leads(2)).json()
    assert (body["processingStatus"], body["leadsSupplied"]) == ("GENERAL_FAILURE", 0)
    assert stored(client) == 0


def test_a_short_count_comes_without_rejected_rows(client: Client) -> None:
    script(client, "short", drop=2)
    body = client.load(leads(5)).json()
    assert (body["leadsSupplied"], body["leadsAccepted"], body["rejectedRows"]) == (5, 3, [])
    assert stored(client) == 3
    script(client, "short", extern_ids=["id-2"])
    assert client.load(leads(5)).json()["leadsAccepted"] == 4
    assert "id-2" not in {one["externId"] for one in client.sandbox.leads()[3:]}
    script(client, "short")
    assert client.load(leads(5)).json()["leadsAccepted"] == 4


def test_leads_can_be_accepted_and_not_inserted(client: Client) -> None:
    script(client, "not_inserted", not_inserted=2)
    body = client.load(leads(5)).json()
    assert (body["leadsAccepted"], body["leadsInserted"]) == (5, 3)
    assert stored(client) == 3


@pytest.mark.parametrize(("do", "status", "text"), [("created_empty", 201, ""), ("empty_object", 200, "{}")])
def test_an_answer_can_be_without_counts(client: Client, do: str, status: int, text: str) -> None:
    script(client, do)
    answer = client.load(leads(2))
    assert (answer.status_code, answer.text) == (status, text)
    assert stored(client) == 2


def test_chosen_leads_can_be_rejected(client: Client) -> None:
    script(client, "reject", extern_ids=["id-1"], message="Not this one")
    body = client.load(leads(3)).json()
    assert [row["message"] for row in body["rejectedRows"]] == ["Not this one"]
    assert "id-1" in body["rejectedRows"][0]["rowData"]
    assert (body["leadsAccepted"], stored(client)) == (2, 2)


def test_an_answer_can_be_late(client: Client) -> None:
    script(client, "delay", seconds=0.1)
    began = time.perf_counter()
    assert client.load(leads(2)).status_code == 200
    assert time.perf_counter() - began >= 0.1
    assert stored(client) == 2


def test_an_action_can_ignore_which_leads_it_names(client: Client) -> None:
    client.load(leads(3))
    client.load(leads(1, 5), WINBACK)
    client.sandbox.faults([{"on": "action", "do": "widen"}])
    lead_id = client.sandbox.leads()[0]["leadId"]
    done = client.act("CANCEL_LEADS", campaignIds=[RENEWALS], leadIds=[lead_id])
    assert (done["success"], done["leadUpdateCount"]) == (True, 3)
    assert [one["leadState"] for one in client.sandbox.leads()] == ["CANCELLED"] * 3 + ["READY"]


def test_an_action_can_fail(client: Client) -> None:
    client.load(leads(1))
    client.sandbox.faults([{"on": "action", "do": "action_failed", "message": "Not now"}])
    done = client.act("DELETE_LEADS", campaignIds=[RENEWALS])
    assert (done["success"], done["errorMessage"], done["leadDeleteCount"]) == (False, "Not now", 0)
    assert stored(client) == 1


def test_a_rule_can_apply_to_all_requests_for_a_lead(client: Client) -> None:
    client.load(leads(2))
    first, second = (one["leadId"] for one in client.sandbox.leads())
    rule = {"on": "any", "do": "status", "status": 422, "extern_ids": ["id-1"], "times": None}

    def patched(lead_id: int) -> int:
        path = f"/{ACCOUNT}/campaignLeads/{lead_id}?campaignId={RENEWALS}"
        return client.admin("PATCH", path, json={"city": "Oslo"}).status_code

    def acted(**criteria: Any) -> int:
        path = f"/{ACCOUNT}/campaignLeads/actions?leadAction=PAUSE_LEADS"
        return client.admin("PUT", path, json={"campaignLeadSearchCriteria": criteria}).status_code

    def listed(extern_id: str) -> int:
        entry = {"phone": "6500000001", "externId": extern_id}
        return client.admin("POST", f"/{ACCOUNT}/dncLists", json=entry).status_code

    client.sandbox.faults([rule])
    assert [patched(first), patched(second)] == [200, 422]
    assert [acted(leadIds=[first]), acted(leadIds=[first, second]), acted(externIds=["id-1"])] == [200, 422, 422]
    assert [listed("id-0"), listed("id-1")] == [200, 422]


@pytest.mark.parametrize("kind", ["patch", "action", "dnc"])
@pytest.mark.parametrize("do", ["drop_after", "truncate", "garbage", "html"])
def test_a_change_can_be_made_and_its_answer_lost(client: Client, kind: str, do: str) -> None:
    client.load(leads(1))
    (row,) = client.sandbox.leads()
    client.sandbox.faults([{"on": kind, "do": do} | ({"stored": True} if do == "html" else {})])
    asked: dict[str, tuple[str, str, Any]] = {
        "patch": ("PATCH", f"campaignLeads/{row['leadId']}?campaignId={RENEWALS}", {"city": "Oslo"}),
        "action": (
            "PUT",
            "campaignLeads/actions?leadAction=PAUSE_LEADS",
            {"campaignLeadSearchCriteria": {"leadIds": [row["leadId"]]}},
        ),
        "dnc": ("POST", "dncLists", {"phone": "6500000001"}),
    }
    method, path, body = asked[kind]
    try:
        answer = client.admin(method, f"/{ACCOUNT}/{path}", json=body)
        assert do in ("garbage", "html")
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()
    except requests.RequestException:
        assert do in ("drop_after", "truncate")
    (row,) = client.sandbox.leads()
    assert (row["fields"].get("city"), row["leadState"], len(client.sandbox.dnc())) == {
        "patch": ("Oslo", "READY", 0),
        "action": (None, "PAUSED", 0),
        "dnc": (None, "READY", 1),
    }[kind]


def test_the_journal_shows_how_many_leads_an_action_names(client: Client) -> None:
    client.load(leads(2))
    client.act("PAUSE_LEADS", campaignIds=[RENEWALS], leadIds=[one["leadId"] for one in client.sandbox.leads()])
    client.act("PAUSE_LEADS", campaignIds=[RENEWALS])
    assert [(one["leads"], one["campaign_id"]) for one in client.sandbox.requests("action")] == [
        (2, RENEWALS),
        (0, RENEWALS),
    ]


def test_a_rule_can_apply_to_all_loads_with_a_lead(client: Client) -> None:
    script(client, "status", status=400, extern_ids=["id-3"], times=None)
    upload = leads(8)
    assert client.load(upload).status_code == 400
    assert client.load(upload[:4]).status_code == 400
    assert client.load(upload[4:]).status_code == 200
    assert client.load(upload[3:4]).status_code == 400
    assert client.load(upload[:3]).status_code == 200


def test_a_rule_can_be_for_one_campaign(client: Client) -> None:
    script(client, "status", status=500, campaign_id=WINBACK)
    assert client.load(leads(1), RENEWALS).status_code == 200
    assert client.load(leads(1), WINBACK).status_code == 500


def test_a_search_of_one_campaign_belongs_to_it(client: Client) -> None:
    client.sandbox.faults([{"on": "search", "do": "status", "status": 500, "campaign_id": RENEWALS, "times": None}])
    path = f"/{ACCOUNT}/campaignLeads/leadSearch"
    assert client.admin("POST", path, json={"campaignIds": [WINBACK]}).status_code == 200
    assert client.admin("POST", path, json={"campaignIds": [RENEWALS]}).status_code == 500


def test_a_rule_can_apply_to_every_kind_of_request(client: Client) -> None:
    client.sandbox.faults([{"on": "any", "do": "status", "status": 503, "times": None}])
    kinds = {
        "accounts": client.admin("GET", ""),
        "dial_groups": client.admin("GET", f"/{ACCOUNT}/dialGroups"),
        "campaigns": client.admin("GET", f"/{ACCOUNT}/dialGroups/501/campaigns"),
        "lists": client.admin("GET", f"/{ACCOUNT}/dialGroups/501/campaigns/1001/lists"),
        "load": client.load(leads(1)),
        "search": client.admin("POST", f"/{ACCOUNT}/campaignLeads/leadSearch", json={}),
        "action": client.admin("PUT", f"/{ACCOUNT}/campaignLeads/actions", json={}),
        "patch": client.admin("PATCH", f"/{ACCOUNT}/campaignLeads/1", json={}),
        "dnc": client.admin("GET", f"/{ACCOUNT}/dncLists"),
        "oauth": client.post("/restapi/oauth/token"),
        "exchange": client.post("/api/auth/login/rc/accesstoken"),
        "refresh": client.post("/api/auth/token/refresh"),
        "login_admin": client.post("/api/auth/login/admin"),
        "login_legacy": client.post("/api/v1/auth/login"),
    }
    assert {kind: answer.status_code for kind, answer in kinds.items()} == dict.fromkeys(kinds, 503)
    assert [entry["kind"] for entry in client.sandbox.requests()] == list(kinds)


def test_refused_requests_are_not_counted_by_the_script(client: Client) -> None:
    script(client, "status", status=500)
    client.session.headers["X-Auth-Token"] = "wrong"
    assert client.load(leads(1)).status_code == 401
    client.session.headers["X-Auth-Token"] = "right"
    assert client.load(leads(1)).status_code == 500


def applied_rules(rules: list[dict[str, Any]], requests_made: int = 12) -> str:
    faults = FaultScript(read_rules(rules, "faults"))
    picked = [faults.pick("load", "1001", frozenset) for _ in range(requests_made)]
    return "".join("." if rule is None else str(rule.options["status"])[0] for rule in picked)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{}], "5..........."),
        ([{"after": 3}], "...5........"),
        ([{"times": 3}], "555........."),
        ([{"times": None}], "555555555555"),
        ([{"every": 3, "times": None}], "..5..5..5..5"),
        ([{"every": 4, "after": 2, "times": 2}], ".....5...5.."),
        ([{}, {"after": 1, "status": 400}], "54.........."),
        ([{"times": 2}, {"times": 4, "status": 400}], "554444......"),
        ([{"probability": 0.0, "times": None}], "............"),
        ([{"probability": 1.0, "times": None}], "555555555555"),
        ([{"on": "search"}], "............"),
        ([{"campaign_id": 7}], "............"),
        ([{"extern_ids": ["a"]}], "............"),
    ],
)
def test_rules_choose_their_requests(rules: list[dict[str, Any]], expected: str) -> None:
    assert applied_rules([{"on": "load", "do": "status", "status": 500, **rule} for rule in rules]) == expected


def test_chance_is_the_same_for_the_same_seed() -> None:
    rule = {"on": "load", "do": "status", "status": 500, "times": None, "probability": 0.5}
    first = applied_rules([{**rule, "seed": 1}], 100)
    assert first == applied_rules([{**rule, "seed": 1}], 100)
    assert first != applied_rules([{**rule, "seed": 2}], 100)
    assert 30 < first.count("5") < 70


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("drop", "must be an object"),
        ({"on": "load"}, r"do must be one of drop_before"),
        ({"do": "drop_before"}, "lacks 'on'"),
        ({"on": "everything", "do": "drop_before"}, "must be one of load"),
        ({"on": "load", "do": "drop_before", "time": 1}, "did you mean 'times'"),
        ({"on": "load", "do": "drop_before", "times": 0}, "whole number of at least 1"),
        ({"on": "load", "do": "status"}, "lacks 'status'"),
        ({"on": "load", "do": "status", "status": 99}, "from 200 to 599"),
        ({"on": "load", "do": "reject"}, "add extern_ids"),
        ({"on": "load", "do": "delay", "seconds": "soon"}, "must be a number"),
        ({"on": "load", "do": "drop_before", "probability": 2}, "from 0 to 1"),
    ],
)
def test_an_invalid_rule_says_what_to_type(sandbox: Sandbox, rule: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sandbox.faults([rule])


def test_a_script_can_be_set_from_another_process(client: Client) -> None:
    url = f"{client.sandbox.origin}/sandbox"
    answer = client.session.post(f"{url}/faults", json=[{"on": "load", "do": "drop_after"}], timeout=30)
    assert answer.json() == {"rules": 1}
    with pytest.raises(requests.ConnectionError):
        client.load([lead(1, firstName="Ann")])
    (entry,) = client.session.get(f"{url}/requests?kind=load", timeout=30).json()
    assert entry["fault"] == "drop_after"
    (row,) = client.session.get(f"{url}/leads?campaignId={RENEWALS}", timeout=30).json()
    assert row["fields"]["firstName"] == "Ann"
    assert client.session.get(f"{url}/leads?campaignId={WINBACK}", timeout=30).json() == []
    assert len(client.session.get(f"{url}/lists", timeout=30).json()) == 1
    assert client.session.get(f"{url}/dnc", timeout=30).json() == []
    for body in (b"[", b'[{"on": "load"}]', b"{}"):
        assert client.session.post(f"{url}/faults", data=body, timeout=30).status_code == 400


def test_the_config_can_hold_a_script(clock: FakeClock) -> None:
    config = {"faults": [{"on": "load", "do": "general_failure"}]}
    with Sandbox(clock=clock.time, config=config) as sandbox, Client(sandbox) as client:
        assert client.load(leads(1)).json()["processingStatus"] == "GENERAL_FAILURE"
        assert client.load(leads(1)).json()["leadsInserted"] == 1


def test_every_fault_of_the_table_is_tested_here() -> None:
    text = Path(__file__).read_text()
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
