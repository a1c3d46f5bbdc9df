"""Leads that are loaded: found, changed, acted on, listed; asked again until answered, and never more of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.api import client as client_module
from target_engagevoice.api import lead_search as search_module
from target_engagevoice.api.answers import NotSent, Refused
from target_engagevoice.api.lead_client import (
    ACTION_WINDOWS,
    CHANGE_WINDOWS,
    LIST_WINDOWS,
    Changed,
    FoundLead,
    Gone,
    LeadClient,
)
from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.errors import Interrupted, ServerError
from target_engagevoice.model.list_options import ListOptions
from tests.support.factories import Desk, desk, lead
from tests.support.fake_clock import NEW_YEAR_2026

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_engagevoice.api.ratelimit.windows import Window

ENVELOPE = ListOptions().envelope({"stream": "people", "started": "now"})
FOREVER = None


class LeadApi:
    """A lead client on a sandbox, with what it counts.

    Attributes:
        efforts: How often each effort was counted.
    """

    def __init__(self, made: Desk) -> None:
        self.desk = made
        self.sandbox = made.sandbox
        self.clock = made.clock
        self.client = LeadClient(made.client, made.clock, made.halt, made.retry_max_seconds)
        self.efforts: Counter[str] = Counter()

    def load(self, *numbers: int, campaign: str = "1001") -> None:
        """Load leads, so that they are found."""
        self.desk.client.load(campaign, ENVELOPE, [lead(number, firstName="Ann").body for number in numbers])
        self.clock.advance(3)

    def effort(self, what: str) -> None:
        """Count an effort."""
        self.efforts[what] += 1

    def ids(self, *numbers: int) -> list[str]:
        """The server's ids of these leads."""
        by_key = {row["externId"]: str(row["leadId"]) for row in self.sandbox.leads()}
        return [by_key[f"L{number}"] for number in numbers]

    def change(self, number: int = 0, campaign: str = "1001", **fields: Any) -> Any:
        """Change a lead."""
        (lead_id,) = self.ids(number)
        return self.client.change(campaign, lead_id, fields or {"firstName": "Bea"}, {}, self.effort)

    def act(self, *numbers: int, action: str = "CANCEL_LEADS") -> Any:
        """Act on leads."""
        return self.client.act(action, ["1001"], self.ids(*numbers), self.effort)

    def list_phone(self, phone: str = "6505550000") -> Any:
        """Put a phone on the list."""
        return self.client.list_phone(phone, "USA", "L0", self.effort)

    def states(self) -> dict[str, str]:
        """The state of every lead."""
        return {row["externId"]: row["leadState"] for row in self.sandbox.leads()}

    def names(self) -> dict[str, str | None]:
        """The first name of every lead."""
        return {row["externId"]: row["fields"].get("firstName") for row in self.sandbox.leads()}


@pytest.fixture
def api() -> Iterator[LeadApi]:
    with desk() as made:
        made.client.directory()
        yield LeadApi(made)


@pytest.fixture
def loaded(api: LeadApi) -> LeadApi:
    api.load(*range(5))
    return api


def fault(on: str, do: str = "status", **more: Any) -> dict[str, Any]:
    return {"on": on, "do": do} | more


def answered(api: LeadApi, monkeypatch: pytest.MonkeyPatch, *replies: Any) -> list[dict[str, Any]]:
    """The transport gives these answers, the last one for ever; gives what was sent."""
    sent: list[dict[str, Any]] = []

    def send(method: str, url: str, *, params: Any = None, body: Any = None, on_sent: Any = None) -> Any:
        del on_sent
        sent.append({"method": method, "url": url, "params": params, "body": json.loads(body)})
        return replies[min(len(sent), len(replies)) - 1]

    monkeypatch.setattr(api.desk.transport, "send", send)
    return sent


def answer(content: Any, status: int = 200, content_type: str = "application/json") -> HttpAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return HttpAnswer(status, body, {"content-type": content_type})


# Found


