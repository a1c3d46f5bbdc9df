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
from msgspec import structs

from target_engagevoice.ledger.database import Database
from target_engagevoice.ledger.entries import Accepted, InFlight, LedgerLead
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.ledger.tables import CHANGE, EVERYWHERE, LOAD, RETIRE
from target_engagevoice.ledger.versions import ANY_VERSION
from target_engagevoice.model.retirement import RETIRED, Retire, phone_digest
from tests.support.factories import lead

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, str]
"""Campaign and `externId`."""

IDS = ["a", "B", "Zoë", 'say "\\u0041"']
CAMPAIGNS = ["1001", "1002"]
STREAMS = ["people", "contacts"]

ids = st.lists(st.sampled_from(IDS), unique=True)
some = st.lists(st.sampled_from(IDS), unique=True, min_size=1)
works = st.sampled_from([LOAD, CHANGE, RETIRE])
ways = st.sampled_from(list(Retire))
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
class Candidate:
    """A version that a run got accepted or refused."""

    run: str
    stream: str
    campaign: str
    extern_id: str
    digest: str
    taken: bool


@dataclass
class Known:
    """What is known of a lead that is loaded, besides what was accepted."""

    stream: str
    lead_id: str | None = None
    was: str | None = None
    content: str | None = None


@dataclass
class Model:
    """All that the ledger holds of one account."""

    unended: list[str] = field(default_factory=list)
    accepted: dict[Key, Accepted] = field(default_factory=dict)
    flying: dict[Key, InFlight] = field(default_factory=dict)
    left: list[Candidate] = field(default_factory=list)
    refused: dict[Key, str] = field(default_factory=dict)
    leads: dict[Key, Known] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    listing: set[str] = field(default_factory=set)
    seen: set[tuple[str, int, str]] = field(default_factory=set)
    activated: dict[str, int] = field(default_factory=dict)

    def claim(self, run: str, stream: str, campaign: str, leads: dict[str, str], since: float, work: str) -> set[str]:
        for extern_id, digest in leads.items():
            held = self.flying.get((campaign, extern_id))
            if held is None or held.run == run:
                self.flying[campaign, extern_id] = InFlight(campaign, stream, extern_id, digest, since, run, work)
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
            self.leads[campaign, extern_id] = Known(stream)
        self.land(run, stream, campaign, leads, cleared, dead=dead, refused=refused)

    def land(
        self,
        run: str,
        stream: str,
        campaign: str,
        leads: dict[str, str],
        cleared: list[str],
        *,
        dead: set[str],
        refused: bool = False,
    ) -> None:
        for extern_id, digest in leads.items():
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
                self.left.append(Candidate(run, stream, campaign, extern_id, digest, taken=True))
        for extern_id in cleared if refused else ():
            if self.holds(run, campaign, extern_id):
                flying = self.flying[campaign, extern_id]
                self.left.append(Candidate(run, flying.stream, campaign, extern_id, flying.digest, taken=False))
        for extern_id in (*leads, *cleared):
            if self.holds(run, campaign, extern_id):
                del self.flying[campaign, extern_id]

    def retire(self, campaign: str, leads: list[str], how: str) -> None:
        for key in [(campaign, extern_id) for extern_id in leads if (campaign, extern_id) in self.accepted]:
            self.accepted[key] = structs.replace(self.accepted[key], retired=how)
            if how == Retire.DELETE:
                self.leads[key].lead_id = self.leads[key].was = None

    def held(self, key: Key) -> LedgerLead:
        accepted, known = self.accepted[key], self.leads[key]
        return LedgerLead(*key, accepted.digest, accepted.at, accepted.retired, known.lead_id, known.was, known.content)

    def finish(self, run: str, predecessors: set[str], dead: set[str], read: list[str]) -> None:
        self.left = [
            each for each in self.left if each.run != run and not (each.run in predecessors and each.stream in read)
        ]
        needed = {each.run for each in self.left} | {each.run for each in self.flying.values()}
        self.unended = [each for each in self.unended if each in needed or each not in {run, *dead}]


