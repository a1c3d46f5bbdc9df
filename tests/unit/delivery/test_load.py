"""A batch, whatever the server does to it: each lead exactly once on the server, each record in one outcome."""

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
def room() -> Iterator[Desk]:
    with desk() as made:
        yield made


def ids(count: int) -> list[str]:
    return sorted(f"L{number}" for number in range(count))


def rejects(room: Desk) -> list[dict[str, Any]]:
    if not room.rejects.path.exists():
        return []
    return [json.loads(line) for line in room.rejects.path.read_text("utf-8").splitlines()]


def reject_reasons(room: Desk) -> dict[str, tuple[str, str]]:
    return {each["extern_id"]: (each["reason"], each["message"]) for each in rejects(room)}


def claimed(room: Desk) -> set[str]:
    """`externId` of what the ledger says may be on its way."""
    under_way = sa.select(BATCHES.c.leads).where(BATCHES.c.fate == FATE_UNKNOWN)
    with room.ledger._account.database.engine.connect() as connection:
        batches = connection.execute(under_way).scalars()
        return {extern_id for batch in batches for extern_id in json.loads(batch)}


def on_load(do: str, **more: Any) -> dict[str, Any]:
    return {"on": "load", "do": do} | more


# All goes well


def test_a_batch_is_one_request(room: Desk) -> None:
    room.load([lead(number) for number in range(5)])
    assert [each["leads"] for each in room.loads()] == [5]


def test_a_loaded_batch_is_on_the_server_once(room: Desk) -> None:
    room.load([lead(number) for number in range(5)])
    assert room.landed() == ids(5)


def test_a_loaded_batch_is_counted_as_loaded(room: Desk) -> None:
    room.load([lead(number) for number in range(5)])
    assert room.outcome() == {"loaded": 5}


def test_a_loaded_batch_lets_state_pass(room: Desk) -> None:
    room.load([lead(0), lead(1)])
    assert room.states == ['"L1"']


def test_a_loaded_batch_is_in_the_ledger(room: Desk) -> None:
    room.load([lead(0)])
    assert room.ledger.accepted("1001", ["L0"])["L0"].digest == lead(0).digest


def test_a_loaded_batch_is_on_its_way_no_more(room: Desk) -> None:
    room.load([lead(0)])
    assert claimed(room) == set()


def test_the_list_is_named_by_the_template(room: Desk) -> None:
    batch = room.batch([lead(0)])
    options = ListOptions(description="{stream}/{campaign}/{run}/{started}/{date}/{batch}")
    room.load_batch(Batch(batch.stream, batch.campaign, options, 7, batch.leads))
    (made,) = room.sandbox.lists()
    assert made["listDesc"] == f"people/Renewals/{room.run.name}/2026-01-01 00:00:00/2026-01-01/7"


# Nothing is stored: later again


@pytest.mark.parametrize("retry_after", ["7", 7, "Thu, 01 Jan 2026 00:00:07 GMT"])
def test_a_throttled_batch_waits_as_long_as_it_is_told(room: Desk, retry_after: Any) -> None:
    room.sandbox.faults([on_load("status", status=429, body="rate", retry_after=retry_after)])
    room.load([lead(0)])
    first, second = (each["at"] for each in room.loads())
    assert 7 <= second - first < 8


def test_after_a_429_less_of_the_quota_is_used(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=429, body="rate", retry_after="1")])
    room.load([lead(0)])
    began = room.clock.monotonic()
    for _ in range(30):
        room.pace.wait()
    assert room.clock.monotonic() - began > 10


def test_a_batch_throttled_without_a_word_is_sent_again(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=429, body="rate", times=3)])
    room.load([lead(0), lead(1)])
    assert room.landed() == ids(2)


def test_throttling_is_counted(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=429, times=2)])
    room.load([lead(0)])
    totals = room.run.totals()
    assert (totals["requests"], totals["retries"], totals["throttled"]) == (3, 2, 2)


def test_throttling_holds_back_everybody(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=429, retry_after="20")])
    room.load([lead(0)])
    room.load([lead(1)], WINBACK)
    first, *rest = (each["at"] for each in room.loads())
    assert all(at - first >= 20 for at in rest)


def test_throttling_needs_no_search(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=429, times=2)])
    room.load([lead(0)])
    assert room.sandbox.requests("search") == []


