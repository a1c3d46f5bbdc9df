"""The endpoints in both their forms: found, remembered, asked again until they answer, and never guessed at."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.api import client as client_module
from target_engagevoice.api.answers import Counted, Denied, NoRoute, NotSent, Refused, Unknown
from target_engagevoice.api.client import SEARCH_WINDOWS, load_body
from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.errors import ConfigError, Interrupted, ServerError
from target_engagevoice.model.account import Account
from target_engagevoice.model.campaign import Campaign
from target_engagevoice.model.list_options import ListOptions
from tests.support.factories import ACCOUNT, Desk, desk, lead
from tests.support.fake_clock import NEW_YEAR_2026

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVELOPE = ListOptions().envelope({"stream": "people", "started": "now"})
FOREVER = None


@pytest.fixture
def api() -> Iterator[Desk]:
    with desk(api_version="auto") as made:
        yield made


def load(api: Desk, *numbers: int) -> Any:
    return api.client.load("1001", ENVELOPE, [lead(number).body for number in numbers or (0,)])


BOTH = "INTERNAL_AND_NATIONAL"


def paths(api: Desk, kind: str | None = None) -> list[str]:
    return [each["path"] for each in api.sandbox.requests(kind)]


def fault(on: str, do: str = "status", **more: Any) -> dict[str, Any]:
    return {"on": on, "do": do} | more


# The account


def account(account_id: str) -> dict[str, Any]:
    return {"accountId": account_id, "accountName": f"Account {account_id}", "dialGroups": []}


def test_the_only_account_is_found(api: Desk) -> None:
    assert api.client.resolve_account("~").account_id == ACCOUNT


def test_an_account_that_is_given_is_taken_without_asking(api: Desk) -> None:
    assert api.client.resolve_account("123") == Account("123")
    assert api.sandbox.requests() == []


def test_several_accounts_are_listed() -> None:
    with desk(config={"accounts": [account("1"), account("2")]}) as api, pytest.raises(ConfigError) as caught:
        api.client.resolve_account("~")
    assert str(caught.value) == (
        "account_id: set it; the accounts this user can see are: 1 (Account 1), 2 (Account 2)."
    )


def test_that_there_is_no_account_is_reported(api: Desk) -> None:
    api.sandbox.faults([fault("accounts", status=200, body="[]")])
    with pytest.raises(ConfigError, match="the accounts this user can see are: none"):
        api.client.resolve_account("~")


MODE_ROWS: list[tuple[dict[str, Any], Account]] = [
    ({"accountId": 5}, Account("5")),
    ({"accountId": "5", "enableIntlOutbound": True}, Account("5", intl_outbound=True)),
    ({"accountId": "5", "enableIntlOutbound": None, "mainAccount": None}, Account("5")),
    ({"accountId": "5", "enableIntlOutbound": "yes", "mainAccount": []}, Account("5")),
    (
        {"accountId": "5", "enableIntlOutbound": False, "mainAccount": {"enablePhoneNumbersI18n": True}},
        Account("5", intl_outbound=False, phone_numbers_i18n=True),
    ),
]


@pytest.mark.parametrize(("row", "expected"), MODE_ROWS)
def test_the_mode_of_an_account_is_read_where_the_server_shows_it(
    api: Desk, row: dict[str, Any], expected: Account
) -> None:
    api.sandbox.faults([fault("accounts", status=200, body=json.dumps([row]), times=2)])
    assert api.client.resolve_account("~") == expected
    api.client.resolve_account("5")
    assert api.client.shown_account() == expected


@pytest.mark.parametrize("answer", [{"status": 404}, {"status": 403}, {"status": 200, "body": "[1]"}])
def test_an_account_that_the_server_does_not_show_has_no_known_mode(api: Desk, answer: dict[str, Any]) -> None:
    api.client.resolve_account("5")
    api.sandbox.faults([fault("accounts", times=FOREVER, **answer)])
    assert api.client.shown_account() == Account("5")


# The do-not-call tags


def test_the_do_not_call_tags_of_the_account_are_listed(api: Desk) -> None:
    api.client.resolve_account("~")
    assert api.client.dnc_tags() == ["GLOBAL"]


@pytest.mark.parametrize("answer", [{"status": 404}, {"status": 403}, {"status": 200, "body": '["GLOBAL"]'}])
def test_a_server_that_does_not_list_its_tags_is_asked_once(api: Desk, answer: dict[str, Any]) -> None:
    api.client.directory()
    api.sandbox.faults([fault("dnc_tags", times=FOREVER, **answer)])
    with pytest.raises(ServerError):
        api.client.dnc_tags()
    assert len(paths(api, "dnc_tags")) == 1


# The campaigns


def test_all_campaigns_of_all_dial_groups_are_listed(api: Desk) -> None:
    campaigns = [replace(each, starts=None, ends=None, schedule=()) for each in api.client.directory().campaigns]
    assert campaigns == [
        Campaign("1001", "Renewals", "501", "Outbound", "PREDICTIVE", 1, "SIMPLE", dnc_scrub=BOTH),
        Campaign("1002", "Winback", "501", "Outbound", "PREDICTIVE", 1, "SIMPLE", dnc_scrub=BOTH),
        Campaign("1003", "Dormant", "501", "Outbound", "PREDICTIVE", 0, "SIMPLE", dnc_scrub=BOTH),
        Campaign("2001", "Callbacks", "502", "Inbound callbacks", "PREVIEW", 1, "STRATEGIC", dnc_scrub=BOTH),
    ]


def test_a_campaign_says_when_it_dials(api: Desk) -> None:
    renewals = api.client.directory().campaigns[0]
    assert (renewals.starts, renewals.ends) == (NEW_YEAR_2026, 4102358400.0)  # 2099-12-31
    assert renewals.schedule == ("08002100",) * 7


def test_a_campaign_may_say_little_of_itself(api: Desk) -> None:
    api.sandbox.faults(
        [
            fault("dial_groups", status=200, body='[{"dialGroupId": 5}]'),
            fault("campaigns", status=200, body='[{"campaignId": 7, "isActive": null, "campaignName": null}]'),
        ]
    )
    assert api.client.directory().campaigns == (Campaign("7", "7", "5", "5"),)


@pytest.mark.parametrize("body", ["{}", "[1]", '[{"name": "x"}]', "null"])
def test_a_list_that_is_none_is_an_error(api: Desk, body: str) -> None:
    api.sandbox.faults([fault("dial_groups", status=200, body=body)])
    with pytest.raises(ServerError, match="not a list of objects with dialGroupId"):
        api.client.directory()


# The labels of the account's phones


def test_the_labels_of_the_accounts_phones_are_listed_without_that_of_the_first(api: Desk) -> None:
    assert api.client.phone_labels() == ["Mobile", "Home", "Work"]


@pytest.mark.parametrize("answer", [{"status": 404}, {"status": 403}, {"status": 200, "body": '["Mobile"]'}])
def test_a_server_that_does_not_list_its_labels_is_asked_once(api: Desk, answer: dict[str, Any]) -> None:
    api.client.directory()
    api.sandbox.faults([fault("personas", times=FOREVER, **answer)])
    with pytest.raises(ServerError):
        api.client.phone_labels()
    assert len(paths(api, "personas")) == 1


def test_labels_are_not_waited_for_as_long_as_for_leads(api: Desk) -> None:
    api.sandbox.faults([fault("personas", status=503, times=FOREVER)])
    with pytest.raises(ServerError, match="persona-phone-config: no answer"):
        api.client.phone_labels()
    assert api.clock.monotonic() - 1000 <= client_module.OPTIONAL_SECONDS


# Both forms of the API


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ("v1", f"/voice/api/v1/admin/accounts/{ACCOUNT}/campaigns/1001/leadLoader/direct"),
        ("legacy", f"/voice/api/admin/accounts/{ACCOUNT}/campaigns/1001/loader/direct"),
    ],
)
def test_each_form_has_its_path(form: str, path: str) -> None:
    with desk(api_version=form) as api:
        assert load(api) == Counted(1, 1, message="Your uploaded lead list people now completed")
        assert paths(api) == [path]


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("form", ["v1", "legacy"])
def test_auto_finds_the_form_that_answers(form: str, html: bool) -> None:
    config = {"api": [form], "html_for_unknown_paths": html}
    with desk(config=config, api_version="auto") as api:
        assert api.client.directory().campaigns
        assert load(api) == Counted(1, 1, message="Your uploaded lead list people now completed")


@pytest.mark.parametrize("html", [False, True])
def test_auto_remembers_the_form_for_the_run(html: bool) -> None:
    with desk(config={"api": ["legacy"], "html_for_unknown_paths": html}, api_version="auto") as api:
        api.client.directory()
        load(api, 0)
        before = len(paths(api))
        api.client.directory()
        load(api, 1)
        assert all(path.startswith("/voice/api/admin/") for path in paths(api)[before:])


def test_auto_prefers_the_current_form(api: Desk) -> None:
    api.client.directory()
    load(api)
    assert all(path.startswith("/voice/api/v1/admin/") for path in paths(api))


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("form", ["v1", "legacy"])
def test_a_form_that_is_set_is_the_only_one_tried(form: str, html: bool) -> None:
    other = {"v1": "legacy", "legacy": "v1"}[form]
    with desk(config={"api": [other], "html_for_unknown_paths": html}, api_version=form) as api:
        with pytest.raises(ServerError, match=r"no admin API answers under .* api_version"):
            api.client.directory()
        assert len(paths(api)) == 1


def test_a_loader_that_is_in_neither_form_is_no_route(api: Desk) -> None:
    api.sandbox.faults([fault("load", status=404, times=FOREVER)])
    assert load(api) == NoRoute("HTTP 404")
    assert len(paths(api, "load")) == 2


def test_a_404_in_the_first_form_leads_to_the_other(api: Desk) -> None:
    api.sandbox.faults([fault("load", status=404)])
    assert load(api) == Counted(1, 1, message="Your uploaded lead list people now completed")
    assert [path.rsplit("/", 2)[-2] for path in paths(api, "load")] == ["leadLoader", "loader"]


def test_a_page_that_comes_after_storing_does_not_lead_to_a_second_load(api: Desk) -> None:
    api.client.directory()
    api.sandbox.faults([fault("load", "html", stored=True)])
    assert isinstance(load(api), Unknown)
    assert api.landed() == ["L0"]


@pytest.mark.parametrize("answer", [400, 422])
def test_a_refusal_shows_that_the_form_is_right(api: Desk, answer: int) -> None:
    api.sandbox.faults([fault("load", status=answer, after=0), fault("load", status=404, times=FOREVER)])
    assert isinstance(load(api), Refused)
    load(api)
    assert {path.rsplit("/", 2)[-2] for path in paths(api, "load")} == {"leadLoader"}


def test_a_page_for_an_admin_call_is_asked_again_once_the_form_has_answered(api: Desk) -> None:
    api.client.directory()
    api.sandbox.faults([fault("search", "html", times=3)])
    load(api)
    api.clock.advance(3)
    assert found(api, "L0") == ["L0"]
    assert len(paths(api, "search")) == 4


# The load


def test_a_load_is_sent_once_whatever_comes_back(api: Desk) -> None:
    api.client.directory()
    api.sandbox.faults([fault("load", status=503, times=FOREVER)])
    load(api)
    assert len(paths(api, "load")) == 1


def test_a_load_that_is_not_answered_keeps_its_fate(api: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.transport, "send", lambda *_, **__: NotSent("Connection refused"))
    assert load(api) == NotSent("Connection refused")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(
    st.dictionaries(st.text(), json_values, min_size=1, max_size=4).map(lambda body: body | {"description": "x"}),
    st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=4),
)
def test_the_body_is_the_envelope_with_the_leads(envelope: dict[str, Any], leads: list[dict[str, str]]) -> None:
    envelope.pop("uploadLeads", None)
    try:
        parts = [json.dumps(each, ensure_ascii=False).encode() for each in leads]
        body = load_body(envelope, parts)
    except UnicodeEncodeError:  # half surrogate pairs: the mapping leaves none
        return
    assert json.loads(body) == envelope | {"uploadLeads": leads}


# The search


def found(api: Desk, *extern_ids: str, since: float = 0.0) -> list[str]:
    return sorted(each.extern_id for each in api.client.search("1001", extern_ids, since))


@pytest.fixture
def loaded(api: Desk) -> Desk:
    load(api, *range(5))
    api.clock.advance(3)
    return api


def test_the_search_finds_what_is_asked_for(loaded: Desk) -> None:
    assert found(loaded, "L1", "L3", "L9") == ["L1", "L3"]


def test_the_search_shows_when_a_lead_was_loaded(loaded: Desk) -> None:
    (held,) = loaded.client.search("1001", ["L1"], 0)
    assert (held.loaded_at, held.campaign_id) == (NEW_YEAR_2026, "1001")


def test_the_search_leaves_out_what_was_loaded_before(loaded: Desk) -> None:
    loaded.clock.advance(10)
    load(loaded, 7)
    loaded.clock.advance(3)
    assert found(loaded, "L1", "L7", since=NEW_YEAR_2026 + 10) == ["L7"]


def test_the_search_of_one_campaign_does_not_see_another(loaded: Desk) -> None:
    assert loaded.client.search("1002", ["L1"], 0) == []


def rows(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    loaded_at = {"loadedDts": "2026-01-01T00:00:00.000+0000"}
    return [{"leadId": n, "externId": f"L{n}", "campaignId": 1001} | loaded_at | more for n in numbers]


def scripted(api: Desk, monkeypatch: pytest.MonkeyPatch, pages: list[Any]) -> list[Any]:
    """The search answers these pages, and empty ones after them; gives the pages asked for."""
    asked: list[Any] = []

    def send(_method: str, _url: str, *, params: Any = None, body: Any = None, on_sent: Any = None) -> HttpAnswer:
        del on_sent
        asked.append((params["page"], json.loads(body)))
        page = pages[params["page"] - 1] if params["page"] <= len(pages) else []
        return HttpAnswer(200, json.dumps(page).encode(), {"content-type": "application/json"})

    monkeypatch.setattr(api.transport, "send", send)
    return asked


def test_all_pages_are_asked_for(api: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scripted(api, monkeypatch, [rows(0, 1), rows(2, 3), rows(4)])
    assert found(api, *(f"L{n}" for n in range(6))) == [f"L{n}" for n in range(5)]
    assert [page for page, _ in asked] == [1, 2, 3, 4]


def test_no_more_pages_are_asked_for_than_needed(api: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scripted(api, monkeypatch, [rows(0, 1), rows(2, 3)])
    assert found(api, "L0", "L1") == ["L0", "L1"]
    assert len(asked) == 1


def test_a_search_ends_when_the_server_ignores_the_page(api: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scripted(api, monkeypatch, [rows(0, 1)] * 50)
    assert found(api, "L0", "L9") == ["L0"]
    assert len(asked) == 2


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 7), st.sets(st.integers(0, 30), min_size=1), st.booleans())
def test_what_is_there_is_found_however_long_the_pages_are(size: int, wanted: set[int], ignored: bool) -> None:
    with desk(config={"extern_ids_ignored": ignored}) as api, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_module, "SEARCH_PAGE_ROWS", size)
        load(api, *range(25))
        api.clock.advance(3)
        expected = sorted(f"L{number}" for number in wanted if number < 25)
        assert found(api, *(f"L{number}" for number in wanted)) == expected


def test_the_search_does_not_trust_the_servers_filter() -> None:
    with desk(config={"extern_ids_ignored": True}) as api:
        load(api, *range(5))
        api.clock.advance(3)
        assert found(api, "L1", "L9") == ["L1"]


def test_rows_of_another_campaign_do_not_count(api: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(api, monkeypatch, [rows(0, campaignId=1002), rows(1, campaignId=None), rows(2)])
    assert found(api, "L0", "L1", "L2") == ["L1", "L2"]


def test_rows_that_are_too_old_do_not_count(api: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(api, monkeypatch, [rows(0), rows(1, loadedDts="2025-12-31T23:59:59.000+0000")])
    assert found(api, "L0", "L1", since=NEW_YEAR_2026) == ["L0"]


@pytest.mark.parametrize("date", [None, "", "yesterday", 17, "2026-01-01T00:00:00"])
def test_a_row_without_a_date_has_none(api: Desk, monkeypatch: pytest.MonkeyPatch, date: Any) -> None:
    scripted(api, monkeypatch, [rows(0, loadedDts=date)])
    (held,) = api.client.search("1001", ["L0"], NEW_YEAR_2026)
    assert held.loaded_at is None


@pytest.mark.parametrize(
    "date",
    [
        "2026-01-01T00:00:00.000+0000",
        "2026-01-01T00:00:00+0000",
        "2026-01-01T00:00:00.000Z",
        "2025-12-31T19:00:00.000-0500",
        "2026-01-01T01:00:00.000+01:00",
    ],
)
def test_a_date_of_any_zone_is_read(api: Desk, monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    scripted(api, monkeypatch, [rows(0, loadedDts=date)])
    (held,) = api.client.search("1001", ["L0"], 0)
    assert held.loaded_at == NEW_YEAR_2026


@given(st.floats(0, 4e9))
def test_the_bound_asked_for_is_never_later_than_the_one_meant(since: float) -> None:
    with desk() as api, pytest.MonkeyPatch.context() as patch:
        asked = scripted(api, patch, [])
        api.client.search("1001", ["L0"], since)
    start = datetime.strptime(asked[0][1]["loadedDtsStart"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    assert start <= since


def test_the_search_keeps_the_pace_it_is_allowed(loaded: Desk) -> None:
    for _ in range(40):
        found(loaded, "L9")
    asked = loaded.sandbox.requests("search")
    assert {each["status"] for each in asked} == {200}
    for window in SEARCH_WINDOWS:
        starts = [each["at"] for each in asked]
        late = zip(starts, starts[window.requests :], strict=False)
        assert all(later - earlier >= window.seconds for earlier, later in late)


# Asked again until it answers


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_call_that_changes_nothing_is_asked_again(api: Desk, status: int) -> None:
    api.sandbox.faults([fault("dial_groups", status=status, times=3)])
    assert len(api.client.directory().campaigns) == 4


@pytest.mark.parametrize("do", ["drop_before", "drop_after", "truncate", "garbage"])
def test_a_call_that_breaks_is_asked_again(api: Desk, do: str) -> None:
    api.sandbox.faults([fault("dial_groups", do, times=2)])
    assert len(api.client.directory().campaigns) == 4


def test_an_answer_nested_without_end_is_asked_for_again(api: Desk) -> None:
    api.sandbox.faults([fault("dial_groups", status=200, body="[" * 100_000)])
    assert len(api.client.directory().campaigns) == 4


def test_a_call_waits_as_long_as_the_server_asks(api: Desk) -> None:
    api.sandbox.faults([fault("accounts", status=429, retry_after="25")])
    api.client.resolve_account("~")
    first, second = (each["at"] for each in api.sandbox.requests("accounts"))
    assert second - first >= 25


@pytest.mark.parametrize("kind", ["accounts", "dial_groups", "search"])
def test_a_call_that_is_never_answered_fails_in_time(kind: str) -> None:
    calls: dict[str, Any] = {
        "accounts": lambda api: api.client.resolve_account("~"),
        "dial_groups": lambda api: api.client.directory(),
        "search": lambda api: api.client.search("1001", ["L0"], 0),
    }
    with desk(retry_max_seconds=90) as api:
        api.sandbox.faults([fault(kind, status=503, times=FOREVER)])
        with pytest.raises(ServerError, match=r"no answer within retry_max_seconds; the last was: HTTP 503"):
            calls[kind](api)
        assert api.clock.monotonic() - 1000 <= 90


def test_a_stop_ends_the_waiting(api: Desk) -> None:
    api.sandbox.faults([fault("accounts", status=429, retry_after="25")])
    sleep = api.clock.sleep

    def stop_after_a_while(seconds: float) -> None:
        sleep(seconds)
        api.halt.set(Interrupted("stopped"))

    api.clock.sleep = stop_after_a_while  # type: ignore[method-assign]  # the clock stops the run while it sleeps
    with pytest.raises(Interrupted):
        api.client.resolve_account("~")
    assert api.clock.monotonic() - 1000 < 1


# Refused


@pytest.mark.parametrize(
    ("status", "advice"),
    [(403, r"HTTP 403 a\.b\. Check the user's permissions and account_id"), (401, r"HTTP 401.*\. Check the token\.")],
)
def test_a_refusal_says_what_to_check(api: Desk, status: int, advice: str) -> None:
    api.sandbox.faults([fault("dial_groups", status=status, body='{"errorCode": "a.b"}', times=FOREVER)])
    with pytest.raises(ServerError, match=f"the server refuses dialGroups: {advice}"):
        api.client.directory()


@pytest.mark.parametrize("status", [302, 400, 409, 422])
def test_an_error_that_no_repetition_will_change_is_not_asked_again(api: Desk, status: int) -> None:
    api.sandbox.faults([fault("dial_groups", status=status, body="Ann 6505550100")])
    with pytest.raises(ServerError) as caught:
        api.client.directory()
    assert (len(paths(api, "dial_groups")), "Ann" in str(caught.value)) == (1, False)


def test_a_certificate_that_is_not_trusted_ends_it_at_once(api: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.transport, "send", lambda *_, **__: Denied("the server's TLS certificate is not trusted"))
    with pytest.raises(ServerError, match=r"cannot be reached: the server's TLS certificate is not trusted"):
        api.client.directory()