def found(api: LeadApi, *extern_ids: str, campaigns: tuple[str, ...] = ("1001",)) -> list[str]:
    return sorted(each.extern_id for each in api.client.find(campaigns, extern_ids))


def test_a_lead_is_found_with_what_the_search_shows(loaded: LeadApi) -> None:
    loaded.act(1)
    assert loaded.client.find(["1001"], ["L1"]) == [
        FoundLead(loaded.ids(1)[0], "L1", "1001", "CANCELLED", NEW_YEAR_2026)
    ]


@pytest.mark.parametrize(("campaigns", "extern_ids"), [([], ["L0"]), (["1001"], [])])
def test_nothing_sought_is_not_asked_for(api: LeadApi, campaigns: list[str], extern_ids: list[str]) -> None:
    assert api.client.find(campaigns, extern_ids) == []
    assert api.sandbox.requests("search") == []


def test_leads_are_found_in_all_campaigns_that_are_asked_for(loaded: LeadApi) -> None:
    loaded.load(0, campaign="1002")
    loaded.load(0, campaign="1003")
    campaigns = {each.campaign_id for each in loaded.client.find(["1001", "1002"], ["L0"])}
    assert campaigns == {"1001", "1002"}


def test_leads_of_one_key_are_all_found(loaded: LeadApi) -> None:
    loaded.load(0)
    assert found(loaded, "L0") == ["L0", "L0"]


def test_many_keys_are_sought_in_several_requests(loaded: LeadApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "MOST_SOUGHT", 2)
    assert found(loaded, *(f"L{number}" for number in range(5))) == [f"L{number}" for number in range(5)]
    assert len(loaded.sandbox.requests("search")) == 6, "three of two ids, each with the empty page behind it"


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 7), st.integers(1, 9), st.sets(st.integers(0, 20), min_size=1), st.booleans())
def test_what_is_there_is_found_however_it_is_asked_for(size: int, most: int, wanted: set[int], ignored: bool) -> None:
    with desk(config={"extern_ids_ignored": ignored}) as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_module, "SEARCH_PAGE_ROWS", size)
        patch.setattr(search_module, "MOST_SOUGHT", most)
        api = LeadApi(made)
        api.load(*range(15))
        expected = sorted(f"L{number}" for number in wanted if number < 15)
        assert found(api, *(f"L{number}" for number in wanted)) == expected


values = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "1", "2", "L1", "1001", "1002"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"leadId": values, "externId": values, "campaignId": values}), max_size=6
    ),
    st.lists(st.sampled_from(["1001", "1002"]), min_size=1, max_size=2, unique=True),
)
def test_a_row_counts_when_it_names_a_lead_that_was_asked_for(rows: list[Any], campaigns: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, desk() as made:
        patch.setattr(made.client, "search_pages", lambda _criteria: [rows])
        leads = LeadApi(made).client.find(campaigns, ["L1", "2"])
    assert len({each.lead_id for each in leads}) == len(leads)
    assert {each.extern_id for each in leads} <= {"L1", "2"}
    assert {each.campaign_id for each in leads} <= set(campaigns)
    sure = {
        str(row["leadId"])
        for row in rows
        if type(row.get("leadId")) in (int, str)
        and str(row["leadId"])
        and row.get("externId") in ("L1", "2")
        and row.get("campaignId") in campaigns
    }
    assert sure <= {each.lead_id for each in leads}


@pytest.mark.parametrize("content", [{}, [1], "x"])
def test_a_search_that_gives_no_rows_is_an_error(api: LeadApi, monkeypatch: pytest.MonkeyPatch, content: Any) -> None:
    answered(api, monkeypatch, answer(content))
    with pytest.raises(ServerError, match="not a list of objects"):
        api.client.find(["1001"], ["L0"])


# Changed


def test_a_change_is_one_patch(loaded: LeadApi) -> None:
    assert loaded.change(1, firstName="Bea", city="Oslo") == Changed()
    (row,) = [row for row in loaded.sandbox.leads() if row["externId"] == "L1"]
    assert row["fields"] == lead(1).fields | {"firstName": "Bea", "city": "Oslo"}
    assert loaded.efforts == {"requests": 1}


def test_a_change_names_the_campaign_and_its_options(api: LeadApi, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = answered(api, monkeypatch, HttpAnswer(204, b""))
    fields = {"city": "", "maxPasses": None, "lastName": "Ångström"}
    assert api.client.change("1001", "7/1", fields, {"timezoneOption": "NPA_NXX"}, api.effort) == Changed()
    (request,) = sent
    assert request["method"] == "PATCH"
    assert request["url"].endswith("/api/v1/admin/accounts/99990001/campaignLeads/7%2F1")
    assert request["params"] == {"campaignId": "1001", "timezoneOption": "NPA_NXX"}
    assert request["body"] == fields


@pytest.mark.parametrize("form", ["v1", "legacy"])
def test_all_goes_by_the_form_that_has_answered(form: str) -> None:
    with desk(config={"api": [form]}, api_version="auto") as made:
        made.client.directory()
        api = LeadApi(made)
        api.load(0)
        assert (api.change(), api.act(0), api.list_phone()) == (Changed(), Changed(1), Changed())


def test_a_lead_that_is_not_there_is_gone(loaded: LeadApi) -> None:
    assert loaded.client.change("1001", "17", {"city": "Oslo"}, {}, loaded.effort) == Gone("HTTP 404")
    assert loaded.client.change("1002", loaded.ids(0)[0], {"city": "Oslo"}, {}, loaded.effort) == Gone("HTTP 404")


@pytest.mark.parametrize("status", [404, 405])
def test_a_lead_that_is_there_is_not_gone_where_the_route_is_unknown(loaded: LeadApi, status: int) -> None:
    loaded.sandbox.faults([fault("patch", status=status)])
    with pytest.raises(ServerError, match=f"no change of leads answers .*HTTP {status}, of a lead that is there"):
        loaded.change()


@pytest.mark.parametrize("fields", [{"city": "Oslo"}, {"leadPhone": "12"}])
def test_once_a_change_was_answered_the_route_is_known(loaded: LeadApi, fields: dict[str, str]) -> None:
    loaded.change(0, **fields)
    searched = len(loaded.sandbox.requests("search"))
    assert loaded.client.change("1001", "17", {"city": "Oslo"}, {}, loaded.effort) == Gone("HTTP 404")
    assert len(loaded.sandbox.requests("search")) == searched


@pytest.mark.parametrize("option", ["NPA_NXX", "COUNTRY"])
def test_a_time_zone_that_only_loads_take_is_left_out(loaded: LeadApi, option: str) -> None:
    options = {"timezoneOption": option, "duplicateHandling": "RETAIN_ALL"}
    done = loaded.client.change("1001", loaded.ids(0)[0], {"leadPhone": "6505550177"}, options, loaded.effort)
    assert done == Changed()


def test_a_lead_that_is_suppressed_is_found_and_acted_on(loaded: LeadApi) -> None:
    loaded.act(1, action="SUPPRESS_LEADS")
    assert found(loaded, "L1") == ["L1"]
    assert loaded.act(1, action="UNSUPPRESS_LEADS") == Changed(updated=1)


def test_a_change_the_server_does_not_like_is_refused_with_its_words(loaded: LeadApi) -> None:
    refused = loaded.change(leadPhone="12")
    assert isinstance(refused, Refused)
    assert (refused.reason, "leadPhone" in refused.message) == ("http_400", True)
    assert loaded.efforts == {"requests": 1}


# Acted on


@pytest.mark.parametrize(
    ("action", "state"), [("CANCEL_LEADS", "CANCELLED"), ("PAUSE_LEADS", "PAUSED"), ("READY_LEADS", "READY")]
)
def test_an_action_hits_the_leads_it_names(loaded: LeadApi, action: str, state: str) -> None:
    assert loaded.act(1, 3, action=action) == Changed(updated=2)
    assert loaded.states() == {f"L{n}": state if n in (1, 3) else "READY" for n in range(5)}


def test_leads_are_deleted_and_counted(loaded: LeadApi) -> None:
    assert loaded.act(1, 3, action="DELETE_LEADS") == Changed(deleted=2)
    assert set(loaded.states()) == {"L0", "L2", "L4"}


def test_a_lead_that_is_not_there_is_no_obstacle(loaded: LeadApi) -> None:
    assert loaded.client.act("CANCEL_LEADS", ["1001"], ["17", *loaded.ids(0)], loaded.effort) == Changed(updated=1)


def test_an_action_is_bounded_by_campaigns_and_leads(api: LeadApi, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = answered(api, monkeypatch, answer([]), answer({"success": True}))
    api.client.act("PAUSE_LEADS", ["1001"], ["7", "8"], api.effort)
    request = sent[-1]
    assert (request["method"], request["params"]) == ("PUT", {"leadAction": "PAUSE_LEADS"})
    assert request["body"] == {
        "campaignLeadSearchCriteria": {"suppressed": "ALL", "campaignIds": [1001], "leadIds": [7, 8]},
        "leadActionParams": {"paramMap": {}},
    }


@pytest.mark.parametrize(
    ("campaigns", "leads"), [([], ["1"]), (["1001"], []), (["1001"], [str(n) for n in range(1001)])]
)
def test_an_action_without_bounds_is_never_sent(api: LeadApi, campaigns: list[str], leads: list[str]) -> None:
    before = len(api.sandbox.requests())
    with pytest.raises(ValueError, match="an action on"):
        api.client.act("DELETE_LEADS", campaigns, leads, api.effort)
    assert len(api.sandbox.requests()) == before


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"success": False, "errorMessage": "no"}, Refused("action_failed", "no")),
        ({"success": "false"}, Refused("action_failed", "success is false")),
        ({"errorMessage": "no"}, Refused("action_failed", "no")),
        ({"success": True, "leadUpdateCount": 2, "leadDeleteCount": None}, Changed(2, 0)),
        ({"success": True, "leadUpdateCount": "2", "leadDeleteCount": -1}, Changed(0, 0)),
        ({"leadDeleteCount": 1}, Changed(0, 1)),
        (b"", Changed()),
    ],
)
def test_an_action_succeeds_when_its_answer_says_so(
    api: LeadApi, monkeypatch: pytest.MonkeyPatch, content: Any, expected: Any
) -> None:
    answered(api, monkeypatch, answer([]), answer(content))
    assert api.client.act("PAUSE_LEADS", ["1001"], ["7", "8"], api.effort) == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(0, 9) | values, st.integers(0, 9) | values)