@dataclass
class ModelRun:
    """A run, and which runs it treats as dead."""

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
        self.seats: list[ModelRun] = []
        self._start_run()
        if self.shared:
            self._start_run()

    @property
    def shared(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    def _start_run(self) -> None:
        run = f"run {next(self.runs)}"
        dead = set(self.model.unended) - {seat.run for seat in self.seats}
        ledger = Ledger.open(self.url, Path("unused"), self.account, run)
        self.model.unended.append(run)
        self.seats.append(ModelRun(run, ledger, dead, set(dead)))

    def _end_run(self, seat: ModelRun) -> None:
        seat.ledger.close()
        self.seats.remove(seat)
        with self.engine.connect() as connection:
            while not Database(self.engine).is_dead(connection, self.account, seat.run):
                connection.rollback()  # the server has yet to notice

    def _seat(self, number: int) -> ModelRun:
        return self.seats[number % len(self.seats)]

    @rule(number=seats, stream=streams, campaign=campaigns, leads=digests, since=times, work=works)
    def claim(self, number: int, stream: str, campaign: str, leads: dict[str, str], since: float, work: str) -> None:
        seat = self._seat(number)
        mine = self.model.claim(seat.run, stream, campaign, leads, since, work)
        claimed = seat.ledger.claim(stream, campaign, leads, since, work)
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

    @rule(number=seats, stream=streams, campaign=campaigns, leads=some, at=times)
    def adopt(self, number: int, stream: str, campaign: str, leads: list[str], at: float) -> None:
        self._seat(number).ledger.leads.record_existing(stream, campaign, dict.fromkeys(leads, ("1", at)))
        for key in [(campaign, extern_id) for extern_id in leads if (campaign, extern_id) not in self.model.accepted]:
            self.model.accepted[key] = Accepted("", at)
            self.model.leads[key] = Known(stream, "1")

    @rule(number=seats, campaign=campaigns, leads=some, state=st.sampled_from([None, "READY", "PENDING"]))
    def note(self, number: int, campaign: str, leads: list[str], state: str | None) -> None:
        self._seat(number).ledger.leads.record_lookup(campaign, dict.fromkeys(leads, ("2", state)))
        for known in [self.model.leads[campaign, each] for each in leads if (campaign, each) in self.model.leads]:
            known.lead_id = "2"
            known.was = known.was if known.was is not None else state

    @rule(number=seats, stream=streams, campaign=campaigns, leads=some, digest=st.sampled_from(["d1", "d2"]))
    def change(self, number: int, stream: str, campaign: str, leads: list[str], digest: str) -> None:
        seat, done = self._seat(number), dict.fromkeys(leads, digest)
        seat.ledger.leads.record_change(stream, campaign, done, dict.fromkeys(leads[:1], "content"))
        for key in [(campaign, extern_id) for extern_id in leads if (campaign, extern_id) in self.model.accepted]:
            self.model.accepted[key] = Accepted(digest, self.model.accepted[key].at)
            content = "content" if key[1] == leads[0] else None
            self.model.leads[key] = Known(stream, self.model.leads[key].lead_id, None, content)
        self.model.land(seat.run, stream, campaign, done, [], dead=seat.dead)

    @rule(number=seats, stream=streams, campaign=campaigns, leads=some)
    def find_gone(self, number: int, stream: str, campaign: str, leads: list[str]) -> None:
        seat = self._seat(number)
        seat.ledger.leads.record_gone(stream, campaign, leads)
        self.model.retire(campaign, leads, "delete")
        self.model.land(seat.run, stream, campaign, {}, leads, dead=seat.dead)

    @rule(number=seats, stream=streams, campaign=campaigns, leads=some, how=ways, moved=st.booleans())
    def retire(self, number: int, stream: str, campaign: str, leads: list[str], how: Retire, *, moved: bool) -> None:
        seat = self._seat(number)
        seat.ledger.leads.record_retirement(stream, campaign, leads, how, moved=moved)
        self.model.retire(campaign, leads, how.value)
        done, cleared = (dict.fromkeys(leads, RETIRED), []) if moved else ({}, leads)
        self.model.land(seat.run, stream, campaign, done, cleared, dead=seat.dead)

    @rule(number=seats, stream=streams, leads=some)
    def mark(self, number: int, stream: str, leads: list[str]) -> None:
        seat = self._seat(number)
        seat.ledger.leads.record_retired_everywhere(stream, leads)
        self.model.land(seat.run, stream, EVERYWHERE, dict.fromkeys(leads, RETIRED), [], dead=seat.dead)

    @rule(number=seats, dead=st.data(), stream=streams, campaign=campaigns, leads=some, how=st.one_of(st.none(), ways))
    def settle_uncertain(
        self, number: int, dead: st.DataObject, stream: str, campaign: str, leads: list[str], how: Retire | None
    ) -> None:
        seat, model = self._seat(number), self.model
        if not seat.dead:
            return
        run = dead.draw(st.sampled_from(sorted(seat.dead)))
        seat.ledger.leads.settle_uncertain(stream, campaign, dict.fromkeys(leads, "another"), run, how)
        uncertain = [each for each in leads if model.holds(run, campaign, each)]
        for key in [(campaign, each) for each in uncertain if (campaign, each) in model.accepted]:
            before = model.accepted[key]
            retired = None if before.retired is None else before.retired.rstrip("?") + "?"
            after = (
                Accepted("", before.at, retired) if how is None else structs.replace(before, retired=f"{how.value}?")
            )
            model.accepted[key] = after
        model.land(run, stream, campaign, {}, uncertain, dead=seat.dead)

    @rule(number=seats, phone=st.sampled_from(["p1", "p2"]))
    def list_phone(self, number: int, phone: str) -> None:
        self._seat(number).ledger.phones.record(phone_digest(phone))
        self.model.listed.add(phone)
        self.model.listing.discard(phone)

    @rule(number=seats, phone=st.sampled_from(["p1", "p2"]))
    def begin_to_list_phone(self, number: int, phone: str) -> None:
        new = self._seat(number).ledger.phones.record_uncertain(phone_digest(phone), "USA")
        assert new == (phone not in self.model.listing)
        self.model.listing.add(phone)

    @rule(number=seats, phone=st.sampled_from(["p1", "p2"]))
    def refuse_phone(self, number: int, phone: str) -> None:
        self._seat(number).ledger.phones.record_not_listed(phone_digest(phone))
        self.model.listing.discard(phone)

    @rule(number=seats, stream=streams, version=st.integers(0, 2), leads=ids)
    def see(self, number: int, stream: str, version: int, leads: list[str]) -> None:
        self._seat(number).ledger.versions.record_seen(stream, version, leads)
        self.model.seen |= {(stream, version, extern_id) for extern_id in leads}

    @rule(number=seats, stream=streams, version=st.integers(0, 2))
    def forget(self, number: int, stream: str, version: int) -> None:
        self._seat(number).ledger.versions.record_activated(stream, version)
        self.model.seen = {each for each in self.model.seen if each[0] != stream}
        self.model.activated[stream] = version

    @rule(number=seats, campaign=campaigns, leads=digests)
    def refuse(self, number: int, campaign: str, leads: dict[str, str]) -> None:
        self._seat(number).ledger.remember_refused(campaign, leads)
        self.model.refused |= {(campaign, extern_id): digest for extern_id, digest in leads.items()}

    @rule(number=seats)
    def find_dead_runs(self, number: int) -> None:
        seat = self._seat(number)
        seat.ledger.find_dead_runs()
        seat.dead = set(self.model.unended) - {each.run for each in self.seats}

    @rule(number=seats)
    def kill(self, number: int) -> None:
        self._end_run(self._seat(number))
        self._start_run()

    @rule(number=seats, read=st.lists(streams, unique=True))
    def finish(self, number: int, read: list[str]) -> None:
        seat = self._seat(number)
        seat.ledger.finish(read)
        self.model.finish(seat.run, seat.predecessors, seat.dead, read)
        self._end_run(seat)
        self._start_run()

    @invariant()
    def the_ledger_agrees(self) -> None:
        for seat in self.seats:
            self._agrees(seat)

    def _agrees(self, seat: ModelRun) -> None:
        ledger, model = seat.ledger, self.model
        flying = [each for each in model.flying.values() if each.run in seat.dead]
        assert sorted(ledger.in_flight(), key=repr) == sorted(flying, key=repr)
        for campaign in CAMPAIGNS:
            accepted = {key: each for (where, key), each in model.accepted.items() if where == campaign}
            assert ledger.accepted(campaign, IDS) == accepted
            remains = [each for each in model.left if each.run in seat.dead and each.campaign == campaign]
            assert ledger.loaded_by_dead_runs(campaign) == any(
                each.taken and each.digest != RETIRED for each in remains
            )
            held = {key: model.held((where, key)) for where, key in model.accepted if where == campaign}
            assert ledger.leads.of_campaign(campaign, IDS) == held
            for stream in STREAMS:
                left = ledger.replay_candidates(stream, campaign, IDS)
                for extern_id in IDS:
                    versions = [
                        (each.digest, each.taken)
                        for each in remains
                        if (each.stream, each.extern_id) == (stream, extern_id)
                    ]
                    known = [each for each in left.get(extern_id, []) if not each.everywhere]
                    assert [(each.digest, each.accepted) for each in known] == versions
            for extern_id in IDS:
                assert ledger.refused(campaign, extern_id) == model.refused.get((campaign, extern_id))
        for stream in STREAMS:
            self._agrees_on_stream(seat, stream)
        digests = {phone_digest(phone): phone for phone in ("p1", "p2", "p3")}
        assert {digests[digest] for digest in ledger.phones.listed(digests)} == model.listed
        leads = [lead(0, leadPhone=phone) for phone in ("p1|p3", "p2")]
        assert {phone.number for each in leads for phone in ledger.phones.uncertain_of_leads([each]).get("L0", ())} == (
            model.listing
        )

    def _agrees_on_stream(self, seat: ModelRun, stream: str) -> None:
        ledger, model = seat.ledger, self.model
        anywhere = {campaign for campaign, _ in model.accepted} | {EVERYWHERE}
        left = ledger.replay_candidates(stream, None, IDS)
        for extern_id in IDS:
            versions = sorted(
                (each.digest, each.taken, each.campaign == EVERYWHERE)
                for each in model.left
                if (each.stream, each.extern_id) == (stream, extern_id)
                and each.run in seat.dead
                and each.campaign in anywhere
            )
            assert sorted((each.digest, each.accepted, each.everywhere) for each in left.get(extern_id, [])) == versions
        mine = [key for key, known in model.leads.items() if known.stream == stream]
        found = {(each.campaign_id, each.extern_id): each for each in ledger.leads.locate(stream, IDS)}
        assert found == {key: model.held(key) for key in mine}
        dialed = [key for key in mine if model.held(key).in_dialer]
        for version in range(1, 3):
            seen = {each for where, one, each in model.seen if where == stream and one in (version, ANY_VERSION)}
            missing = [key for key in dialed if key[1] not in seen]
            assert ledger.versions.activated(stream) == model.activated.get(stream)
            assert {each for each in IDS if ledger.versions.holds(stream, version, each)} == seen
            assert sorted(ledger.versions.missing(stream, version, "", -1)) == sorted(missing)
            assert ledger.versions.count(stream, version) == (len(missing), len(dialed))

    @rule(number=seats)
    def a_dry_run_sees_what_killed_runs_left(self, number: int) -> None:
        dead = set(self.model.unended) - {each.run for each in self.seats}
        if not self.shared:
            dead |= {self._seat(number).run}  # it does not ask who holds the file
        with closing(Ledger.open(self.url, Path("unused"), self.account, "dry", read_only=True)) as ledger:
            self._agrees(ModelRun("dry", ledger, dead, dead))

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
