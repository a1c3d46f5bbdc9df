"""Lookups of leads in the ledger: fresh ones are waited for, others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.lead_client import FoundLead
from target_engagevoice.delivery.lookups import Lookups, newest
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.entries import LedgerLead
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

DELAY = 10.0


class Slow:
    """A search that shows each lead from a moment on."""

    def __init__(self, clock: FakeClock, shown: dict[tuple[str, str], float]) -> None:
        self._clock = clock
        self._shown = shown
        self.asked: list[list[str]] = []

    def find(self, campaign_ids: Sequence[str], extern_ids: Sequence[str]) -> list[FoundLead]:
        self.asked.append(list(extern_ids))
        now = self._clock.time()
        return [
            FoundLead(f"{campaign_id}-{extern_id}", extern_id, campaign_id, "READY", 0.0)
            for (campaign_id, extern_id), since in self._shown.items()
            if campaign_id in campaign_ids and extern_id in extern_ids and since <= now
        ]


def held(extern_id: str, at: float, campaign_id: str = "1001") -> LedgerLead:
    return LedgerLead(campaign_id, extern_id, "digest", at, None, None, None, None)


def lookups(clock: FakeClock, client: Any) -> Lookups:
    return Lookups(client, Halt(clock), clock.time, DELAY)


def test_a_lead_that_was_loaded_long_ago_and_is_not_found_is_not_waited_for() -> None:
    clock = FakeClock()
    client = Slow(clock, {})
    assert lookups(clock, client).find([held("L0", clock.time() - DELAY)]) == []
    assert (clock.slept, len(client.asked)) == ([], 1)


def test_only_fresh_leads_that_are_missing_are_searched_for_again() -> None:
    clock = FakeClock()
    now = clock.time()
    client = Slow(clock, {("1001", "L0"): 0.0, ("1001", "L1"): now + 4})
    found = lookups(clock, client).find([held("L0", now), held("L1", now), held("L2", now - 60)])
    assert ([each.extern_id for each in found], client.asked[1:]) == (["L0", "L1"], [["L1"]])


def test_a_lead_that_was_put_back_just_now_is_shown_without_its_state() -> None:
    clock = FakeClock()
    client = Slow(clock, {("1001", key): 0.0 for key in ("L0", "L1")})
    looks = lookups(clock, client)
    looks.revived(["1001-L0"])
    shown = [[(each.extern_id, each.state) for each in looks.look([held("L0", 0.0), held("L1", 0.0)])]]
    clock.advance(DELAY)
    shown += [[(each.extern_id, each.state) for each in looks.look([held("L0", 0.0), held("L1", 0.0)])]]
    assert shown == [[("L0", ""), ("L1", "READY")], [("L0", "READY"), ("L1", "READY")]]


def test_the_same_key_in_another_campaign_is_ignored() -> None:
    clock = FakeClock()
    client = Slow(clock, {(campaign, key): 0.0 for campaign in ("1001", "1002") for key in ("L0", "L1")})
    found = lookups(clock, client).look([held("L0", 0.0), held("L1", 0.0, "1002")])
    assert sorted(each.lead_id for each in found) == ["1001-L0", "1002-L1"]


@given(st.dictionaries(st.sampled_from(["L0", "L1", "L2"]), st.floats(0, DELAY)), st.floats(0, 20))
def test_each_lead_that_becomes_visible_within_the_delay_is_found_once(visible: dict[str, float], ago: float) -> None:
    clock = FakeClock()
    at = clock.time() - ago
    client = Slow(clock, {("1001", key): at + after for key, after in visible.items()})
    found = lookups(clock, client).find([held(key, at) for key in ("L0", "L1", "L2")])
    assert sorted(each.extern_id for each in found) == sorted(visible)


# The newest of several


def found(lead_id: str, loaded_at: float | None, extern_id: str = "L0", campaign_id: str = "1001") -> FoundLead:
    return FoundLead(lead_id, extern_id, campaign_id, "READY", loaded_at)


@pytest.mark.parametrize(
    ("leads", "best"),
    [
        ([found("9", 1.0), found("8", 2.0)], "8"),
        ([found("9", 1.0), found("10", 1.0)], "10"),
        ([found("10", 1.0), found("9", 1.0)], "10"),
        ([found("9", None), found("8", 1.0)], "8"),
        ([found("9", None), found("8", None)], "9"),
    ],
)
def test_the_one_that_was_loaded_last_is_the_newest(leads: list[FoundLead], best: str) -> None:
    assert [each.lead_id for each in newest(leads)] == [best]


def test_each_key_and_campaign_has_its_newest() -> None:
    leads = [found("1", 1.0), found("2", 1.0, "L1"), found("3", 1.0, "L0", "1002"), found("4", 2.0)]
    assert sorted(each.lead_id for each in newest(leads)) == ["2", "3", "4"]
