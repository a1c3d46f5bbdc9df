"""Every way a run can be stopped or starved: exit code 1, one clear message, and nothing claimed that is not so."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import (
    STATE_DIR,
    against,
    ids,
    run_target,
    serving,
    wait_until,
)
from tests.support.messages import encoded, record, schema, state
from tests.support.process import Process, rejects, run_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_engagevoice.sandbox.sandbox import Sandbox
    from tests.support.executable import Finished

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
LIMIT_SECONDS = 20.0
"""A run that is told to stop is over by then (contract of the issue)."""

ROWS = 30

IMPATIENTLY = """
import runpy, sys
from target_engagevoice.ledger import database as ledger_database
ledger_database.BUSY_WAIT_SECONDS = 0.5
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Starts the executable, in which a locked ledger is not waited for as long as half a minute."""

AS_A_USER = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Starts the executable held to the permissions of files, even by root."""


def table(*places: int, start: int = 0) -> list[bytes]:
    """People up to the last of the places, with a STATE after each place that says so."""
    lines = [encoded(schema())]
    for number in range(start, places[-1] + 1):
        lines.append(encoded(record(number)))
        if number in places:
            lines.append(encoded(state(number)))
    return lines


def everybody(count: int = ROWS) -> list[str]:
    """The ids of the first so many people, each once."""
    return sorted(f"L{number}" for number in range(count))


def error(stderr: str) -> str:
    """The one message that says what went wrong, and stands last."""
    assert "Traceback" not in stderr, stderr
    lines = [line for line in stderr.splitlines() if " | ERROR " in line]
    assert len(lines) == 1, stderr
    assert stderr.splitlines()[-1] == lines[0], stderr
    return lines[0].split(" | ", 3)[-1].strip()


def reload(folder: Path, sandbox: Sandbox, lines: Iterable[bytes], **settings: Any) -> Finished:
    """The run after: no fault, no limit."""
    sandbox.faults([])
    finished = run_target(folder, against(sandbox, search_delay_seconds=0.3, **settings), lines)
    assert finished.code == 0, finished.stderr
    return finished


# Signals


@SIGNALS
def test_a_signal_lets_requests_finish_and_holds_state_before_unsent_records(
    number: signal.Signals, tmp_path: Path
) -> None:
    with serving({"on": "load", "do": "delay", "seconds": 2, "times": None}) as sandbox:
        config = against(sandbox, batch_size_rows=5, max_in_flight=2)
        with Process(tmp_path, config, table(*range(4, ROWS, 5)), keep_open=True) as process:
            wait_until(lambda: len(sandbox.requests("load")) == 2)
            process.send_signal(number)
            code = process.wait(LIMIT_SECONDS)
        loaded = ids(sandbox.leads())
        (run,) = run_records(tmp_path)
        assert (code, process.states[-1]) == (1, {"bookmark": 9})
        assert loaded == everybody(10)
        assert number.name in error(process.stderr)
        assert (run["status"], run["error"]["code"]) == ("failed", "interrupted")
        assert (run["totals"]["loaded"], run["totals"]["read"]) == (10, 10)
        assert run["unsettled"] > 0
        finished = reload(tmp_path, sandbox, table(ROWS - 1, start=9))
        assert finished.outcomes == {"read": ROWS - 9, "loaded": ROWS - 10, "unchanged": 1}
        assert ids(sandbox.leads()) == everybody()


@SIGNALS
def test_a_signal_ends_a_run_that_waits_for_the_tap_at_once(number: signal.Signals, tmp_path: Path) -> None:
    with serving() as sandbox:
        # The campaign's buffer is not full: nobody knows that the tap has stopped writing.
        lines = [*table(9), encoded(_hopeless(10, 1))]
        config = against(sandbox, max_rejected_percent=100)
        with Process(tmp_path, config, lines, keep_open=True) as process:
            wait_until(lambda: rejects(tmp_path))
            began = time.monotonic()
            process.send_signal(number)
            code = process.wait(LIMIT_SECONDS)
        assert (code, process.states, sandbox.leads()) == (1, [], [])
        assert time.monotonic() - began < LIMIT_SECONDS / 4
        assert number.name in error(process.stderr)
        (run,) = run_records(tmp_path)
        assert (run["status"], run["totals"]["read"], run["unsettled"]) == ("failed", 1, 10)


