"""What a run leaves behind: its record on every way out, its exit code, its files for their owner only."""

from __future__ import annotations

import signal
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import (
    EFFORTS,
    EMBEDDED,
    OUTCOMES,
    STATE_DIR,
    Finished,
    against,
    ids,
    run_target,
    running,
    serving,
    wait_until,
)
from tests.support.messages import record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path


def rejectable(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Records that will be rejected."""
    return [record(number, phone="none") for number in range(start, start + count)]


@pytest.fixture(scope="module")
def success(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    lines = [schema(), *records(20), *rejectable(1, 20), state("end")]
    return run_target(tmp_path_factory.mktemp("success"), EMBEDDED, lines)


def test_a_good_run_says_what_it_did(success: Finished) -> None:
    run_record = success.run_record
    assert (success.code, run_record["status"], run_record["error"]) == (0, "ok", None)
    assert run_record["version"] == version("target-engagevoice")
    assert (run_record["dry_run"], run_record["unsettled"]) == (False, 0)
    started, finished = (datetime.fromisoformat(run_record[name]) for name in ("started", "finished"))
    assert started <= finished
    assert 0 < run_record["seconds"] < 60
    assert success.new_records[0].name == f"{run_record['run']}.json"
    (stream,) = run_record["streams"]
    (campaign,) = stream["campaigns"]
    assert (campaign["campaign_id"], campaign["campaign"]) == ("1001", "Outbound/Renewals")
    assert set(run_record["totals"]) == {"read", *OUTCOMES, *EFFORTS} == set(campaign) - {"campaign_id", "campaign"}


def test_everything_a_run_writes_is_for_its_owner_only(success: Finished) -> None:
    top = success.folder / STATE_DIR
    modes = {path.relative_to(top): path.stat().st_mode & 0o777 for path in [top, *top.rglob("*")]}
    assert len(modes) > 5
    right = {path: 0o700 if (top / path).is_dir() else 0o600 for path in modes}
    assert modes == right


def test_a_folder_that_is_there_already_gets_files_for_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    run_target(tmp_path, {**EMBEDDED, "state_dir": "state"}, [schema(), *records(5), *rejectable(1)])
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_sigterm_ends_a_run_with_its_record_and_no_state_ahead_of_the_leads(tmp_path: Path) -> None:
    with serving() as sandbox, running(tmp_path, against(sandbox, batch_size_rows=5)) as run:
        run.write(schema(), *records(5), state("five"), *records(3, 5), state("eight"))
        wait_until(lambda: run.states)
        run.send_signal(signal.SIGTERM)
        finished = run.wait()
        assert ids(sandbox.leads()) == [f"L{number}" for number in range(5)]
    assert (finished.code, finished.states) == (1, [{"bookmark": "five"}])
    assert "SIGTERM" in finished.error
    assert (finished.run_record["status"], finished.run_record["error"]["code"]) == ("failed", "interrupted")
    assert finished.outcomes == {"read": 5, "loaded": 5}
    assert finished.run_record["unsettled"] <= 3


def test_sigterm_while_the_server_is_waited_for_at_the_start_stops_at_once(tmp_path: Path) -> None:
    hanging = {"on": "accounts", "do": "timeout_before", "seconds": 30}
    with serving(hanging) as sandbox, running(tmp_path, against(sandbox)) as run:
        wait_until(lambda: "signed in" in run.stderr)
        run.send_signal(signal.SIGTERM)
        finished = run.wait()
    assert finished.code == 1
    assert "SIGTERM" in finished.error
    assert finished.run_record["seconds"] < 20


def test_sigint_while_a_request_is_on_its_way_lets_it_finish(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "delay", "seconds": 1}) as sandbox:
        with running(tmp_path, against(sandbox, batch_size_rows=5)) as run:
            run.write(schema(), *records(5), state("five"))
            wait_until(lambda: len(sandbox.leads()) == 5)
            run.send_signal(signal.SIGINT)
            finished = run.wait()
        assert len(sandbox.leads()) == 5
    assert (finished.code, finished.states) == (1, [{"bookmark": "five"}])
    assert finished.outcomes == {"read": 5, "loaded": 5}


def test_a_killed_run_is_taken_up_by_the_next_one_without_sending_anything_twice(tmp_path: Path) -> None:
    lines = [schema(), *records(20), state("end")]
    with serving({"on": "load", "do": "timeout_after", "after": 2, "seconds": 30}) as sandbox:
        with running(tmp_path, against(sandbox, batch_size_rows=5, max_in_flight=1)) as run:
            run.write(*lines)
            wait_until(lambda: len(sandbox.leads()) == 15)
            run.send_signal(signal.SIGKILL)
            assert run.wait().code == -signal.SIGKILL
        again = run_target(tmp_path, against(sandbox), lines)
        assert ids(sandbox.leads()) == sorted(f"L{number}" for number in range(20))
    assert (again.code, again.states) == (0, [{"bookmark": "end"}])
    assert again.outcomes == {"read": 20, "loaded": 5, "unchanged": 15}


def test_too_many_rejects_at_the_end_are_exit_code_3(tmp_path: Path) -> None:
    finished = run_target(tmp_path, EMBEDDED, [schema(), *records(8), *rejectable(2, 8), state("end")])
    assert (finished.code, finished.run_record["status"]) == (3, "rejected")
    assert finished.outcomes == {"read": 10, "loaded": 8, "rejected": 2}
    words = ("2 of 10", "max_rejected_percent", finished.rejects_file.name)
    assert all(word in finished.error for word in words)
    assert finished.states == [{"bookmark": "end"}], "every record has its outcome: reading them again would not help"


def test_too_many_rejects_stop_the_run_from_a_hundred_records_on(tmp_path: Path) -> None:
    lines = [schema(), *rejectable(60), state("bad"), *records(45, 60), state("good"), *rejectable(1, 105)]
    finished = run_target(tmp_path, EMBEDDED, [*lines, *records(3000, 200), state("end")])
    assert (finished.code, finished.fed, finished.run_record["status"]) == (3, True, "rejected")
    assert "60 of 100 records" in finished.error
    assert finished.states == [{"bookmark": "bad"}], "what was not loaded is not in STATE"
    assert finished.leads() == []
    assert (finished.outcomes, finished.run_record["unsettled"]) == ({"read": 60, "rejected": 60}, 40)


def test_as_many_rejects_as_allowed_are_fine_and_nothing_is_stopped_before_a_hundred_records(tmp_path: Path) -> None:
    finished = run_target(tmp_path, EMBEDDED, [schema(), *rejectable(10), state("bad"), *records(90, 10), state("end")])
    assert (finished.code, finished.outcomes) == (0, {"read": 100, "loaded": 90, "rejected": 10})
    assert finished.states[-1] == {"bookmark": "end"}


def test_too_many_rejects_among_the_first_hundred_stop_a_run_that_is_good_afterwards(tmp_path: Path) -> None:
    with serving() as sandbox:
        lines = [schema(), *rejectable(99), *records(2000, 99), state("end")]
        finished = run_target(tmp_path, against(sandbox), lines)
        assert sandbox.leads() == []
    assert (finished.code, finished.states, finished.run_record["unsettled"]) == (3, [], 1)
    assert "99 of 100 records" in finished.error
