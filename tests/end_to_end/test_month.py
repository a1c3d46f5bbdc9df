"""A month of a CRM's life over the real executable: after each day the account holds what the records say."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.support.crm_month import CALENDAR, MAPPING, SCHEMA, STREAM, Crm, Expected, in_words
from tests.support.executable import STATE_DIR, Finished, against, run_target, serving
from tests.support.messages import schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox
    from tests.support.crm_month import Change
    from tests.support.postgres import Postgres

AT_ONCE = 3
"""Months that are lived at the same time: most of a run is waiting."""

SERVER = {"search_delay_seconds": 0.2}


@dataclass(frozen=True)
class Scenario:
    """Settings, a kind of ledger, and whether the server has faults and each day is rehearsed by a dry run."""

    load_method: str
    on_delete: str
    do_not_call: str
    ledger: str = "sqlite"
    faults: bool = False
    rehearsed: bool = False

    def __str__(self) -> str:
        trouble = "faults" if self.faults else "rehearsed" if self.rehearsed else "calm"
        return f"{self.load_method} {self.on_delete} {self.do_not_call} {self.ledger} {trouble}"


SCENARIOS = (
    Scenario("append-only", "ignore", "dnc_list"),
    Scenario("append-only", "cancel", "dnc_list", ledger="postgres", faults=True),
    Scenario("upsert", "pause", "dnc_list", faults=True),
    Scenario("upsert", "suppress", "skip", ledger="postgres"),
    Scenario("upsert", "cancel", "dnc_list", rehearsed=True),
    Scenario("overwrite", "delete", "skip", ledger="postgres", faults=True),
)
FURTHER = (
    Scenario("append-only", "delete", "skip", faults=True),
    Scenario("append-only", "ignore", "skip", ledger="postgres", faults=True),
    Scenario("upsert", "delete", "dnc_list", ledger="postgres", faults=True),
    Scenario("upsert", "ignore", "dnc_list", faults=True),
    Scenario("upsert", "pause", "skip", ledger="postgres", rehearsed=True),
    Scenario("overwrite", "pause", "skip", faults=True),
    Scenario("overwrite", "suppress", "dnc_list", ledger="postgres", faults=True),
)
"""Played with `pytest -m soak`: the others leave out no setting, these some of their pairs."""

FAULTS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "load": (
        {"do": "drop_after"},
        {"do": "status", "status": 429, "retry_after": "0"},
        {"do": "truncate"},
        {"do": "status", "status": 500},
        {"do": "drop_before"},
    ),
    "patch": (
        {"do": "drop_after"},
        {"do": "status", "status": 500, "stored": True},
        {"do": "status", "status": 429, "retry_after": "0"},
        {"do": "garbage", "times": 2},
    ),
    "action": (
        {"do": "drop_after"},
        {"do": "truncate"},
        {"do": "status", "status": 500, "stored": True},
        {"do": "status", "status": 429, "retry_after": "0"},
        {"do": "garbage", "after": 1},
    ),
    "dnc": ({"do": "drop_after"}, {"do": "status", "status": 500, "times": 2}, {"do": "status", "status": 429}),
    "search": ({"do": "status", "status": 503}, {"do": "truncate"}, {"do": "drop_before"}, {"do": "garbage"}),
}
"""What goes wrong each day, in turn, with each kind of request."""


@dataclass(frozen=True)
class Day:
    """What was seen of one day, and what was to be seen.

    Attributes:
        efforts: How many leads were retired and phones listed; of the expected ones, also what a dry run would say.
        called: `externId` and campaign of the leads in the dialer.
        forbidden: Who must not be called.
        deleted: Whose row is marked as deleted.
        struck: The requests that met a fault.
        untouched: Whether the dry run left everything as it was.
    """

    number: int
    finished: Finished
    leads: list[Any]
    expected_leads: list[Any]
    listed: list[str]
    expected_listed: list[str]
    efforts: dict[str, int]
    expected_efforts: dict[str, int]
    expected_outcomes: dict[str, int]
    called: set[tuple[str, int]]
    forbidden: set[str]
    deleted: set[str]
    struck: list[dict[str, Any]]
    rehearsal: Finished | None
    untouched: bool


@pytest.fixture(scope="module")
def months(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Months]:
    """The months of all scenarios that were selected, several at a time; by scenario, with each day."""
    mine = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    chosen = [item.callspec.params["scenario"] for item in mine if isinstance(item, pytest.Function)]
    wanted = [each for each in SCENARIOS + FURTHER if each in chosen]
    on_postgres = any(scenario.ledger == "postgres" for scenario in wanted)
    server: Postgres | None = request.getfixturevalue("postgres") if on_postgres else None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: dict[Scenario, Future[list[Day]]] = {}
        for scenario in wanted:
            url = server.new_database().sqlalchemy_url if server and scenario.ledger == "postgres" else None
            running[scenario] = pool.submit(live, scenario, tmp_path_factory.mktemp("month"), url)
        yield running


def live(scenario: Scenario, folder: Path, ledger_url: str | None) -> list[Day]:
    """Live through the month, with a run each day on which something changed."""
    with serving(**SERVER) as sandbox:
        month = Month(scenario, folder, sandbox, ledger_url)
        return [month.live_through(number, changes) for number, changes in CALENDAR.items()]


class Month:
    """A CRM, its account, and the runs between them."""

    def __init__(self, scenario: Scenario, folder: Path, sandbox: Sandbox, ledger_url: str | None) -> None:
        self._scenario, self._folder, self._sandbox = scenario, folder, sandbox
        self._crm = Crm()
        self._expected = Expected(scenario.load_method, scenario.on_delete, scenario.do_not_call)
        self._last: list[dict[str, Any]] = []
        self._config = against(
            sandbox,
            campaign=None,
            search_delay_seconds=0.5,
            mappings={STREAM: MAPPING},
            max_rejected_percent=100,
            ledger_url=ledger_url,
            load_method=scenario.load_method,
            on_delete=scenario.on_delete,
            do_not_call=scenario.do_not_call,
        )

    def live_through(self, number: int, changes: list[Change]) -> Day:
        """Run over what changed on a day, behind the last row of the day before, as incremental taps send it again."""
        rows = self._last + self._crm.live_through(changes)
        if self._scenario.load_method == "overwrite":
            rows += self._crm.everything()
        self._last = rows[-1:]
        lines = messages(self._scenario, number, rows)
        rehearsal, untouched = self._rehearse(lines) if self._scenario.rehearsed else (None, True)
        if self._scenario.faults:
            place = list(CALENDAR).index(number)
            self._sandbox.faults([{"on": kind, **ways[place % len(ways)]} for kind, ways in FAULTS.items()])
        begun = len(self._sandbox.requests())
        finished = run_target(self._folder, self._config, lines)
        expected = self._expect(rows)
        leads, totals = self._sandbox.leads(), finished.run_record["totals"]
        return Day(
            number=number,
            finished=finished,
            leads=seen(leads),
            expected_leads=expected.at_the_server(),
            listed=sorted(entry["phone"] for entry in self._sandbox.dnc()),
            expected_listed=sorted(expected.listed),
            efforts={name: totals[name] for name in ("retired", "listed")},
            expected_efforts={name: expected.efforts[name] for name in ("retired", "listed", *WOULD)},
            expected_outcomes={name: count for name, count in expected.outcomes.items() if count},
            called={
                (lead["externId"], lead["campaignId"])
                for lead in leads
                if lead["leadState"] == "READY" and not lead["suppressed"]
            },
            forbidden=self._crm.forbidden,
            deleted=self._crm.deleted,
            struck=[request for request in self._sandbox.requests()[begun:] if request["fault"]],
            rehearsal=rehearsal,
            untouched=untouched,
        )

    def _rehearse(self, lines: list[dict[str, Any]]) -> tuple[Finished, bool]:
        before = written(self._sandbox, self._folder)
        dry = run_target(self._folder, {**self._config, "dry_run": True}, lines)
        return dry, written(self._sandbox, self._folder) == before

    def _expect(self, rows: list[dict[str, Any]]) -> Expected:
        self._expected.new_day()
        for row in rows:
            self._expected.read(row)
        if self._scenario.load_method == "overwrite":
            self._expected.activate(rows)
        return self._expected


def messages(scenario: Scenario, number: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the tap writes; with `overwrite` it reads all of the table, and activates the version before and after."""
    version = {"version": 1_790_000_000_000 + number} if scenario.load_method == "overwrite" else {}
    activate = [{"type": "ACTIVATE_VERSION", "stream": STREAM, **version}] if version else []
    records = ({"type": "RECORD", "stream": STREAM, "record": row, **version} for row in rows)
    return list(chain([schema(STREAM, SCHEMA)], activate, records, activate, [state(number)]))


