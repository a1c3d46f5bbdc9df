"""Any history of leads, read by runs that are killed after any step: the newest record of each lead decides."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.delivery import delivery as delivery_module
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import DncPhone, Retire, Retirement, phone_digest
from tests.support.factories import lead
from tests.support.fake_server import FakeServer, RunResult, TapRecord, run_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSIONS: dict[str, dict[str, Any]] = {
    "a": {"firstName": "Ann", "email": "ann@example.com"},
    "b": {"firstName": "Bea"},
    "c": {"firstName": "Ann", "auxData1": "1", "leadPriority": 3},
}

POLICIES = {
    "append": Policy(),
    "append and retire": Policy(move=Retire.SUPPRESS),
    "append and delete": Policy(move=Retire.DELETE),
    "upsert": Policy(change=True),
    "upsert and cancel": Policy(change=True, move=Retire.CANCEL),
    "upsert and delete": Policy(change=True, move=Retire.DELETE),
    "all and retire": Policy(skip_unchanged=False, move=Retire.PAUSE),
    "all and upsert": Policy(skip_unchanged=False, change=True, move=Retire.SUPPRESS),
}

number = st.integers(0, 2)
loads = st.builds(
    lambda which, version, campaign: TapRecord(lead(which, **VERSIONS[version]), campaign),
    number,
    st.sampled_from("abc"),
    st.sampled_from(["1001", "1002"]),
)
flags = st.tuples(number, st.booleans())


@dataclass(frozen=True)
class Phase:
    """One run, and what is new at its source.

    Attributes:
        fresh: Records behind what was not read to the end before.
        moved_on: Whether the source shows of each lead its newest record only by now.
        steps: After how many the run is killed; None for not at all.
    """

    fresh: Sequence[TapRecord]
    moved_on: bool
    steps: int | None


records = st.lists(st.one_of(loads, loads, flags), max_size=6)
phases = st.lists(
    st.builds(Phase, records, st.booleans(), st.one_of(st.none(), st.integers(0, 30))), min_size=1, max_size=4
)


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery_module, "TICK_SECONDS", 0.005)
        yield


def flagged(which: int, policy: Policy, *, do_not_call: bool) -> TapRecord | None:
    """A flagged record; None where nothing follows from it."""
    how = Retire.SUPPRESS if do_not_call else policy.move
    outcome = Outcome.DO_NOT_CALL if do_not_call else Outcome.DELETED
    return TapRecord(Retirement(f"L{which}", outcome, how, None)) if how is not None else None


def read_of(each: Any, policy: Policy) -> TapRecord | None:
    """A drawn record; None for a flagged one of which nothing follows."""
    if isinstance(each, TapRecord):
        return each
    which, do_not_call = each
    return flagged(which, policy, do_not_call=do_not_call)


def newest(reads: Sequence[TapRecord]) -> dict[str, TapRecord]:
    return {each.lead.extern_id: each for each in reads}


def play(
    history: Sequence[Phase], policy: Policy, url: str | None = None
) -> tuple[FakeServer, list[TapRecord], list[RunResult]]:
    """Play the runs, then two that are not killed; returns all that was read, in its order."""
    server, results = FakeServer(), []
    behind: list[TapRecord] = []
    left: list[TapRecord] = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").exists() else None) as folder:
        for count, phase in enumerate([*history, Phase((), False, None), Phase((), False, None)]):
            fresh = [read for each in phase.fresh if (read := read_of(each, policy)) is not None]
            if phase.moved_on:
                left = [each for key, each in newest(left).items() if key not in newest(fresh)]
            reads = [*left, *fresh]
            if count == len(history) + 1:
                reads = list(newest(behind).values())  # once more: nothing may come of it
                before = snapshot(server)
            made = run_records(server, Path(folder), reads, policy, run_name=f"run {count}", steps=phase.steps, url=url)
            results.append(made)
            if not made.killed:
                assert made.passed == len(reads)
            assert sum(made.outcome.values()) <= len(reads)
            behind += reads if count > len(history) else reads[: made.passed]
            left = reads[made.passed :]
        if policy.skip_unchanged:
            assert snapshot(server) == before
    return server, behind, results


def snapshot(server: FakeServer) -> list[Any]:
    return [(row.lead_id, row.campaign_id, dict(row.fields), row.is_dialed) for row in server.rows]


def check(server: FakeServer, behind: Sequence[TapRecord], policy: Policy) -> None:
    dialed = server.dialed()
    for extern_id, last in newest(behind).items():
        there = dialed.get(extern_id, [])
        if isinstance(last.lead, Retirement):
            assert there == [], f"{extern_id} must not be called"
            continue
        campaigns = {campaign_id for campaign_id, _ in there}
        assert last.campaign_id in campaigns, f"{extern_id} is not called"
        if policy.move is not None:
            assert campaigns == {last.campaign_id}
        fields = [fields for campaign_id, fields in there if campaign_id == last.campaign_id]
        assert fields[-1] == last.lead.fields
        if policy.change:
            assert len(fields) == 1
    if policy.skip_unchanged:
        for key in {(row.campaign_id, row.extern_id) for row in server.rows}:
            bodies = [row.fields for row in server.rows if (row.campaign_id, row.extern_id) == key]
            assert all(one != other for one, other in pairwise(bodies)), "loaded twice"


@settings(max_examples=120, deadline=None)
@given(phases, st.sampled_from(sorted(POLICIES)))
def test_the_newest_record_decides(history: list[Phase], name: str) -> None:
    policy = POLICIES[name]
    server, behind, _ = play(history, policy)
    check(server, behind, policy)


PHONE = "6505550000"
GOOD, BACK = lead(0, **VERSIONS["a"]), lead(0, **VERSIONS["b"])


@pytest.mark.parametrize("how", list(Retire))
@pytest.mark.parametrize("change", [True, False], ids=["upsert", "append"])
def test_a_run_killed_at_any_step_of_a_listing_leaves_no_listed_phone_in_the_dialer(
    tmp_path: Path, how: Retire, change: bool
) -> None:
    """The tap of the next run sends only the newest record: the lead is flagged no more."""
    policy = Policy(change=change, move=how, list_phones=True)
    flag = Retirement("L0", Outcome.DO_NOT_CALL, how, None, (DncPhone(PHONE, "USA", phone_digest(PHONE)),))
    steps, killed, listed = 0, True, set()
    while killed:
        server, folder = FakeServer(), tmp_path / str(steps)
        folder.mkdir()
        run_records(server, folder, [TapRecord(GOOD, "1001")], policy, run_name="run 0")
        killed = run_records(server, folder, [TapRecord(flag)], policy, run_name="run 1", steps=steps).killed
        last = run_records(server, folder, [TapRecord(BACK, "1001")], policy, run_name="run 2")
        dialed = server.dialed().get("L0", [])
        if PHONE in server.listed:
            assert (dialed, last.outcome) == ([], {"do_not_call": 1}), f"killed after {steps} steps"
        else:
            assert (dialed[-1], last.passed) == (("1001", BACK.fields), 1), f"killed after {steps} steps"
        listed.add(PHONE in server.listed)
        steps += 1
    assert listed == {True, False}
