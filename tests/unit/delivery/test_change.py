"""Changes in place: only fields that differ are sent, gone leads are loaded again, retired ones come back."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.api.answers import Refused
from target_engagevoice.api.lead_client import LeadClient
from target_engagevoice.delivery.lookups import Lookups
from target_engagevoice.delivery.reconcile import recover
from target_engagevoice.errors import ServerError
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.list_options import ListOptions
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import ACTIONS, DncPhone, Retire, Retirement, phone_digest
from tests.support.factories import ACCOUNT, RENEWALS, Desk, desk, lead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_engagevoice.api.admin import AdminRequest
    from target_engagevoice.ledger.entries import LedgerLead
    from target_engagevoice.model.lead import Lead

UPSERT = Policy(change=True, move=Retire.SUPPRESS)


class RecordingDesk:
    """A desk that changes leads, and what it sent to change them.

    Attributes:
        sent: Query and body of each change.
    """

    def __init__(self, made: Desk) -> None:
        self.desk = made
        self.sent: list[tuple[Any, dict[str, Any]]] = []
        send = made.client.send

        def listen(request: AdminRequest, on_sent: Any = None) -> Any:
            if request.method == "PATCH":
                self.sent.append((request.params, json.loads(request.body or b"")))
            return send(request, on_sent)

        made.client.send = listen  # type: ignore[method-assign]  # records what is sent

    def load(self, *leads: Lead) -> None:
        """Load leads, and wait until they are found."""
        self.desk.load(leads)
        self.desk.clock.advance(11)

    def fields(self, number: int = 0) -> dict[str, Any]:
        """What the server has of the newest lead of an id."""
        rows = [row for row in self.desk.sandbox.leads("1001") if row["externId"] == f"L{number}"]
        fields: dict[str, Any] = rows[-1]["fields"]
        return fields

    def act(self, action: str, number: int = 0) -> None:
        """Act on a lead, as a person would."""
        row = next(row for row in self.desk.sandbox.leads("1001") if row["externId"] == f"L{number}")
        self.desk.lead_access().lead_client.act(action, ["1001"], [str(row["leadId"])], lambda _: None)

    def states(self) -> list[tuple[str, bool]]:
        """State of each lead, and whether it is suppressed."""
        return [(row["leadState"], bool(row["suppressed"])) for row in self.desk.sandbox.leads("1001")]

    def held(self, number: int = 0) -> LedgerLead:
        """What the ledger has of it."""
        return self.desk.ledger.leads.of_campaign("1001", [f"L{number}"])[f"L{number}"]

    def retired(self, number: int = 0) -> str | None:
        """How the ledger has it."""
        return self.held(number).retired

    def retire(self, how: Retire, *numbers: int) -> None:
        """Take leads out of the dialer."""
        self.desk.retire([Retirement(f"L{number}", Outcome.DELETED, how, RENEWALS) for number in numbers])


@pytest.fixture
def recorder() -> Iterator[RecordingDesk]:
    with desk(policy=UPSERT) as made:
        made.client.directory()
        yield RecordingDesk(made)


@pytest.fixture
def appending() -> Iterator[RecordingDesk]:
    with desk(policy=Policy(move=Retire.SUPPRESS)) as made:
        made.client.directory()
        yield RecordingDesk(made)


# What is sent


def test_only_what_differs_is_sent(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann", lastName="Lee"))
    recorder.desk.change([lead(0, firstName="Bea", lastName="Lee")])
    assert [body for _, body in recorder.sent] == [{"firstName": "Bea"}]
    assert recorder.desk.outcome() == {"loaded": 1, "updated": 1}


def test_cleared_fields_are_blanked_each_in_its_way(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann", leadPriority=3, extendedLeadData={"rating": "hot"}, city="Rome"))
    recorder.desk.change([lead(0, city="Rome")])
    assert [body for _, body in recorder.sent] == [{"firstName": "", "leadPriority": None, "extendedLeadData": {}}]
    assert recorder.fields() == lead(0, city="Rome").fields


def test_a_second_change_knows_what_the_first_left(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann"))
    recorder.desk.change([lead(0, city="Rome")])
    recorder.desk.change([lead(0, city="Rome", firstName="Bea")])
    assert [body for _, body in recorder.sent] == [{"firstName": "", "city": "Rome"}, {"firstName": "Bea"}]


def test_of_a_lead_whose_fields_are_not_known_everything_is_sent_and_nothing_blanked(appending: RecordingDesk) -> None:
    appending.load(lead(0, firstName="Ann", city="Rome"))
    appending.desk.policy = UPSERT
    appending.desk.change([lead(0, firstName="Bea")])
    assert [body for _, body in appending.sent] == [{"leadPhone": "6505550000", "firstName": "Bea"}]


def test_a_changed_phone_tells_the_server_to_look_for_its_time_zone_again(recorder: RecordingDesk) -> None:
    recorder.load(lead(0), lead(1))
    recorder.desk.change([lead(0, leadPhone="6505559999"), lead(1, firstName="Bea")])
    names = [set(params) for params, _ in recorder.sent]
    assert names == [{"campaignId", "timezoneOption", "duplicateHandling"}, {"campaignId"}]


def test_the_id_of_a_lead_is_looked_up_once(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.desk.change([lead(0, firstName="Ann")])
    before = len(recorder.desk.sandbox.requests("search"))
    recorder.desk.change([lead(0, firstName="Bea")])
    assert len(recorder.desk.sandbox.requests("search")) == before


def test_a_batch_is_looked_up_together(recorder: RecordingDesk) -> None:
    recorder.load(*(lead(number) for number in range(5)))
    before = len(recorder.desk.sandbox.requests("search"))
    recorder.desk.change([lead(number, firstName="Bea") for number in range(5)])
    assert len(recorder.desk.sandbox.requests("search")) == before + 2, "one page of rows, and the empty one behind it"


def test_a_lead_that_another_run_changed_meanwhile_is_not_changed_again(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann"))
    recorder.desk.change([lead(0, firstName="Ann")])
    assert (recorder.sent, recorder.desk.outcome()) == ([], {"loaded": 1, "unchanged": 1})


def test_without_dedupe_a_lead_that_does_not_differ_is_sent_whole(recorder: RecordingDesk) -> None:
    recorder.desk.policy = Policy(skip_unchanged=False, change=True)
    recorder.load(lead(0, firstName="Ann"))
    recorder.desk.change([lead(0, firstName="Ann")])
    assert [body for _, body in recorder.sent] == [{"leadPhone": "6505550000", "firstName": "Ann"}]


# Which lead


def test_of_several_leads_of_one_key_the_newest_is_changed(appending: RecordingDesk) -> None:
    appending.load(lead(0, firstName="Ann"))
    appending.load(lead(0, firstName="Bea"))
    appending.desk.policy = UPSERT
    appending.desk.change([lead(0, firstName="Cleo")])
    rows = [row["fields"]["firstName"] for row in appending.desk.sandbox.leads("1001")]
    assert rows == ["Ann", "Cleo"]


def test_a_lead_that_was_loaded_just_now_is_waited_for(recorder: RecordingDesk) -> None:
    recorder.desk.load([lead(0, firstName="Ann")])
    assert recorder.desk.change([lead(0, firstName="Bea")]) == []
    assert recorder.fields()["firstName"] == "Bea"


def test_a_lead_that_is_gone_is_returned_to_be_loaded(recorder: RecordingDesk) -> None:
    recorder.load(lead(0), lead(1))
    recorder.act("DELETE_LEADS", 0)
    assert recorder.desk.change([lead(0, firstName="Bea"), lead(1, firstName="Bea")]) == ["L0"]
    assert (recorder.retired(0), recorder.retired(1)) == ("delete", None)


def test_a_lead_that_is_gone_though_its_id_is_known_is_returned_to_be_loaded(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.desk.change([lead(0, firstName="Bea")])
    recorder.act("DELETE_LEADS", 0)
    assert recorder.desk.change([lead(0, firstName="Cleo")]) == ["L0"]


def test_a_lead_that_was_loaded_again_outside_is_found(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.desk.change([lead(0, firstName="Bea")])
    recorder.act("DELETE_LEADS", 0)
    recorder.load(lead(9), lead(0, firstName="Dora"))
    with recorder.desk.ledger._account.writing() as connection:
        connection.exec_driver_sql("UPDATE engagevoice_accepted SET lead_id = '4711'")
    assert recorder.desk.change([lead(0, firstName="Cleo")]) == []
    assert recorder.fields()["firstName"] == "Cleo"


def test_a_lead_that_the_search_still_shows_is_not_loaded_a_second_time(recorder: RecordingDesk) -> None:
    recorder.load(*(lead(number) for number in range(3)))
    recorder.desk.sandbox.faults([{"on": "patch", "do": "status", "status": 404, "after": 1}])
    assert recorder.desk.change([lead(number, firstName="Bea") for number in (1, 0, 2)]) == []
    assert recorder.desk.outcome() == {"loaded": 3, "updated": 2, "rejected": 1}
    assert recorder.desk.ledger.accepted("1001", ["L0"])["L0"].holds(lead(0).digest)


def test_a_deleted_lead_that_the_search_shows_for_a_moment_is_returned(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.load(lead(0))
    recorder.desk.change([lead(0, firstName="Ann")])
    shown = Lookups.find
    stale = recorder.desk.lead_access().lookups.find([recorder.held()])
    recorder.act("DELETE_LEADS", 0)
    monkeypatch.setattr(Lookups, "find", lambda self, held: stale if held else shown(self, held))
    assert recorder.desk.change([lead(0, firstName="Bea")]) == ["L0"]


def test_a_lead_that_the_ledger_does_not_hold_is_found_and_not_loaded_again(recorder: RecordingDesk) -> None:
    envelope = ListOptions().envelope({"stream": "people", "started": "now"})
    recorder.desk.client.load("1001", envelope, [lead(0, firstName="Ann").body])
    recorder.desk.clock.advance(11)
    assert recorder.desk.load_batch(recorder.desk.batch([lead(0, firstName="Bea"), lead(1)])) == ["L0"]
    held = recorder.desk.ledger.leads.of_campaign("1001", ["L0"])["L0"]
    assert (held.digest, held.retired, held.lead_id is not None) == ("", None, True)
    assert recorder.desk.landed() == ["L0", "L1"]


# Back into the dialer


@pytest.mark.parametrize("how", [Retire.CANCEL, Retire.PAUSE, Retire.SUPPRESS])
def test_a_retired_lead_comes_back_without_a_change(recorder: RecordingDesk, how: Retire) -> None:
    recorder.load(lead(0))
    recorder.retire(how, 0)
    assert recorder.states() != [("READY", False)]
    recorder.desk.change([lead(0)])
    assert (recorder.states(), recorder.sent, recorder.retired()) == ([("READY", False)], [], None)
    assert recorder.desk.outcome() == {"loaded": 1, "deleted": 1, "updated": 1}


@pytest.mark.parametrize("how", [Retire.CANCEL, Retire.PAUSE])
@pytest.mark.parametrize("before", [Retire.CANCEL, Retire.PAUSE])
def test_a_lead_that_was_finished_before_stays_finished(recorder: RecordingDesk, how: Retire, before: Retire) -> None:
    recorder.load(lead(0))
    recorder.act(ACTIONS[before])
    recorder.retire(how, 0)
    recorder.desk.change([lead(0, firstName="Bea")])
    assert (recorder.states()[0][0] == "READY", recorder.retired()) == (False, None)


def test_a_lead_that_was_suppressed_before_stays_suppressed(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.act(ACTIONS[Retire.SUPPRESS])
    recorder.retire(Retire.SUPPRESS, 0)
    recorder.desk.change([lead(0, firstName="Bea")])
    assert (recorder.states(), recorder.retired()) == ([("READY", True)], None)


def test_a_lead_that_was_finished_when_it_was_retired_at_the_second_try_stays_finished(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.desk.sandbox.faults([{"on": "action", "do": "action_failed"}])
    recorder.retire(Retire.PAUSE, 0)
    recorder.act(ACTIONS[Retire.CANCEL])
    recorder.retire(Retire.PAUSE, 0)
    recorder.desk.change([lead(0)])
    assert (recorder.states(), recorder.retired()) == ([("PAUSED", False)], None)


def test_a_lead_that_comes_back_with_other_content_is_changed_too(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann"))
    recorder.retire(Retire.SUPPRESS, 0)
    recorder.desk.change([lead(0, firstName="Bea")])
    assert (recorder.states(), recorder.fields()["firstName"]) == ([("READY", False)], "Bea")


def test_leads_come_back_together(recorder: RecordingDesk) -> None:
    recorder.load(*(lead(number) for number in range(5)))
    recorder.retire(Retire.SUPPRESS, *range(5))
    recorder.desk.change([lead(number) for number in range(5)])
    assert len(recorder.desk.sandbox.requests("action")) == 2


def test_a_retired_lead_that_is_gone_is_returned_to_be_loaded(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.retire(Retire.SUPPRESS, 0)
    recorder.act("DELETE_LEADS", 0)
    assert recorder.desk.change([lead(0)]) == ["L0"]


def test_a_revival_that_the_server_refuses_rejects_its_leads(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.retire(Retire.SUPPRESS, 0)
    recorder.desk.sandbox.faults([{"on": "action", "do": "status", "status": 400, "times": None}])
    recorder.desk.change([lead(0)])
    assert (recorder.desk.outcome()["rejected"], recorder.retired()) == (1, "suppress")


# Phones on the do-not-call list


@pytest.fixture
def listing() -> Iterator[RecordingDesk]:
    """A desk whose target put the phone 6505559999 on the do-not-call list, with two leads loaded."""
    with desk(policy=replace(UPSERT, list_phones=True)) as made:
        made.client.directory()
        made.ledger.phones.record(phone_digest("6505559999"))
        recorder = RecordingDesk(made)
        recorder.load(lead(0), lead(1))
        yield recorder


LISTED = lead(0, leadPhone="6505559999")


def test_a_lead_whose_new_phone_is_on_the_list_is_suppressed(listing: RecordingDesk) -> None:
    listing.desk.change([LISTED, lead(1, firstName="Bea")])
    assert (listing.states(), listing.retired()) == ([("READY", True), ("READY", False)], "suppress")
    assert listing.desk.outcome() == {"loaded": 2, "updated": 1, "do_not_call": 1}
    assert [body for _, body in listing.sent] == [{"firstName": "Bea"}]


def test_all_leads_of_its_key_are_suppressed_and_the_newest_comes_back_with_another_phone(
    listing: RecordingDesk,
) -> None:
    envelope = ListOptions().envelope({"stream": "people", "started": "now"})
    listing.desk.client.load("1001", envelope, [lead(0, firstName="Ann").body])
    listing.desk.clock.advance(11)
    listing.desk.change([LISTED])
    assert listing.states() == [("READY", True), ("READY", False), ("READY", True)]
    listing.desk.change([lead(0, leadPhone="6505550009")])
    assert (listing.states()[2], listing.fields()["leadPhone"]) == (("READY", False), "6505550009")


def test_a_lead_that_keeps_its_phone_is_changed(listing: RecordingDesk) -> None:
    listing.desk.ledger.phones.record(phone_digest("6505550000"))
    listing.desk.change([lead(0, firstName="Bea")])
    assert (listing.states()[0], listing.fields()["firstName"]) == (("READY", False), "Bea")


@pytest.mark.parametrize(
    ("mishap", "retired"), [({"do": "action_failed"}, None), ({"do": "status", "status": 500, "times": 3}, "suppress?")]
)
def test_a_lead_that_cannot_be_suppressed_is_rejected(
    listing: RecordingDesk, mishap: dict[str, Any], retired: str | None
) -> None:
    listing.desk.sandbox.faults([{"on": "action", **mishap}])
    listing.desk.change([LISTED])
    assert (listing.desk.outcome(), listing.retired()) == ({"loaded": 2, "rejected": 1}, retired)
    listing.desk.change([LISTED])
    assert (listing.states()[0], listing.retired()) == (("READY", True), "suppress")


def test_a_lead_that_was_suppressed_by_hand_stays_suppressed_with_another_phone(listing: RecordingDesk) -> None:
    listing.act(ACTIONS[Retire.SUPPRESS])
    listing.desk.change([LISTED])
    listing.desk.change([lead(0, leadPhone="6505550009")])
    assert (listing.states()[0], listing.retired()) == (("READY", True), None)


# Refused


BREAKS = {"do": "status", "status": 500, "stored": True, "times": 3}
"""The request is done, and the server breaks as often as counts for a refusal."""


def test_a_change_that_the_server_broke_on_may_have_been_made(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann", city="Rome"))
    recorder.desk.sandbox.faults([{"on": "patch", **BREAKS}])
    recorder.desk.change([lead(0, firstName="Bea")])
    assert (recorder.fields()["firstName"], recorder.held().digest) == ("Bea", "")
    recorder.desk.change([lead(0, firstName="Ann", city="Rome")])
    assert recorder.fields() == lead(0, firstName="Ann", city="Rome").fields


def test_a_revival_that_the_server_broke_on_may_have_been_made(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.retire(Retire.SUPPRESS, 0)
    recorder.desk.sandbox.faults([{"on": "action", **BREAKS}])
    recorder.desk.change([lead(0)])
    assert (recorder.states(), recorder.retired()) == ([("READY", False)], "suppress?")
    recorder.retire(Retire.SUPPRESS, 0)
    assert (recorder.states(), recorder.retired()) == ([("READY", True)], "suppress")


def test_a_retirement_that_the_server_broke_on_may_have_been_made(recorder: RecordingDesk) -> None:
    recorder.load(lead(0))
    recorder.desk.sandbox.faults([{"on": "action", **BREAKS}])
    recorder.retire(Retire.PAUSE, 0)
    assert (recorder.desk.outcome(), recorder.retired()) == ({"loaded": 1, "rejected": 1}, "pause?")
    recorder.desk.change([lead(0)])
    assert (recorder.states(), recorder.retired()) == ([("READY", False)], None)


def refusing(recorder: RecordingDesk) -> None:
    recorder.desk.sandbox.faults([{"on": "patch", "do": "status", "status": 400, "times": None}])


def test_a_refused_change_is_rejected_once_another_is_accepted(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann"), lead(1))
    recorder.desk.sandbox.faults([{"on": "patch", "do": "status", "status": 400}])
    recorder.desk.change([lead(0, firstName="Bea"), lead(1, firstName="Bea")])
    assert recorder.desk.outcome() == {"loaded": 2, "updated": 1, "rejected": 1}
    assert recorder.fields(0)["firstName"] == "Ann"


def test_a_refused_change_leaves_the_ledger_as_it_was(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann"))
    refusing(recorder)
    recorder.desk.change([lead(0, firstName="Bea")])
    assert recorder.desk.ledger.accepted("1001", ["L0"])["L0"].holds(lead(0, firstName="Ann").digest)


def test_after_a_refused_change_the_next_one_is_whole(recorder: RecordingDesk) -> None:
    recorder.load(lead(0, firstName="Ann"))
    recorder.desk.sandbox.faults([{"on": "patch", "do": "status", "status": 400}])
    recorder.desk.change([lead(0, firstName="Bea", city="Rome")])
    recorder.desk.change([lead(0, firstName="Cleo")])
    assert recorder.fields() == lead(0, firstName="Cleo").fields


@pytest.mark.parametrize(("number", "asked"), [(5, 5), (6, 6), (12, 7)])
def test_five_changes_refused_in_a_row_and_two_probes_fail_the_run(
    recorder: RecordingDesk, number: int, asked: int
) -> None:
    recorder.load(*map(lead, range(number)))
    refusing(recorder)
    with pytest.raises(ServerError, match="the leads are not the cause"):
        recorder.desk.change([lead(each, firstName="Bea") for each in range(number)])
    assert (len(recorder.sent), recorder.desk.outcome()) == (asked, {"loaded": number})


@pytest.mark.parametrize("bad", [5, 9])
def test_leads_at_fault_that_come_first_do_not_stop_the_others(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    recorder.load(*map(lead, range(12)))
    at_fault = {str(row["leadId"]) for row in recorder.desk.sandbox.leads("1001")[:bad]}
    change = LeadClient.change

    def refusing_some(self: LeadClient, campaign_id: str, lead_id: str, *more: Any) -> Any:
        if lead_id in at_fault:
            return Refused("http_400", "not this one")
        return change(self, campaign_id, lead_id, *more)

    monkeypatch.setattr(LeadClient, "change", refusing_some)
    recorder.desk.change([lead(number, firstName="Bea") for number in range(12)])
    assert recorder.desk.outcome() == {"loaded": 12, "updated": 12 - bad, "rejected": bad}


# Uncertain after a kill


class Dead(Exception):  # noqa: N818 - it stands for a kill, which is no error
    """The run was killed."""


def die(*_: Any, **__: Any) -> Any:
    raise Dead


def next_run(recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The ledger of the next run, with the claims of the killed one settled."""
    monkeypatch.undo()
    made = recorder.desk
    made.ledger.close()
    made.ledger = Ledger.open(None, made.folder, ACCOUNT, "next")
    recover(made.ledger, made.reconciler, made.clock, made.clock.time, made.reconciler.delay)
    return made.ledger