def seen(leads: list[dict[str, Any]]) -> list[Any]:
    """The leads of the sandbox, as `Expected.at_the_server` has them."""
    names = ("campaignId", "externId", "fields", "leadState", "suppressed")
    return sorted(in_words(*(lead[name] for name in names)) for lead in leads)


def written(sandbox: Sandbox, folder: Path) -> Any:
    """All that a run could write to, but its own record."""
    ledger = folder / STATE_DIR / "ledger.db"
    return (
        [request for request in sandbox.requests() if request["kind"] in ("load", "patch", "action", "dnc")],
        sandbox.leads(),
        sandbox.dnc(),
        ledger.read_bytes() if ledger.exists() else None,
    )


Months: TypeAlias = "Mapping[Scenario, Future[list[Day]]]"

TWICE = {12, 25}
"""Days on which some have several records: a dry run compares each with what there was before the day."""

WOULD = ("would_load", "would_change", "would_retire", "would_list")


def scenarios(*, rehearsed: bool = False) -> pytest.MarkDecorator:
    """Runs a test with each scenario, or with those that are rehearsed."""
    marks = {each: [pytest.mark.postgres] if each.ledger == "postgres" else [] for each in SCENARIOS + FURTHER}
    for each in FURTHER:
        marks[each].append(pytest.mark.soak)
    wanted = [each for each in marks if each.rehearsed or not rehearsed]
    return pytest.mark.parametrize("scenario", [pytest.param(each, id=str(each), marks=marks[each]) for each in wanted])


