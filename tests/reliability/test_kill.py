"""`kill -9` of the real executable, a hundred times; then a run to the end, and a look at the server."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.support.executable import OUTCOMES, against, serving
from tests.support.kill_chain import Death, KillChain, Outside
from tests.support.launcher import Moment
from tests.support.messages import encoded, record, schema, state
from tests.support.process import KILLED, Process, rejects, run_records
from tests.support.tap import Row, Tap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

ROWS = 600
STATE_EVERY = 7
BATCH_ROWS = 8
SEARCH_DELAY_SECONDS = 0.5


def random_deaths(seed: int, count: int = 9) -> list[Death]:
    """Kills at random moments, early enough to leave work for the next run."""
    rng = random.Random(seed)  # noqa: S311 - not used for a secret
    return [Outside(rng.randint(1, 4), rng.randint(0, 10), rng.random() < 0.5) for _ in range(count)]


CLIENT_LOAD = "target_engagevoice.api.client:Client.load"
CLIENT_SEARCH = "target_engagevoice.api.client:Client.search"
CLAIM = "target_engagevoice.ledger.ledger:Ledger.claim"
SETTLE = "target_engagevoice.ledger.ledger:Ledger.settle"
FIND_DEAD_RUNS = "target_engagevoice.ledger.account:LedgerAccount.find_dead_runs"
IN_FLIGHT = "target_engagevoice.ledger.ledger:Ledger.in_flight"
FINISH = "target_engagevoice.ledger.ledger:Ledger.finish"
COMMIT = "sqlalchemy.engine.default:DefaultDialect.do_commit"
REJECT = "target_engagevoice.outcomes.rejects:Rejects.write"
OPEN_REJECTS = "target_engagevoice.outcomes.rejects:Rejects._open"
DURABLE = "target_engagevoice.outcomes.rejects:Rejects.make_durable"
STATE = "target_engagevoice.target:write_to_stdout"
OUTCOME = "target_engagevoice.outcomes.outcomes:Outcomes.settle_all"
RECORD = "target_engagevoice.run.load_run:write_record"

CHAINS: Mapping[str, Sequence[Death]] = {
    "before a request": [
        Moment(CLIENT_LOAD, "before", 1),
        Moment(CLIENT_LOAD, "before", 2),
        Moment(CLIENT_LOAD, "before", 5),
        Moment(CLAIM, "before", 1),
        Moment(CLAIM, "before", 4),
        Moment(CLAIM, "after", 1),
        Moment(CLAIM, "after", 3),
        Moment(CLAIM, "after", 6),
    ],
    "between a request and the ledger": [
        Moment(CLIENT_LOAD, "after", 1),
        Moment(CLIENT_LOAD, "after", 1),
        Moment(CLIENT_LOAD, "after", 3),
        Moment(CLIENT_LOAD, "after", 6),
        Moment(SETTLE, "before", 4),
        Moment(SETTLE, "before", 2),
        Moment(SETTLE, "before", 5),
        Moment(SETTLE, "before", 3),
    ],
    "between the ledger and STATE": [
        Moment(SETTLE, "after", 1),
        Moment(SETTLE, "after", 3),
        Moment(SETTLE, "after", 6),
        Moment(OUTCOME, "before", 4),
        Moment(OUTCOME, "after", 5),
        Moment(DURABLE, "before", 2),
        Moment(DURABLE, "after", 3),
        Moment(STATE, "before", 1),
        Moment(STATE, "before", 3),
        Moment(STATE, "after", 2),
    ],
    "in a transaction of the ledger": [
        Moment(COMMIT, "before", 5),
        Moment(COMMIT, "before", 8),
        Moment(COMMIT, "before", 11),
        Moment(COMMIT, "after", 7),
        Moment(COMMIT, "after", 9),
        Moment(COMMIT, "before", 14),
        Moment(COMMIT, "after", 12),
    ],
    "while a reject is written": [
        Moment(REJECT, "before", 1),
        Moment(OPEN_REJECTS, "torn", 1),
        Moment(REJECT, "after", 1),
        Moment(OPEN_REJECTS, "torn", 2),
        Moment(REJECT, "before", 2),
        Moment(REJECT, "after", 3),
        Moment(OPEN_REJECTS, "torn", 3),
        Moment(REJECT, "before", 4),
    ],
    "while looking up what an earlier kill left": [
        Moment(CLIENT_LOAD, "after", 2),
        Moment(CLIENT_SEARCH, "before", 1),
        Moment(CLIENT_SEARCH, "after", 1),
        Moment(IN_FLIGHT, "after", 1),
        Moment(SETTLE, "before", 1),
        Moment(SETTLE, "after", 1),
        Moment(FIND_DEAD_RUNS, "before", 1),
        Moment(CLAIM, "after", 2),
        Moment(CLIENT_SEARCH, "after", 2),
    ],
    "at the end of the run": [
        Outside(states=ROWS, loads=40, stored=True),
        Moment(FINISH, "before", 1),
        Moment(FINISH, "after", 1),
        Moment(RECORD, "before", 1),
        Moment(RECORD, "after", 1),
    ],
    **{f"at any moment, {seed}": random_deaths(seed) for seed in range(5)},
}
"""Where each run of a chain is killed; the run after the last of them finishes."""

GROUPS = (
    ("before a request", "between a request and the ledger", "in a transaction of the ledger"),
    ("between the ledger and STATE", "while a reject is written", "at any moment, 0"),
    ("while looking up what an earlier kill left", "at the end of the run", "at any moment, 1"),
    ("at any moment, 2", "at any moment, 3", "at any moment, 4"),
)
"""Chains that run at the same time: starting a process takes a processor, waiting for a search does not."""


def test_a_hundred_kills_are_spread_over_the_chains() -> None:
    assert sum(len(deaths) for deaths in CHAINS.values()) >= 100
    assert sorted(name for group in GROUPS for name in group) == sorted(CHAINS)


PLAYED = [
    pytest.param(group, id=" + ".join(group), marks=[pytest.mark.thorough] if number else [])
    for number, group in enumerate(GROUPS)
]
"""Always the first group; all of them when thorough."""


@pytest.mark.parametrize("group", PLAYED)
def test_after_kills_no_lead_is_lost_and_none_is_there_twice(group: Sequence[str], tmp_path: Path) -> None:
    chains = [Loads(CHAINS[name], tmp_path / str(number)) for number, name in enumerate(group)]
    with ThreadPoolExecutor(len(chains)) as pool:
        list(pool.map(Loads.play, chains))
    problems = {name: chain.problems for name, chain in zip(group, chains, strict=True) if chain.problems}
    assert not problems, problems


def test_after_a_kill_a_lead_that_goes_back_to_an_earlier_version_is_loaded_again(tmp_path: Path) -> None:
    first, second, other = record(1, first_name="one"), record(1, first_name="two"), record(2)
    whole = [encoded(line) for line in (schema(), first, second, other, state("all"))]
    # STATE is past all of it; what comes next are the row of the bookmark and a change.
    later = [encoded(line) for line in (schema(), other, first, state("more"))]
    with serving() as sandbox:
        config = against(sandbox, search_delay_seconds=SEARCH_DELAY_SECONDS)
        with Process(tmp_path, config, whole, die_at=Moment(FINISH, "before")) as process:
            assert (process.wait(), process.states) == (KILLED, [{"bookmark": "all"}])
        with Process(tmp_path, config, later) as process:
            assert (process.wait(), process.states) == (0, [{"bookmark": "more"}])
        names = [lead["fields"]["firstName"] for lead in sandbox.leads() if lead["externId"] == "L1"]
    assert names == ["one", "two", "one"]


def source() -> list[Row]:
    """People and firms for three campaigns: some change, some must not be called, some cannot be loaded."""
    rows: list[Row] = []
    for number in range(ROWS):
        stream = "firms" if number % 3 == 2 else "people"
        campaign = str(1001 + number % 2) if stream == "people" else "1003"
        fate = {11: "no_phone", 23: "do_not_call", 31: "deleted", 37: "poison"}.get(number % 40, "good")
        rows.append(Row(stream, f"L{number}", campaign, 0, phone(number), fate))
        if number % 40 == 35:
            # An earlier one comes again: changed in its own stream, or unchanged, or changed in the other stream.
            old = rows[-1 - number % 7]
            if old.fate == "good":
                other = {"people": "firms", "firms": "people"}[old.stream]
                again = number // 40 % 3
                version, stream = ((1, old.stream), (0, old.stream), (1, other))[again]
                rows.append(Row(stream, old.extern_id, old.campaign_id, version, old.phone))
    return rows


def phone(number: int) -> str:
    """A number of its own, kept for fiction."""
    return f"{201 + number // 100}55501{number % 100:02d}"


class Loads(KillChain):
    """Runs that load the source, each from the bookmark of those before it."""

    server: ClassVar = {"search_delay_seconds": SEARCH_DELAY_SECONDS / 2}
    settings: ClassVar = {
        "batch_size_rows": BATCH_ROWS,
        "max_in_flight": 3,
        "max_rejected_percent": 100,
        "search_delay_seconds": SEARCH_DELAY_SECONDS,
        "mappings": {"*": {"campaign": {"field": "camp"}, "fields": {"externId": "id"}}},
    }
    empty_tables = ("in_flight", "batches")

    def prepare(self) -> None:
        rows = source()
        self._tap = Tap(rows, frozenset({*range(STATE_EVERY, len(rows), STATE_EVERY), len(rows) - 1}))

    def lines(self) -> list[bytes]:
        return list(self._tap.lines(self.state))

    def faults(self, death: Death | None) -> list[dict[str, Any]]:
        # The server answers slowly, so that a kill hits requests in flight.
        poison = sorted({row.extern_id for row in self._tap.rows if row.fate == "poison"})
        faults: list[dict[str, Any]] = [
            {"on": "load", "do": "status", "status": 422, "body": "no", "extern_ids": poison, "times": None},
            {"on": "load", "do": "delay", "seconds": 0.05, "times": None},
        ]
        if isinstance(death, Outside):
            hang = "timeout_after" if death.stored else "timeout_before"
            faults.insert(1, {"on": "load", "do": hang, "after": death.loads, "times": None})
        return faults

    def take(self, states: Sequence[dict[str, int]]) -> None:
        for newer in states:
            if self.state is not None and newer["place"] < self.state["place"]:
                self.problems.append(f"STATE went back from {self.state} to {newer}")
            self.state = newer
        reached = 0 if self.state is None else self.state["place"] + 1
        there = set(_held(self.sandbox)) | self._rejected()
        for row in self._tap.rows[:reached]:
            if row.fate not in ("do_not_call", "deleted") and _lead(row) not in there:
                self.problems.append(f"STATE {self.state} is ahead of {_lead(row)}")

    def check_the_end(self, sent: int) -> None:
        held, rejected, rows = _held(self.sandbox), self._rejected(), self._tap.rows
        good = {_lead(row) for row in rows if row.fate == "good"}
        refused = {_lead(row) for row in rows if row.fate in ("poison", "no_phone")}
        self.problems += [f"{lead} is lost" for lead in sorted(good - set(held))]
        self.problems += [f"{lead} is there {times} times" for lead, times in held.items() if times > 1]
        self.problems += [f"{lead} must not be there" for lead in sorted(set(held) - good)]
        if rejected != refused:
            self.problems.append(f"rejected but not refused, or the other way round: {sorted(rejected ^ refused)}")
        if self.state != {"place": len(rows) - 1}:
            self.problems.append(f"the last STATE is {self.state}")
        self._check_order()
        last = run_records(self.folder)[-1]
        totals = last["totals"]
        outcomes = sum(totals[name] for name in OUTCOMES)
        if not (totals["read"] == outcomes == sent) or last["unsettled"]:
            self.problems.append(f"{sent} records were sent in the last run, {outcomes} have an outcome: {last}")

    def _check_order(self) -> None:
        versions: dict[tuple[str, str], list[str]] = {}
        for lead in self.sandbox.leads():
            versions.setdefault((str(lead["campaignId"]), lead["externId"]), []).append(lead["fields"]["firstName"])
        self.problems += [f"{key} was loaded as {seen}" for key, seen in versions.items() if seen != sorted(seen)]

    def _rejected(self) -> set[tuple[str, str, str]]:
        found = set()
        for reject in rejects(self.folder):
            record = reject["record"]
            found.add((record["camp"], record["id"], record["first_name"]))
        return found


def _held(sandbox: Sandbox) -> Counter[tuple[str, str, str]]:
    return Counter((str(lead["campaignId"]), lead["externId"], lead["fields"]["firstName"]) for lead in sandbox.leads())


def _lead(row: Row) -> tuple[str, str, str]:
    return row.campaign_id, row.extern_id, f"v{row.version}"