def test_a_batch_that_never_left_is_sent_without_a_search(room: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    send, failures = room.transport.send, [NotSent("Connection refused")] * 3
    monkeypatch.setattr(room.transport, "send", lambda *a, **k: failures.pop() if failures else send(*a, **k))
    room.load([lead(0)])
    assert (room.landed(), room.sandbox.requests("search")) == (["L0"], [])


def test_a_503_waits_as_long_as_it_says(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=503, retry_after="90")])
    room.load([lead(0)])
    first, second = (each["at"] for each in room.loads())
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
def test_a_batch_of_unknown_fate_lands_exactly_once(room: Desk, fault: dict[str, Any]) -> None:
    room.sandbox.faults([fault])
    room.load([lead(number) for number in range(3)])
    assert room.landed() == ids(3)


@pytest.mark.parametrize("fault", BEFORE + AFTER + COUNTLESS, ids=name)
def test_a_batch_of_unknown_fate_is_counted_as_loaded(room: Desk, fault: dict[str, Any]) -> None:
    room.sandbox.faults([fault])
    room.load([lead(number) for number in range(3)])
    assert (room.outcome(), room.states) == ({"loaded": 3}, ['"L2"'])


@pytest.mark.parametrize("fault", AFTER + COUNTLESS, ids=name)
def test_what_was_stored_is_not_sent_again(room: Desk, fault: dict[str, Any]) -> None:
    room.sandbox.faults([fault])
    room.load([lead(number) for number in range(3)])
    assert len(room.loads()) == 1


@pytest.mark.parametrize("do", ["timeout_before", "timeout_after"])
def test_a_batch_without_an_answer_in_time_lands_exactly_once(do: str) -> None:
    with desk(timeout=0.2) as room:
        room.sandbox.faults([on_load(do)])
        room.load([lead(0), lead(1)])
        assert room.landed() == ids(2)


@pytest.mark.parametrize("fault", [on_load("drop_before", times=3), on_load("status", status=502, times=3)], ids=name)
def test_an_unknown_fate_several_times_in_a_row_is_looked_up_each_time(room: Desk, fault: dict[str, Any]) -> None:
    room.sandbox.faults([fault])
    room.load([lead(0)])
    assert room.landed() == ["L0"]


def test_only_what_is_missing_is_sent_again(room: Desk) -> None:
    batch = room.batch([lead(number) for number in range(4)])
    load = room.client.load

    def half(campaign_id: str, envelope: Any, leads: Any, on_sent: Any = None, about: Any = NO_ATTRIBUTES) -> Any:
        """Stores a half, then loses its answer: no server is known to, but nobody promises it does not."""
        room.client.load = load  # type: ignore[method-assign]
        load(campaign_id, envelope, leads[:2], on_sent, about)
        room.sandbox.faults([on_load("drop_before")])
        return load(campaign_id, envelope, leads[2:], on_sent, about)

    room.client.load = half  # type: ignore[method-assign]
    room.load_batch(batch)
    assert [each["leads"] for each in room.loads()] == [2, 2, 2]
    assert room.landed() == ids(4)


