"""What stops a run, or a lead, before it does harm: the guards of changes, retirements and the do-not-call list."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.executable import STATE_DIR, Finished, against, ids, run_target, serving
from tests.support.messages import SCHEMA, phone, record, records, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

ALWAYS = None
DELETED = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
MAPPINGS = {"leads": {"campaign": {"field": "team", "default": 1001}}}
PEOPLE = schema(properties={**SCHEMA, "team": {"type": ["string", "null"]}})


class Account:
    """An account with eight leads in the campaign 1001, and runs that go on from there."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder, self.sandbox = folder, sandbox
        self.config = against(
            sandbox, load_method="upsert", on_delete="pause", mappings=MAPPINGS, max_rejected_percent=100
        )
        self.run(*records(8))

    def run(self, *lines: dict[str, Any], **settings: Any) -> Finished:
        """A run over these records."""
        return run_target(self.folder, {**self.config, **settings}, [PEOPLE, *lines, state("end")])

    def states(self) -> list[str]:
        """Of all leads, in the order they were loaded in."""
        return ["suppressed" if lead["suppressed"] else lead["leadState"] for lead in self.sandbox.leads()]

    def act(self, action: str, extern_id: str) -> None:
        """What an operator does by hand."""
        path = f"/api/v1/admin/accounts/99990001/campaignLeads/actions?leadAction={action}"
        criteria = {"campaignLeadSearchCriteria": {"campaignIds": [1001], "externIds": [extern_id]}}
        headers = {"X-Auth-Token": "any"}
        requests.put(self.sandbox.base_url + path, json=criteria, headers=headers, timeout=10).raise_for_status()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with serving() as sandbox:
        yield Account(tmp_path, sandbox)


def test_a_server_that_ignores_lead_ids_stops_the_run_before_the_first_action(tmp_path: Path) -> None:
    with serving(lead_ids_ignored=True) as sandbox:
        account = Account(tmp_path, sandbox)
        finished = account.run(record(0, **DELETED))
        assert (finished.code, finished.states, account.states()) == (1, [], ["READY"] * 8)
        assert sandbox.requests("action") == []
    assert "Set on_delete to 'ignore' and do_not_call to 'skip'" in finished.error


def test_a_server_that_ignores_extern_ids_is_only_slower(tmp_path: Path) -> None:
    with serving(extern_ids_ignored=True) as sandbox:
        account = Account(tmp_path, sandbox)
        finished = account.run(record(0, **DELETED), record(1, last_name="New"))
        assert (finished.code, account.states()) == (0, ["PAUSED", *["READY"] * 7])
        assert [lead["fields"]["lastName"] for lead in sandbox.leads()][:3] == ["Last0", "New", "Last2"]


def test_an_action_that_touches_more_leads_than_asked_is_the_last(account: Account) -> None:
    account.sandbox.faults([{"on": "action", "do": "widen", "times": ALWAYS}])
    finished = account.run(record(0, **DELETED), record(1, do_not_call=True))
    assert (finished.code, finished.states) == (1, [])
    assert "PAUSE_LEADS was asked for 1 leads of campaign 1001" in finished.error
    assert "the server says it changed 8" in finished.error
    assert len(account.sandbox.requests("action")) == 1


def test_a_campaign_that_refuses_every_change_stops_the_run_and_rejects_nobody(account: Account) -> None:
    account.sandbox.faults([{"on": "patch", "do": "status", "status": 400, "times": ALWAYS}])
    finished = account.run(*(record(number, last_name="New") for number in range(8)))
    assert (finished.code, finished.states, finished.rejects) == (1, [], [])
    assert "campaign 1001 refused each of" in finished.error
    assert len(account.sandbox.requests("patch")) < 8


def test_a_change_that_is_refused_is_rejected_and_the_others_are_made(account: Account) -> None:
    account.sandbox.faults([{"on": "patch", "do": "status", "status": 400, "after": 2}])
    finished = account.run(*(record(number, last_name="New") for number in range(8)))
    assert finished.outcomes == {"read": 8, "updated": 7, "rejected": 1}
    assert [(reject["stage"], reject["reason"]) for reject in finished.rejects] == [("server", "http_400")]
    assert finished.states == [{"bookmark": "end"}]


def test_a_deleted_record_whose_lead_can_not_be_retired_is_rejected(account: Account) -> None:
    account.sandbox.faults([{"on": "action", "do": "action_failed", "times": ALWAYS}])
    finished = account.run(record(0, **DELETED))
    assert (finished.outcomes, account.states()) == ({"read": 1, "rejected": 1}, ["READY"] * 8)
    assert [(reject["stage"], reject["reason"]) for reject in finished.rejects] == [("server", "action_failed")]


def test_a_lead_that_its_campaign_does_not_let_go_is_not_loaded_into_another(account: Account) -> None:
    account.sandbox.faults([{"on": "action", "do": "action_failed", "times": ALWAYS}])
    finished = account.run(record(0, team="1002"), record(9, team="1002"))
    assert finished.outcomes == {"read": 2, "loaded": 1, "rejected": 1}
    assert ids(account.sandbox.leads(1002)) == ["L9"]


