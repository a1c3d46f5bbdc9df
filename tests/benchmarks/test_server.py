from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loopback import Loopback
from benchmarks.quota import WINDOWS, shortest_seconds
from benchmarks.script import Script, Window
from benchmarks.server import Gate, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER = "/api/v1/admin/accounts/99990001/campaigns/1001/leadLoader/direct"
TWO_LEADS = json.dumps({"uploadLeads": [{"externId": "a"}, {"externId": "b"}]}).encode()
windows = st.builds(Window, st.integers(1, 6), st.integers(1, 20))


@given(st.lists(windows, max_size=2), st.lists(st.integers(0, 5), max_size=60))
def test_no_window_ever_serves_more_than_it_says_and_none_refuses_without_need(
    limits: list[Window], gaps: list[int]
) -> None:
    gate = Gate(limits)
    served: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        room = all(sum(at > now - limit.seconds for at in served) < limit.requests for limit in limits)
        assert gate.admit(now) is room
        if room:
            served.append(now)


@given(st.lists(windows, min_size=1, max_size=2), st.integers(1, 40))
def test_the_shortest_schedule_is_one_that_the_server_takes(limits: list[Window], requests: int) -> None:
    """A request at the first instant that the gate opens is never earlier than the schedule has it."""
    gate, at = Gate(limits), 0
    for _ in range(requests):
        while not gate.admit(at):
            at += 1

    assert shortest_seconds(limits, [0.0] * requests) == at


def test_a_hundred_requests_take_thirty_seconds_and_the_last_answers() -> None:
    assert shortest_seconds(WINDOWS, [1.0] * 100) == 31.0
    assert shortest_seconds(WINDOWS, [1.0] * 99 + [3.0]) == 33.0
    assert shortest_seconds(WINDOWS, [1.0] * 121) == 61.0


def test_leads_are_counted_and_named() -> None:
    service = Service(Script(keep_ids=True, latency=(1.0, 1.0)))

    status, body, wait = service.answer(LOADER, TWO_LEADS, 5.0)

    assert (status, json.loads(body)["leadsInserted"], wait) == (200, 2, 1.0)
    assert service.loads == [[5.0, 6.0, 200, "1001", 2, ["a", "b"]]]


def test_a_refused_load_is_not_counted_as_leads() -> None:
    service = Service(Script(windows=(Window(1, 10),)))

    answers = [service.answer(LOADER, TWO_LEADS, at) for at in (0.0, 9.0, 10.0)]

    assert [(status, body == b"rate") for status, body, _ in answers] == [(200, False), (429, True), (200, False)]
    assert [row[4] for row in service.loads] == [2, 0, 2]


def test_latencies_are_the_same_for_the_same_seed() -> None:
    first, second = (
        [service.answer(LOADER, TWO_LEADS, 0.0)[2] for _ in range(5)]
        for service in (Service(Script(latency=(1.0, 3.0))), Service(Script(latency=(1.0, 3.0))))
    )

    assert first == second
    assert all(1.0 <= wait <= 3.0 for wait in first)


def test_a_script_survives_being_an_argument() -> None:
    script = Script(windows=WINDOWS, latency=(1.0, 3.0), seed=7, campaigns=3, keep_ids=True)

    assert Script.read(script.written()) == script


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(Script(windows=(Window(1, 60),), campaigns=2)) as running:
        yield running


def _answer(url: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(url, body, timeout=30) as answer:  # noqa: S310 - loopback
        return json.load(answer)


def test_the_process_answers_what_a_run_asks_and_keeps_a_journal(server: Loopback) -> None:
    accounts = f"{server.url}/api/v1/admin/accounts"
    (account,) = _answer(accounts)
    (group,) = _answer(f"{accounts}/{account['accountId']}/dialGroups")
    campaigns = _answer(f"{accounts}/{account['accountId']}/dialGroups/{group['dialGroupId']}/campaigns")
    found = _answer(f"{accounts}/{account['accountId']}/campaignLeads/leadSearch?page=1&maxRows=1000", b"{}")
    _answer(server.url + LOADER, TWO_LEADS)
    with pytest.raises(urllib.error.HTTPError, match="429"):
        _answer(server.url + LOADER, TWO_LEADS)
    journal = server.journal()

    assert [campaign["campaignId"] for campaign in campaigns] == ["1001", "1002"]
    assert found == []
    assert (journal.reads, journal.leads, journal.refused, len(journal.served)) == (4, 2, 1, 1)
