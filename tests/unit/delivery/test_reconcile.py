"""What the server holds is believed only when it can be: found at once, missing after the search delay."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.api.rows import LoadedLead
from target_engagevoice.delivery import reconcile
from target_engagevoice.delivery.reconcile import Reconciler, recover
from target_engagevoice.errors import Interrupted, ServerError
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.entries import Accepted
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.ledger.tables import CHANGE, LOAD, RETIRE
from target_engagevoice.model.list_options import ListOptions
from tests.support.factories import ACCOUNT, Desk, desk, lead
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from target_engagevoice.api.client import Client

ENVELOPE = ListOptions().envelope({"stream": "people", "started": "now"})
DELAY = 10.0


@pytest.fixture
def room() -> Iterator[Desk]:
    with desk(search_delay=DELAY) as made:
        yield made


def load(room: Desk, *numbers: int, campaign_id: str = "1001") -> None:
    room.client.load(campaign_id, ENVELOPE, [lead(number).body for number in numbers])


def held(room: Desk, *extern_ids: str, since: float | None = None) -> set[str]:
    moment = room.clock.time() if since is None else since
    return room.reconciler.held("1001", dict.fromkeys(extern_ids, moment))


def passed(room: Desk) -> float:
    return room.clock.monotonic() - 1000


def test_what_is_not_there_is_missing_only_after_the_search_delay(room: Desk) -> None:
    assert held(room, "L0") == set()
    assert DELAY <= passed(room) < DELAY + 0.1


def test_the_last_look_begins_after_the_search_delay(room: Desk) -> None:
    held(room, "L0")
    assert room.sandbox.requests("search")[-1]["at"] >= 1_767_225_600 + DELAY


def test_what_is_found_early_returns_early(room: Desk) -> None:
    load(room, 0)
    room.clock.advance(5)
    assert held(room, "L0", since=room.clock.time() - 5) == {"L0"}
    assert passed(room) < 5.1


def test_what_becomes_visible_late_is_waited_for(room: Desk) -> None:
    load(room, 0)
    assert held(room, "L0") == {"L0"}
    assert 2 <= passed(room) < 5


@pytest.mark.parametrize("delay", [0.3, 3.0, 9.0])
def test_every_search_delay_up_to_ours_is_seen_through(delay: float) -> None:
    with desk(search_delay=DELAY, config={"search_delay_seconds": delay}) as room:
        load(room, 0, 1)
        assert held(room, "L0", "L1", "L2") == {"L0", "L1"}


def test_what_is_found_is_not_asked_for_again(room: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    search = room.client.search

    def listen(campaign_id: str, extern_ids: Sequence[str], since: float) -> list[LoadedLead]:
        asked.append(list(extern_ids))
        return search(campaign_id, extern_ids, since)

    monkeypatch.setattr(room.client, "search", listen)
    load(room, 0)
    room.clock.advance(3)
    held(room, "L0", "L1", since=room.clock.time() - 3)
    assert (asked[0], asked[-1]) == (["L0", "L1"], ["L1"])


def test_a_delay_of_nothing_looks_once(room: Desk) -> None:
    room.reconciler.delay = 0
    held(room, "L0")
    assert len(room.sandbox.requests("search")) == 1


def test_what_was_loaded_before_does_not_count(room: Desk) -> None:
    load(room, 0)
    room.clock.advance(30)
    assert held(room, "L0") == set()


def test_what_was_loaded_in_the_same_second_counts(room: Desk) -> None:
    room.clock.advance(0.9)
    since = room.clock.time()
    load(room, 0)  # `loadedDts` may be cut to whole seconds
    assert held(room, "L0", since=since) == {"L0"}


def test_each_lead_has_its_own_since(room: Desk) -> None:
    load(room, 0, 1)
    room.clock.advance(30)
    now = room.clock.time()
    assert room.reconciler.held("1001", {"L0": now - 30, "L1": now}) == {"L0"}


def test_another_campaign_does_not_count(room: Desk) -> None:
    load(room, 0, campaign_id="1002")
    assert held(room, "L0") == set()


def test_nobody_is_looked_up_for_nobody(room: Desk) -> None:
    assert held(room) == set()
    assert room.sandbox.requests("search") == []


def test_a_row_that_does_not_say_when_it_was_loaded_ends_the_run(room: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    row = LoadedLead("L0", "1001", "7", None)
    monkeypatch.setattr(room.client, "search", lambda *_: [row])
    with pytest.raises(ServerError, match="does not say when lead L0 was loaded"):
        held(room, "L0")


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_any_number_is_looked_up_in_parts(at_once: int, there: set[int]) -> None:
    with desk(search_delay=3) as room, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "LOOK_UP_AT_ONCE", at_once)
        if there:
            load(room, *there)
        expected = {f"L{number}" for number in there}
        assert held(room, *(f"L{number}" for number in range(40))) == expected


def test_a_stop_ends_the_looking(room: Desk) -> None:
    room.halt.set(Interrupted("stopped"))
    with pytest.raises(Interrupted):
        held(room, "L0")


# What a killed run left


def killed(folder: Path, run: str, *ids: str, stream: str = "people", campaign: str = "1001", since: float = 0) -> None:
    ledger = Ledger.open(None, folder, ACCOUNT, run)
    ledger.claim(stream, campaign, dict.fromkeys(ids, f"digest {run}"), since)
    ledger.close()


@pytest.fixture
def next_run(room: Desk, tmp_path: Path) -> Iterator[Ledger]:
    """The ledger as the next run opens it: a killed one had L0 and L1 in flight, of which L0 arrived."""
    killed(tmp_path, "one", "L0", "L1", since=room.clock.time())
    load(room, 0)
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "two")
    yield ledger
    ledger.close()


def recovered(room: Desk, ledger: Ledger) -> int:
    return recover(ledger, room.reconciler, room.clock, room.clock.time, DELAY)


def test_what_arrived_is_accepted(room: Desk, next_run: Ledger) -> None:
    recovered(room, next_run)
    assert {key: each.digest for key, each in next_run.accepted("1001", ["L0", "L1"]).items()} == {"L0": "digest one"}


def test_what_arrived_will_be_passed_over_when_it_is_read_again(room: Desk, next_run: Ledger) -> None:
    recovered(room, next_run)
    assert next_run.replay_candidates("people", "1001", ["L0", "L1"]).keys() == {"L0"}


def test_nothing_is_in_flight_any_more(room: Desk, next_run: Ledger) -> None:
    recovered(room, next_run)
    assert next_run.in_flight() == []


def test_it_is_told_how_many_were_looked_up(room: Desk, next_run: Ledger) -> None:
    assert (recovered(room, next_run), recovered(room, next_run)) == (2, 0)


def test_what_arrived_counts_as_accepted_no_earlier_than_it_was_found(room: Desk, next_run: Ledger) -> None:
    recovered(room, next_run)
    assert next_run.accepted("1001", ["L0"])["L0"].at >= room.clock.time()


def test_a_search_that_stays_down_leaves_everything_in_flight(room: Desk, next_run: Ledger) -> None:
    room.sandbox.faults([{"on": "search", "do": "status", "status": 503, "times": None}])
    with pytest.raises(ServerError):
        recovered(room, next_run)
    assert len(next_run.in_flight()) == 2


def test_the_search_delay_is_waited_out_once_for_all_campaigns(room: Desk, tmp_path: Path) -> None:
    for number, campaign in enumerate(("1001", "1002", "1003")):
        killed(tmp_path, f"run {number}", "L0", campaign=campaign, since=room.clock.time())
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "next")
    recovered(room, ledger)
    ledger.close()
    assert passed(room) < DELAY + 2


def test_nothing_in_flight_costs_nothing(room: Desk) -> None:
    assert (recovered(room, room.ledger), passed(room), room.sandbox.requests()) == (0, 0, [])


def test_leads_of_the_same_id_in_two_campaigns_are_looked_up_each(room: Desk, tmp_path: Path) -> None:
    killed(tmp_path, "one", "L0", campaign="1001", since=room.clock.time())
    killed(tmp_path, "two", "L0", campaign="1002", since=room.clock.time())
    load(room, 0, campaign_id="1002")
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "three")
    recovered(room, ledger)
    known = [ledger.accepted(campaign, ["L0"]).keys() for campaign in ("1001", "1002")]
    ledger.close()
    assert known == [set(), {"L0"}]


# Changes and retirements


@pytest.fixture
def doubtful(room: Desk, tmp_path: Path) -> Iterator[Ledger]:
    """The ledger of the next run: the killed one was about to change L0, to retire L1, and to load L2."""
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "one")
    ledger.settle("people", "1001", {"L0": "a", "L1": "a"}, [], 1.0)
    for extern_id, digest, work in (("L0", "b", CHANGE), ("L1", "suppress", RETIRE), ("L2", "a", LOAD)):
        ledger.claim("people", "1001", {extern_id: digest}, room.clock.time(), work)
    ledger.close()
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "two")
    yield ledger
    ledger.close()


def test_what_was_to_be_changed_or_retired_is_in_doubt(room: Desk, doubtful: Ledger) -> None:
    recovered(room, doubtful)
    known = doubtful.accepted("1001", ["L0", "L1", "L2"])
    assert known == {"L0": Accepted("", 1.0), "L1": Accepted("a", 1.0, "suppress?")}
    assert doubtful.in_flight() == []


def test_only_loads_are_looked_up(room: Desk, doubtful: Ledger) -> None:
    assert recovered(room, doubtful) == 1


def test_where_nothing_was_to_be_loaded_nothing_is_asked_or_waited_for(room: Desk, doubtful: Ledger) -> None:
    doubtful.settle("people", "1001", {}, ["L2"], 0.0, "one")
    assert (recovered(room, doubtful), room.sandbox.requests(), passed(room)) == (0, [], 0)
    assert doubtful.accepted("1001", ["L1"])["L1"].retired == "suppress?"


def test_of_a_load_that_arrived_it_is_known_which_fields_it_has(room: Desk, tmp_path: Path) -> None:
    killed(tmp_path, "one", "L0", since=room.clock.time())
    load(room, 0)
    with closing(Ledger.open(None, tmp_path, ACCOUNT, "two")) as ledger:
        recovered(room, ledger)
        content = ledger.leads.of_campaign("1001", ["L0"])["L0"].content
    assert {"externId", "leadPhone"} <= json.loads(content or "{}").keys()


# Against every delay and every clock


class Slow:
    """A search that shows a lead some time after it was loaded."""

    def __init__(self, clock: FakeClock, visible_at: dict[str, float], loaded_at: dict[str, float]) -> None:
        self._clock = clock
        self._visible_at = visible_at
        self._loaded_at = loaded_at

    def search(self, campaign_id: str, extern_ids: Sequence[str], since: float) -> list[LoadedLead]:
        now = self._clock.monotonic()
        return [
            LoadedLead(each, campaign_id, each, self._loaded_at[each])
            for each in extern_ids
            if each in self._visible_at and self._visible_at[each] <= now and self._loaded_at[each] >= since
        ]


@given(st.dictionaries(st.sampled_from(["L0", "L1", "L2", "L3"]), st.floats(0, DELAY)), st.floats(0, 30))
def test_what_is_visible_within_the_delay_is_always_found(visible: dict[str, float], delay: float) -> None:
    clock = FakeClock()
    now = clock.time()
    shown = {key: clock.monotonic() + min(after, delay) for key, after in visible.items()}
    client: Any = Slow(clock, shown, dict.fromkeys(visible, now))
    one: Client = client
    found = Reconciler(one, clock, Halt(clock), delay).held("1001", dict.fromkeys(["L0", "L1", "L2", "L3"], now))
    assert found == set(visible)
