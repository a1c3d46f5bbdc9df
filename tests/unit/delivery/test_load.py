"""Loads of a batch, whatever the server does: each lead is loaded once, and each record has one outcome."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.api.answers import NotSent, Refused
from target_engagevoice.api.client import NO_ATTRIBUTES
from target_engagevoice.delivery.batch import Batch
from target_engagevoice.errors import Interrupted, ServerError
from target_engagevoice.ledger.tables import BATCHES, FATE_UNKNOWN
from target_engagevoice.model.list_options import ListOptions
from tests.support.factories import RENEWALS, WINBACK, Desk, desk, lead

if TYPE_CHECKING:
    from collections.abc import Iterator

FOREVER = None


@pytest.fixture
def opened() -> Iterator[Desk]:
    with desk() as made:
        yield made


def ids(count: int) -> list[str]:
    return sorted(f"L{number}" for number in range(count))


def rejects(opened: Desk) -> list[dict[str, Any]]:
    if not opened.rejects.path.exists():
        return []
    return [json.loads(line) for line in opened.rejects.path.read_text("utf-8").splitlines()]


def reject_reasons(opened: Desk) -> dict[str, tuple[str, str]]:
    return {each["extern_id"]: (each["reason"], each["message"]) for each in rejects(opened)}


def claimed(opened: Desk) -> set[str]:
    """`externId` of what the ledger says may be on its way."""
    under_way = sa.select(BATCHES.c.leads).where(BATCHES.c.fate == FATE_UNKNOWN)
    with opened.ledger._account.database.engine.connect() as connection:
        batches = connection.execute(under_way).scalars()
        return {extern_id for batch in batches for extern_id in json.loads(batch)}


def on_load(do: str, **more: Any) -> dict[str, Any]:
    return {"on": "load", "do": do} | more


# Without trouble


def test_a_batch_is_one_request(opened: Desk) -> None:
    opened.load([lead(number) for number in range(5)])
    assert [each["leads"] for each in opened.loads()] == [5]


def test_a_loaded_batch_is_on_the_server_once(opened: Desk) -> None:
    opened.load([lead(number) for number in range(5)])
    assert opened.landed() == ids(5)


def test_a_loaded_batch_is_counted_as_loaded(opened: Desk) -> None:
    opened.load([lead(number) for number in range(5)])
    assert opened.outcome() == {"loaded": 5}


def test_a_loaded_batch_lets_state_pass(opened: Desk) -> None:
    opened.load([lead(0), lead(1)])
    assert opened.states == ['"L1"']


def test_a_loaded_batch_is_in_the_ledger(opened: Desk) -> None:
    opened.load([lead(0)])
    assert opened.ledger.accepted("1001", ["L0"])["L0"].digest == lead(0).digest


def test_a_loaded_batch_is_no_longer_claimed(opened: Desk) -> None:
    opened.load([lead(0)])
    assert claimed(opened) == set()


def test_the_list_is_named_by_the_template(opened: Desk) -> None:
    batch = opened.batch([lead(0)])
    options = ListOptions(description="{stream}/{campaign}/{run}/{started}/{date}/{batch}")
    opened.load_batch(Batch(batch.stream, batch.campaign, options, 7, batch.leads))
    (made,) = opened.sandbox.lists()
    assert made["listDesc"] == f"people/Renewals/{opened.run.name}/2026-01-01 00:00:00/2026-01-01/7"


# Nothing is stored: sent again later


@pytest.mark.parametrize("retry_after", ["7", 7, "Thu, 01 Jan 2026 00:00:07 GMT"])
def test_a_throttled_batch_waits_as_long_as_it_is_told(opened: Desk, retry_after: Any) -> None:
    opened.sandbox.faults([on_load("status", status=429, body="rate", retry_after=retry_after)])
    opened.load([lead(0)])
    first, second = (each["at"] for each in opened.loads())
    assert 7 <= second - first < 8


def test_after_a_429_less_of_the_quota_is_used(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=429, body="rate", retry_after="1")])
    opened.load([lead(0)])
    began = opened.clock.monotonic()
    for _ in range(30):
        opened.pace.wait()
    assert opened.clock.monotonic() - began > 10


def test_a_batch_throttled_without_retry_after_is_sent_again(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=429, body="rate", times=3)])
    opened.load([lead(0), lead(1)])
    assert opened.landed() == ids(2)


def test_throttling_is_counted(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=429, times=2)])
    opened.load([lead(0)])
    totals = opened.run.totals()
    assert (totals["requests"], totals["retries"], totals["throttled"]) == (3, 2, 2)


def test_throttling_holds_back_every_request(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=429, retry_after="20")])
    opened.load([lead(0)])
    opened.load([lead(1)], WINBACK)
    first, *rest = (each["at"] for each in opened.loads())
    assert all(at - first >= 20 for at in rest)


def test_throttling_needs_no_search(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=429, times=2)])
    opened.load([lead(0)])
    assert opened.sandbox.requests("search") == []


def test_a_batch_that_was_never_sent_is_sent_without_a_search(opened: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    send, failures = opened.transport.send, [NotSent("Connection refused")] * 3
    monkeypatch.setattr(opened.transport, "send", lambda *a, **k: failures.pop() if failures else send(*a, **k))
    opened.load([lead(0)])
    assert (opened.landed(), opened.sandbox.requests("search")) == (["L0"], [])


def test_a_503_waits_as_long_as_it_says(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=503, retry_after="90")])
    opened.load([lead(0)])
    first, second = (each["at"] for each in opened.loads())
    assert second - first >= 90


# The fate is unknown: looked up

BEFORE = [
    on_load("drop_before"),
    on_load("status", status=500),
    on_load("status", status=502),
    on_load("status", status=503),
    on_load("status", status=504),
    on_load("status", status=408),
    on_load("garbage", stored=False),
    on_load("html", stored=False),
]
AFTER = [
    on_load("drop_after"),
    on_load("status", status=500, stored=True),
    on_load("status", status=502, stored=True),
    on_load("status", status=504, stored=True),
    on_load("truncate"),
    on_load("garbage", stored=True),
    on_load("html", stored=True),
]
COUNTLESS = [on_load("created_empty"), on_load("empty_object")]


def name(fault: dict[str, Any]) -> str:
    return "-".join(str(fault[key]) for key in ("do", "status", "stored") if key in fault)


@pytest.mark.parametrize("fault", BEFORE + AFTER + COUNTLESS, ids=name)
def test_a_batch_of_unknown_fate_lands_exactly_once(opened: Desk, fault: dict[str, Any]) -> None:
    opened.sandbox.faults([fault])
    opened.load([lead(number) for number in range(3)])
    assert opened.landed() == ids(3)


@pytest.mark.parametrize("fault", BEFORE + AFTER + COUNTLESS, ids=name)
def test_a_batch_of_unknown_fate_is_counted_as_loaded(opened: Desk, fault: dict[str, Any]) -> None:
    opened.sandbox.faults([fault])
    opened.load([lead(number) for number in range(3)])
    assert (opened.outcome(), opened.states) == ({"loaded": 3}, ['"L2"'])


@pytest.mark.parametrize("fault", AFTER + COUNTLESS, ids=name)
def test_what_was_stored_is_not_sent_again(opened: Desk, fault: dict[str, Any]) -> None:
    opened.sandbox.faults([fault])
    opened.load([lead(number) for number in range(3)])
    assert len(opened.loads()) == 1


@pytest.mark.parametrize("do", ["timeout_before", "timeout_after"])
def test_a_batch_without_an_answer_in_time_lands_exactly_once(do: str) -> None:
    with desk(timeout=0.2) as opened:
        opened.sandbox.faults([on_load(do)])
        opened.load([lead(0), lead(1)])
        assert opened.landed() == ids(2)


@pytest.mark.parametrize("fault", [on_load("drop_before", times=3), on_load("status", status=502, times=3)], ids=name)
def test_an_unknown_fate_several_times_in_a_row_is_looked_up_each_time(opened: Desk, fault: dict[str, Any]) -> None:
    opened.sandbox.faults([fault])
    opened.load([lead(0)])
    assert opened.landed() == ["L0"]


def test_only_what_is_missing_is_sent_again(opened: Desk) -> None:
    batch = opened.batch([lead(number) for number in range(4)])
    load = opened.client.load

    def half(campaign_id: str, envelope: Any, leads: Any, on_sent: Any = None, about: Any = NO_ATTRIBUTES) -> Any:
        """Store half of the leads, then lose the answer. No server is known to do so, but none promises not to."""
        opened.client.load = load  # type: ignore[method-assign]  # puts the real one back
        load(campaign_id, envelope, leads[:2], on_sent, about)
        opened.sandbox.faults([on_load("drop_before")])
        return load(campaign_id, envelope, leads[2:], on_sent, about)

    opened.client.load = half  # type: ignore[method-assign]  # the answer of such a server
    opened.load_batch(batch)
    assert [each["leads"] for each in opened.loads()] == [2, 2, 2]
    assert opened.landed() == ids(4)


def test_a_lead_dropped_as_a_duplicate_of_a_lost_answer_is_not_sent_alone(opened: Desk) -> None:
    opened.sandbox.faults([on_load("drop_after")])
    opened.load([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"]), lead(2)])
    assert (opened.landed(), opened.outcome()) == (["L0", "L2"], {"loaded": 2, "not_inserted": 1})


def test_when_all_duplicates_are_retained_a_missing_lead_is_sent(opened: Desk) -> None:
    batch = opened.batch([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"])])
    opened.sandbox.faults([on_load("drop_before")])
    opened.load_batch(Batch("people", RENEWALS, ListOptions(duplicate_handling="RETAIN_ALL"), 1, batch.leads))
    assert (opened.landed(), opened.outcome()) == (ids(2), {"loaded": 2})


def test_an_earlier_version_is_not_treated_as_the_one_that_was_lost(opened: Desk) -> None:
    opened.load([lead(0, firstName="Ann")])
    accepted = opened.ledger.accepted("1001", ["L0"])["L0"]
    opened.sandbox.faults([on_load("drop_before")])
    opened.load([lead(0, firstName="Anna")], not_before=accepted.at)
    assert [row["fields"]["firstName"] for row in opened.sandbox.leads()] == ["Ann", "Anna"]


def test_a_later_version_that_arrived_is_not_sent_twice(opened: Desk) -> None:
    opened.load([lead(0, firstName="Ann")])
    accepted = opened.ledger.accepted("1001", ["L0"])["L0"]
    opened.sandbox.faults([on_load("drop_after")])
    opened.load([lead(0, firstName="Anna")], not_before=accepted.at)
    assert [row["fields"]["firstName"] for row in opened.sandbox.leads()] == ["Ann", "Anna"]


def test_a_later_version_waits_until_the_load_of_the_earlier_one_is_past(opened: Desk) -> None:
    opened.load([lead(0)])
    accepted = opened.ledger.accepted("1001", ["L0"])["L0"]
    opened.load([lead(0)], not_before=accepted.at)
    assert opened.loads()[1]["at"] > accepted.at + 1


def test_what_is_new_does_not_wait(opened: Desk) -> None:
    opened.load([lead(0)])
    opened.load([lead(1)])
    first, second = opened.loads()
    assert second["at"] - first["at"] < 0.1


def test_a_search_that_fails_for_a_while_does_no_harm(opened: Desk) -> None:
    opened.sandbox.faults([on_load("drop_after"), {"on": "search", "do": "status", "status": 503, "times": 5}])
    opened.load([lead(0)])
    assert (opened.landed(), opened.outcome()) == (["L0"], {"loaded": 1})


def test_a_search_that_stays_down_fails_the_run_and_settles_nothing(opened: Desk) -> None:
    opened.sandbox.faults([on_load("drop_after"), {"on": "search", "do": "status", "status": 503, "times": FOREVER}])
    with pytest.raises(ServerError, match="leadSearch: no answer within retry_max_seconds"):
        opened.load([lead(0)])
    assert (opened.outcome(), opened.states, claimed(opened)) == ({}, [], {"L0"})


# The server does not recover


@pytest.mark.parametrize("fault", [on_load("drop_before"), on_load("status", status=429)], ids=name)
def test_a_batch_that_cannot_be_loaded_in_time_fails_the_run(fault: dict[str, Any]) -> None:
    with desk(retry_max_seconds=120, search_delay=1) as opened:
        opened.sandbox.faults([fault | {"times": FOREVER}])
        with pytest.raises(ServerError, match=r"campaign 1001: 2 leads could not be loaded within\s+retry_max_seconds"):
            opened.load([lead(0), lead(1)])
        assert opened.clock.monotonic() - 1000 <= 125


def test_a_batch_that_cannot_be_loaded_stays_claimed(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=502, times=FOREVER)])
    with pytest.raises(ServerError):
        opened.load([lead(0), lead(1)])
    assert (opened.outcome(), opened.states, claimed(opened)) == ({}, [], {"L0", "L1"})


def test_a_wait_longer_than_retry_max_seconds_is_not_begun(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=429, retry_after="3600")])
    with pytest.raises(ServerError, match="HTTP 429"):
        opened.load([lead(0)])
    assert opened.clock.monotonic() - 1000 < 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"status": 403, "body": '{"errorCode": "access.denied.exception"}'}, "HTTP 403 access.denied.exception"),
        ({"status": 302}, "HTTP 302"),
        ({"status": 200, "body": '{"processingStatus": "DNC_ACCOUNT_SETTINGS"}'}, "DNC_ACCOUNT_SETTINGS"),
    ],
)
def test_a_denied_load_fails_the_run_at_once(opened: Desk, answer: dict[str, Any], text: str) -> None:
    opened.sandbox.faults([on_load("status", times=FOREVER, **answer)])
    with pytest.raises(ServerError, match=text):
        opened.load([lead(0)])
    assert (len(opened.loads()), opened.outcome()) == (1, {})


def test_a_loader_without_a_route_fails_the_run(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=404, times=FOREVER)])
    with pytest.raises(ServerError, match=r"no lead loader answers under .*Check base_url"):
        opened.load([lead(0)])


def test_a_run_that_stops_sends_nothing_more(opened: Desk) -> None:
    opened.halt.set(Interrupted("stopped"))
    with pytest.raises(Interrupted):
        opened.load([lead(0)])
    assert opened.loads() == []


# The server refuses a lead


def bad_lead(number: int, status: int = 400, **more: Any) -> dict[str, Any]:
    return on_load("status", status=status, body=f"bad L{number}", extern_ids=[f"L{number}"], times=FOREVER) | more


def see_out(opened: Desk, count: int) -> None:
    opened.load([lead(number) for number in range(count)])
    opened.refusals.finish()


POSITIONS = [(size, at) for size in (1, 2, 3) for at in range(size)] + [(500, at) for at in (0, 1, 249, 250, 498, 499)]


@pytest.mark.parametrize(("size", "at"), POSITIONS)
@pytest.mark.parametrize("status", [400, 422])
def test_exactly_the_bad_lead_is_rejected(opened: Desk, size: int, at: int, status: int) -> None:
    opened.sandbox.faults([bad_lead(at, status)])
    see_out(opened, size)
    assert reject_reasons(opened) == {f"L{at}": (f"http_{status}", f"bad L{at}")}
    assert opened.landed() == sorted(set(ids(size)) - {f"L{at}"})


@pytest.mark.parametrize(("size", "at"), POSITIONS)
def test_a_bad_lead_costs_a_logarithm_of_requests(opened: Desk, size: int, at: int) -> None:
    opened.sandbox.faults([bad_lead(at)])
    see_out(opened, size)
    assert len(opened.loads()) <= math.ceil(math.log2(size)) + 3


@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(0, 499), min_size=1, max_size=4))
def test_several_bad_leads_cost_a_logarithm_of_requests_each(bad: set[int]) -> None:
    with desk() as opened:
        opened.sandbox.faults([bad_lead(at) for at in bad])
        see_out(opened, 500)
        assert set(reject_reasons(opened)) == {f"L{at}" for at in bad}
        assert opened.landed() == sorted(set(ids(500)) - {f"L{at}" for at in bad})
        assert len(opened.loads()) <= len(bad) * (math.ceil(math.log2(500)) + 2) + 1


@pytest.mark.parametrize("seed", range(3))
def test_twenty_bad_leads_among_ten_thousand_cost_no_more_than_promised(seed: int) -> None:
    bad = random.Random(seed).sample(range(10_000), 20)  # noqa: S311 - no secret depends on it
    with desk() as opened:
        opened.sandbox.faults([bad_lead(at) for at in bad])
        for start in range(0, 10_000, 500):
            opened.load([lead(number) for number in range(start, start + 500)])
        opened.refusals.finish()
        assert opened.outcome() == {"loaded": 9980, "rejected": 20}
        assert len(opened.loads()) - 20 <= 20 * math.log2(500) + 25


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_a_lead_that_breaks_the_server_every_time_is_rejected(opened: Desk, size: int) -> None:
    opened.sandbox.faults([bad_lead(0, 500)])
    see_out(opened, size)
    assert reject_reasons(opened) == {"L0": ("http_500", "HTTP 500")}
    assert opened.landed() == sorted(set(ids(size)) - {"L0"})


def test_a_general_failure_is_bisected_as_well(opened: Desk) -> None:
    opened.sandbox.faults([on_load("general_failure", extern_ids=["L2"], times=FOREVER)])
    see_out(opened, 4)
    assert reject_reasons(opened) == {"L2": ("general_failure", "missing.required.param")}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("fault", [on_load("status", status=400), on_load("general_failure")], ids=name)
def test_a_passing_refusal_rejects_no_lead(opened: Desk, size: int, fault: dict[str, Any]) -> None:
    opened.sandbox.faults([fault])
    see_out(opened, size)
    assert (opened.outcome(), opened.landed()) == ({"loaded": size}, ids(size))


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("after", range(1, 6))
@pytest.mark.parametrize("bad_status", [400, 500])
def test_a_passing_error_during_the_bisection_rejects_no_other_lead(
    opened: Desk, status: int, after: int, bad_status: int
) -> None:
    moment = on_load("status", status=status, body="a bad moment", after=after)
    opened.sandbox.faults([bad_lead(5, bad_status), moment])
    see_out(opened, 8)
    assert reject_reasons(opened).keys() == {"L5"}


def test_passing_errors_during_the_probes_reject_no_other_lead(opened: Desk) -> None:
    bad = range(6)
    moments = [on_load("status", status=500, after=30, times=2), on_load("status", status=500, after=40)]
    opened.sandbox.faults([*(bad_lead(at) for at in bad), *moments])
    see_out(opened, 40)
    assert reject_reasons(opened).keys() == {f"L{at}" for at in bad}


def test_a_bad_lead_keeps_state_back_until_it_is_rejected(opened: Desk) -> None:
    opened.sandbox.faults([bad_lead(1)])
    opened.load([lead(0), lead(1)])
    assert opened.states == ['"L0"']
    opened.refusals.finish()
    assert opened.states == ['"L0"', '"L1"']


def test_a_refused_lead_is_no_longer_claimed(opened: Desk) -> None:
    opened.sandbox.faults([bad_lead(0)])
    opened.load([lead(0)])
    assert claimed(opened) == set()


def test_an_earlier_refusal_does_not_unclaim_a_later_version(opened: Desk) -> None:
    opened.sandbox.faults([bad_lead(0)])
    opened.load([lead(0)])  # refused, and not rejected until the campaign accepts another
    opened.ledger.claim("people", "1001", {"L0": "later version"}, opened.clock.time())
    opened.sandbox.faults([])
    opened.load([lead(1)])
    assert reject_reasons(opened).keys() == {"L0"}
    assert claimed(opened) == {"L0"}


@pytest.mark.parametrize("size", [5, 8, 50, 500])
def test_when_every_lead_is_refused_the_run_fails(opened: Desk, size: int) -> None:
    opened.sandbox.faults([on_load("status", status=422, body="no", times=FOREVER)])
    with pytest.raises(ServerError, match=r"campaign 1001 refused each of \d leads sent alone \(http_422\)"):
        opened.load([lead(number) for number in range(size)])
    assert (opened.outcome(), opened.states, rejects(opened)) == ({}, [], [])
    assert len(opened.loads()) <= 5 * (math.log2(size) + 2) + 3


def test_when_every_batch_of_one_lead_is_refused_the_run_fails(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=422, body="no", times=FOREVER)])
    for number in range(4):
        opened.load([lead(number)])
    with pytest.raises(ServerError, match="the leads are not the cause"):
        opened.load([lead(4)])
    assert (rejects(opened), opened.states) == ([], [])


def test_the_refusals_of_one_campaign_do_not_stop_another(opened: Desk) -> None:
    opened.sandbox.faults([on_load("status", status=422, times=FOREVER, campaign_id="1001")])
    for number in range(4):
        opened.load([lead(number)])
        opened.load([lead(number)], WINBACK)
    assert opened.landed(WINBACK) == ids(4)


def test_many_bad_leads_at_the_front_do_not_fail_the_run(opened: Desk) -> None:
    opened.sandbox.faults([bad_lead(at) for at in range(8)])
    see_out(opened, 40)
    assert set(reject_reasons(opened)) == {f"L{at}" for at in range(8)}
    assert len(opened.landed()) == 32


# The server refuses the size


@pytest.mark.parametrize("config", [{"max_leads_per_request": 60}, {"max_body_bytes": 4000}])
def test_a_batch_that_is_too_large_is_sent_in_parts(config: dict[str, Any]) -> None:
    with desk(config=config) as opened:
        see_out(opened, 200)
        assert (opened.landed(), opened.outcome()) == (ids(200), {"loaded": 200})


def test_batches_stay_smaller_for_the_rest_of_the_run() -> None:
    with desk(config={"max_leads_per_request": 60}) as opened:
        see_out(opened, 200)
        before = len(opened.loads())
        opened.load([lead(number) for number in range(200, 400)])
        assert {each["status"] for each in opened.loads()[before:]} == {200}


def test_a_lead_that_is_too_long_alone_is_rejected() -> None:
    with desk(config={"max_body_bytes": 4000}) as opened:
        opened.load([lead(0), lead(1, auxData1="x" * 5000), lead(2)])
        opened.refusals.finish()
        assert reject_reasons(opened).keys() == {"L1"}
        assert opened.landed() == ["L0", "L2"]


def test_a_lead_with_a_value_that_is_too_long_does_not_make_all_batches_small(opened: Desk) -> None:
    text = "Field exceeds its maximum length: the value is too long"
    opened.load([lead(number) for number in range(100, 164)])
    opened.sandbox.faults([bad_lead(5) | {"body": text}])
    see_out(opened, 64)
    before = len(opened.loads())
    opened.load([lead(number) for number in range(200, 264)])
    assert reject_reasons(opened) == {"L5": ("http_400", text)}
    assert [each["leads"] for each in opened.loads()[before:]] == [64]


@pytest.mark.parametrize("limit", [1, 2, 3, 60])
def test_a_limit_that_the_server_does_not_name_rejects_no_lead(opened: Desk, limit: int) -> None:
    load = opened.client.load

    def limited(campaign_id: str, envelope: Any, leads: Any, on_sent: Any = None, about: Any = NO_ATTRIBUTES) -> Any:
        return (
            load(campaign_id, envelope, leads, on_sent, about)
            if len(leads) <= limit
            else Refused("http_400", "Bad request")
        )

    opened.client.load = limited  # type: ignore[method-assign]  # the answer of such a server
    see_out(opened, 100)
    assert (opened.outcome(), opened.landed()) == ({"loaded": 100}, ids(100))


def test_a_batch_with_more_bytes_than_a_longer_one_rejects_no_lead() -> None:
    with desk(config={"max_body_bytes": 10_000}) as opened:
        see_out(opened, 100)
        opened.load([lead(number, auxData1="x" * 2000) for number in range(100, 120)])
        opened.refusals.finish()
        assert (opened.outcome(), opened.landed()) == ({"loaded": 120}, ids(120))


# The server counts


def test_rejected_rows_go_to_the_rejects_with_the_text_of_the_server(opened: Desk) -> None:
    opened.sandbox.faults([on_load("reject", extern_ids=["L1"], message="Invalid area code")])
    opened.load([lead(number) for number in range(3)])
    assert reject_reasons(opened) == {"L1": ("rejected_row", "Invalid area code")}
    assert opened.outcome() == {"loaded": 2, "rejected": 1}


def test_a_reject_holds_the_record_as_read_and_the_lead(opened: Desk) -> None:
    opened.sandbox.faults([on_load("reject", extern_ids=["L0"], message="no")])
    opened.load([lead(0)])
    (reject,) = rejects(opened)
    assert (reject["record"], reject["lead"]) == ({"id": "L0"}, dict(lead(0).fields))
    assert (reject["stage"], reject["campaign_id"], reject["stream"]) == ("server", "1001", "people")


def test_a_rejected_row_is_not_in_the_ledger(opened: Desk) -> None:
    opened.sandbox.faults([on_load("reject", extern_ids=["L1"], message="no")])
    opened.load([lead(0), lead(1)])
    assert set(opened.ledger.accepted("1001", ids(2))) == {"L0"}
    assert claimed(opened) == set()


def test_a_batch_of_rejected_rows_only_is_counted(opened: Desk) -> None:
    opened.sandbox.faults([on_load("reject", extern_ids=ids(3), message="no")])
    opened.load([lead(number) for number in range(3)])
    assert opened.outcome() == {"rejected": 3}


@settings(max_examples=10, deadline=None)
@given(st.sets(st.integers(0, 9), min_size=1, max_size=9))
def test_counts_that_are_too_low_reject_exactly_the_missing_leads(lost: set[int]) -> None:
    with desk() as opened:
        opened.sandbox.faults([on_load("short", extern_ids=[f"L{number}" for number in lost])])
        opened.load([lead(number) for number in range(10)])
        assert {extern_id: reason for extern_id, (reason, _) in reject_reasons(opened).items()} == {
            f"L{number}": "not_accepted" for number in lost
        }
        assert opened.outcome() == {"loaded": 10 - len(lost), "rejected": len(lost)}


def test_accepted_but_not_inserted_is_counted_as_such(opened: Desk) -> None:
    opened.sandbox.faults([on_load("not_inserted", not_inserted=2)])
    opened.load([lead(number) for number in range(5)])
    assert opened.outcome() == {"loaded": 3, "not_inserted": 2}


def test_duplicates_by_phone_are_counted_as_not_inserted(opened: Desk) -> None:
    opened.load([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"])])
    assert opened.outcome() == {"loaded": 1, "not_inserted": 1}


def test_an_answer_without_counts_tells_the_inserted_from_the_others_by_search(opened: Desk) -> None:
    opened.sandbox.faults([on_load("empty_object")])
    opened.load([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"])])
    assert opened.outcome() == {"loaded": 1, "not_inserted": 1}


# Anything

FAULTS = [*BEFORE, *AFTER, *COUNTLESS, on_load("status", status=429, retry_after="2"), on_load("status", status=400)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 6)), max_size=4, unique_by=lambda fault: name(fault[0])),
    st.lists(st.integers(1, 7), min_size=1, max_size=3),
    st.sets(st.integers(0, 5), max_size=2),
)
def test_each_lead_is_loaded_once_whatever_happens(
    faults: list[tuple[dict[str, Any], int]], sizes: list[int], bad: set[int]
) -> None:
    with desk(search_delay=3) as opened:
        opened.sandbox.faults([*(bad_lead(at) for at in bad), *(fault | {"after": after} for fault, after in faults)])
        count = 0
        for size in sizes:
            opened.load([lead(count + at) for at in range(size)])
            count += size
        opened.refusals.finish()
        spoilt = {f"L{at}" for at in bad if at < count}
        assert opened.landed() == sorted(set(ids(count)) - spoilt)
        assert reject_reasons(opened).keys() == spoilt
        assert opened.outcome().get("loaded", 0) == count - len(spoilt)
        assert opened.states[-1] == f'"L{count - 1}"'
