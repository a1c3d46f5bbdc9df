"""Searches for leads of unknown fate: found at once, missing only after the search delay."""

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
def opened() -> Iterator[Desk]:
    with desk(search_delay=DELAY) as made:
        yield made


def load(opened: Desk, *numbers: int, campaign_id: str = "1001") -> None:
    opened.client.load(campaign_id, ENVELOPE, [lead(number).body for number in numbers])


def held(opened: Desk, *extern_ids: str, since: float | None = None) -> set[str]:
    moment = opened.clock.time() if since is None else since
    return opened.reconciler.held("1001", dict.fromkeys(extern_ids, moment))


def passed(opened: Desk) -> float:
    return opened.clock.monotonic() - 1000


def test_a_lead_counts_as_missing_only_after_the_search_delay(opened: Desk) -> None:
    assert held(opened, "L0") == set()
    assert DELAY <= passed(opened) < DELAY + 0.1


def test_the_last_search_begins_after_the_search_delay(opened: Desk) -> None:
    held(opened, "L0")
    assert opened.sandbox.requests("search")[-1]["at"] >= 1_767_225_600 + DELAY


def test_leads_that_are_found_early_are_returned_early(opened: Desk) -> None:
    load(opened, 0)
    opened.clock.advance(5)
    assert held(opened, "L0", since=opened.clock.time() - 5) == {"L0"}
    assert passed(opened) < 5.1


def test_a_lead_that_becomes_visible_late_is_waited_for(opened: Desk) -> None:
    load(opened, 0)
    assert held(opened, "L0") == {"L0"}
    assert 2 <= passed(opened) < 5


@pytest.mark.parametrize("delay", [0.3, 3.0, 9.0])
def test_every_delay_up_to_the_search_delay_is_waited_for(delay: float) -> None:
    with desk(search_delay=DELAY, config={"search_delay_seconds": delay}) as opened:
        load(opened, 0, 1)
        assert held(opened, "L0", "L1", "L2") == {"L0", "L1"}


def test_leads_that_were_found_are_not_searched_for_again(opened: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    search = opened.client.search

    def listen(campaign_id: str, extern_ids: Sequence[str], since: float) -> list[LoadedLead]:
        asked.append(list(extern_ids))
        return search(campaign_id, extern_ids, since)

    monkeypatch.setattr(opened.client, "search", listen)
    load(opened, 0)
    opened.clock.advance(3)
    held(opened, "L0", "L1", since=opened.clock.time() - 3)
    assert (asked[0], asked[-1]) == (["L0", "L1"], ["L1"])


def test_without_a_delay_one_search_is_made(opened: Desk) -> None:
    opened.reconciler.delay = 0
    held(opened, "L0")
    assert len(opened.sandbox.requests("search")) == 1


def test_an_earlier_load_does_not_count(opened: Desk) -> None:
    load(opened, 0)
    opened.clock.advance(30)
    assert held(opened, "L0") == set()


def test_a_load_in_the_same_second_counts(opened: Desk) -> None:
    opened.clock.advance(0.9)
    since = opened.clock.time()
    load(opened, 0)  # `loadedDts` may be cut to whole seconds
    assert held(opened, "L0", since=since) == {"L0"}


def test_each_lead_has_its_own_since(opened: Desk) -> None:
    load(opened, 0, 1)
    opened.clock.advance(30)
    now = opened.clock.time()
    assert opened.reconciler.held("1001", {"L0": now - 30, "L1": now}) == {"L0"}


def test_another_campaign_does_not_count(opened: Desk) -> None:
    load(opened, 0, campaign_id="1002")
    assert held(opened, "L0") == set()


def test_without_leads_nothing_is_searched(opened: Desk) -> None:
    assert held(opened) == set()
    assert opened.sandbox.requests("search") == []


def test_a_row_that_does_not_say_when_it_was_loaded_ends_the_run(opened: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    row = LoadedLead("L0", "1001", "7", None)
    monkeypatch.setattr(opened.client, "search", lambda *_: [row])
    with pytest.raises(ServerError, match="does not say when lead L0 was loaded"):
        held(opened, "L0")


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_any_number_is_looked_up_in_parts(at_once: int, there: set[int]) -> None:
    with desk(search_delay=3) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "LOOK_UP_AT_ONCE", at_once)
        if there:
            load(opened, *there)
        expected = {f"L{number}" for number in there}
        assert held(opened, *(f"L{number}" for number in range(40))) == expected


def test_a_stop_ends_the_search(opened: Desk) -> None:
    opened.halt.set(Interrupted("stopped"))
    with pytest.raises(Interrupted):
        held(opened, "L0")


# Leads in flight of a killed run


def killed(folder: Path, run: str, *ids: str, stream: str = "people", campaign: str = "1001", since: float = 0) -> None:
    ledger = Ledger.open(None, folder, ACCOUNT, run)
    ledger.claim(stream, campaign, dict.fromkeys(ids, f"digest {run}"), since)
    ledger.close()


@pytest.fixture
def next_run(opened: Desk, tmp_path: Path) -> Iterator[Ledger]:
    """The ledger of the next run: the killed one had L0 and L1 in flight, and L0 arrived."""
    killed(tmp_path, "one", "L0", "L1", since=opened.clock.time())
    load(opened, 0)
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "two")
    yield ledger
    ledger.close()