def test_a_request_that_hangs_does_not_keep_a_run_from_ending_in_time(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "timeout_after"}) as sandbox:
        config = against(sandbox, batch_size_rows=5, max_in_flight=1)
        with Process(tmp_path, config, table(4, 9), keep_open=True) as process:
            wait_until(lambda: len(sandbox.requests("load")) == 1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(LIMIT_SECONDS)
        assert time.monotonic() - began < LIMIT_SECONDS
        assert (code, process.states) == (1, [])
        assert "SIGTERM" in error(process.stderr)
        (run,) = run_records(tmp_path)
        assert (run["status"], run["totals"]["read"]) == ("failed", 0)
        # It was stored, which only the next run finds out.
        assert ids(sandbox.leads()) == everybody(5)
        finished = reload(tmp_path, sandbox, table(9))
        assert finished.outcomes == {"read": 10, "loaded": 5, "unchanged": 5}
        assert ids(sandbox.leads()) == everybody(10)


def test_a_second_signal_ends_a_run_at_once(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "timeout_after"}) as sandbox:
        # One request at a time: with two, the second might be answered, and its STATE would rightly be written.
        config = against(sandbox, batch_size_rows=5, max_in_flight=1)
        with Process(tmp_path, config, table(4, 9), keep_open=True) as process:
            wait_until(lambda: sandbox.requests("load"))
            process.send_signal(signal.SIGTERM)
            # The handler of the first one has run when the second one no longer has a handler of Python's to wait for.
            wait_until(lambda: not _pending(process.pid, signal.SIGTERM))
            began = time.monotonic()
            while not process.over:
                process.send_signal(signal.SIGINT)
                time.sleep(0.05)
                assert time.monotonic() - began < 3
            code = process.wait()
        assert (code, process.states, run_records(tmp_path)) == (1, [], [])
        sandbox.faults([])
        finished = reload(tmp_path, sandbox, table(4, 9))
        assert ids(sandbox.leads()) == everybody(10)
        assert finished.states[-1] == {"bookmark": 9}


def test_a_signal_between_retries_does_not_wait_for_the_next_one(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "status", "status": 429, "retry_after": "30", "times": None}) as sandbox:
        config = against(sandbox, batch_size_rows=5, retry_max_seconds=600)
        with Process(tmp_path, config, table(4, 9), keep_open=True) as process:
            wait_until(lambda: sandbox.requests("load"))
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(LIMIT_SECONDS)
        assert (code, process.states, sandbox.leads()) == (1, [], [])
        assert time.monotonic() - began < LIMIT_SECONDS / 4


def test_a_signal_while_an_earlier_run_is_looked_up_ends_the_run(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "timeout_before", "times": None}) as sandbox:
        config = against(sandbox, batch_size_rows=5, search_delay_seconds=60)
        with Process(tmp_path, config, table(4)) as process:
            process.kill_when(lambda: sandbox.requests("load"))
        with Process(tmp_path, config, table(4)) as process:
            wait_until(lambda: sandbox.requests("search"))
            process.send_signal(signal.SIGTERM)
            code = process.wait(LIMIT_SECONDS)
        assert (code, process.states) == (1, [])
        assert "SIGTERM" in error(process.stderr)
        reload(tmp_path, sandbox, table(4))
        assert ids(sandbox.leads()) == everybody(5)


def test_a_signal_ends_a_run_that_has_failed_and_lets_the_tap_finish_writing(tmp_path: Path) -> None:
    with serving() as sandbox:
        config = against(sandbox, campaign="Renewal")
        with Process(tmp_path, config, table(9), keep_open=True) as process:
            wait_until(lambda: run_records(tmp_path))
            wait_until(lambda: process.fed and _sleeps(process.pid))
            process.send_signal(signal.SIGTERM)
            code = process.wait(LIMIT_SECONDS / 4)
        assert code == 1
        assert "Renewals" in error(process.stderr), "the reason is what made it fail, not the signal"


# Standard output


def test_a_closed_standard_output_ends_the_run_without_a_later_state(tmp_path: Path) -> None:
    with serving() as sandbox:
        reading, writing = os.pipe()
        try:
            lines = table(*range(4, ROWS, 5))
            with Process(tmp_path, against(sandbox, batch_size_rows=5), lines, stdout=writing) as process:
                os.close(writing)
                os.close(reading)
                code = process.wait()
        finally:
            assert process.over
        assert code == 1
        assert "STATE cannot be written" in error(process.stderr)
        (run,) = run_records(tmp_path)
        assert (run["status"], run["error"]["code"]) == ("failed", "storage")
        # Nobody was told anything: all of it comes again.
        finished = reload(tmp_path, sandbox, table(ROWS - 1))
        assert finished.outcomes["read"] == ROWS
        assert ids(sandbox.leads()) == everybody()


