"""Any sequence of calls, by one run after another or by two at a time, against a plain model of the ledger."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from target_engagevoice.ledger import Accepted, InFlight, Ledger
from target_engagevoice.ledger_database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, str]
"""Campaign and `externId`."""

IDS = ["a", "B", "Zoë", 'say "\\u0041"']
CAMPAIGNS = ["1001", "1002"]
STREAMS = ["people", "contacts"]

ids = st.lists(st.sampled_from(IDS), unique=True)
digests = st.dictionaries(st.sampled_from(IDS), st.sampled_from(["d1", "d2"]))
campaigns = st.sampled_from(CAMPAIGNS)
streams = st.sampled_from(STREAMS)
times = st.floats(min_value=0, max_value=2e9)
seats = st.integers(0, 1)

_accounts = itertools.count()


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """A database that is there for one test. Override this to run the same test on another kind."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@dataclass
class Remains:
    """A version that a run got accepted or refused."""

    run: str
    stream: str
    campaign: str
    extern_id: str
    digest: str
    taken: bool


@dataclass
class Model:
    """All that the ledger holds of one account."""

    unended: list[str] = field(default_factory=list)
    accepted: dict[Key, Accepted] = field(default_factory=dict)
    flying: dict[Key, InFlight] = field(default_factory=dict)
    left: list[Remains] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)

    def claim(self, run: str, stream: str, campaign: str, leads: dict[str, str], since: float) -> set[str]:
        for extern_id, digest in leads.items():
            held = self.flying.get((campaign, extern_id))
            if held is None or held.run == run:
                self.flying[campaign, extern_id] = InFlight(campaign, stream, extern_id, digest, since, run)
        return {extern_id for extern_id in leads if self.flying[campaign, extern_id].run == run}

    def holds(self, run: str, campaign: str, extern_id: str) -> bool:
        return (campaign, extern_id) in self.flying and self.flying[campaign, extern_id].run == run

    def settle(
        self,
        run: str,
        stream: str,
        campaign: str,
        leads: dict[str, str],
        cleared: list[str],
        at: float,
        *,
        dead: set[str],
        refused: bool = False,
    ) -> None:
        for extern_id, digest in leads.items():
            self.accepted[campaign, extern_id] = Accepted(digest, at)
            read_before = [
                each
                for each in self.left
                if each.run in dead - {run}
                and not each.taken
                and (each.stream, each.campaign, each.extern_id, each.digest) == (stream, campaign, extern_id, digest)
            ]
            if read_before:
                read_before[0].taken = True
            else:
                self.left.append(Remains(run, stream, campaign, extern_id, digest, taken=True))
        for extern_id in cleared if refused else ():
            if self.holds(run, campaign, extern_id):
                flying = self.flying[campaign, extern_id]
                self.left.append(Remains(run, flying.stream, campaign, extern_id, flying.digest, taken=False))
        for extern_id in (*leads, *cleared):
            if self.holds(run, campaign, extern_id):
                del self.flying[campaign, extern_id]

    def finish(self, run: str, predecessors: set[str], dead: set[str], read: list[str]) -> None:
        self.left = [
            each for each in self.left if each.run != run and not (each.run in predecessors and each.stream in read)
        ]
        needed = {each.run for each in self.left} | {each.run for each in self.flying.values()}
        self.unended = [each for each in self.unended if each in needed or each not in {run, *dead}]


@dataclass
class Seat:
    """A run under way, and which runs it takes for killed."""

    run: str
    ledger: Ledger
    predecessors: set[str]
    dead: set[str]