def test_a_lead_dropped_as_a_duplicate_of_a_lost_answer_is_not_sent_alone(room: Desk) -> None:
    room.sandbox.faults([on_load("drop_after")])
    room.load([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"]), lead(2)])
    assert (room.landed(), room.outcome()) == (["L0", "L2"], {"loaded": 2, "not_inserted": 1})


def test_when_all_duplicates_are_retained_a_missing_lead_is_sent(room: Desk) -> None:
    batch = room.batch([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"])])
    room.sandbox.faults([on_load("drop_before")])
    room.load_batch(Batch("people", RENEWALS, ListOptions(duplicate_handling="RETAIN_ALL"), 1, batch.leads))
    assert (room.landed(), room.outcome()) == (ids(2), {"loaded": 2})


def test_an_earlier_version_is_not_taken_for_the_one_that_was_lost(room: Desk) -> None:
    room.load([lead(0, firstName="Ann")])
    accepted = room.ledger.accepted("1001", ["L0"])["L0"]
    room.sandbox.faults([on_load("drop_before")])
    room.load([lead(0, firstName="Anna")], not_before=accepted.at)
    assert [row["fields"]["firstName"] for row in room.sandbox.leads()] == ["Ann", "Anna"]


def test_a_later_version_that_arrived_is_not_sent_twice(room: Desk) -> None:
    room.load([lead(0, firstName="Ann")])
    accepted = room.ledger.accepted("1001", ["L0"])["L0"]
    room.sandbox.faults([on_load("drop_after")])
    room.load([lead(0, firstName="Anna")], not_before=accepted.at)
    assert [row["fields"]["firstName"] for row in room.sandbox.leads()] == ["Ann", "Anna"]


def test_a_later_version_waits_until_the_earlier_one_is_clearly_past(room: Desk) -> None:
    room.load([lead(0)])
    accepted = room.ledger.accepted("1001", ["L0"])["L0"]
    room.load([lead(0)], not_before=accepted.at)
    assert room.loads()[1]["at"] > accepted.at + 1


def test_what_is_new_does_not_wait(room: Desk) -> None:
    room.load([lead(0)])
    room.load([lead(1)])
    first, second = room.loads()
    assert second["at"] - first["at"] < 0.1


def test_a_search_that_fails_for_a_while_does_no_harm(room: Desk) -> None:
    room.sandbox.faults([on_load("drop_after"), {"on": "search", "do": "status", "status": 503, "times": 5}])
    room.load([lead(0)])
    assert (room.landed(), room.outcome()) == (["L0"], {"loaded": 1})


def test_a_search_that_stays_down_fails_the_run_and_settles_nothing(room: Desk) -> None:
    room.sandbox.faults([on_load("drop_after"), {"on": "search", "do": "status", "status": 503, "times": FOREVER}])
    with pytest.raises(ServerError, match="leadSearch: no answer within retry_max_seconds"):
        room.load([lead(0)])
    assert (room.outcome(), room.states, claimed(room)) == ({}, [], {"L0"})


# The server does not get well


@pytest.mark.parametrize("fault", [on_load("drop_before"), on_load("status", status=429)], ids=name)
def test_a_batch_that_can_not_be_loaded_in_time_fails_the_run(fault: dict[str, Any]) -> None:
    with desk(retry_max_seconds=120, search_delay=1) as room:
        room.sandbox.faults([fault | {"times": FOREVER}])
        with pytest.raises(ServerError, match=r"campaign 1001: 2 leads could not be loaded within\s+retry_max_seconds"):
            room.load([lead(0), lead(1)])
        assert room.clock.monotonic() - 1000 <= 125


def test_a_batch_that_can_not_be_loaded_stays_claimed(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=502, times=FOREVER)])
    with pytest.raises(ServerError):
        room.load([lead(0), lead(1)])
    assert (room.outcome(), room.states, claimed(room)) == ({}, [], {"L0", "L1"})


def test_a_wait_longer_than_the_retries_is_not_begun(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=429, retry_after="3600")])
    with pytest.raises(ServerError, match="HTTP 429"):
        room.load([lead(0)])
    assert room.clock.monotonic() - 1000 < 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 403, "body": '{"errorCode": "access.denied.exception"}'}, "HTTP 403 access.denied.exception"),
        ({"status": 302}, "HTTP 302"),
        ({"status": 200, "body": '{"processingStatus": "DNC_ACCOUNT_SETTINGS"}'}, "DNC_ACCOUNT_SETTINGS"),
    ],
)
def test_a_denied_load_fails_the_run_at_once(room: Desk, answer: dict[str, Any], words: str) -> None:
    room.sandbox.faults([on_load("status", times=FOREVER, **answer)])
    with pytest.raises(ServerError, match=words):
        room.load([lead(0)])
    assert (len(room.loads()), room.outcome()) == (1, {})


def test_a_loader_that_is_nowhere_fails_the_run(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=404, times=FOREVER)])
    with pytest.raises(ServerError, match=r"no lead loader answers under .*Check base_url"):
        room.load([lead(0)])


def test_a_run_that_stops_sends_nothing_more(room: Desk) -> None:
    room.halt.set(Interrupted("stopped"))
    with pytest.raises(Interrupted):
        room.load([lead(0)])
    assert room.loads() == []


# The server does not like a lead


def poison(number: int, status: int = 400, **more: Any) -> dict[str, Any]:
    return on_load("status", status=status, body=f"bad L{number}", extern_ids=[f"L{number}"], times=FOREVER) | more


def see_out(room: Desk, count: int) -> None:
    room.load([lead(number) for number in range(count)])
    room.refusals.finish()


POSITIONS = [(size, at) for size in (1, 2, 3) for at in range(size)] + [(500, at) for at in (0, 1, 249, 250, 498, 499)]