def test_more_leads_changed_than_asked_for_stop_the_run(asked: int, updated: Any, deleted: Any) -> None:
    counts = [value for value in (updated, deleted) if type(value) is int]
    with desk() as made, pytest.MonkeyPatch.context() as patch:
        api = LeadApi(made)
        done = {"success": True, "leadUpdateCount": updated, "leadDeleteCount": deleted}
        answered(api, patch, answer([]), answer(done))
        ids = [str(number) for number in range(asked)]
        if max(counts, default=0) > asked:
            with pytest.raises(ServerError, match=f"asked for {asked} leads of campaign 1001, .* it changed"):
                api.client.act("PAUSE_LEADS", ["1001"], ids, api.effort)
        else:
            assert isinstance(api.client.act("PAUSE_LEADS", ["1001"], ids, api.effort), Changed)


def test_nothing_is_acted_on_where_the_server_ignores_lead_ids() -> None:
    with desk(config={"lead_ids_ignored": True}) as made:
        made.client.directory()
        api = LeadApi(made)
        api.load(*range(5))
        for _ in range(2):
            with pytest.raises(ServerError, match=r"also returns other leads.*Nothing was changed"):
                api.act(1)
        assert set(api.states().values()) == {"READY"}
        assert api.sandbox.requests("action") == []