def test_a_full_disk_under_standard_output_ends_the_run(tmp_path: Path) -> None:
    with serving() as sandbox:
        full = os.open("/dev/full", os.O_WRONLY)
        try:
            lines = table(*range(4, ROWS, 5))
            with Process(tmp_path, against(sandbox, batch_size_rows=5), lines, stdout=full) as process:
                code = process.wait()
        finally:
            os.close(full)
        assert code == 1
        assert "STATE cannot be written: No space left on device" in error(process.stderr)
        reload(tmp_path, sandbox, table(ROWS - 1))
        assert ids(sandbox.leads()) == everybody()


# Disks


def test_a_full_disk_under_the_ledger_ends_the_run_and_state_stays_behind(tmp_path: Path) -> None:
    with serving() as sandbox:
        with Process(tmp_path, against(sandbox, batch_size_rows=5), table(4), keep_open=True) as process:
            wait_until(lambda: process.states)
            _fill_the_disk(process, 0)
            process.write(table(9, 14, start=5))
            code = process.finish()
        assert (code, process.states) == (1, [{"bookmark": 4}])
        assert "ledger" in error(process.stderr)
        assert "disk" in error(process.stderr)
        reload(tmp_path, sandbox, table(ROWS - 1, start=4))
        assert ids(sandbox.leads()) == everybody()


def test_a_disk_that_fills_up_between_a_request_and_the_ledger_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "delay", "seconds": 1, "after": 1, "times": None}) as sandbox:
        with Process(tmp_path, against(sandbox, batch_size_rows=5), table(4), keep_open=True) as process:
            wait_until(lambda: process.states)
            process.write(table(9, 14, start=5))
            wait_until(lambda: len(sandbox.requests("load")) >= 2)
            _fill_the_disk(process, 0)
            code = process.finish()
        assert (code, process.states) == (1, [{"bookmark": 4}])
        assert "ledger" in error(process.stderr)
        assert len(sandbox.leads()) > 5, "the server has what the ledger could not take"
        reload(tmp_path, sandbox, table(ROWS - 1, start=4))
        assert ids(sandbox.leads()) == everybody()


@pytest.mark.parametrize("size", [1, 200_000], ids=["small records", "large records"])
def test_a_full_disk_under_the_rejects_ends_the_run_and_state_stays_behind(size: int, tmp_path: Path) -> None:
    with serving() as sandbox:
        # The ledger is in memory, so that it is the rejects that find the disk full.
        config = against(sandbox, batch_size_rows=1, max_rejected_percent=100, ledger_url="sqlite://")
        first = [schema(), _hopeless(0, 1), state(0)]
        with Process(tmp_path, config, map(encoded, first), keep_open=True) as process:
            wait_until(lambda: process.states)
            (path,) = (tmp_path / STATE_DIR / "rejects").iterdir()
            _fill_the_disk(process, path.stat().st_size + 10)
            process.write([encoded(line) for line in (_hopeless(1, size), state(1), record(2), state(2))])
            code = process.finish()
        assert (code, process.states) == (1, [{"bookmark": 0}])
        assert "rejects cannot be written" in error(process.stderr)
        assert [reject["record"]["id"] for reject in rejects(tmp_path)] == ["L0"]
        again = [schema(), _hopeless(0, 1), _hopeless(1, size), state(1), record(2), state(2)]
        finished = reload(tmp_path, sandbox, map(encoded, again), max_rejected_percent=100)
        assert finished.outcomes == {"read": 3, "loaded": 1, "rejected": 2}
        assert ids(sandbox.leads()) == ["L2"]


def test_a_full_disk_under_the_run_record_ends_the_run_with_one(tmp_path: Path) -> None:
    with serving() as sandbox:
        config = against(sandbox, batch_size_rows=5, ledger_url="sqlite://")
        with Process(tmp_path, config, table(4), keep_open=True) as process:
            wait_until(lambda: process.states)
            _fill_the_disk(process, 0)
            code = process.finish()
        assert (code, process.states, run_records(tmp_path)) == (1, [{"bookmark": 4}], [])
        assert "run record cannot be written" in error(process.stderr)
        assert ids(sandbox.leads()) == everybody(5)


def test_a_run_that_cannot_record_its_end_says_so_in_its_record(tmp_path: Path) -> None:
    with serving() as sandbox:
        with Process(tmp_path, against(sandbox, batch_size_rows=5), table(4), keep_open=True) as process:
            wait_until(lambda: process.states)
            with closing(sqlite3.connect(tmp_path / STATE_DIR / "ledger.db", isolation_level=None)) as meddler:
                meddler.execute("DROP TABLE engagevoice_left")
                code = process.finish()
        (run,) = run_records(tmp_path)
        assert (code, process.states) == (1, [{"bookmark": 4}])
        assert (run["status"], run["error"]["code"]) == ("failed", "ledger")
        assert "ledger" in error(process.stderr)