@scenarios()
def test_after_each_day_the_account_holds_what_the_records_say(months: Months, scenario: Scenario) -> None:
    for day in months[scenario].result():
        assert (day.number, day.leads) == (day.number, day.expected_leads), day.finished.stderr


@scenarios()
def test_every_record_of_each_day_has_its_outcome(months: Months, scenario: Scenario) -> None:
    for day in months[scenario].result():
        assert (day.number, day.finished.outcomes) == (day.number, day.expected_outcomes), day.finished.stderr
        assert {name: day.expected_efforts[name] for name in day.efforts} == day.efforts, day.number


@scenarios()
def test_every_day_ends_well_and_its_state_is_written(months: Months, scenario: Scenario) -> None:
    for day in months[scenario].result():
        assert (day.finished.code, day.finished.states) == (0, [{"bookmark": day.number}]), day.finished.stderr


@scenarios()
def test_nobody_is_called_by_two_campaigns_or_against_their_will(months: Months, scenario: Scenario) -> None:
    """The rule itself, without the model: a lead that is deleted is called on only where `on_delete` is `ignore`."""
    for day in months[scenario].result():
        names = [name for name, _ in day.called]
        assert day.forbidden.isdisjoint(names), day.number
        if scenario.on_delete != "ignore":
            assert len(names) == len(set(names)), day.number
            assert day.deleted.isdisjoint(names), day.number


@scenarios()
def test_phones_are_listed_once_and_never_taken_off(months: Months, scenario: Scenario) -> None:
    for day in months[scenario].result():
        assert (day.number, day.listed) == (day.number, day.expected_listed)


@scenarios()
def test_the_month_was_as_it_was_meant(months: Months, scenario: Scenario) -> None:
    days = months[scenario].result()
    struck = {request["kind"] for day in days for request in day.struck}
    retiring = scenario.on_delete != "ignore" or scenario.do_not_call == "skip"
    meant = {"load", "search"} | ({"action"} if retiring else set())
    meant |= {"patch"} if scenario.load_method != "append-only" else set()
    meant |= {"dnc"} if scenario.do_not_call == "dnc_list" else set()
    assert struck >= meant if scenario.faults else not struck


@scenarios(rehearsed=True)
def test_a_dry_run_says_what_the_run_then_does_and_writes_nothing(months: Months, scenario: Scenario) -> None:
    for day in months[scenario].result():
        dry = day.rehearsal
        assert dry is not None
        assert (dry.code, dry.stdout, day.untouched) == (0, "", True), dry.stderr
        if day.number not in TWICE:
            totals = dry.run_record["totals"]
            assert {name: totals[name] for name in WOULD} == {name: day.expected_efforts[name] for name in WOULD}, day
