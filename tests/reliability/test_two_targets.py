"""Two real targets at the same time on one account, with PostgreSQL as the ledger between them."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import against, serving, wait_until
from tests.support.launcher import Moment
from tests.support.messages import encoded, record, schema, state
from tests.support.process import KILLED, Process, run_records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

PEOPLE = 240
SHARED = range(80, 160)
"""Who is in both sources."""

pytestmark = [pytest.mark.thorough, pytest.mark.postgres, pytest.mark.timeout(240)]


def source(numbers: Sequence[int], stream: str, seed: int, start: int = 0) -> list[bytes]:
    """These people, in an order of chance, from a place on, with a STATE after every tenth; the place's comes again."""
    order = list(numbers)
    random.Random(seed).shuffle(order)  # noqa: S311 - not used for a secret
    lines = [schema(stream)]
    for place in range(start, len(order)):
        lines.append(record(order[place], stream))
        if place % 10 == 9 or place == len(order) - 1:
            lines.append(state(place))
    return [encoded(line) for line in lines]


def config(sandbox: Sandbox, database_url: str, **settings: Any) -> dict[str, Any]:
    """Of both targets; none has a state folder of the other's."""
    common = {"ledger_url": database_url, "batch_size_rows": 7, "max_in_flight": 3, "search_delay_seconds": 0.5}
    return against(sandbox, **{**common, **settings})


def times_there(sandbox: Sandbox) -> dict[int, int]:
    """How often each number of times that a lead is there occurs."""
    there = Counter(lead["externId"] for lead in sandbox.leads())
    assert set(there) == {f"L{number}" for number in range(PEOPLE)}
    return dict(Counter(there.values()))


@pytest.mark.parametrize("streams", [("people", "people"), ("people", "guests")], ids=["one stream", "two streams"])
def test_leads_of_both_sources_are_loaded_once(streams: tuple[str, str], database_url: str, tmp_path: Path) -> None:
    with serving({"on": "load", "do": "delay", "seconds": 0.05, "times": None}) as sandbox:
        first = source(range(SHARED.stop), streams[0], seed=1)
        second = source(range(SHARED.start, PEOPLE), streams[1], seed=2)
        with (
            Process(tmp_path / "first", config(sandbox, database_url), first) as one,
            Process(tmp_path / "second", config(sandbox, database_url), second) as two,
        ):
            assert (one.wait(), two.wait()) == (0, 0), one.stderr + two.stderr
        assert times_there(sandbox) == {1: PEOPLE}
        totals = [run_records(tmp_path / name)[0]["totals"] for name in ("first", "second")]
    assert [each["read"] for each in totals] == [SHARED.stop, PEOPLE - SHARED.start]
    assert sum(each["loaded"] for each in totals) == PEOPLE
    assert sum(each["unchanged"] for each in totals) == len(SHARED)
    assert (one.states[-1], two.states[-1]) == ({"bookmark": 159}, {"bookmark": 159})


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before"], ids=["arrived", "did not arrive"])
def test_a_run_takes_over_what_a_killed_one_had_in_flight(fault: str, database_url: str, tmp_path: Path) -> None:
    # Everything the first one sends hangs, and is everything the second one wants.
    hang = {"on": "load", "do": fault, "after": 1, "times": 3}
    with serving(hang) as sandbox:
        lines = source(range(40), "people", seed=1)
        with Process(tmp_path / "first", config(sandbox, database_url), lines) as one:
            wait_until(lambda: len(sandbox.requests("load")) == 4)
            with Process(tmp_path / "second", config(sandbox, database_url), lines) as two:
                wait_until(lambda: sandbox.requests("accounts")[1:])
                one.kill()
                assert one.wait() == KILLED
                assert two.wait() == 0, two.stderr
        assert two.states[-1] == {"bookmark": 39}
        there = Counter(lead["externId"] for lead in sandbox.leads())
        assert there == {f"L{number}": 1 for number in range(40)}
        with Process(tmp_path / "first", config(sandbox, database_url), lines) as one:
            assert one.wait() == 0
        assert len(sandbox.leads()) == 40
    (again,) = run_records(tmp_path / "first")
    assert (again["totals"]["read"], again["totals"]["unchanged"]) == (40, 40)