def test_what_was_over_before_it_was_paused_stays_over(account: Account) -> None:
    account.act("CANCEL_LEADS", "L0")
    account.run(record(0, **DELETED), record(1, **DELETED))
    assert account.states()[:3] == ["PAUSED", "PAUSED", "READY"]
    finished = account.run(record(0), record(1))
    assert (finished.outcomes, account.states()[:3]) == ({"read": 2, "updated": 2}, ["PAUSED", "READY", "READY"])


def test_a_lead_that_is_gone_at_the_server_is_loaded_anew(account: Account) -> None:
    account.act("DELETE_LEADS", "L0")
    finished = account.run(record(0, last_name="New"))
    assert finished.outcomes == {"read": 1, "loaded": 1}
    assert ids(account.sandbox.leads()) == [f"L{number}" for number in range(8)]


def test_a_lead_that_somebody_else_loaded_is_changed_in_place(account: Account, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = {**account.config, "on_delete": "ignore"}
    lines = [PEOPLE, record(0, last_name="New", email=None), record(9), state("end")]
    finished = run_target(elsewhere, config, lines)
    assert finished.outcomes == {"read": 2, "loaded": 1, "updated": 1}
    changed = account.sandbox.leads()[0]["fields"]
    # What it held is not known here, so nothing is blanked.
    assert (changed["lastName"], changed["email"]) == ("New", "person0@example.com")
    assert len(account.sandbox.leads()) == 9


def test_leads_of_another_stream_are_not_retired(account: Account) -> None:
    lines = [schema("firms"), record(0, "firms", **DELETED), record(1, "firms", do_not_call=True), state("end")]
    finished = run_target(account.folder, {**account.config, "campaign": 1001}, lines)
    assert (finished.outcomes, account.states()) == ({"read": 2, "do_not_call": 1, "deleted": 1}, ["READY"] * 8)


def test_leads_from_before_their_stream_was_noted_are_retired_for_any_stream(account: Account) -> None:
    with closing(sqlite3.connect(account.folder / STATE_DIR / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE engagevoice_accepted SET stream = NULL")
    lines = [schema("firms"), record(0, "firms", **DELETED), record(1, "firms", do_not_call=True), state("end")]
    run_target(account.folder, {**account.config, "campaign": 1001}, lines)
    assert account.states() == ["PAUSED", "suppressed", *["READY"] * 6]


def test_a_deleted_record_that_is_flagged_do_not_call_is_forbidden_whatever_on_delete_says(account: Account) -> None:
    finished = account.run(record(0, **DELETED, do_not_call=True), on_delete="ignore", do_not_call="dnc_list")
    assert (finished.outcomes, account.states()[:2]) == ({"read": 1, "deleted": 1}, ["suppressed", "READY"])
    assert [entry["phone"] for entry in account.sandbox.dnc()] == [phone(0)]


def test_a_lead_that_is_out_of_the_dialer_stays_as_it_is(account: Account) -> None:
    account.run(record(0, do_not_call=True), on_delete="delete")
    finished = account.run(record(0, **DELETED), on_delete="delete")
    assert (finished.outcomes, account.states()[:2]) == ({"read": 1, "deleted": 1}, ["suppressed", "READY"])


def test_a_phone_the_list_refuses_rejects_the_record_and_the_next_run_tries_again(account: Account) -> None:
    account.sandbox.faults([{"on": "dnc", "do": "status", "status": 400}])
    first = account.run(record(0, do_not_call=True), do_not_call="dnc_list")
    assert (first.outcomes, account.states()[:2]) == ({"read": 1, "rejected": 1}, ["PAUSED", "READY"])
    account.run(record(0, do_not_call=True), do_not_call="dnc_list")
    assert [entry["phone"] for entry in account.sandbox.dnc()] == [phone(0)]


def test_a_phone_is_listed_once(account: Account) -> None:
    for _ in range(2):
        account.run(record(0, do_not_call=True), record(1, do_not_call=True), do_not_call="dnc_list")
    assert len(account.sandbox.requests("dnc")) == 2


def test_a_changed_phone_that_the_campaign_has_already_is_rejected(tmp_path: Path) -> None:
    with serving() as sandbox:
        config = against(sandbox, load_method="upsert", duplicate_handling="REMOVE_ALL_EXISTING")
        run_target(tmp_path, {**config, "max_rejected_percent": 100}, [schema(), *records(2), state("one")])
        changed = [schema(), record(0, phone=phone(1)), record(1, last_name="New"), state("two")]
        finished = run_target(tmp_path, {**config, "max_rejected_percent": 100}, changed)
        phones = [lead["leadPhone"] for lead in sandbox.leads()]
    assert (finished.outcomes, phones) == ({"read": 2, "updated": 1, "rejected": 1}, [phone(0), phone(1)])


def test_changes_are_beside_the_loads_within_their_own_limit(account: Account) -> None:
    """The sandbox answers 429 beyond 12 changes in 3 seconds."""
    with serving(rate_limits={"patch": ["12/3s"]}) as sandbox:
        config = {**account.config, "base_url": sandbox.base_url, "state_dir": "another"}
        run_target(account.folder, config, [PEOPLE, *records(16), state("one")])
        lines = [record(number, last_name="New") for number in range(16)]
        run_target(account.folder, config, [PEOPLE, *lines, *records(4, 20), state("two")])
        changes, loads = sandbox.requests("patch"), sandbox.requests("load")
    assert [request["status"] for request in changes] == [200] * 16
    assert loads[-1]["at"] < changes[-1]["at"]
