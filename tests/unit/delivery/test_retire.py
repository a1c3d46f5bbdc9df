"""Leads are taken out of the dialer, many a request and never others, and phones put on the list once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.api.answers import Refused
from target_engagevoice.api.lead_client import LeadClient
from target_engagevoice.delivery import retire as room_of_retiring
from target_engagevoice.model.campaign import Directory
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import DncPhone, PhoneListing, Retire, Retirement, phone_digest
from tests.support.factories import RENEWALS, WINBACK, Desk, desk, lead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_engagevoice.api.admin import AdminRequest
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.lead import Lead

RETIRING = Policy(move=Retire.SUPPRESS)


class Room:
    """A desk that retires leads, and the actions it sent.

    Attributes:
        sent: Campaigns and leads of each action.
    """

    def __init__(self, made: Desk) -> None:
        self.desk = made
        self.sent: list[tuple[list[int], list[int]]] = []
        send = made.client.send

        def listen(request: AdminRequest, on_sent: Any = None) -> Any:
            if request.path.endswith("/actions"):
                criteria = json.loads(request.body or b"")["campaignLeadSearchCriteria"]
                self.sent.append((criteria["campaignIds"], criteria["leadIds"]))
            return send(request, on_sent)

        made.client.send = listen  # type: ignore[method-assign]

    def load(self, *leads: Lead, campaign: Campaign = RENEWALS) -> None:
        """Load leads, and let time go by until they are found."""
        self.desk.load(leads, campaign)
        self.desk.clock.advance(11)

    def retire(self, *numbers: int, how: Retire = Retire.SUPPRESS, phones: tuple[DncPhone, ...] = ()) -> None:
        """As for records that are flagged do-not-call."""
        flagged = [Retirement(f"L{number}", Outcome.DO_NOT_CALL, how, RENEWALS, phones) for number in numbers]
        self.desk.retire(flagged)

    def dialled(self, campaign: Campaign = RENEWALS) -> list[str]:
        """`externId`s in the dialer."""
        rows = self.desk.sandbox.leads(campaign.campaign_id)
        return [row["externId"] for row in rows if row["leadState"] == "READY" and not row["suppressed"]]

    def held(self, *numbers: int, campaign: str = "1001") -> list[str | None]:
        """How the ledger has them."""
        held = self.desk.ledger.leads.of_campaign(campaign, [f"L{number}" for number in numbers])
        return [held[f"L{number}"].retired for number in numbers]

    def total(self, what: str) -> int:
        """A counter of the run."""
        return int(self.desk.run.totals()[what])


def phone(number: str) -> DncPhone:
    return DncPhone(number, "USA", phone_digest(number))


@pytest.fixture
def room() -> Iterator[Room]:
    with desk(policy=RETIRING) as made:
        made.client.directory()
        yield Room(made)


# Who


def test_leads_of_two_campaigns_go_in_one_request(room: Room) -> None:
    room.load(lead(0), lead(1))
    room.load(lead(2), campaign=WINBACK)
    room.retire(0, 1, 2)
    assert len(room.sent) == 1
    assert (room.dialled(), room.dialled(WINBACK), room.total("retired")) == ([], [], 3)
    assert room.desk.outcome() == {"loaded": 3, "do_not_call": 3}


def test_a_lead_is_retired_in_every_campaign_that_has_it(room: Room) -> None:
    for campaign in (RENEWALS, WINBACK):
        room.load(lead(0), lead(1), campaign=campaign)
    room.retire(0)
    assert (room.dialled(), room.dialled(WINBACK)) == (["L1"], ["L1"])


def test_all_leads_of_one_key_are_retired(room: Room) -> None:
    room.load(lead(0, firstName="Ann"))
    room.load(lead(0, firstName="Bea"))
    room.retire(0)
    assert (room.dialled(), room.total("retired")) == ([], 1)


def test_what_the_ledger_does_not_know_is_left_alone(room: Room) -> None:
    room.load(lead(0))
    room.retire(7)
    assert (room.sent, room.dialled(), room.desk.outcome()) == ([], ["L0"], {"loaded": 1, "do_not_call": 1})


def test_a_lead_of_another_stream_is_left_alone(room: Room) -> None:
    room.load(lead(0))
    room.desk.retire([Retirement("L0", Outcome.DELETED, Retire.DELETE, None)], stream="contacts")
    assert room.dialled() == ["L0"]


def test_what_is_out_of_the_dialer_is_not_retired_again(room: Room) -> None:
    room.load(lead(0))
    room.retire(0)
    room.retire(0)
    assert (len(room.sent), room.total("retired")) == (1, 1)


def test_a_lead_that_was_loaded_just_now_is_waited_for(room: Room) -> None:
    room.desk.load([lead(0)])
    room.retire(0)
    assert room.dialled() == []


def test_what_is_found_at_once_is_retired_at_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.load(lead(0))
    room.desk.load([lead(1)])
    when: list[float] = []
    act = LeadClient.act

    def timed(self: LeadClient, *given: Any) -> Any:
        when.append(room.desk.clock.monotonic())
        return act(self, *given)

    monkeypatch.setattr(LeadClient, "act", timed)
    began = room.desk.clock.monotonic()
    room.retire(0, 1)
    assert (when[0] - began < 1, len(when), room.dialled()) == (True, 2, [])


def test_a_lead_that_is_gone_is_retired_without_a_request(room: Room) -> None:
    room.load(lead(0))
    rows = room.desk.sandbox.leads("1001")
    room.desk.lead_access().lead_client.act("DELETE_LEADS", ["1001"], [str(rows[0]["leadId"])], lambda _: None)
    room.sent.clear()
    room.retire(0)
    assert (room.sent, room.held(0)) == ([], ["suppress"])


@pytest.mark.parametrize("how", list(Retire))
def test_each_way_is_noted(room: Room, how: Retire) -> None:
    room.load(lead(0))
    room.retire(0, how=how)
    assert (room.dialled(), room.held(0)) == ([], [how.value])


def test_records_of_several_ways_are_retired_each_in_its_own(room: Room) -> None:
    room.load(*(lead(number) for number in range(4)))
    records = [Retirement(f"L{number}", Outcome.DELETED, how, RENEWALS) for number, how in enumerate(Retire)]
    room.desk.retire(records)
    assert room.held(0, 1, 2, 3) == [how.value for how in Retire]


def test_a_campaign_that_can_not_be_seen_any_more_stops_nobody(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.load(lead(0))
    room.load(lead(0), campaign=WINBACK)
    room.desk.directory = Directory([RENEWALS])
    room.retire(0)
    assert (room.dialled(), room.dialled(WINBACK)) == ([], ["L0"])
    assert "1 leads are in campaigns that the account does not show any more" in caplog.text


def test_a_flagged_lead_is_retired_once_its_campaign_is_seen_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.load(lead(0), campaign=WINBACK)
    with monkeypatch.context() as patch:
        patch.setattr(room.desk, "directory", Directory([RENEWALS]))
        for _ in range(2):
            room.retire(0)
    assert (room.dialled(WINBACK), room.held(0, campaign="1002")) == (["L0"], ["suppress?"])
    room.retire(0)
    assert (room.dialled(WINBACK), room.held(0, campaign="1002")) == ([], ["suppress"])
    assert room.desk.outcome() == {"loaded": 1, "do_not_call": 3}


def test_a_lead_that_is_not_flagged_is_given_up_with_its_campaign(room: Room) -> None:
    room.load(lead(0), campaign=WINBACK)
    room.desk.directory = Directory([RENEWALS])
    room.desk.retire([Retirement("L0", Outcome.DELETED, Retire.PAUSE, None)])
    assert room.held(0, campaign="1002") == ["pause"]


def test_more_leads_than_an_action_takes_go_in_several(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_of_retiring, "MOST_ACTED_ON", 3)
    for name in ("Ann", "Bea"):
        room.load(*(lead(number, firstName=name) for number in range(4)))
    room.retire(*range(4))
    assert ([len(leads) for _, leads in room.sent], room.dialled()) == ([3, 3, 2], [])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([RENEWALS, WINBACK])), max_size=8),
    st.sets(st.integers(0, 5)),
    st.integers(1, 4),
)
def test_those_and_no_others_are_retired(loaded: list[tuple[int, Campaign]], gone: set[int], most: int) -> None:
    with desk(policy=RETIRING) as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(room_of_retiring, "MOST_ACTED_ON", most)
        patch.setattr(room_of_retiring, "LEADS_AT_ONCE", most)
        room = Room(made)
        for number, campaign in dict.fromkeys(loaded):
            room.load(lead(number), campaign=campaign)
        room.retire(*sorted(gone))
        assert all(campaigns and leads for campaigns, leads in room.sent)
        for campaign in (RENEWALS, WINBACK):
            there = [
                f"L{number}" for number, where in dict.fromkeys(loaded) if where is campaign and number not in gone
            ]
            assert room.dialled(campaign) == there


# Refused


def refuse(room: Room, monkeypatch: pytest.MonkeyPatch, extern_id: str, campaign: str = "1001") -> None:
    """The server refuses any action on this lead."""
    act = LeadClient.act

    def refusing(self: LeadClient, action: str, campaigns: Any, lead_ids: Any, effort: Any) -> Any:
        rows = [row for row in room.desk.sandbox.leads(campaign) if row["externId"] == extern_id]
        if {str(row["leadId"]) for row in rows} & set(lead_ids):
            return Refused("action_failed", "not this one")
        return act(self, action, campaigns, lead_ids, effort)

    monkeypatch.setattr(LeadClient, "act", refusing)


def test_a_refused_action_is_tried_lead_by_lead(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.load(*(lead(number) for number in range(3)))
    refuse(room, monkeypatch, "L1")
    room.retire(0, 1, 2)
    assert (room.dialled(), room.held(0, 1, 2)) == (["L1"], ["suppress", None, "suppress"])
    assert room.desk.outcome() == {"loaded": 3, "do_not_call": 2, "rejected": 1}


def test_a_lead_refused_in_one_campaign_is_retired_in_the_other(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    for campaign in (RENEWALS, WINBACK):
        room.load(lead(0), campaign=campaign)
    refuse(room, monkeypatch, "L0", "1002")
    room.retire(0)
    assert (room.dialled(), room.dialled(WINBACK)) == ([], ["L0"])
    assert (room.held(0), room.held(0, campaign="1002")) == (["suppress"], [None])


def test_what_was_refused_is_tried_again_when_it_is_read_again(room: Room) -> None:
    room.load(lead(0))
    with pytest.MonkeyPatch.context() as patch:
        refuse(room, patch, "L0")
        room.retire(0)
    room.retire(0)
    assert room.dialled() == []


# Leads that move


def test_a_lead_that_moves_leaves_the_campaign_that_has_it_and_goes_on(room: Room) -> None:
    room.load(lead(0))
    assert room.desk.move([lead(0)], WINBACK) == ["L0"]
    assert (room.dialled(), room.desk.outcome()) == ([], {"loaded": 1})


def test_a_lead_that_moves_stays_where_it_goes(room: Room) -> None:
    for campaign in (RENEWALS, WINBACK):
        room.load(lead(0), campaign=campaign)
    room.desk.move([lead(0)], WINBACK)
    assert (room.dialled(), room.dialled(WINBACK)) == ([], ["L0"])


def test_a_lead_that_can_not_leave_is_rejected(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.load(lead(0), lead(1))
    refuse(room, monkeypatch, "L0")
    assert room.desk.move([lead(0), lead(1)], WINBACK) == ["L1"]
    assert room.desk.outcome() == {"loaded": 2, "rejected": 1}


# Phones


def test_phones_are_listed_once(room: Room) -> None:
    for number in (0, 1, 0):
        room.retire(number, phones=(phone("6505550100"), phone("6505550101")))
    assert len(room.desk.sandbox.requests("dnc")) == 2
    assert (room.total("listed"), [entry["phone"] for entry in room.desk.sandbox.dnc()]) == (
        2,
        ["6505550100", "6505550101"],
    )


def test_a_record_without_a_key_has_its_phones_listed(room: Room) -> None:
    record = PhoneListing(Outcome.DO_NOT_CALL, None, (phone("6505550100"),))
    room.desk.retire([record])
    assert (room.total("listed"), room.sent, room.desk.outcome()) == (1, [], {"do_not_call": 1})


def test_a_phone_that_the_server_does_not_list_keeps_no_other_from_it(room: Room) -> None:
    room.load(lead(0))
    room.retire(0, phones=(phone("none"), phone("6505550101")))
    assert [entry["phone"] for entry in room.desk.sandbox.dnc()] == ["6505550101"]
    assert (room.dialled(), room.desk.outcome()) == ([], {"loaded": 1, "rejected": 1})


def test_a_lead_that_the_server_does_not_retire_has_its_phone_listed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.load(lead(0))
    refuse(room, monkeypatch, "L0")
    room.retire(0, phones=(phone("6505550101"),))
    assert [entry["phone"] for entry in room.desk.sandbox.dnc()] == ["6505550101"]
    assert room.desk.outcome() == {"loaded": 1, "rejected": 1}
