"""`kill -9` of the real executable around changes, actions, the do-not-call list, and their records in the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.support.crm import PROPERTIES, Version
from tests.support.kill_chain import Death, KillChain
from tests.support.launcher import Moment
from tests.support.lead_events import content
from tests.support.messages import encoded, phone
from tests.support.process import Process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

PEOPLE = 24
CHANGE = "target_engagevoice.api.lead_client:LeadClient.change"
ACT = "target_engagevoice.api.lead_client:LeadClient.act"
LIST_PHONE = "target_engagevoice.api.lead_client:LeadClient.list_phone"
CHANGED = "target_engagevoice.ledger.leads:LedgerLeads.record_change"
RETIRED = "target_engagevoice.ledger.leads:LedgerLeads.record_retirement"
RETIRED_EVERYWHERE = "target_engagevoice.ledger.leads:LedgerLeads.record_retired_everywhere"
RECORD_LISTED = "target_engagevoice.ledger.listed_phones:ListedPhones.record"
SETTLE_UNCERTAIN = "target_engagevoice.ledger.leads:LedgerLeads.settle_uncertain"
CLAIM = "target_engagevoice.ledger.ledger:Ledger.claim"

CHAINS: dict[str, Sequence[Moment]] = {
    "around a change": [
        Moment(CHANGE, "before", 2),
        Moment(CHANGE, "after", 1),
        Moment(CHANGE, "after", 3),
        Moment(CHANGED, "before", 1),
        Moment(SETTLE_UNCERTAIN, "after", 1),
    ],
    "around an action": [
        Moment(ACT, "before", 1),
        Moment(ACT, "after", 1),
        Moment(RETIRED, "before", 1),
        Moment(RETIRED, "after", 1),
        Moment(RETIRED_EVERYWHERE, "before", 1),
    ],
    "around the list": [
        Moment(LIST_PHONE, "before", 1),
        Moment(LIST_PHONE, "after", 1),
        Moment(RECORD_LISTED, "before", 2),
    ],
    # A chain of its own: in the one around the list, other threads may have finished all changes before.
    "between a claim and its change": [
        Moment(CLAIM, "after", 2),
        Moment(CHANGED, "after", 1),
    ],
}
"""Where each run of a chain is killed; the run after the last of them finishes."""

FATES = ("changed", "cleared", "moved", "deleted", "do_not_call", "same")


def first_day() -> list[Version]:
    """Each lead as it is loaded."""
    return [Version(n, "people", f"L{n}", str(1001 + n % 2), 1, phone(n)) for n in range(PEOPLE)]


def second_day() -> list[Version]:
    """Each lead after its change; a `cleared` one has no last name any more."""
    rows = []
    for row in first_day():
        fate = FATES[row.place % len(FATES)]
        number = {"changed": 3, "cleared": 2}.get(fate, 1)
        campaign = "1003" if fate == "moved" else row.campaign_id
        flag = fate if fate in ("deleted", "do_not_call") else "good"
        rows.append(Version(row.place, row.stream, row.extern_id, campaign, number, row.phone, flag))
    return rows


def lines(rows: Sequence[Version]) -> list[bytes]:
    """As a tap sends them, with a STATE at the end."""
    messages: list[dict[str, Any]] = [
        {"type": "SCHEMA", "stream": "people", "schema": {"properties": PROPERTIES}, "key_properties": ["id"]},
        *({"type": "RECORD", "stream": row.stream, "record": row.record()} for row in rows),
        {"type": "STATE", "value": {"bookmark": len(rows)}},
    ]
    return [encoded(message) for message in messages]


class Changes(KillChain):
    """Runs of the second day, after the first one is loaded."""

    settings: ClassVar = {
        "load_method": "upsert",
        "on_delete": "suppress",
        "do_not_call": "dnc_list",
        "batch_size_rows": 5,
        "max_in_flight": 2,
        "search_delay_seconds": 0.2,
        "mappings": {"*": {"campaign": {"field": "camp"}, "fields": {"externId": "id"}}},
    }
    empty_tables = ("in_flight", "batches", "left")

    def prepare(self) -> None:
        with Process(self.folder, self.config, lines(first_day())) as process:
            assert process.wait() == 0, process.stderr
        self._runs = 0

    def lines(self) -> list[bytes]:
        return lines(second_day())

    def faults(self, death: Death | None) -> list[dict[str, Any]]:  # noqa: ARG002 - the same for all
        return [{"on": "patch", "do": "delay", "seconds": 0.02, "times": None}]

    def take(self, states: Sequence[Any]) -> None:
        self._runs += 1
        wanted = [{"bookmark": PEOPLE}] if self._runs > len(self.deaths) else []
        if states != wanted:
            self.problems.append(f"run {self._runs} wrote {states}, not {wanted}")

    def check_the_end(self, sent: int) -> None:
        assert sent == PEOPLE
        self.problems += differences(self.sandbox)


def differences(sandbox: Sandbox) -> list[str]:
    """How the server differs from what the second day says."""
    leads = sandbox.leads()
    dialed = sorted(
        (lead["externId"], str(lead["campaignId"]), content(lead["fields"]))
        for lead in leads
        if lead["leadState"] == "READY" and not lead["suppressed"]
    )
    wanted = sorted((row.extern_id, row.campaign_id, row.content) for row in second_day() if row.fate == "good")
    problems = [f"is {one}, is to be {other}" for one, other in zip(dialed, wanted, strict=False) if one != other]
    if len(dialed) != len(wanted):
        problems.append(f"{len(dialed)} are dialed, {len(wanted)} are to be")
    if len(leads) != PEOPLE + sum(row.campaign_id == "1003" for row in second_day()):
        problems.append(f"there are {len(leads)} leads: some were loaded twice, or not at all")
    listed = sorted(entry["phone"] for entry in sandbox.dnc())
    if listed != sorted(row.phone for row in second_day() if row.fate == "do_not_call"):
        problems.append(f"listed are {listed}")
    return problems


def test_after_kills_each_lead_is_what_its_newest_record_says(tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(CHAINS)) as pool:
        jobs = {name: pool.submit(Changes(deaths, tmp_path / name).play) for name, deaths in CHAINS.items()}
        problems = {name: job.result() for name, job in jobs.items() if job.result()}
    assert not problems, problems


def test_more_than_a_dozen_points_are_tried() -> None:
    assert sum(map(len, CHAINS.values())) > 12


pytestmark = pytest.mark.timeout(240)
