"""When a version of a stream counts, and which leads it does not hold then."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.delivery.stream_versions import InMemoryVersionStore, Versions, VersionStore
from target_engagevoice.errors import RetiredTooMany
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.outcomes import ReadRecord
from tests.support.factories import ACCOUNT, nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

FOUR = ("L0", "L1", "L2", "L3")


class Table:
    """A stream whose four leads are loaded, and the versions of it that a run reads."""

    def __init__(self, ledger: Ledger, *, dry: bool) -> None:
        self.ledger = ledger
        self.most = 100.0
        self.retired: list[str] = []
        self.checkpoints = Checkpoints(nothing, None)
        self.seen: VersionStore = InMemoryVersionStore(ledger.versions) if dry else ledger.versions
        ledger.settle("people", "1001", dict.fromkeys(FOUR, "a"), [], 5.0)
        self.begin()

    def begin(self) -> None:
        """Another run."""
        self.versions = Versions(self.seen, self._retire, self.most)

    def _retire(self, _stream: str, leads: list[tuple[str, str]]) -> int:
        self.retired += [extern_id for _, extern_id in leads]
        return 0

    def record(self, version: int | None) -> ReadRecord:
        """A record of a version."""
        line = json.dumps({"version": version}) if version is not None else "{}"
        return ReadRecord("people", line.encode(), self.checkpoints.open_record())

    def read(self, version: int | None, *extern_ids: str) -> None:
        """Records of a version come."""
        self.versions.note("people", [(self.record(version), extern_id) for extern_id in extern_ids])


@pytest.fixture(params=[False, True], ids=["run", "dry run"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    ledger = Ledger.open("sqlite://", tmp_path, ACCOUNT, "one")
    yield Table(ledger, dry=request.param)
    ledger.close()


@pytest.mark.parametrize("version", [1, None])
def test_what_a_version_lacks_is_retired_when_it_is_activated(table: Table, version: int | None) -> None:
    table.read(version, *FOUR[:3])
    table.versions.activate("people", 1)
    assert table.retired == ["L3"]


@pytest.mark.parametrize("version", [1, None])
def test_a_version_may_be_activated_twice(table: Table, version: int | None) -> None:
    table.read(version, *FOUR[:3])
    for _ in range(2):
        table.versions.activate("people", 1)
    table.versions.finish()
    assert set(table.retired) == {"L3"}


def test_a_version_that_goes_on_after_it_was_activated_holds_what_came_before(table: Table) -> None:
    table.read(1, *FOUR[:3])
    table.versions.activate("people", 1)
    table.read(1, "L3")
    table.versions.activate("people", 1)
    table.versions.finish()
    assert table.retired == ["L3"]


def test_an_early_version_of_which_a_run_before_saw_a_part_retires_nothing(table: Table) -> None:
    table.read(1, "L0")
    table.versions.finish()
    table.begin()
    table.versions.activate("people", 1)
    table.read(1, *FOUR[1:])
    table.versions.finish()
    assert table.retired == []


def test_a_version_that_a_run_before_saw_whole_counts_at_the_end(table: Table) -> None:
    table.read(1, *FOUR[:3])
    table.versions.finish()
    table.begin()
    table.versions.activate("people", 1)
    table.versions.finish()
    assert table.retired == ["L3"]


def test_a_version_without_a_record_counts_at_the_end(table: Table) -> None:
    table.versions.activate("people", 1)
    assert table.retired == []
    table.versions.finish()
    assert tuple(table.retired) == FOUR


def test_a_version_without_a_record_does_not_count_where_the_input_broke_off(table: Table) -> None:
    table.versions.activate("people", 1)
    table.versions.finish(whole=False)
    assert table.retired == []


@pytest.mark.parametrize("activated", [1, 3])
def test_a_version_without_a_record_does_not_count_beside_one_that_has_some(table: Table, activated: int) -> None:
    table.read(2, *FOUR)
    table.versions.activate("people", activated)
    table.versions.finish()
    assert table.retired == []


def test_a_record_without_a_key_is_a_record_all_the_same(table: Table) -> None:
    table.versions.activate("people", 1)
    table.read(1, "")
    table.versions.finish()
    assert table.retired == []


def test_a_record_that_may_be_any_lead_keeps_all_of_them(table: Table) -> None:
    table.read(1, *FOUR[:3])
    table.versions.note_unknown("people", table.record(1))
    table.versions.activate("people", 1)
    table.versions.finish()
    assert table.retired == []


def test_an_unknown_lead_of_a_version_does_not_concern_the_next_one(table: Table) -> None:
    table.versions.note_unknown("people", table.record(1))
    table.versions.activate("people", 1)
    table.versions.finish()
    table.begin()
    table.read(2, *FOUR[:3])
    table.versions.activate("people", 2)
    assert table.retired == ["L3"]


class Nights(Table):
    """The same, read by a tap that gives what changed, and each night the version of its first run."""

    def night(self, *extern_ids: str, late: bool) -> None:
        """A run over these records, the version activated before or after them."""
        self.begin()
        if not late:
            self.versions.activate("people", 1)
        self.read(1, *extern_ids)
        if late:
            self.versions.activate("people", 1)
        self.versions.finish()


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    ledger = Ledger.open("sqlite://", tmp_path, ACCOUNT, "one")
    yield Nights(ledger, dry=False)
    ledger.close()


@given(
    first_is_late=st.booleans(), later=st.lists(st.tuples(st.sets(st.sampled_from(FOUR)), st.booleans()), max_size=5)
)
def test_a_tap_that_reads_what_changed_never_has_its_leads_retired(
    first_is_late: bool, later: list[tuple[set[str], bool]]
) -> None:
    with closing(Ledger.open("sqlite://", Path(), ACCOUNT, "one")) as ledger:
        nights = Nights(ledger, dry=False)
        nights.night(*FOUR, late=first_is_late)
        for changed, late in later:
            nights.night(*changed, late=late)
        assert nights.retired == []


def test_a_version_that_counted_once_says_nothing_of_the_next_one(nights: Nights) -> None:
    nights.night(*FOUR, late=True)
    nights.night("L0", late=True)
    nights.begin()
    nights.read(2, *FOUR[:3])
    nights.versions.activate("people", 2)
    assert nights.retired == ["L3"]


def test_a_dry_run_knows_which_version_counted_before(nights: Nights) -> None:
    nights.night(*FOUR, late=True)
    nights.seen = InMemoryVersionStore(nights.ledger.versions)
    nights.night("L0", late=True)
    assert nights.retired == []


def test_a_version_that_lacks_too_much_does_not_count_the_next_time_either(nights: Nights) -> None:
    nights.most = 25
    for _ in range(2):
        with pytest.raises(RetiredTooMany):
            nights.night("L0", late=True)