@pytest.fixture
def on_disk() -> Iterator[RecordingDesk]:
    """A desk with a ledger on disk."""
    with desk(policy=UPSERT) as made:
        made.client.directory()
        made.ledger.close()
        made.ledger = Ledger.open(None, made.folder, ACCOUNT, "killed")
        with closing(made.ledger):
            yield RecordingDesk(made)


def test_an_uncertain_change_is_made_again_whatever_the_content(
    on_disk: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk.load(lead(0, firstName="Ann"))
    monkeypatch.setattr(on_disk.desk.ledger.leads, "record_change", die)
    with pytest.raises(Dead):
        on_disk.desk.change([lead(0, city="Rome")])
    next_run(on_disk, monkeypatch)
    on_disk.desk.change([lead(0, firstName="Ann")])
    assert on_disk.fields() == lead(0, firstName="Ann").fields, "the city is gone again"


def test_a_lead_that_may_be_deleted_is_sent(on_disk: RecordingDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk.load(lead(0))
    monkeypatch.setattr(on_disk.desk.ledger.leads, "record_retirement", die)
    with pytest.raises(Dead):
        on_disk.retire(Retire.DELETE, 0)
    assert next_run(on_disk, monkeypatch).accepted("1001", ["L0"])["L0"].retired == "delete?"
    assert on_disk.desk.change([lead(0)]) == ["L0"]


def test_a_lead_that_may_be_suppressed_for_its_new_phone_comes_back_with_another(
    on_disk: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk.desk.policy = replace(UPSERT, list_phones=True)
    on_disk.load(lead(0))
    on_disk.desk.ledger.phones.record(phone_digest("6505559999"))
    monkeypatch.setattr(on_disk.desk.ledger.leads, "record_retirement", die)
    with pytest.raises(Dead):
        on_disk.desk.change([LISTED])
    assert next_run(on_disk, monkeypatch).accepted("1001", ["L0"])["L0"].retired == "suppress?"
    on_disk.desk.change([lead(0, leadPhone="6505550009")])
    assert (on_disk.states(), on_disk.retired()) == ([("READY", False)], None)


@pytest.mark.parametrize("how", [Retire.CANCEL, Retire.PAUSE, Retire.SUPPRESS])
@pytest.mark.parametrize("acted", [True, False])
def test_a_lead_that_may_be_out_of_the_dialer_comes_back(
    on_disk: RecordingDesk, monkeypatch: pytest.MonkeyPatch, how: Retire, acted: bool
) -> None:
    on_disk.load(lead(0))
    name = "record_retirement" if acted else "record_lookup"
    monkeypatch.setattr(on_disk.desk.ledger.leads, name, die)
    with pytest.raises(Dead):
        on_disk.retire(how, 0)
    assert next_run(on_disk, monkeypatch).accepted("1001", ["L0"])["L0"].retired == f"{how.value}?"
    on_disk.desk.change([lead(0)])
    assert (on_disk.states(), on_disk.retired()) == ([("READY", False)], None)


# Where runs share a ledger


@pytest.mark.parametrize("change", [False, True])
def test_a_deleted_lead_of_the_same_content_is_loaded_again(
    recorder: RecordingDesk, monkeypatch: pytest.MonkeyPatch, change: bool
) -> None:
    monkeypatch.setattr(Ledger, "shared", True)
    recorder.desk.policy = Policy(change=change)
    recorder.load(lead(0))
    recorder.retire(Retire.DELETE, 0)
    recorder.desk.load([lead(0)], not_before=recorder.desk.clock.time())
    assert (recorder.desk.landed(), recorder.retired()) == (["L0"], None)


LISTS = replace(UPSERT, list_phones=True)
PHONE = DncPhone("6505550000", "USA", phone_digest("6505550000"))
BEA = lead(0, firstName="Bea")


def flag(recorder: RecordingDesk, how: Retire = Retire.SUPPRESS) -> None:
    """As for a record that is flagged do-not-call."""
    recorder.desk.retire([Retirement("L0", Outcome.DO_NOT_CALL, how, RENEWALS, (PHONE,))])


def numbers_on_the_list(recorder: RecordingDesk) -> list[str]:
    return [entry["phone"] for entry in recorder.desk.sandbox.dnc()]


@pytest.mark.parametrize("how", [Retire.CANCEL, Retire.SUPPRESS])
def test_a_lead_whose_phone_may_be_listed_stays_out_and_the_phone_is_listed_once_more(
    on_disk: RecordingDesk, monkeypatch: pytest.MonkeyPatch, how: Retire
) -> None:
    on_disk.desk.policy = LISTS
    on_disk.load(lead(0))
    monkeypatch.setattr(on_disk.desk.ledger.phones, "record", die)
    with pytest.raises(Dead):
        flag(on_disk, how)
    before = on_disk.states()
    ledger = next_run(on_disk, monkeypatch)
    assert (numbers_on_the_list(on_disk), ledger.phones.listed([PHONE.digest])) == ([PHONE.number], set())
    on_disk.desk.change([BEA])
    assert (on_disk.states(), on_disk.retired(), on_disk.sent) == (before, how.value, [])
    assert len(on_disk.desk.sandbox.requests("dnc")) == 2
    assert (ledger.phones.listed([PHONE.digest]), ledger.phones.uncertain_of_leads([BEA])) == ({PHONE.digest}, {})
    assert on_disk.desk.outcome() == {"loaded": 1, "do_not_call": 1}


def test_a_phone_that_an_earlier_run_may_have_listed_keeps_its_lead_out_though_it_is_refused_now(
    on_disk: RecordingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk.desk.policy = LISTS
    on_disk.load(lead(0))
    monkeypatch.setattr(on_disk.desk.ledger.phones, "record", die)
    with pytest.raises(Dead):
        flag(on_disk)
    next_run(on_disk, monkeypatch)
    on_disk.desk.sandbox.faults([{"on": "dnc", "do": "status", "status": 400, "times": 1}])
    on_disk.desk.change([BEA])
    assert (on_disk.states(), on_disk.desk.outcome()) == ([("READY", True)], {"loaded": 1, "rejected": 1})
    on_disk.desk.change([BEA])
    assert (on_disk.states(), on_disk.desk.outcome()["do_not_call"]) == ([("READY", True)], 1)


@pytest.mark.parametrize(("status", "uncertain"), [(400, False), (500, True)])
def test_a_phone_that_is_refused_may_be_listed_only_where_the_server_broke(
    listing: RecordingDesk, status: int, uncertain: bool
) -> None:
    listing.desk.sandbox.faults([{"on": "dnc", "do": "status", "status": status, "times": 3}])
    flag(listing)
    assert bool(listing.desk.ledger.phones.uncertain_of_leads([BEA])) is uncertain


@pytest.mark.parametrize("how", [Retire.CANCEL, Retire.SUPPRESS, Retire.DELETE])
def test_a_lead_with_a_listed_phone_that_may_be_in_the_dialer_is_retired_in_the_same_way(
    listing: RecordingDesk, how: Retire
) -> None:
    listing.desk.sandbox.faults([{"on": "action", "do": "status", "status": 500, "times": 3}])
    flag(listing, how)
    assert (listing.states()[0], listing.retired()) == (("READY", False), f"{how.value}?")
    assert listing.desk.change([BEA]) == []
    dialed = [
        row["externId"]
        for row in listing.desk.sandbox.leads("1001")
        if (row["leadState"], row["suppressed"]) == ("READY", False)
    ]
    assert (dialed, listing.retired(), listing.sent) == (["L1"], how.value, [])
    assert listing.desk.outcome() == {"loaded": 2, "rejected": 1, "do_not_call": 1}