DEATHS: Sequence[Moment | int] = (
    Moment("target_engagevoice.api.client:Client.load", "before", 3),
    Moment("target_engagevoice.api.client:Client.load", "after", 4),
    Moment("target_engagevoice.ledger.ledger:Ledger.claim", "after", 3),
    Moment("target_engagevoice.ledger.ledger:Ledger.settle", "after", 3),
    Moment("sqlalchemy.engine.default:DefaultDialect.do_commit", "before", 12),
    3,
)
"""Where the first target is killed; a number is so many STATE lines."""


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_while_one_is_killed_and_started_again_the_other_goes_on(
    death: Moment | int, database_url: str, tmp_path: Path
) -> None:
    first, second = range(SHARED.stop), range(SHARED.start, PEOPLE)
    with serving({"on": "load", "do": "delay", "seconds": 0.05, "times": None}) as sandbox:
        other = Process(tmp_path / "second", config(sandbox, database_url), source(second, "people", seed=2))
        with other:
            place = 0
            for _ in range(2):
                lines = source(first, "people", seed=1, start=place)
                die_at = death if isinstance(death, Moment) else None
                with Process(tmp_path / "first", config(sandbox, database_url), lines, die_at=die_at) as one:
                    if isinstance(death, int):
                        one.kill_when(lambda one=one: len(one.states) >= death)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                    assert one.wait() == KILLED, one.stderr
                place = one.states[-1]["bookmark"] if one.states else place
            lines = source(first, "people", seed=1, start=place)
            with Process(tmp_path / "first", config(sandbox, database_url), lines) as one:
                assert (one.wait(), other.wait()) == (0, 0), one.stderr + other.stderr
        assert (one.states[-1], other.states[-1]) == ({"bookmark": 159}, {"bookmark": 159})
        assert times_there(sandbox) == {1: PEOPLE}


def test_the_end_of_one_does_not_make_another_forget_what_its_killed_run_had_loaded(
    database_url: str, tmp_path: Path
) -> None:
    # The first has loaded two versions of a lead, and something that hangs; STATE is behind all of it.
    first = [schema(), record(1, first_name="one"), record(1, first_name="two"), record(2), record(3), state("first")]
    second = [schema(), record(3), record(4), state("second")]
    hang = {"on": "load", "do": "timeout_after", "extern_ids": ["L3"]}
    with serving(hang) as sandbox:
        settings = config(sandbox, database_url, batch_size_rows=1, max_in_flight=2)
        with Process(tmp_path / "first", settings, map(encoded, first)) as one:
            wait_until(lambda: len(sandbox.requests("load")) == 4)
            with Process(tmp_path / "second", settings, map(encoded, second)) as two:
                # It has loaded what is its own, and waits for what the first one has in flight.
                wait_until(lambda: any(lead["externId"] == "L4" for lead in sandbox.leads()))
                one.kill()
                assert (one.wait(), two.wait()) == (KILLED, 0), two.stderr
        assert one.states == []
        with Process(tmp_path / "first", settings, map(encoded, first)) as one:
            assert one.wait() == 0, one.stderr
        there = Counter((lead["externId"], lead["fields"]["firstName"]) for lead in sandbox.leads())
    assert there == {(f"L{n}", name): 1 for n, name in [(1, "one"), (1, "two"), *((n, f"First{n}") for n in (2, 3, 4))]}


def test_two_that_come_first_at_the_same_moment_both_find_a_ledger(database_url: str, tmp_path: Path) -> None:
    with serving() as sandbox, ThreadPoolExecutor(4) as pool:

        def run(number: int) -> int:
            lines = source(range(20), "people", seed=number)
            with Process(tmp_path / str(number), config(sandbox, database_url), lines) as process:
                return process.wait()

        assert list(pool.map(run, range(4))) == [0, 0, 0, 0]
        assert len(sandbox.leads()) == 20