class AnyCalls(RuleBasedStateMachine):
    """Two runs at a time where they may share a ledger, one where they may not; more are killed or ended."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.account = f"account {next(_accounts)}"
        self.engine = sa.create_engine(self.url)
        self.runs = itertools.count()
        self.model = Model()
        self.seats: list[Seat] = []
        self._sit_down()
        if self.shared:
            self._sit_down()

    @property
    def shared(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    def _sit_down(self) -> None:
        run = f"run {next(self.runs)}"
        dead = set(self.model.unended) - {seat.run for seat in self.seats}
        ledger = Ledger.open(self.url, Path("unused"), self.account, run)
        self.model.unended.append(run)
        self.seats.append(Seat(run, ledger, dead, set(dead)))

    def _get_up(self, seat: Seat) -> None:
        seat.ledger.close()
        self.seats.remove(seat)
        with self.engine.connect() as connection:
            while not Database(self.engine).is_dead(connection, self.account, seat.run):
                connection.rollback()  # the server has yet to notice

    def _seat(self, number: int) -> Seat:
        return self.seats[number % len(self.seats)]

    @rule(number=seats, stream=streams, campaign=campaigns, leads=digests, since=times)
    def claim(self, number: int, stream: str, campaign: str, leads: dict[str, str], since: float) -> None:
        seat = self._seat(number)
        mine = self.model.claim(seat.run, stream, campaign, leads, since)
        claimed = seat.ledger.claim(stream, campaign, leads, since)
        assert claimed == (mine if self.shared else set(leads))

    @rule(number=seats, stream=streams, campaign=campaigns, leads=digests, cleared=ids, at=times, refused=st.booleans())
    def settle(
        self,
        number: int,
        stream: str,
        campaign: str,
        leads: dict[str, str],
        cleared: list[str],
        at: float,
        *,
        refused: bool,
    ) -> None:
        seat = self._seat(number)
        seat.ledger.settle(stream, campaign, leads, cleared, at, refused=refused)
        self.model.settle(seat.run, stream, campaign, leads, cleared, at, dead=seat.dead, refused=refused)

    @rule(number=seats, held=st.data(), campaign=campaigns, leads=digests, cleared=ids)
    def settle_for_a_killed_run(
        self, number: int, held: st.DataObject, campaign: str, leads: dict[str, str], cleared: list[str]
    ) -> None:
        seat, stream, at = self._seat(number), held.draw(streams), held.draw(times)
        if not seat.dead:
            return
        run = held.draw(st.sampled_from(sorted(seat.dead)))
        seat.ledger.settle(stream, campaign, leads, cleared, at, run)
        known = {key: digest for key, digest in leads.items() if self.model.holds(run, campaign, key)}
        self.model.settle(run, stream, campaign, known, cleared, at, dead=seat.dead)

    @rule(number=seats, campaign=campaigns, leads=digests)
    def refuse(self, number: int, campaign: str, leads: dict[str, str]) -> None:
        self._seat(number).ledger.remember_refused(campaign, leads)
        self.model.refused |= {(campaign, extern_id): digest for extern_id, digest in leads.items()}

    @rule(number=seats)
    def look_who_is_dead(self, number: int) -> None:
        seat = self._seat(number)
        seat.ledger.find_the_dead()
        seat.dead = set(self.model.unended) - {each.run for each in self.seats}

    @rule(number=seats)
    def kill(self, number: int) -> None:
        self._get_up(self._seat(number))
        self._sit_down()

    @rule(number=seats, read=st.lists(streams, unique=True))
    def finish(self, number: int, read: list[str]) -> None:
        seat = self._seat(number)
        seat.ledger.finish(read)
        self.model.finish(seat.run, seat.predecessors, seat.dead, read)
        self._get_up(seat)
        self._sit_down()

    @invariant()
    def the_ledger_agrees(self) -> None:
        for seat in self.seats:
            self._agrees(seat)

    def _agrees(self, seat: Seat) -> None:
        ledger, model = seat.ledger, self.model
        flying = [each for each in model.flying.values() if each.run in seat.dead]
        assert sorted(ledger.in_flight(), key=repr) == sorted(flying, key=repr)
        for campaign in CAMPAIGNS:
            accepted = {key: each for (where, key), each in model.accepted.items() if where == campaign}
            assert ledger.accepted(campaign, IDS) == accepted
            remains = [each for each in model.left if each.run in seat.dead and each.campaign == campaign]
            assert ledger.took_leads(campaign) == any(each.taken for each in remains)
            for stream in STREAMS:
                left = ledger.left(stream, campaign, IDS)
                for extern_id in IDS:
                    versions = [
                        (each.digest, each.taken)
                        for each in remains
                        if (each.stream, each.extern_id) == (stream, extern_id)
                    ]
                    assert [(each.digest, each.taken) for each in left.get(extern_id, [])] == versions
            for extern_id in IDS:
                assert ledger.refused(campaign, extern_id) == model.refused.get((campaign, extern_id))

    @rule(number=seats)
    def a_dry_run_sees_what_killed_runs_left(self, number: int) -> None:
        dead = set(self.model.unended) - {each.run for each in self.seats}
        if not self.shared:
            dead |= {self._seat(number).run}  # it does not ask who holds the file
        with closing(Ledger.open(self.url, Path("unused"), self.account, "dry", read_only=True)) as ledger:
            self._agrees(Seat("dry", ledger, dead, dead))

    def teardown(self) -> None:
        for seat in self.seats:
            seat.ledger.close()
        self.engine.dispose()


def play(ledger_url: str) -> None:
    class InThisDatabase(AnyCalls):
        url = ledger_url

    run: Callable[..., None] = run_state_machine_as_test  # older versions of hypothesis do not say so
    run(InThisDatabase, settings=settings(max_examples=12, stateful_step_count=20, deadline=None))


def test_any_calls_do_what_the_model_says(ledger_url: str) -> None:
    play(ledger_url)