# Ledgers that can not be had


def test_a_second_run_on_one_ledger_stops_with_a_clear_message_and_harms_nothing(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "delay", "seconds": 1, "times": None}) as sandbox:
        config = against(sandbox, batch_size_rows=5)
        with Process(tmp_path, config, table(4, 9), keep_open=True) as process:
            wait_until(lambda: sandbox.requests("load"))
            second = run_target(tmp_path, config, table(9))
            assert (second.code, second.states) == (1, [])
            assert "in use by another run" in second.error
            assert process.finish() == 0
        assert process.states[-1] == {"bookmark": 9}
        assert ids(sandbox.leads()) == everybody(10)
        with closing(sqlite3.connect(tmp_path / STATE_DIR / "ledger.db")) as ledger:
            assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_run_waits_for_a_first_one_that_is_about_to_end(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "delay", "seconds": 1}) as sandbox:
        config = against(sandbox, batch_size_rows=5)
        with Process(tmp_path, config, table(4)) as first:
            wait_until(lambda: sandbox.requests("load"))
            with Process(tmp_path, config, table(4, 9)) as second:
                assert (first.wait(), second.wait()) == (0, 0)
        assert second.states[-1] == {"bookmark": 9}
        assert ids(sandbox.leads()) == everybody(10)


@pytest.fixture
def used(tmp_path: Path) -> Iterator[tuple[Path, Sandbox]]:
    """A ledger with five people in it."""
    with serving() as sandbox:
        assert run_target(tmp_path, against(sandbox), table(4)).code == 0
        yield tmp_path / STATE_DIR / "ledger.db", sandbox


def test_a_read_only_ledger_fails_before_anything_is_sent(used: tuple[Path, Sandbox], tmp_path: Path) -> None:
    ledger, sandbox = used
    ledger.chmod(0o400)
    try:
        with Process(tmp_path, against(sandbox), table(9), through=(sys.executable, "-c", AS_A_USER)) as process:
            code = process.wait()
    finally:
        ledger.chmod(0o600)
    assert (code, process.states) == (1, [])
    assert "ledger.db cannot be" in error(process.stderr)
    assert len(sandbox.requests("load")) == 1


def test_a_state_dir_that_cannot_be_written_fails_before_anything_is_sent(
    used: tuple[Path, Sandbox], tmp_path: Path
) -> None:
    ledger, sandbox = used
    ledger.parent.chmod(0o500)
    try:
        with Process(tmp_path, against(sandbox), table(9), through=(sys.executable, "-c", AS_A_USER)) as process:
            code = process.wait()
    finally:
        ledger.parent.chmod(0o700)
    assert (code, process.states) == (1, [])
    assert "state_dir" in error(process.stderr)
    assert len(sandbox.requests("load")) == 1


def test_a_ledger_that_another_program_has_locked_fails_before_anything_is_sent(
    used: tuple[Path, Sandbox], tmp_path: Path
) -> None:
    ledger, sandbox = used
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Process(tmp_path, against(sandbox), table(9), through=(sys.executable, "-c", IMPATIENTLY)) as process:
            code = process.wait()
    assert (code, process.states) == (1, [])
    assert "locked by another program" in error(process.stderr)
    assert len(sandbox.requests("load")) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"This is not a database, whatever its name says. " * 40, "not a database"), (None, "newer")],
    ids=["not a ledger", "a newer ledger"],
)
def test_a_ledger_that_cannot_be_understood_fails_before_anything_is_sent(
    content: bytes | None, said: str, used: tuple[Path, Sandbox], tmp_path: Path
) -> None:
    ledger, sandbox = used
    if content is None:
        with closing(sqlite3.connect(ledger)) as connection, connection:
            connection.execute("UPDATE engagevoice_schema SET version = version + 1")
    else:
        ledger.write_bytes(content)
    finished = run_target(tmp_path, against(sandbox), table(9))
    assert (finished.code, finished.states) == (1, [])
    assert said in finished.error
    assert len(sandbox.requests("load")) == 1


def _hopeless(number: int, size: int) -> dict[str, Any]:
    """Somebody without a phone."""
    return record(number, phone=None, note="n" * size)


def _fill_the_disk(process: Process, size: int) -> None:
    """Let no file of the process grow beyond a size; Python ignores SIGXFSZ, so that writing fails with EFBIG."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))


def _status(pid: int) -> Mapping[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _sleeps(pid: int) -> bool:
    return _status(pid)["State"].startswith("S")


def _pending(pid: int, number: signal.Signals) -> bool:
    status = _status(pid)
    return bool((int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)) >> (number - 1) & 1)