def test_rows_beyond_the_first_page_are_looked_at_too(api: LeadApi, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [answer([{"leadId": n}]) for n in (7, 8, 9)]
    sent = answered(api, monkeypatch, *pages, answer([]))
    with pytest.raises(ServerError, match="Nothing was changed"):
        api.client.act("PAUSE_LEADS", ["1001"], ["7", "8"], api.effort)
    assert len(sent) == 3


def test_the_criteria_are_searched_once_a_run(loaded: LeadApi) -> None:
    loaded.act(0)
    searched = len(loaded.sandbox.requests("search"))
    loaded.act(1)
    loaded.act(2)
    assert len(loaded.sandbox.requests("search")) == searched


def test_a_search_that_found_nothing_has_shown_nothing(loaded: LeadApi) -> None:
    loaded.client.act("CANCEL_LEADS", ["1001"], ["17"], loaded.effort)
    searched = len(loaded.sandbox.requests("search"))
    loaded.act(1)
    assert len(loaded.sandbox.requests("search")) > searched


# Listed


def test_a_phone_is_listed(api: LeadApi) -> None:
    assert api.list_phone() == Changed()
    (entry,) = api.sandbox.dnc()
    assert (entry["phone"], entry["countryId"], entry["externId"]) == ("6505550000", "USA", "L0")


def test_a_phone_that_is_listed_already_is_listed(api: LeadApi) -> None:
    api.sandbox.faults([fault("dnc", status=409)])
    assert api.list_phone() == Changed()


def test_a_phone_that_is_none_is_refused(api: LeadApi) -> None:
    refused = api.list_phone("none")
    assert isinstance(refused, Refused)
    assert refused.reason == "http_400"


# Asked again until it is answered

CALLS: dict[str, Callable[[LeadApi], Any]] = {
    "patch": LeadApi.change,
    "action": lambda api: api.act(0),
    "dnc": LeadApi.list_phone,
}
EACH = pytest.mark.parametrize("kind", CALLS)


@EACH
@pytest.mark.parametrize(
    "mishap",
    [
        fault("", status=408),
        fault("", status=502, retry_after="9"),
        fault("", status=503, stored=True),
        fault("", status=504),
        fault("", "drop_before"),
        fault("", "drop_after"),
        fault("", "truncate"),
        fault("", "garbage"),
        fault("", "html"),
    ],
)
def test_whatever_has_no_known_fate_is_repeated(loaded: LeadApi, kind: str, mishap: dict[str, Any]) -> None:
    loaded.act(1)
    loaded.efforts.clear()
    loaded.sandbox.faults([mishap | {"on": kind, "times": 4}])
    assert isinstance(CALLS[kind](loaded), Changed)
    assert loaded.efforts == {"requests": 5, "retries": 4}


@EACH
def test_what_was_done_twice_is_done_once(loaded: LeadApi, kind: str) -> None:
    loaded.sandbox.faults([fault(kind, "drop_after")])
    CALLS[kind](loaded)
    once = (loaded.names(), loaded.states(), loaded.sandbox.dnc())
    CALLS[kind](loaded)
    assert (loaded.names(), loaded.states(), loaded.sandbox.dnc()) == once


@EACH
def test_a_429_is_waited_out_and_counted(loaded: LeadApi, kind: str) -> None:
    loaded.act(1)
    loaded.efforts.clear()
    loaded.sandbox.faults([fault(kind, status=429, body="rate", retry_after="25")])
    assert isinstance(CALLS[kind](loaded), Changed)
    first, second = (each["at"] for each in loaded.sandbox.requests(kind)[-2:])
    assert second - first >= 25
    assert loaded.efforts == {"requests": 2, "retries": 1, "throttled": 1}


@EACH
def test_a_request_that_was_not_sent_is_repeated(kind: str, loaded: LeadApi, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded.act(1)
    send, refused = loaded.desk.transport.send, [NotSent("Connection refused")] * 2
    monkeypatch.setattr(loaded.desk.transport, "send", lambda *a, **k: refused.pop() if refused else send(*a, **k))
    assert isinstance(CALLS[kind](loaded), Changed)


@EACH
@settings(max_examples=25, deadline=None)
@given(statuses=st.lists(st.sampled_from([500, 502, 429]), max_size=8))
def test_three_times_500_in_a_row_break_the_request_and_nothing_less(kind: str, statuses: list[int]) -> None:
    text = "".join("x" if status == 500 else "." for status in statuses)
    with desk() as made:
        made.client.directory()
        api = LeadApi(made)
        api.load(*range(2))
        api.act(1)
        api.efforts.clear()
        api.sandbox.faults([fault(kind, status=status) for status in statuses])
        outcome = CALLS[kind](api)
        assert len(api.sandbox.requests(kind)) - (kind == "action") == api.efforts["requests"]
    broken = text.find("xxx")
    assert outcome == Refused("http_500", "HTTP 500") if broken >= 0 else isinstance(outcome, Changed)
    assert api.efforts["requests"] == (broken + 3 if broken >= 0 else len(statuses) + 1)
    assert api.efforts["retries"] == api.efforts["requests"] - 1
    assert api.efforts["throttled"] == statuses[: api.efforts["requests"]].count(429)


@EACH
def test_a_request_that_is_never_answered_fails_in_time(kind: str) -> None:
    with desk(retry_max_seconds=90) as made:
        made.client.directory()
        api = LeadApi(made)
        api.load(0, 1)
        api.act(1)
        api.sandbox.faults([fault(kind, status=503, times=FOREVER)])
        began = api.clock.monotonic()
        with pytest.raises(ServerError, match=r"within retry_max_seconds; the last problem was: HTTP 503.*run again"):
            CALLS[kind](api)
        assert api.clock.monotonic() - began <= 90


@EACH
def test_a_denial_says_what_to_check(loaded: LeadApi, kind: str) -> None:
    loaded.act(1)
    loaded.sandbox.faults([fault(kind, status=403, body='{"errorCode": "access.denied.exception"}')])
    with pytest.raises(ServerError, match=r"the server refuses the .*HTTP 403 access.denied.*permissions"):
        CALLS[kind](loaded)


@pytest.mark.parametrize(("kind", "what"), [("action", "lead action"), ("dnc", "do-not-call list")])
def test_a_missing_route_is_reported(loaded: LeadApi, kind: str, what: str) -> None:
    loaded.act(1)
    loaded.sandbox.faults([fault(kind, status=404)])
    with pytest.raises(ServerError, match=f"no {what} answers under"):
        CALLS[kind](loaded)


@EACH
def test_a_stop_ends_the_waiting(loaded: LeadApi, kind: str) -> None:
    loaded.act(1)
    loaded.sandbox.faults([fault(kind, status=503, retry_after="25")])
    sleep, began = loaded.clock.sleep, loaded.clock.monotonic()

    def stop_after_a_while(seconds: float) -> None:
        sleep(seconds)
        loaded.desk.halt.set(Interrupted("stopped"))

    loaded.clock.sleep = stop_after_a_while  # type: ignore[method-assign]  # the clock stops the run while it sleeps
    with pytest.raises(Interrupted):
        CALLS[kind](loaded)
    assert loaded.clock.monotonic() - began < 1


@pytest.mark.parametrize(
    ("kind", "windows"), [("patch", CHANGE_WINDOWS), ("action", ACTION_WINDOWS), ("dnc", LIST_WINDOWS)]
)
def test_each_kind_keeps_its_own_pace(loaded: LeadApi, kind: str, windows: tuple[Window, ...]) -> None:
    for _ in range(40):
        CALLS[kind](loaded)
    asked = loaded.sandbox.requests(kind)
    assert {each["status"] for each in asked} == {200}
    starts = [each["at"] for each in asked]
    for window in windows:
        late = zip(starts, starts[window.requests :], strict=False)
        assert all(later - earlier >= window.seconds for earlier, later in late)
    assert len({each["at"] for each in asked}) > 1, "it was waited at all"