@pytest.mark.parametrize(("size", "at"), POSITIONS)
@pytest.mark.parametrize("status", [400, 422])
def test_exactly_the_poison_is_rejected(room: Desk, size: int, at: int, status: int) -> None:
    room.sandbox.faults([poison(at, status)])
    see_out(room, size)
    assert reject_reasons(room) == {f"L{at}": (f"http_{status}", f"bad L{at}")}
    assert room.landed() == sorted(set(ids(size)) - {f"L{at}"})


@pytest.mark.parametrize(("size", "at"), POSITIONS)
def test_a_poison_lead_costs_a_logarithm(room: Desk, size: int, at: int) -> None:
    room.sandbox.faults([poison(at)])
    see_out(room, size)
    assert len(room.loads()) <= math.ceil(math.log2(size)) + 3


@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(0, 499), min_size=1, max_size=4))
def test_several_poison_leads_cost_a_logarithm_each(bad: set[int]) -> None:
    with desk() as room:
        room.sandbox.faults([poison(at) for at in bad])
        see_out(room, 500)
        assert set(reject_reasons(room)) == {f"L{at}" for at in bad}
        assert room.landed() == sorted(set(ids(500)) - {f"L{at}" for at in bad})
        assert len(room.loads()) <= len(bad) * (math.ceil(math.log2(500)) + 2) + 1


@pytest.mark.parametrize("seed", range(3))
def test_twenty_poison_leads_among_ten_thousand_cost_no_more_than_promised(seed: int) -> None:
    bad = random.Random(seed).sample(range(10_000), 20)  # noqa: S311 - no secret hangs on it
    with desk() as room:
        room.sandbox.faults([poison(at) for at in bad])
        for start in range(0, 10_000, 500):
            room.load([lead(number) for number in range(start, start + 500)])
        room.refusals.finish()
        assert room.outcome() == {"loaded": 9980, "rejected": 20}
        assert len(room.loads()) - 20 <= 20 * math.log2(500) + 25


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_a_lead_that_breaks_the_server_every_time_is_rejected(room: Desk, size: int) -> None:
    room.sandbox.faults([poison(0, 500)])
    see_out(room, size)
    assert reject_reasons(room) == {"L0": ("http_500", "HTTP 500")}
    assert room.landed() == sorted(set(ids(size)) - {"L0"})


def test_a_general_failure_is_bisected_as_well(room: Desk) -> None:
    room.sandbox.faults([on_load("general_failure", extern_ids=["L2"], times=FOREVER)])
    see_out(room, 4)
    assert reject_reasons(room) == {"L2": ("general_failure", "missing.required.param")}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("fault", [on_load("status", status=400), on_load("general_failure")], ids=name)
def test_a_passing_refusal_rejects_nobody(room: Desk, size: int, fault: dict[str, Any]) -> None:
    room.sandbox.faults([fault])
    see_out(room, size)
    assert (room.outcome(), room.landed()) == ({"loaded": size}, ids(size))


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("after", range(1, 6))
@pytest.mark.parametrize("poison_status", [400, 500])
def test_a_bad_moment_while_the_poison_is_looked_for_rejects_nobody_else(
    room: Desk, status: int, after: int, poison_status: int
) -> None:
    moment = on_load("status", status=status, body="a bad moment", after=after)
    room.sandbox.faults([poison(5, poison_status), moment])
    see_out(room, 8)
    assert reject_reasons(room).keys() == {"L5"}


def test_bad_moments_while_others_are_asked_for_their_opinion_reject_nobody_else(room: Desk) -> None:
    bad = range(6)
    moments = [on_load("status", status=500, after=30, times=2), on_load("status", status=500, after=40)]
    room.sandbox.faults([*(poison(at) for at in bad), *moments])
    see_out(room, 40)
    assert reject_reasons(room).keys() == {f"L{at}" for at in bad}


def test_a_poison_lead_keeps_state_back_until_it_is_rejected(room: Desk) -> None:
    room.sandbox.faults([poison(1)])
    room.load([lead(0), lead(1)])
    assert room.states == ['"L0"']
    room.refusals.finish()
    assert room.states == ['"L0"', '"L1"']


def test_a_refused_lead_is_on_its_way_no_more(room: Desk) -> None:
    room.sandbox.faults([poison(0)])
    room.load([lead(0)])
    assert claimed(room) == set()


