"""Retirements: many leads in one request and never others, and each phone on the list once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.api.answers import Refused
from target_engagevoice.api.lead_client import LeadClient
from target_engagevoice.delivery import retire as retire_module
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


class RecordingDesk:
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

        made.client.send = listen  # type: ignore[method-assign]  # records what is sent

    def load(self, *leads: Lead, campaign: Campaign = RENEWALS) -> None:
        """Load leads, and wait until they are found."""
        self.desk.load(leads, campaign)
        self.desk.clock.advance(11)

    def retire(self, *numbers: int, how: Retire = Retire.SUPPRESS, phones: tuple[DncPhone, ...] = ()) -> None:
        """As for records that are flagged do-not-call."""
        flagged = [Retirement(f"L{number}", Outcome.DO_NOT_CALL, how, RENEWALS, phones) for number in numbers]
        self.desk.retire(flagged)

    def dialed(self, campaign: Campaign = RENEWALS) -> list[str]:
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
def recorder() -> Iterator[RecordingDesk]:
    with desk(policy=RETIRING) as made:
        made.client.directory()
        yield RecordingDesk(made)


# Which leads


def test_leads_of_two_campaigns_go_in_one_request(recorder: RecordingDesk) -> None:
    recorder.load(lead(0), lead(1))
    recorder.load(lead(2), campaign=WINBACK)
    recorder.retire(0, 1, 2)
    assert len(recorder.sent) == 1
    assert (recorder.dialed(), recorder.dialed(WINBACK), recorder.total("retired")) == ([], [], 3)
    assert recorder.desk.outcome() == {"loaded": 3, "do_not_call": 3}


def test_a_lead_is_retired_in_every_campaign_that_has_it(recorder: RecordingDesk) -> None:
    for campaign in (RENEWALS, WINBACK):
        recorder.load(lead(0), lead(1), campaign=campaign)
    recorder.retire(0)
    assert (recorder.dialed(), recorder.dialed(WINBACK)) == (["L1"], ["L1"])


def test_all_leads_of_one_key_are_retired(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann"))
    recorder.load(lead(0, firstName="Bea"))
    recorder.retire(0)
    assert (recorder.dialed(), recorder.total("retired")) == ([], 1)


def test_a_lead_that_the_ledger_does_not_hold_is_left_alone(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.retire(7)
    assert (recorder.sent, recorder.dialed(), recorder.desk.outcome()) == ([], ["L0"], {"loaded": 1, "do_not_call": 1})


def test_a_lead_of_another_stream_is_left_alone(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.desk.retire([Retirement("L0", Outcome.DELETED, Retire.DELETE, None)], stream="contacts")
    assert recorder.dialed() == ["L0"]


def test_a_lead_that_is_out_of_the_dialer_is_not_retired_again(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.retire(0)
    recorder.retire(0)
    assert (len(recorder.sent), recorder.total("retired")) == (1, 1)


def test_a_lead_that_was_loaded_just_now_is_waited_for(recorder: RecordingDesk) -> None:
    recorder.desk.load([lead(0)])
    recorder.retire(0)
    assert recorder.dialed() == []


def test_a_lead_that_is_found_at_once_is_retired_at_once(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.load(lead(0))
    recorder.desk.load([lead(1)])
    when: list[float] = []
    act = LeadClient.act

    def timed(self: LeadClient, *given: Any) -> Any:
        when.append(recorder.desk.clock.monotonic())
        return act(self, *given)

    monkeypatch.setattr(LeadClient, "act", timed)
    began = recorder.desk.clock.monotonic()
    recorder.retire(0, 1)
    assert (when[0] - began < 1, len(when), recorder.dialed()) == (True, 2, [])


def test_a_lead_that_is_gone_is_retired_without_a_request(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    rows = recorder.desk.sandbox.leads("1001")
    recorder.desk.lead_access().lead_client.act("DELETE_LEADS", ["1001"], [str(rows[0]["leadId"])], lambda _: None)
    recorder.sent.clear()
    recorder.retire(0)
    assert (recorder.sent, recorder.held(0)) == ([], ["suppress"])


@pytest.mark.parametrize("how", list(Retire))
def test_each_way_to_retire_is_noted(recorder: RecordingDesk, how: Retire) -> None:
    recorder.load(lead(0))
    recorder.retire(0, how=how)
    assert (recorder.dialed(), recorder.held(0)) == ([], [how.value])


def test_records_are_retired_each_in_its_own_way(recorder: RecordingDesk) -> None:
    recorder.load(*(lead(number) for number in range(4)))
    records = [Retirement(f"L{number}", Outcome.DELETED, how, RENEWALS) for number, how in enumerate(Retire)]
    recorder.desk.retire(records)
    assert recorder.held(0, 1, 2, 3) == [how.value for how in Retire]


def test_a_campaign_that_is_not_shown_any_more_does_not_stop_the_run(
    recorder: RecordingDesk, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.load(lead(0))
    recorder.load(lead(0), campaign=WINBACK)
    recorder.desk.directory = Directory([RENEWALS])
    recorder.retire(0)
    assert (recorder.dialed(), recorder.dialed(WINBACK)) == ([], ["L0"])
    assert "1 leads are in campaigns that the account does not show any more" in caplog.text


def test_a_flagged_lead_is_retired_once_its_campaign_is_shown_again(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.load(lead(0), campaign=WINBACK)
    with monkeypatch.context() as patch:
        patch.setattr(recorder.desk, "directory", Directory([RENEWALS]))
        for _ in range(2):
            recorder.retire(0)
    assert (recorder.dialed(WINBACK), recorder.held(0, campaign="1002")) == (["L0"], ["suppress?"])
    recorder.retire(0)
    assert (recorder.dialed(WINBACK), recorder.held(0, campaign="1002")) == ([], ["suppress"])
    assert recorder.desk.outcome() == {"loaded": 1, "do_not_call": 3}


def test_a_lead_that_is_not_flagged_is_given_up_with_its_campaign(recorder: RecordingDesk) -> None:
    recorder.load(lead(0), campaign=WINBACK)
    recorder.desk.directory = Directory([RENEWALS])
    recorder.desk.retire([Retirement("L0", Outcome.DELETED, Retire.PAUSE, None)])
    assert recorder.held(0, campaign="1002") == ["pause"]


def test_more_leads_than_an_action_takes_go_in_several(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retire_module, "MOST_ACTED_ON", 3)
    for name in ("Ann", "Bea"):
        recorder.load(*(lead(number, firstName=name) for number in range(4)))
    recorder.retire(*range(4))
    assert ([len(leads) for _, leads in recorder.sent], recorder.dialed()) == ([3, 3, 2], [])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([RENEWALS, WINBACK])), max_size=8),
    st.sets(st.integers(0, 5)),
    st.integers(1, 4),
)
def test_exactly_the_flagged_leads_are_retired(loaded: list[tuple[int, Campaign]], gone: set[int], most: int) -> None:
    with desk(policy=RETIRING) as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(retire_module, "MOST_ACTED_ON", most)
        patch.setattr(retire_module, "LEADS_AT_ONCE", most)
        recorder = RecordingDesk(made)
        for number, campaign in dict.fromkeys(loaded):
            recorder.load(lead(number), campaign=campaign)
        recorder.retire(*sorted(gone))
        assert all(campaigns and leads for campaigns, leads in recorder.sent)
        for campaign in (RENEWALS, WINBACK):
            there = [
                f"L{number}" for number, where in dict.fromkeys(loaded) if where is campaign and number not in gone
            ]
            assert recorder.dialed(campaign) == there


# Refused


def refuse(recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch, extern_id: str, campaign: str = "1001") -> None:
    """The server refuses any action on this lead."""
    act = LeadClient.act

    def refusing(self: LeadClient, action: str, campaigns: Any, lead_ids: Any, effort: Any) -> Any:
        rows = [row for row in recorder.desk.sandbox.leads(campaign) if row["externId"] == extern_id]
        if {str(row["leadId"]) for row in rows} & set(lead_ids):
            return Refused("action_failed", "not this one")
        return act(self, action, campaigns, lead_ids, effort)

    monkeypatch.setattr(LeadClient, "act", refusing)


def test_a_refused_action_is_tried_lead_by_lead(recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.load(*(lead(number) for number in range(3)))
    refuse(recorder, monkeypatch, "L1")
    recorder.retire(0, 1, 2)
    assert (recorder.dialed(), recorder.held(0, 1, 2)) == (["L1"], ["suppress", None, "suppress"])
    assert recorder.desk.outcome() == {"loaded": 3, "do_not_call": 2, "rejected": 1}


def test_a_lead_refused_in_one_campaign_is_retired_in_the_other(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for campaign in (RENEWALS, WINBACK):
        recorder.load(lead(0), campaign=campaign)
    refuse(recorder, monkeypatch, "L0", "1002")
    recorder.retire(0)
    assert (recorder.dialed(), recorder.dialed(WINBACK)) == ([], ["L0"])
    assert (recorder.held(0), recorder.held(0, campaign="1002")) == (["suppress"], [None])


def test_a_refused_retirement_is_tried_again_when_it_is_read_again(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    with pytest.MonkeyPatch.context() as patch:
        refuse(recorder, patch, "L0")
        recorder.retire(0)
    recorder.retire(0)
    assert recorder.dialed() == []


# Leads that move


def test_a_lead_that_moves_leaves_the_campaign_that_has_it(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    assert recorder.desk.move([lead(0)], WINBACK) == ["L0"]
    assert (recorder.dialed(), recorder.desk.outcome()) == ([], {"loaded": 1})


def test_a_lead_that_moves_stays_where_it_goes(recorder: RecordingDesk) -> None:
    for campaign in (RENEWALS, WINBACK):
        recorder.load(lead(0), campaign=campaign)
    recorder.desk.move([lead(0)], WINBACK)
    assert (recorder.dialed(), recorder.dialed(WINBACK)) == ([], ["L0"])


def test_a_lead_that_cannot_leave_is_rejected(recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.load(lead(0), lead(1))
    refuse(recorder, monkeypatch, "L0")
    assert recorder.desk.move([lead(0), lead(1)], WINBACK) == ["L1"]
    assert recorder.desk.outcome() == {"loaded": 2, "rejected": 1}


# Phones


def test_phones_are_listed_once(recorder: RecordingDesk) -> None:
    for number in (0, 1, 0):
        recorder.retire(number, phones=(phone("6505550100"), phone("6505550101")))
    assert len(recorder.desk.sandbox.requests("dnc")) == 2
    assert (recorder.total("listed"), [entry["phone"] for entry in recorder.desk.sandbox.dnc()]) == (
        2,
        ["6505550100", "6505550101"],
    )


def test_a_record_without_a_key_has_its_phones_listed(recorder: RecordingDesk) -> None:
    record = PhoneListing(Outcome.DO_NOT_CALL, None, (phone("6505550100"),))
    recorder.desk.retire([record])
    assert (recorder.total("listed"), recorder.sent, recorder.desk.outcome()) == (1, [], {"do_not_call": 1})


def test_a_refused_phone_does_not_keep_others_off_the_list(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.retire(0, phones=(phone("none"), phone("6505550101")))
    assert [entry["phone"] for entry in recorder.desk.sandbox.dnc()] == ["6505550101"]
    assert (recorder.dialed(), recorder.desk.outcome()) == ([], {"loaded": 1, "rejected": 1})


def test_a_lead_that_the_server_does_not_retire_has_its_phone_listed(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.load(lead(0))
    refuse(recorder, monkeypatch, "L0")
    recorder.retire(0, phones=(phone("6505550101"),))
    assert [entry["phone"] for entry in recorder.desk.sandbox.dnc()] == ["6505550101"]
    assert recorder.desk.outcome() == {"loaded": 1, "rejected": 1}
