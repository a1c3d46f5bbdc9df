"""The sandbox's page over HTTP: who gets it, what it holds, and that the API does not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.markup import Markup
from tests.support.sandbox_client import ACCOUNT, CALLBACKS, RENEWALS, WINBACK, Client, lead, leads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fake_clock import FakeClock

PAGES = ("/", "/page/loads", "/page/leads", "/page/lists/30001", "/page/leads/7000001", "/page/dnc", "/page/requests")
ASSETS = ("/page/style.css", "/page/live.js", "/page/icon.svg", "/favicon.ico")


def fetch(sandbox: Sandbox, path: str, host: str | None = None) -> requests.Response:
    headers = {"Host": host} if host else {}
    return requests.get(f"{sandbox.origin}{path}", headers=headers, timeout=30, allow_redirects=False)


def read(sandbox: Sandbox, path: str) -> Markup:
    answer = fetch(sandbox, path)
    assert answer.status_code == 200, answer.text
    return Markup(answer.text)


@pytest.fixture
def loaded(client: Client) -> Sandbox:
    """120 leads in two campaigns; of the first load one is a duplicate, one not to be called, one rejected."""
    client.admin("POST", f"/{ACCOUNT}/dncLists", json={"phone": "6500000001"})
    upload = [*leads(101), lead(2), {"externId": "no phone"}]
    client.load(upload, description="Spring", duplicateHandling="REMOVE_FROM_LIST")
    client.load(leads(20, start=500), campaign=WINBACK, description="Summer")
    return client.sandbox


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "10.0.0.1:80"])
def test_the_page_refuses_foreign_host_headers(loaded: Sandbox, host: str) -> None:
    answers = [fetch(loaded, path, host) for path in (*PAGES, *ASSETS, "/page/nowhere", "/voice")]
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.headers["Content-Type"] for answer in answers} == {"text/plain; charset=utf-8"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080"])
def test_the_page_accepts_all_loopback_names(sandbox: Sandbox, host: str) -> None:
    assert fetch(sandbox, "/", host).status_code == 200


@pytest.mark.parametrize("host", ["ringcx.example", "127.0.0.1.evil.example"])
def test_the_api_refuses_foreign_host_headers(client: Client, host: str) -> None:
    client.load(leads(1))
    before = client.sandbox.requests()
    headers = {"Host": host}
    answers = [
        client.admin("GET", "", headers=headers),
        client.admin("POST", f"/{ACCOUNT}/campaignLeads/leadSearch", json={}, headers=headers),
        client.admin("POST", f"/{ACCOUNT}/campaigns/{RENEWALS}/leadLoader/direct", json={}, headers=headers),
        client.session.get(f"{client.sandbox.origin}/sandbox/leads", headers=headers, timeout=30),
        client.session.post(f"{client.sandbox.origin}/sandbox/faults", json=[], headers=headers, timeout=30),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert all("id-0" not in answer.text for answer in answers)
    assert client.sandbox.requests() == before


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "[::1]", "127.0.0.1:1"])
def test_the_api_accepts_all_loopback_names(client: Client, host: str) -> None:
    assert client.admin("GET", "", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, *ASSETS, "/page/nowhere"])
def test_the_headers_restrict_what_a_page_may_do(loaded: Sandbox, path: str) -> None:
    headers = fetch(loaded, path).headers
    policy = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in policy} == {"'none'", "'self'"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert [name for name in headers if name.startswith("Access-Control")] == []


def test_page_requests_are_not_in_the_journal(loaded: Sandbox) -> None:
    before = loaded.requests()
    for path in (*PAGES, *ASSETS, "/page/nowhere", "/page/lists/1", "/voice"):
        fetch(loaded, path)
    assert loaded.requests() == before


def test_the_page_does_not_wait_for_loads_nor_delay_them(loaded: Sandbox) -> None:
    with loaded._store.transaction() as db:
        db.execute("DELETE FROM leads")
        answers = [fetch(loaded, path).status_code for path in PAGES]
        db.execute("INSERT INTO hits (subject, at) VALUES ('a', 1)")
    assert answers == [200] * len(PAGES)


def test_the_page_is_served_when_unknown_paths_answer_html(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time, config={"html_for_unknown_paths": True}) as sandbox:
        assert "Loaded leads" in read(sandbox, "/").headings
        assert fetch(sandbox, "/page/nowhere").status_code == 404


def test_the_base_url_redirects_to_the_page(sandbox: Sandbox) -> None:
    assert fetch(sandbox, "/voice").headers["Location"] == "/"


@pytest.mark.parametrize("number", ["1", "abc", "9" * 30, "-1", "٣"])
@pytest.mark.parametrize("kind", ["lists", "leads"])
def test_a_missing_list_or_lead_is_a_404_with_a_text(sandbox: Sandbox, kind: str, number: str) -> None:
    answer = fetch(sandbox, f"/page/{kind}/{number}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert f"There is no {kind[:-1]} {number}" in Markup(answer.text).headings


def test_an_empty_sandbox_says_how_to_start_a_run(sandbox: Sandbox) -> None:
    assert f"base_url: {sandbox.base_url}" in fetch(sandbox, "/").text
    for path in ("/page/loads", "/page/leads", "/page/dnc", "/page/requests"):
        assert read(sandbox, path).tables == {}


def test_the_overview_shows_the_counts_of_each_campaign(loaded: Sandbox) -> None:
    tables = read(loaded, "/").tables
    assert tables["Dial group Outbound (501, PREDICTIVE)"] == [
        ["Renewals", "1001", "SIMPLE, active", "1", "103", "100", "1", "1", "1", "100"],
        ["Winback", "1002", "SIMPLE, active", "1", "20", "20", "0", "0", "0", "20"],
        ["Dormant", "1003", "SIMPLE, inactive", "0", "0", "0", "0", "0", "0", "0"],
    ]
    assert tables["Dial group Inbound callbacks (502, PREVIEW)"] == [
        ["Callbacks", "2001", "STRATEGIC, active", *["0"] * 7]
    ]
    assert [row[0] for row in tables["The newest loads"]] == ["Summer", "Spring"]


def test_the_overview_shows_campaigns_of_another_configuration(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load(leads(2))
    other = {"accounts": [{"accountId": "7", "accountName": "Other", "dialGroups": []}]}
    with Sandbox(store=store, clock=clock.time, config=other) as sandbox:
        (row,) = read(sandbox, "/").tables["Campaigns of another configuration"]
        assert row[:4] == ["campaign 1001", "1001", "not served here", "1"]
        assert read(sandbox, "/page/loads").rows[0][1] == "campaign 1001"


def test_the_loads_page_can_show_one_campaign(loaded: Sandbox) -> None:
    assert len(read(loaded, "/page/loads").rows) == 2
    (row,) = read(loaded, f"/page/loads?campaign={RENEWALS}").rows
    assert (row[0], row[1], row[3:8]) == ("Spring", "Renewals", ["103", "100", "1", "1", "1"])
    assert read(loaded, f"/page/loads?campaign={CALLBACKS}").tables == {}
    assert fetch(loaded, "/page/loads?campaign=x").status_code == 404


def test_a_load_without_a_list_says_so(client: Client) -> None:
    client.load([{"externId": "no phone"}])
    assert read(client.sandbox, "/page/loads").rows[0][0] == "no list: no lead was accepted"


def test_a_list_shows_its_leads_fifty_at_a_time(loaded: Sandbox) -> None:
    pages = [read(loaded, f"/page/lists/30001?page={page}") for page in (1, 2)]
    shown = [row[0] for page in pages for row in page.rows]
    assert [len(page.rows) for page in pages] == [50, 50]
    assert shown == [one["externId"] for one in loaded.leads(RENEWALS)]
    assert pages[0].links["Next"] == "/page/lists/30001?page=2"
    assert "Next" not in pages[1].links


@pytest.mark.parametrize("page", ["0", "-1", "x", "3", "9" * 40, ""])
def test_a_page_number_out_of_range_shows_the_nearest_page(loaded: Sandbox, page: str) -> None:
    assert len(read(loaded, f"/page/lists/30001?page={page}").rows) == 50


def test_a_lead_shows_its_state_and_every_field(client: Client) -> None:
    fields: dict[str, Any] = {"firstName": "Ada", "lastName": "Lovelace", "extendedLeadData": {"rating": "hot"}}
    client.load([lead(1, **fields), lead(1)])
    client.act("PAUSE_LEADS", leadIds=[client.sandbox.leads()[0]["leadId"]])
    client.act("SUPPRESS_LEADS", leadIds=[client.sandbox.leads()[0]["leadId"]])
    page = read(client.sandbox, "/page/leads/7000001")
    assert page.headings[0] == "Ada Lovelace"
    assert dict(page.tables["What the lead holds"]) == {
        "externId": "id-1",
        "leadPhone": "6500000001",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "extendedLeadData": '{\n  "rating": "hot"\n}',
    }
    assert [row[0] for row in page.tables["Other leads with this externId"]] == ["7000002"]
    assert [row[3] for row in read(client.sandbox, "/page/leads").rows] == ["PAUSED suppressed", "READY"]


def test_a_lead_shows_whether_its_phone_is_on_the_do_not_call_list(client: Client) -> None:
    client.load(leads(1))
    assert "<dt>On the do-not-call list</dt><dd>no</dd>" in fetch(client.sandbox, "/page/leads/7000001").text
    client.admin("POST", f"/{ACCOUNT}/dncLists", json={"phone": leads(1)[0]["leadPhone"]})
    assert "<dt>On the do-not-call list</dt><dd>yes</dd>" in fetch(client.sandbox, "/page/leads/7000001").text


def test_the_do_not_call_list_is_shown_and_searched_by_phone(client: Client) -> None:
    for phone, extern_id in (("6505550100", "a"), ("6505550111", "b")):
        client.admin("POST", f"/{ACCOUNT}/dncLists", json={"phone": phone, "externId": extern_id, "dncTagId": 3})
    assert [row[:5] for row in read(client.sandbox, "/page/dnc").rows] == [
        ["6505550111", "b", "3", "USA", ACCOUNT],
        ["6505550100", "a", "3", "USA", ACCOUNT],
    ]
    assert [row[1] for row in read(client.sandbox, "/page/dnc?q=%2B1 (650) 555-0100").rows] == ["a"]


def test_requests_are_shown_the_newest_first_with_what_was_sent_and_answered(client: Client) -> None:
    answer = client.load(leads(3))
    sent = len(answer.request.body or b"")
    fetch(client.sandbox, "/nowhere")
    client.sandbox.faults([{"on": "load", "do": "drop_before"}])
    with pytest.raises(requests.ConnectionError):
        client.load(leads(1))
    reset, unknown, load = read(client.sandbox, "/page/requests").rows
    path = f"/voice/api/v1/admin/accounts/{ACCOUNT}/campaigns/{RENEWALS}/leadLoader/direct"
    assert load[1:] == ["POST", path, "200", "3", f"{sent} B", f"{len(answer.content)} B", ""]
    assert unknown[1:5] == ["GET", "/nowhere", "404", ""]
    assert (reset[3], reset[6:]) == ("no answer", ["\u2013", "drop_before"])


def test_the_requests_page_can_show_one_kind(loaded: Sandbox) -> None:
    assert len(read(loaded, "/page/requests").rows) == 3
    assert len(read(loaded, "/page/requests?kind=load").rows) == 2


@pytest.mark.parametrize("path", ["/", "/page/requests"])
def test_the_overview_and_the_requests_reload_with_and_without_scripts(loaded: Sandbox, path: str) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="5"></noscript>'
    follows, still = fetch(loaded, path).text, fetch(loaded, f"{path}?live=off").text
    assert refresh in follows
    assert '<script src="/page/live.js" defer></script>' in follows
    assert refresh not in still
    assert "<script" not in still


@pytest.mark.parametrize("path", PAGES[1:-1])
def test_the_other_pages_do_not_reload(loaded: Sandbox, path: str) -> None:
    assert "<script" not in fetch(loaded, path).text


def test_the_page_loads_nothing_from_other_hosts(loaded: Sandbox) -> None:
    for path in (*PAGES, *ASSETS):
        text = fetch(loaded, path).text.replace(loaded.origin, "").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path
