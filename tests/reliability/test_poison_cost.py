"""Leads that the server will not have: each found alone, for few requests, wherever it stands."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import against, ids, run_target, serving
from tests.support.factories import Desk, desk, lead
from tests.support.messages import encoded, record, records, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LEADS = 10_000
BATCH = 500
POISON = 20

MOST_EXTRA = POISON * math.log2(BATCH) + 25
"""So many requests more than without poison may be sent (the issue's number)."""

GENEROUS: Mapping[str, Any] = {"rate_limits": {"load": [], "search": []}}

KINDS: Mapping[str, dict[str, Any]] = {
    "400": {"do": "status", "status": 400, "body": '{"errorCode": "bad.request", "generalMessage": "no such zone"}'},
    "422": {"do": "status", "status": 422, "body": "unprocessable"},
    "500": {"do": "status", "status": 500, "body": "internal error"},
    "GENERAL_FAILURE": {"do": "general_failure"},
}

PLACES: Mapping[str, Sequence[int]] = {
    "spread": [number * BATCH + (number * 137 + 41) % BATCH for number in range(POISON)],
    "first of each batch": [number * BATCH for number in range(POISON)],
    "last of each batch": [number * BATCH + BATCH - 1 for number in range(POISON)],
    "neighbors": range(3210, 3210 + POISON),
    "all over one batch": [4000 + number * 25 + 12 for number in range(POISON)],
    "adjacent pairs": [number * 1000 + 333 + one for number in range(POISON // 2) for one in (0, 1)],
    "across the edge of two batches": range(7490, 7490 + POISON),
}


COMBINATIONS = [
    pytest.param(places, kind, marks=[pytest.mark.thorough] if places != "spread" and kind != "422" else [])
    for places in PLACES
    for kind in KINDS
]
"""Always each place with one kind and each kind in one place; all of them when thorough."""


@pytest.fixture
def opened() -> Iterator[Desk]:
    with desk(config=dict(GENEROUS)) as made:
        yield made


def poison(opened: Desk, kind: str, numbers: Sequence[int]) -> None:
    """From here on the server refuses each request that holds one of these leads."""
    opened.sandbox.faults(
        [{"on": "load", "times": None, "extern_ids": [f"L{number}" for number in numbers], **KINDS[kind]}]
    )


def load(opened: Desk, count: int, size: int) -> None:
    """So many leads, in batches of a size."""
    for start in range(0, count, size):
        opened.load([lead(number) for number in range(start, min(count, start + size))])
    opened.refusals.finish()


def refused(opened: Desk) -> list[str]:
    """`externId` of those rejected, sorted, as often as they are there."""
    if not opened.rejects.path.exists():
        return []
    return sorted(json.loads(line)["extern_id"] for line in opened.rejects.path.read_text().splitlines())


def names(numbers: Sequence[int] | range) -> list[str]:
    return sorted(f"L{number}" for number in numbers)


@pytest.mark.parametrize(("places", "kind"), COMBINATIONS)
def test_twenty_among_ten_thousand_cost_few_requests(places: str, kind: str, opened: Desk) -> None:
    numbers = PLACES[places]
    poison(opened, kind, numbers)
    load(opened, LEADS, BATCH)
    assert refused(opened) == names(numbers)
    assert opened.landed() == names(sorted(set(range(LEADS)) - set(numbers)))
    assert opened.outcome() == {"loaded": LEADS - POISON, "rejected": POISON}
    assert len(opened.loads()) - LEADS // BATCH <= MOST_EXTRA


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "position"),
    [(size, position) for size in (1, 2, 3) for position in range(size)],
)
def test_one_is_found_in_every_position_of_a_small_batch(size: int, position: int, kind: str, opened: Desk) -> None:
    poison(opened, kind, [position])
    load(opened, size, size)
    assert refused(opened) == names([position])
    assert opened.landed() == names(sorted(set(range(size)) - {position}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [2, 3])
def test_a_small_batch_of_nothing_else_is_rejected_whole(size: int, kind: str, opened: Desk) -> None:
    poison(opened, kind, range(size))
    load(opened, size, size)
    assert (refused(opened), opened.landed()) == (names(range(size)), [])


def test_one_is_found_in_every_position_of_a_batch_of_five_hundred(opened: Desk) -> None:
    positions = sorted({*range(0, BATCH, 7), 1, 2, 3, 249, 250, 251, 497, 498, 499})
    for turn, position in enumerate(positions):
        first = turn * BATCH
        poison(opened, "422", [first + position])
        opened.load([lead(number) for number in range(first, first + BATCH)])
        opened.refusals.finish()
    bad = [turn * BATCH + position for turn, position in enumerate(positions)]
    assert refused(opened) == names(bad)
    assert opened.landed() == names(sorted(set(range(len(positions) * BATCH)) - set(bad)))
    each = (len(opened.loads()) - len(positions)) / len(positions)
    assert each <= math.log2(BATCH) + 1.25


def test_what_was_rejected_once_does_not_stop_a_run_that_finds_nothing_else_to_send(tmp_path: Path) -> None:
    # A tap of the kind FULL_TABLE reads everything every day: what is loaded is unchanged, what is refused comes again.
    lines = [encoded(line) for line in (schema(), *records(30), state("all"))]
    bad = [f"L{number}" for number in range(3, 30, 4)]
    with serving({"on": "load", "do": "status", "status": 422, "extern_ids": bad, "times": None}) as sandbox:
        config = against(sandbox, max_rejected_percent=100)
        days = [run_target(tmp_path, config, lines) for _ in range(2)]
        assert ids(sandbox.leads()) == sorted({record(number)["record"]["id"] for number in range(30)} - set(bad))
    assert [day.code for day in days] == [0, 0], days[1].stderr
    assert days[1].outcomes == {"read": 30, "unchanged": 30 - len(bad), "rejected": len(bad)}
