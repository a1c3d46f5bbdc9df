"""Leads in the ledger: where they are, how they were retired, and what a dead run had in flight."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from target_engagevoice.ledger.entries import Accepted, InFlight, LedgerLead
from target_engagevoice.ledger.tables import CHANGE, LOAD, RETIRE
from target_engagevoice.ledger.versions import ANY_VERSION, NO_VERSION
from target_engagevoice.model.retirement import RETIRED, DncPhone, Retire, phone_digest
from tests.support.factories import lead
from tests.unit.ledger import test_ledger as of_ledger
from tests.unit.ledger.test_ledger import CAMPAIGN, opened

if TYPE_CHECKING:
    from target_engagevoice.ledger.ledger import Ledger

OTHER = "1002"

ledger = of_ledger.ledger
ledger_url = of_ledger.ledger_url


def load(ledger: Ledger, *extern_ids: str, campaign: str = CAMPAIGN, stream: str = "people", at: float = 5.0) -> None:
    ledger.settle(stream, campaign, dict.fromkeys(extern_ids, "a"), [], at)


def retire(ledger: Ledger, *extern_ids: str, how: Retire = Retire.SUPPRESS, moved: bool = False) -> None:
    ledger.claim("people", CAMPAIGN, dict.fromkeys(extern_ids, how.value), 1.0, RETIRE)
    ledger.leads.record_retirement("people", CAMPAIGN, extern_ids, how, moved=moved)


def held(ledger: Ledger, extern_id: str = "L0", campaign: str = CAMPAIGN) -> LedgerLead:
    return ledger.leads.of_campaign(campaign, [extern_id])[extern_id]


def places(ledger: Ledger, campaign: str | None = CAMPAIGN, extern_id: str = "L0") -> list[tuple[str, bool, bool]]:
    """Digest of each replay candidate, whether it was accepted, and whether it is a retirement everywhere."""
    left = ledger.replay_candidates("people", campaign, [extern_id]).get(extern_id, [])
    return [(version.digest, version.accepted, version.everywhere) for version in left]


# Where leads are


def test_a_lead_is_found_wherever_it_was_loaded(ledger: Ledger) -> None:
    load(ledger, "L0", "L1")
    load(ledger, "L0", campaign=OTHER)
    found = {(each.campaign_id, each.extern_id) for each in ledger.leads.locate("people", ["L0"])}
    assert found == {(CAMPAIGN, "L0"), (OTHER, "L0")}


def test_streams_have_leads_of_their_own(ledger: Ledger) -> None:
    load(ledger, "L0", stream="people")
    load(ledger, "L0", stream="contacts", campaign=OTHER)
    assert [each.campaign_id for each in ledger.leads.locate("people", ["L0"])] == [CAMPAIGN]


def test_a_lead_belongs_to_the_stream_that_loaded_it_last(ledger: Ledger) -> None:
    load(ledger, "L0", stream="people")
    load(ledger, "L0", stream="contacts")
    assert ledger.leads.locate("people", ["L0"]) == []


def test_accounts_have_leads_of_their_own(ledger_url: str) -> None:
    with opened(ledger_url) as first:
        load(first, "L0")
    with opened(ledger_url, account="other") as second:
        assert second.leads.locate("people", ["L0"]) == []


@pytest.mark.parametrize("count", [0, 1, 30])
def test_any_number_of_campaigns_is_looked_through(ledger: Ledger, count: int) -> None:
    for number in range(count):
        load(ledger, "L0", campaign=f"{number}")
    assert len(ledger.leads.locate("people", ["L0"])) == count


# Changed


def test_what_was_looked_up_is_kept(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.leads.record_lookup(CAMPAIGN, {"L0": ("77", None)})
    assert (held(ledger).lead_id, held(ledger).earlier_state) == ("77", None)


def test_the_state_before_the_first_try_is_kept(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.leads.record_lookup(CAMPAIGN, {"L0": ("77", "PENDING")})
    ledger.leads.record_lookup(CAMPAIGN, {"L0": ("78", "CANCELLED")})
    assert (held(ledger).lead_id, held(ledger).earlier_state) == ("78", "PENDING")


def test_a_changed_lead_is_in_the_dialer(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.leads.record_lookup(CAMPAIGN, {"L0": ("77", "READY")})
    retire(ledger, "L0")
    ledger.leads.record_change("contacts", CAMPAIGN, {"L0": "b"}, {"L0": "{}"})
    assert held(ledger) == LedgerLead(CAMPAIGN, "L0", "b", 5.0, None, "77", None, "{}")
    assert [each.extern_id for each in ledger.leads.locate("contacts", ["L0"])] == ["L0"]


def test_loading_a_lead_anew_clears_what_was_known_of_it(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.leads.record_lookup(CAMPAIGN, {"L0": ("77", "READY")})
    retire(ledger, "L0")
    load(ledger, "L0", at=9.0)
    assert held(ledger) == LedgerLead(CAMPAIGN, "L0", "a", 9.0, None, None, None, None)


def test_contents_are_kept_with_what_was_accepted(ledger: Ledger) -> None:
    ledger.settle("people", CAMPAIGN, {"L0": "a", "L1": "a"}, [], 5.0, contents={"L0": "zero", "L1": "one"})
    assert [held(ledger, each).content for each in ("L0", "L1")] == ["zero", "one"]


def test_an_existing_lead_is_recorded_once(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.leads.record_existing("contacts", CAMPAIGN, {"L0": ("1", 1.0), "L1": ("2", 2.0)})
    assert (held(ledger).digest, held(ledger, "L1")) == (
        "a",
        LedgerLead(CAMPAIGN, "L1", "", 2.0, None, "2", None, None),
    )


# Retired


@pytest.mark.parametrize("how", list(Retire))
def test_a_retired_lead_is_not_in_the_dialer(ledger: Ledger, how: Retire) -> None:
    load(ledger, "L0")
    retire(ledger, "L0", how=how)
    lead = held(ledger)
    assert (lead.in_dialer, lead.how, ledger.accepted(CAMPAIGN, ["L0"])["L0"].holds("a")) == (False, how, False)


def test_a_deleted_lead_has_no_id_any_more(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.leads.record_lookup(CAMPAIGN, {"L0": ("77", "READY")})
    retire(ledger, "L0", how=Retire.DELETE)
    assert (held(ledger).lead_id, held(ledger).earlier_state) == (None, None)


def test_a_missing_lead_counts_as_deleted(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.claim("people", CAMPAIGN, {"L0": "b"}, 1.0, CHANGE)
    ledger.leads.record_gone("people", CAMPAIGN, ["L0"])
    assert held(ledger).how is Retire.DELETE


# After a kill


@pytest.mark.parametrize("work", [LOAD, CHANGE, RETIRE])
def test_what_a_killed_run_was_about_to_do_is_known(ledger_url: str, work: str) -> None:
    with opened(ledger_url) as killed:
        killed.claim("people", CAMPAIGN, {"L0": "d"}, 3.0, work)
    with opened(ledger_url, "two") as ledger:
        assert ledger.in_flight() == [InFlight(CAMPAIGN, "people", "L0", "d", 3.0, "one", work)]


def test_a_change_is_in_flight_until_it_is_done(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        load(killed, "L0", "L1", "L2")
        killed.claim("people", CAMPAIGN, dict.fromkeys(["L0", "L1", "L2"], "b"), 3.0, CHANGE)
        killed.leads.record_change("people", CAMPAIGN, {"L0": "b"}, {})
        killed.leads.record_gone("people", CAMPAIGN, ["L1"])
    with opened(ledger_url, "two") as ledger:
        assert [each.extern_id for each in ledger.in_flight()] == ["L2"]
        assert places(ledger) == [("a", True, False), ("b", True, False)]


@pytest.mark.parametrize("moved", [True, False])
def test_a_retirement_is_a_replay_candidate(ledger_url: str, moved: bool) -> None:
    with opened(ledger_url) as killed:
        load(killed, "L0")
        retire(killed, "L0", moved=moved)
        if not moved:
            killed.leads.record_retired_everywhere("people", ["L0"])
    with opened(ledger_url, "two") as ledger:
        assert ledger.in_flight() == []
        assert places(ledger) == [("a", True, False), (RETIRED, True, not moved)]
        assert places(ledger, None) == places(ledger)
        assert places(ledger, OTHER) == ([] if moved else [(RETIRED, True, True)])


def test_candidates_of_all_campaigns_are_in_order(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        for campaign in (OTHER, CAMPAIGN):
            load(killed, "L0", campaign=campaign)
            killed.leads.record_retired_everywhere("people", ["L0"])
    with opened(ledger_url, "two") as ledger:
        assert [is_mark for _, _, is_mark in places(ledger, None)] == [False, True, False, True]


def test_a_retirement_everywhere_is_no_accepted_lead(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        load(killed, "L0", campaign=OTHER)
        retire(killed, "L0", moved=True)
    with opened(ledger_url, "two") as ledger:
        assert (ledger.loaded_by_dead_runs(CAMPAIGN), ledger.loaded_by_dead_runs(OTHER)) == (False, True)


@pytest.mark.parametrize("how", list(Retire))
def test_after_an_uncertain_retirement_the_lead_may_be_in_the_dialer(ledger_url: str, how: Retire) -> None:
    with opened(ledger_url) as killed:
        load(killed, "L0", "L1")
        killed.leads.record_lookup(CAMPAIGN, {"L0": ("77", "READY")})
        killed.claim("people", CAMPAIGN, {"L0": how.value}, 1.0, RETIRE)
    with opened(ledger_url, "two") as ledger:
        ledger.leads.settle_uncertain("people", CAMPAIGN, {"L0": "another"}, "one", how)
        lead = held(ledger)
        assert (lead.retired, lead.how, lead.in_dialer, lead.earlier_state) == (f"{how.value}?", how, True, "READY")
        assert (ledger.in_flight(), held(ledger, "L1").retired) == ([], None)


@pytest.mark.parametrize(("before", "after"), [(None, None), ("suppress", "suppress?"), ("suppress?", "suppress?")])
def test_after_an_uncertain_change_the_content_is_unknown(
    ledger_url: str, before: str | None, after: str | None
) -> None:
    with opened(ledger_url) as killed:
        load(killed, "L0")
        with killed._account.writing() as connection:
            if before is not None:
                killed.leads._retire(connection, CAMPAIGN, ["L0"], before)
        killed.claim("people", CAMPAIGN, {"L0": "b"}, 1.0, CHANGE)
    with opened(ledger_url, "two") as ledger:
        ledger.leads.settle_uncertain("people", CAMPAIGN, {"L0": "another"}, "one", None)
        assert ledger.accepted(CAMPAIGN, ["L0"])["L0"] == Accepted("", 5.0, after)


def test_what_another_run_settled_meanwhile_stays_certain(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        load(killed, "L0")
        killed.claim("people", CAMPAIGN, {"L0": "b"}, 1.0, CHANGE)
    with opened(ledger_url, "two") as ledger:
        ledger.leads.settle_uncertain("people", CAMPAIGN, {"L0": "another"}, "one", None)
        assert ledger.claim("people", CAMPAIGN, {"L0": "c"}, 2.0, CHANGE) == {"L0"}
        ledger.leads.record_change("people", CAMPAIGN, {"L0": "c"}, {})
        ledger.leads.settle_uncertain("people", CAMPAIGN, {"L0": "another"}, "one", None)
        assert ledger.accepted(CAMPAIGN, ["L0"])["L0"].holds("c")


def test_a_load_settled_for_a_dead_run_has_its_field_names(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        killed.claim("people", CAMPAIGN, {"L0": "a"}, 1.0)
    with opened(ledger_url, "two") as ledger:
        ledger.settle(
            "people", CAMPAIGN, {"L0": "a"}, [], 2.0, "one", contents={"L0": "the names", "L1": "none of ours"}
        )
        assert held(ledger).content == "the names"


# Refused


def test_the_state_of_a_lead_that_was_not_retired_is_cleared(ledger: Ledger) -> None:
    load(ledger, "L0", "L1")
    ledger.leads.record_lookup(CAMPAIGN, {"L0": ("1", "READY"), "L1": ("2", "READY")})
    retire(ledger, "L1")
    ledger.leads.record_not_retired("people", CAMPAIGN, ["L0", "L1"])
    assert [(held(ledger, each).lead_id, held(ledger, each).earlier_state) for each in ("L0", "L1")] == [
        ("1", None),
        ("2", "READY"),
    ]


@pytest.mark.parametrize(("how", "digest", "retired"), [(None, "", None), (Retire.PAUSE, "a", "pause?")])
def test_a_request_that_failed_on_the_server_is_uncertain(
    ledger: Ledger, how: Retire | None, digest: str, retired: str | None
) -> None:
    load(ledger, "L0", "L1")
    ledger.leads.record_uncertain(CAMPAIGN, ["L0"], how)
    assert [(held(ledger, each).digest, held(ledger, each).retired) for each in ("L0", "L1")] == [
        (digest, retired),
        ("a", None),
    ]


# Phones on the list


def test_a_listed_phone_is_known(ledger: Ledger) -> None:
    digest = phone_digest("6505550000")
    for _ in range(2):
        ledger.phones.record(digest)
    assert ledger.phones.listed([digest, "another"]) == {digest}


def test_a_phone_is_uncertain_until_the_result_of_its_listing_is_known(ledger: Ledger) -> None:
    one, other = phone_digest("6505550000"), phone_digest("6505550001")
    leads = [lead(0), lead(1), lead(2, personaPhoneConfig={"Home": "6505550001"})]
    assert [ledger.phones.record_uncertain(one, "USA") for _ in range(2)] == [True, False]
    ledger.phones.record_uncertain(other, "GBR")
    assert ledger.phones.uncertain_of_leads(leads) == {
        "L0": [DncPhone("6505550000", "USA", one)],
        "L1": [DncPhone("6505550001", "GBR", other)],
        "L2": [DncPhone("6505550001", "GBR", other)],
    }
    ledger.phones.record(one)
    ledger.phones.record_not_listed(other)
    assert (ledger.phones.uncertain_of_leads(leads), ledger.phones.listed([one, other])) == ({}, {one})


def test_a_lead_is_listed_with_any_of_its_phones(ledger: Ledger) -> None:
    ledger.phones.record(phone_digest("6505550001"))
    leads = [
        lead(0, leadPhone="6505550009|6505550001"),
        lead(1),
        lead(2),
        lead(3, personaPhoneConfig={"Home": "6505550009", "Work": "6505550001"}),
        lead(4, auxPhone="6505550001"),
    ]
    assert ledger.phones.leads_with_listed_phone(leads) == {"L0", "L1", "L3"}


# Versions


def missing(ledger: Ledger, version: int = 7, after: str = "", most: int = -1) -> list[str]:
    return [extern_id for _, extern_id in ledger.versions.missing("people", version, after, most)]


def test_a_lead_that_is_not_in_a_version_is_missing(ledger: Ledger) -> None:
    load(ledger, "L0", "L1", "L2")
    ledger.versions.record_seen("people", 7, ["L0"])
    ledger.versions.record_seen("people", ANY_VERSION, ["L1"])
    ledger.versions.record_seen("people", 6, ["L2"])
    ledger.versions.record_seen("contacts", 7, ["L2"])
    assert (missing(ledger), ledger.versions.count("people", 7)) == (["L2"], (1, 3))


def test_what_is_seen_twice_is_seen(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.versions.record_seen("people", 7, ["L0"])
    assert [ledger.versions.holds("people", version, "L0") for version in (7, 8)] == [True, False]


def test_only_what_is_in_the_dialer_can_be_missing(ledger: Ledger) -> None:
    load(ledger, "L0", "L1")
    retire(ledger, "L0")
    load(ledger, "L2", stream="contacts")
    assert (missing(ledger, NO_VERSION), ledger.versions.count("people", NO_VERSION)) == (["L1"], (1, 1))


def test_a_lead_that_may_be_in_the_dialer_can_be_missing(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        load(killed, "L0")
        killed.claim("people", CAMPAIGN, {"L0": "suppress"}, 1.0, RETIRE)
    with opened(ledger_url, "two") as ledger:
        ledger.leads.settle_uncertain("people", CAMPAIGN, {"L0": "another"}, "one", Retire.SUPPRESS)
        assert missing(ledger) == ["L0"]


def test_what_is_missing_comes_page_by_page_in_the_order_of_code_points(ledger: Ledger) -> None:
    ids = ["a", "B", "Zoë", "z", "_", "10", "9", "é"]
    load(ledger, *ids)
    found, after = [], ""
    while page := missing(ledger, after=after, most=3):
        found += page
        after = page[-1]
    assert found == sorted(ids)


def test_an_activation_deletes_the_versions_of_its_stream_only(ledger: Ledger) -> None:
    for stream in ("people", "contacts"):
        ledger.versions.record_seen(stream, 7, ["L0"])
    ledger.versions.record_activated("people", 7)
    assert [ledger.versions.holds(stream, 7, "L0") for stream in ("people", "contacts")] == [False, True]


def test_the_version_that_was_activated_last_is_remembered_of_that_stream(ledger: Ledger) -> None:
    for version in (7, 9):
        ledger.versions.record_seen("people", version, ["L0"])
        ledger.versions.record_activated("people", version)
    assert [ledger.versions.activated(stream) for stream in ("people", "contacts")] == [9, None]


def test_the_version_that_was_activated_last_holds_no_lead_for_it(ledger: Ledger) -> None:
    load(ledger, "L0")
    ledger.versions.record_activated("people", 7)
    assert missing(ledger) == ["L0"]


# Threads


def test_threads_record_side_by_side(ledger: Ledger) -> None:
    ids = [f"L{number}" for number in range(40)]
    load(ledger, *ids)
    failures: list[BaseException] = []

    def write(thread: int) -> None:
        mine = ids[thread::4]
        try:
            for extern_id in mine:
                ledger.claim("people", CAMPAIGN, {extern_id: "b"}, 1.0, CHANGE)
                ledger.leads.record_lookup(CAMPAIGN, {extern_id: ("1", None)})
                ledger.leads.record_change("people", CAMPAIGN, {extern_id: "b"}, {})
                ledger.versions.record_seen("people", 7, ids)
                ledger.leads.record_existing("people", CAMPAIGN, dict.fromkeys(reversed(ids), ("1", 1.0)))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {each.digest for each in ledger.accepted(CAMPAIGN, ids).values()} == {"b"}


# A dry run


def test_a_dry_run_knows_where_leads_are(ledger_url: str) -> None:
    with opened(ledger_url) as first:
        load(first, "L0")
        first.phones.record("digest")
    with opened(ledger_url, "dry", read_only=True) as ledger:
        assert [each.extern_id for each in ledger.leads.locate("people", ["L0"])] == ["L0"]
        assert (ledger.phones.listed(["digest"]), missing(ledger), held(ledger).digest) == ({"digest"}, ["L0"], "a")