def recovered(opened: Desk, ledger: Ledger) -> int:
    return recover(ledger, opened.reconciler, opened.clock, opened.clock.time, DELAY)


def test_leads_that_arrived_are_accepted(opened: Desk, next_run: Ledger) -> None:
    recovered(opened, next_run)
    assert {key: each.digest for key, each in next_run.accepted("1001", ["L0", "L1"]).items()} == {"L0": "digest one"}


def test_leads_that_arrived_are_unchanged_when_they_are_read_again(opened: Desk, next_run: Ledger) -> None:
    recovered(opened, next_run)
    assert next_run.replay_candidates("people", "1001", ["L0", "L1"]).keys() == {"L0"}


def test_nothing_is_in_flight_any_more(opened: Desk, next_run: Ledger) -> None:
    recovered(opened, next_run)
    assert next_run.in_flight() == []


def test_the_number_of_leads_that_were_looked_up_is_returned(opened: Desk, next_run: Ledger) -> None:
    assert (recovered(opened, next_run), recovered(opened, next_run)) == (2, 0)


def test_leads_that_arrived_count_as_accepted_no_earlier_than_they_were_found(opened: Desk, next_run: Ledger) -> None:
    recovered(opened, next_run)
    assert next_run.accepted("1001", ["L0"])["L0"].at >= opened.clock.time()


def test_a_search_that_stays_down_leaves_everything_in_flight(opened: Desk, next_run: Ledger) -> None:
    opened.sandbox.faults([{"on": "search", "do": "status", "status": 503, "times": None}])
    with pytest.raises(ServerError):
        recovered(opened, next_run)
    assert len(next_run.in_flight()) == 2


def test_the_search_delay_is_waited_out_once_for_all_campaigns(opened: Desk, tmp_path: Path) -> None:
    for number, campaign in enumerate(("1001", "1002", "1003")):
        killed(tmp_path, f"run {number}", "L0", campaign=campaign, since=opened.clock.time())
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "next")
    recovered(opened, ledger)
    ledger.close()
    assert passed(opened) < DELAY + 2


def test_without_leads_in_flight_nothing_is_searched(opened: Desk) -> None:
    assert (recovered(opened, opened.ledger), passed(opened), opened.sandbox.requests()) == (0, 0, [])


def test_leads_of_the_same_id_in_two_campaigns_are_looked_up_each(opened: Desk, tmp_path: Path) -> None:
    killed(tmp_path, "one", "L0", campaign="1001", since=opened.clock.time())
    killed(tmp_path, "two", "L0", campaign="1002", since=opened.clock.time())
    load(opened, 0, campaign_id="1002")
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "three")
    recovered(opened, ledger)
    known = [ledger.accepted(campaign, ["L0"]).keys() for campaign in ("1001", "1002")]
    ledger.close()
    assert known == [set(), {"L0"}]


# Changes and retirements


@pytest.fixture
def uncertain(opened: Desk, tmp_path: Path) -> Iterator[Ledger]:
    """The ledger of the next run: the killed one was about to change L0, to retire L1, and to load L2."""
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "one")
    ledger.settle("people", "1001", {"L0": "a", "L1": "a"}, [], 1.0)
    for extern_id, digest, work in (("L0", "b", CHANGE), ("L1", "suppress", RETIRE), ("L2", "a", LOAD)):
        ledger.claim("people", "1001", {extern_id: digest}, opened.clock.time(), work)
    ledger.close()
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "two")
    yield ledger
    ledger.close()


def test_leads_that_were_to_be_changed_or_retired_are_uncertain(opened: Desk, uncertain: Ledger) -> None:
    recovered(opened, uncertain)
    known = uncertain.accepted("1001", ["L0", "L1", "L2"])
    assert known == {"L0": Accepted("", 1.0), "L1": Accepted("a", 1.0, "suppress?")}
    assert uncertain.in_flight() == []


def test_only_loads_are_looked_up(opened: Desk, uncertain: Ledger) -> None:
    assert recovered(opened, uncertain) == 1


def test_without_loads_in_flight_nothing_is_searched_or_waited_for(opened: Desk, uncertain: Ledger) -> None:
    uncertain.settle("people", "1001", {}, ["L2"], 0.0, "one")
    assert (recovered(opened, uncertain), opened.sandbox.requests(), passed(opened)) == (0, [], 0)
    assert uncertain.accepted("1001", ["L1"])["L1"].retired == "suppress?"


def test_the_fields_of_a_load_that_arrived_are_noted(opened: Desk, tmp_path: Path) -> None:
    killed(tmp_path, "one", "L0", since=opened.clock.time())
    load(opened, 0)
    with closing(Ledger.open(None, tmp_path, ACCOUNT, "two")) as ledger:
        recovered(opened, ledger)
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
def test_a_lead_that_is_visible_within_the_delay_is_always_found(visible: dict[str, float], delay: float) -> None:
    clock = FakeClock()
    now = clock.time()
    shown = {key: clock.monotonic() + min(after, delay) for key, after in visible.items()}
    client: Any = Slow(clock, shown, dict.fromkeys(visible, now))
    one: Client = client
    found = Reconciler(one, clock, Halt(clock), delay).held("1001", dict.fromkeys(["L0", "L1", "L2", "L3"], now))
    assert found == set(visible)