def test_an_earlier_refusal_does_not_unclaim_a_later_version(room: Desk) -> None:
    room.sandbox.faults([poison(0)])
    room.load([lead(0)])  # refused, and kept back until the campaign takes another
    room.ledger.claim("people", "1001", {"L0": "later version"}, room.clock.time())
    room.sandbox.faults([])
    room.load([lead(1)])
    assert reject_reasons(room).keys() == {"L0"}
    assert claimed(room) == {"L0"}


@pytest.mark.parametrize("size", [5, 8, 50, 500])
def test_when_everything_is_refused_it_is_not_the_leads(room: Desk, size: int) -> None:
    room.sandbox.faults([on_load("status", status=422, body="no", times=FOREVER)])
    with pytest.raises(ServerError, match=r"campaign 1001 refused each of \d leads sent alone \(http_422\)"):
        room.load([lead(number) for number in range(size)])
    assert (room.outcome(), room.states, rejects(room)) == ({}, [], [])
    assert len(room.loads()) <= 5 * (math.log2(size) + 2) + 3


def test_everything_refused_in_batches_of_one_is_not_the_leads_either(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=422, body="no", times=FOREVER)])
    for number in range(4):
        room.load([lead(number)])
    with pytest.raises(ServerError, match="the leads are not the cause"):
        room.load([lead(4)])
    assert (rejects(room), room.states) == ([], [])


def test_the_refusals_of_one_campaign_do_not_stop_another(room: Desk) -> None:
    room.sandbox.faults([on_load("status", status=422, times=FOREVER, campaign_id="1001")])
    for number in range(4):
        room.load([lead(number)])
        room.load([lead(number)], WINBACK)
    assert room.landed(WINBACK) == ids(4)


def test_many_poison_leads_at_the_front_are_not_mistaken_for_a_broken_campaign(room: Desk) -> None:
    room.sandbox.faults([poison(at) for at in range(8)])
    see_out(room, 40)
    assert set(reject_reasons(room)) == {f"L{at}" for at in range(8)}
    assert len(room.landed()) == 32


# The server does not like the size


@pytest.mark.parametrize("config", [{"max_leads_per_request": 60}, {"max_body_bytes": 4000}])
def test_a_batch_that_is_too_large_is_sent_in_parts(config: dict[str, Any]) -> None:
    with desk(config=config) as room:
        see_out(room, 200)
        assert (room.landed(), room.outcome()) == (ids(200), {"loaded": 200})


def test_batches_stay_smaller_for_the_rest_of_the_run() -> None:
    with desk(config={"max_leads_per_request": 60}) as room:
        see_out(room, 200)
        before = len(room.loads())
        room.load([lead(number) for number in range(200, 400)])
        assert {each["status"] for each in room.loads()[before:]} == {200}


def test_a_lead_that_is_too_long_alone_is_rejected() -> None:
    with desk(config={"max_body_bytes": 4000}) as room:
        room.load([lead(0), lead(1, auxData1="x" * 5000), lead(2)])
        room.refusals.finish()
        assert reject_reasons(room).keys() == {"L1"}
        assert room.landed() == ["L0", "L2"]


def test_a_lead_with_a_value_that_is_too_long_does_not_make_all_batches_small(room: Desk) -> None:
    words = "Field exceeds its maximum length: the value is too long"
    room.load([lead(number) for number in range(100, 164)])
    room.sandbox.faults([poison(5) | {"body": words}])
    see_out(room, 64)
    before = len(room.loads())
    room.load([lead(number) for number in range(200, 264)])
    assert reject_reasons(room) == {"L5": ("http_400", words)}
    assert [each["leads"] for each in room.loads()[before:]] == [64]


@pytest.mark.parametrize("limit", [1, 2, 3, 60])
def test_a_limit_that_the_server_does_not_name_rejects_nobody(room: Desk, limit: int) -> None:
    load = room.client.load

    def limited(campaign_id: str, envelope: Any, leads: Any, on_sent: Any = None, about: Any = NO_ATTRIBUTES) -> Any:
        return (
            load(campaign_id, envelope, leads, on_sent, about)
            if len(leads) <= limit
            else Refused("http_400", "Bad request")
        )

    room.client.load = limited  # type: ignore[method-assign]
    see_out(room, 100)
    assert (room.outcome(), room.landed()) == ({"loaded": 100}, ids(100))


