"""The counts of a run add up."""

from __future__ import annotations

import json
import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.errors import StorageError
from target_engagevoice.model.lead import Outcome
from target_engagevoice.outcomes.counts import EFFORTS, OUTCOMES, Run, write_record
from tests.support.factories import RENEWALS, WINBACK
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = st.sampled_from(["people", "contacts"])
CAMPAIGNS = st.sampled_from([RENEWALS, WINBACK, None])
COUNTED = st.lists(st.tuples(STREAMS, CAMPAIGNS, st.sampled_from(Outcome)), max_size=40)


def counted(outcomes: list[Any], more: int = 0) -> Run:
    run = Run(FakeClock())
    for stream, campaign, outcome in outcomes:
        run.read += 1
        run.count(stream, campaign, outcome)
    for _ in range(more):
        run.read += 1
    return run


def record(run: Run, error: dict[str, str] | None = None) -> dict[str, Any]:
    return run.record("1.2.3", "ok", dry_run=False, error=error)


@given(COUNTED)
def test_the_counts_by_campaign_are_those_of_the_record(outcomes: list[Any]) -> None:
    run = counted(outcomes)
    standings = run.by_campaign()
    for name in OUTCOMES:
        assert sum(each.outcomes[name] for each in standings) == run.totals()[name]
    assert len({each.campaign_id for each in standings}) == len(standings)
    names = {each.campaign_id: each.campaign for each in standings}
    assert names.items() <= {"1001": "Outbound/Renewals", "1002": "Outbound/Winback", None: None}.items()


def test_reading_the_counts_waits_for_no_lock() -> None:
    run = counted([("people", RENEWALS, Outcome.LOADED)])
    with run._lock:
        looking = threading.Thread(target=run.by_campaign, daemon=True)
        looking.start()
        looking.join(10)
        assert not looking.is_alive()


@given(COUNTED)
def test_read_is_the_sum_of_the_outcomes_everywhere(outcomes: list[Any]) -> None:
    made = record(counted(outcomes))
    rows = [made["totals"], *(row for stream in made["streams"] for row in stream["campaigns"])]
    assert all(row["read"] == sum(row[name] for name in OUTCOMES) for row in rows)


@given(COUNTED)
def test_the_totals_are_the_sums_of_the_campaigns(outcomes: list[Any]) -> None:
    made = record(counted(outcomes))
    rows = [row for stream in made["streams"] for row in stream["campaigns"]]
    assert made["totals"] == {name: sum(row[name] for row in rows) for name in ("read", *OUTCOMES, *EFFORTS)}


@given(COUNTED)
def test_every_outcome_is_counted_where_it_happened(outcomes: list[Any]) -> None:
    made = record(counted(outcomes))
    for stream in made["streams"]:
        for row in stream["campaigns"]:
            for name in OUTCOMES:
                same = [
                    each
                    for each in outcomes
                    if each[0] == stream["stream"]
                    and (each[1].campaign_id if each[1] else None) == row["campaign_id"]
                    and each[2].value == name
                ]
                assert row[name] == len(same)


@given(COUNTED, st.integers(0, 5))
def test_records_without_an_outcome_are_unsettled(outcomes: list[Any], more: int) -> None:
    assert record(counted(outcomes, more))["unsettled"] == more


@given(COUNTED)
def test_every_stream_is_named(outcomes: list[Any]) -> None:
    assert sorted(counted(outcomes).streams()) == sorted({stream for stream, _, _ in outcomes})


def test_the_eight_outcomes_are_those_of_the_contract() -> None:
    assert OUTCOMES == (
        "loaded",
        "updated",
        "unchanged",
        "not_inserted",
        "rejected",
        "do_not_call",
        "deleted",
        "skipped",
    )


def test_rejects_are_a_percentage_of_the_records_read() -> None:
    run = counted([("people", None, Outcome.REJECTED)], more=3)
    assert run.rejected_percent() == 25.0


def test_nothing_read_is_nothing_rejected() -> None:
    assert Run(FakeClock()).rejected_percent() == 0.0


def test_efforts_are_counted_by_campaign() -> None:
    run = Run(FakeClock())
    for effort in ("requests", "requests", "retries", "throttled"):
        run.count_effort("people", RENEWALS, effort)
    (stream,) = record(run)["streams"]
    (row,) = stream["campaigns"]
    assert [row[name] for name in EFFORTS] == [2, 1, 1, 0, 0]


def test_a_campaign_is_named_by_its_path() -> None:
    (stream,) = record(counted([("people", RENEWALS, Outcome.LOADED)]))["streams"]
    assert (stream["campaigns"][0]["campaign_id"], stream["campaigns"][0]["campaign"]) == ("1001", "Outbound/Renewals")


def test_threads_lose_no_count() -> None:
    run = Run(FakeClock())

    def count() -> None:
        for _ in range(500):
            run.read += 1
            run.count("people", RENEWALS, Outcome.LOADED)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (run.read, run.totals()["loaded"]) == (2000, 2000)


def test_times_are_in_utc() -> None:
    clock = FakeClock()
    run = Run(clock)
    clock.advance(61.25)
    made = record(run)
    assert (made["started"], made["finished"], made["seconds"]) == (
        "2026-01-01T00:00:00.000+00:00",
        "2026-01-01T00:01:01.250+00:00",
        61.25,
    )


def test_two_runs_of_one_second_have_two_names() -> None:
    assert Run(FakeClock()).name != Run(FakeClock()).name


def test_a_runs_name_begins_with_its_time() -> None:
    assert Run(FakeClock()).name.startswith("20260101T000000Z-")


# The file


def test_the_record_is_written_under_the_runs_name(tmp_path: Path) -> None:
    made = record(Run(FakeClock()), {"code": "server", "message": "gone"})
    path = write_record(tmp_path / "runs", made)
    assert (path.name, json.loads(path.read_text("utf-8"))) == (f"{made['run']}.json", made)


def test_nothing_but_the_record_is_left(tmp_path: Path) -> None:
    path = write_record(tmp_path, record(Run(FakeClock())))
    assert list(tmp_path.iterdir()) == [path]


def test_the_record_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write_record(tmp_path / "runs", record(Run(FakeClock())))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_record_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageError, match="the run record cannot be written: "):
        write_record(tmp_path / "runs", record(Run(FakeClock())))


def test_a_disk_that_fills_up_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match="No space left on device"):
        write_record(tmp_path, record(Run(FakeClock())))
    assert [each for each in tmp_path.iterdir() if each.suffix == ".json"] == []
