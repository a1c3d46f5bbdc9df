"""The rejects file: one object a line, as read, on disk, for its owner only."""

from __future__ import annotations

import json
import os
import stat
import threading
from contextlib import closing
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.errors import StorageError
from target_engagevoice.model.lead import Lead, Rejection, Stage
from target_engagevoice.outcomes.rejects import Rejects
from tests.support.factories import lead
from tests.support.fake_clock import FakeClock

REJECTION = Rejection(Stage.PHONE, "bad_phone", "leadPhone: no number")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "rejects" / "run.jsonl"


def rejects(path: Path) -> Rejects:
    return Rejects(path, "run-1", FakeClock())


def written(path: Path, record: dict[str, Any], one: Lead | None = None, campaign_id: str | None = "1001") -> Any:
    with closing(rejects(path)) as file:
        file.write("people", campaign_id, REJECTION, record, one)
    (line,) = path.read_text("utf-8").splitlines()
    return json.loads(line)


def test_a_line_says_everything_of_the_contract(path: Path) -> None:
    assert written(path, {"Id": "00Q1"}, lead(0)) == {
        "time": "2026-01-01T00:00:00.000+00:00",
        "run": "run-1",
        "stream": "people",
        "campaign_id": "1001",
        "extern_id": "L0",
        "stage": "phone",
        "reason": "bad_phone",
        "message": "leadPhone: no number",
        "record": {"Id": "00Q1"},
        "lead": {"externId": "L0", "leadPhone": "6505550000"},
    }


def test_unknown_values_are_null(path: Path) -> None:
    line = written(path, {}, None, None)
    assert (line["campaign_id"], line["extern_id"], line["lead"]) == (None, None, None)


records = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


@given(st.lists(records, min_size=1, max_size=5))
def test_records_are_kept_as_read(tmp_path_factory: pytest.TempPathFactory, many: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("rejects") / "run.jsonl"
    with closing(rejects(path)) as file:
        for record in many:
            file.write("people", None, REJECTION, record)
    assert [json.loads(line)["record"] for line in path.read_text("utf-8").split("\n")[:-1]] == many


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Decimal("1.10"), "1.10"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (datetime(2026, 1, 1, tzinfo=timezone.utc), '"2026-01-01 00:00:00+00:00"'),
        ("\ud800\x00\u2028\n", '"\\ud800\\u0000\\u2028\\n"'),
    ],
)
def test_values_that_json_does_not_know_are_kept_as_well_as_can_be(path: Path, value: Any, kept: str) -> None:
    with closing(rejects(path)) as file:
        file.write("people", None, REJECTION, {"a": value})
    assert f'"record": {{"a": {kept}}}' in path.read_text("ascii")


def test_no_reject_makes_no_file(path: Path) -> None:
    rejects(path).close()
    assert not path.exists()


def test_a_line_is_there_at_once(path: Path) -> None:
    with closing(rejects(path)) as file:
        file.write("people", None, REJECTION, {})
        assert path.read_text("utf-8").endswith("}\n")


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        written(path, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_earlier_file_is_added_to(path: Path) -> None:
    for number in range(2):
        with closing(rejects(path)) as file:
            file.write("people", None, REJECTION, {"n": number})
    assert len(path.read_text("utf-8").splitlines()) == 2


def test_lines_of_many_threads_do_not_mix(path: Path) -> None:
    with closing(rejects(path)) as file:

        def write(number: int) -> None:
            for _ in range(20):
                file.write("people", None, REJECTION, {"n": number, "long": "x" * 5000})

        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sorted(line["record"]["n"] for line in lines) == sorted([*range(6)] * 20)


# Durable


def test_what_was_written_is_synced_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with closing(rejects(path)) as file:
        file.make_durable()
        file.write("people", None, REJECTION, {})
        file.make_durable()
        file.make_durable()
        assert len(synced) == 1


def test_closing_syncs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    written(path, {})
    assert len(synced) == 1


def test_a_disk_that_refuses_to_sync_is_a_storage_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(5, "Input/output error")

    file = rejects(path)
    file.write("people", None, REJECTION, {})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError, match="the rejects cannot be written: Input/output error"):
            file.make_durable()
    file.close()


def test_a_full_disk_is_a_storage_error() -> None:
    file = rejects(Path("/dev/full"))
    with pytest.raises(StorageError, match=r"No space left on device\. Free the disk, run again"):
        file.write("people", None, REJECTION, {"name": "Ann"})
    with pytest.raises(StorageError, match="No space left on device"):
        file.close()


def test_a_close_after_a_failure_closes_for_good() -> None:
    file = rejects(Path("/dev/full"))
    with pytest.raises(StorageError):
        file.write("people", None, REJECTION, {})
    with pytest.raises(StorageError):
        file.close()
    file.close()


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StorageError, match="the rejects cannot be written: Not a directory"):
        rejects(tmp_path / "state" / "rejects" / "run.jsonl").write("people", None, REJECTION, {})