def test_a_batch_with_more_bytes_than_a_longer_one_rejects_nobody() -> None:
    with desk(config={"max_body_bytes": 10_000}) as room:
        see_out(room, 100)
        room.load([lead(number, auxData1="x" * 2000) for number in range(100, 120)])
        room.refusals.finish()
        assert (room.outcome(), room.landed()) == ({"loaded": 120}, ids(120))


# The server counts


def test_rejected_rows_go_to_the_rejects_in_the_servers_words(room: Desk) -> None:
    room.sandbox.faults([on_load("reject", extern_ids=["L1"], message="Invalid area code")])
    room.load([lead(number) for number in range(3)])
    assert reject_reasons(room) == {"L1": ("rejected_row", "Invalid area code")}
    assert room.outcome() == {"loaded": 2, "rejected": 1}


def test_a_reject_holds_the_record_as_read_and_the_lead(room: Desk) -> None:
    room.sandbox.faults([on_load("reject", extern_ids=["L0"], message="no")])
    room.load([lead(0)])
    (reject,) = rejects(room)
    assert (reject["record"], reject["lead"]) == ({"id": "L0"}, dict(lead(0).fields))
    assert (reject["stage"], reject["campaign_id"], reject["stream"]) == ("server", "1001", "people")


def test_a_rejected_row_is_not_in_the_ledger(room: Desk) -> None:
    room.sandbox.faults([on_load("reject", extern_ids=["L1"], message="no")])
    room.load([lead(0), lead(1)])
    assert set(room.ledger.accepted("1001", ids(2))) == {"L0"}
    assert claimed(room) == set()


def test_a_batch_of_rejected_rows_only_is_counted(room: Desk) -> None:
    room.sandbox.faults([on_load("reject", extern_ids=ids(3), message="no")])
    room.load([lead(number) for number in range(3)])
    assert room.outcome() == {"rejected": 3}


@settings(max_examples=10, deadline=None)
@given(st.sets(st.integers(0, 9), min_size=1, max_size=9))
def test_counts_that_come_up_short_reject_exactly_what_is_not_there(lost: set[int]) -> None:
    with desk() as room:
        room.sandbox.faults([on_load("short", extern_ids=[f"L{number}" for number in lost])])
        room.load([lead(number) for number in range(10)])
        assert {extern_id: reason for extern_id, (reason, _) in reject_reasons(room).items()} == {
            f"L{number}": "not_accepted" for number in lost
        }
        assert room.outcome() == {"loaded": 10 - len(lost), "rejected": len(lost)}


def test_accepted_but_not_inserted_is_counted_as_such(room: Desk) -> None:
    room.sandbox.faults([on_load("not_inserted", not_inserted=2)])
    room.load([lead(number) for number in range(5)])
    assert room.outcome() == {"loaded": 3, "not_inserted": 2}


def test_duplicates_by_phone_are_counted_as_not_inserted(room: Desk) -> None:
    room.load([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"])])
    assert room.outcome() == {"loaded": 1, "not_inserted": 1}


def test_an_answer_without_counts_tells_the_inserted_from_the_others_by_search(room: Desk) -> None:
    room.sandbox.faults([on_load("empty_object")])
    room.load([lead(0), lead(1, leadPhone=lead(0).fields["leadPhone"])])
    assert room.outcome() == {"loaded": 1, "not_inserted": 1}


# Anything

FAULTS = [*BEFORE, *AFTER, *COUNTLESS, on_load("status", status=429, retry_after="2"), on_load("status", status=400)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 6)), max_size=4, unique_by=lambda fault: name(fault[0])),
    st.lists(st.integers(1, 7), min_size=1, max_size=3),
    st.sets(st.integers(0, 5), max_size=2),
)
def test_whatever_happens_each_lead_is_there_once(
    faults: list[tuple[dict[str, Any], int]], sizes: list[int], bad: set[int]
) -> None:
    with desk(search_delay=3) as room:
        room.sandbox.faults([*(poison(at) for at in bad), *(fault | {"after": after} for fault, after in faults)])
        count = 0
        for size in sizes:
            room.load([lead(count + at) for at in range(size)])
            count += size
        room.refusals.finish()
        spoilt = {f"L{at}" for at in bad if at < count}
        assert room.landed() == sorted(set(ids(count)) - spoilt)
        assert reject_reasons(room).keys() == spoilt
        assert room.outcome().get("loaded", 0) == count - len(spoilt)
        assert room.states[-1] == f'"L{count - 1}"'
