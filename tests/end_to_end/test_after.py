"""After a run, over the real executables: its summary, its journal, its report, its rejects piped back in."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from target_engagevoice.cli.command import COMMANDS
from target_engagevoice.cli.command import main as engagevoice
from target_engagevoice.reporting.past_runs import PastRun, past_runs
from target_engagevoice.reporting.read_requests import read_requests
from target_engagevoice.singer.json import decode
from tests.support.executable import (
    EMBEDDED,
    ENGAGEVOICE,
    PATIENCE_SECONDS,
    STATE_DIR,
    TARGET,
    Finished,
    against,
    ids,
    run_program,
    run_target,
    serving,
)
from tests.support.messages import SCHEMA, record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("real_starts")  # run ids sort by second, so no two runs may share one

REJECTABLE = [record(number, phone="none") for number in range(20, 23)]


def printed_by(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    done = run_program(ENGAGEVOICE, *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run with loads, rejects, a request that is throttled, and a report."""
    with serving({"on": "load", "do": "status", "status": 429, "after": 1}) as sandbox:
        lines = [schema(), *records(20), *REJECTABLE, state("end")]
        config = against(sandbox, batch_size_rows=5, report=True, max_rejected_percent=50, api_token="sesame")
        return run_target(tmp_path_factory.mktemp("mixed"), config, lines)


def left(finished: Finished) -> PastRun:
    return PastRun(finished.folder / STATE_DIR, finished.run_record["run"])


# The journal and the record


def test_the_journal_has_every_request_that_the_record_counts(mixed: Finished) -> None:
    loads = read_requests(left(mixed).requests_path).loads
    totals = mixed.run_record["totals"]
    assert totals["requests"] == len(loads) == 5
    assert totals["throttled"] == sum(load.throttled for load in loads) == 1
    assert totals["retries"] == sum(load.retry for load in loads) == 1
    assert totals["loaded"] == sum(load.counts.get("leadsInserted", 0) for load in loads) == 20
    assert {load.list for load in loads} == {f"leads {mixed.run_record['started'][:19].replace('T', ' ')}"}
    assert sorted(load.batch or 0 for load in loads if not load.retry) == [1, 2, 3, 4]


def test_the_record_holds_the_configuration_without_secrets(mixed: Finished) -> None:
    config = mixed.run_record["config"]
    assert (config["batch_size_rows"], config["api_token"], config["report"]) == (5, "***", True)
    assert "sesame" not in str(mixed.run_record)


def test_a_journal_that_can_not_be_written_does_not_stop_a_run(tmp_path: Path) -> None:
    (tmp_path / STATE_DIR).mkdir()
    (tmp_path / STATE_DIR / "requests").write_text("no folder")
    finished = run_target(tmp_path, {**EMBEDDED, "report": True}, [schema(), *records(3), state("end")])
    assert (finished.code, len(finished.leads()), finished.states) == (0, 3, [{"bookmark": "end"}])
    assert finished.stderr.count("the journal of requests cannot be written") == 1
    assert left(finished).report_path.exists()


# The summary


def test_the_log_ends_with_a_line_for_each_campaign_and_one_for_the_run(mixed: Finished) -> None:
    name = mixed.run_record["run"]
    words = [line.split(" | ")[-1] for line in mixed.stderr.splitlines()][-4:]
    numbers = "23 read, 20 loaded, 3 rejected, 5 requests, 1 retry, 1 throttled"
    assert words[0] == f"leads → Outbound/Renewals (1001): {numbers}"
    assert words[1].startswith(f"Rejects: {STATE_DIR}/rejects/{name}.jsonl ")
    assert words[2].startswith(f"Run {name}: ok; {numbers}; ")
    assert words[3] == f"Report: {STATE_DIR}/reports/{name}.html"


def test_on_a_terminal_the_run_ends_with_a_table(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(EMBEDDED))
    (tmp_path / "in.singer").write_text("\n".join(map(json.dumps, [schema(), *records(3)])))
    ours, theirs = pty.openpty()
    command = [str(TARGET), "--config", "config.json", "--input", "in.singer"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:
            pass  # a terminal that nobody writes to any more
        assert process.wait(PATIENCE_SECONDS) == 0
    os.close(ours)
    assert re.search(r"stream +campaign +read +loaded +rejected +requests", shown.decode())
    assert re.search(r"total +3 +3 +0 +1", shown.decode())


# The report


def test_a_run_writes_its_report_when_asked_to(mixed: Finished) -> None:
    page = left(mixed).report_path.read_text()
    assert f"<h1>Run {mixed.run_record['run']}</h1>" in page
    assert "sesame" not in page


def test_a_run_writes_no_report_unasked(tmp_path: Path) -> None:
    run_target(tmp_path, EMBEDDED, [schema(), *records(1)])
    assert not (tmp_path / STATE_DIR / "reports").exists()


def test_a_report_that_can_not_be_written_does_not_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / STATE_DIR).mkdir()
    (tmp_path / STATE_DIR / "reports").write_text("no folder")
    finished = run_target(tmp_path, {**EMBEDDED, "report": True}, [schema(), *records(1)])
    assert (finished.code, finished.run_record["status"]) == (0, "ok")
    assert "the report cannot be written" in finished.stderr


def test_the_command_makes_the_report_of_a_run_and_says_where(mixed: Finished) -> None:
    left(mixed).report_path.unlink()
    path = printed_by(mixed.folder, "report", mixed.run_record["run"]).strip()
    assert (mixed.folder / path).samefile(left(mixed).report_path)


# Runs


def test_the_runs_are_shown_the_newest_first(mixed: Finished) -> None:
    heading, row = printed_by(mixed.folder, "runs").splitlines()
    assert heading.split() == [
        "run",
        "status",
        "seconds",
        "read",
        "loaded",
        "unchanged",
        "rejected",
        "requests",
        "error",
    ]
    cells = row.split()
    assert (cells[0], cells[1], cells[3:]) == (mixed.run_record["run"], "ok", ["23", "20", "0", "3", "5"])


def test_the_runs_are_shown_as_json_also_one_that_was_killed(tmp_path: Path) -> None:
    for name in ("20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb"):
        path = PastRun(tmp_path / STATE_DIR, name).requests_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (row,) = json.loads(printed_by(tmp_path, "runs", "--format", "json", "--limit", "1"))
    assert (row["run"], row["status"], row["loaded"]) == ("20260102T000000Z-bbbbbb", "no record", None)


def test_the_folder_of_the_runs_is_that_of_the_configuration(mixed: Finished, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"state_dir": str(mixed.folder / STATE_DIR)}))
    said = printed_by(tmp_path, "runs", "--config", str(config))
    assert mixed.run_record["run"] in said


def test_where_there_are_no_runs_that_is_said(tmp_path: Path) -> None:
    assert printed_by(tmp_path, "runs") == f"There are no files of any run in {STATE_DIR}.\n"


# Rejects


def test_the_rejects_are_shown_by_reason(mixed: Finished) -> None:
    heading, row = printed_by(mixed.folder, "rejects").splitlines()
    assert heading.split() == ["stream", "stage", "reason", "count", "example", "message"]
    assert row.split()[:5] == ["leads", "phone", "not_a_phone", "3", "L20"]


@pytest.mark.parametrize("command", ["rejects", "report"])
def test_an_unknown_run_fails_with_one_line_that_names_the_newest(mixed: Finished, command: str) -> None:
    done = run_program(ENGAGEVOICE, command, "2031", folder=mixed.folder)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"")
    assert mixed.run_record["run"] in line


def replayed(folder: Path, config: dict[str, Any], fix: Any) -> Finished:
    """Rejects, fixed line by line, and piped back in."""
    messages = printed_by(folder, "rejects", "--singer").splitlines()
    return run_target(folder, config, [fix(message) for message in messages])


def test_rejects_that_are_fixed_and_replayed_are_loaded_once(tmp_path: Path) -> None:
    lines = [schema(), *records(20), *REJECTABLE, state("end")]
    with serving() as sandbox:
        config = against(sandbox, max_rejected_percent=50)
        run_target(tmp_path, config, lines)

        def fix(message: str) -> str:
            number = re.search(r'"id": "L(\d+)"', message)
            return message.replace('"none"', f'"41555501{number[1]}"') if number else message

        first, rejecting = replayed(tmp_path, config, fix), past_runs(tmp_path / STATE_DIR)[1]
        again = printed_by(tmp_path, "rejects", "--singer", rejecting.name).splitlines()
        second = run_target(tmp_path, config, [fix(message) for message in again])
        assert ids(sandbox.leads()) == sorted(f"L{number}" for number in range(23))
    assert (first.code, first.outcomes) == (0, {"read": 3, "loaded": 3})
    assert (second.code, second.outcomes) == (0, {"read": 3, "unchanged": 3})
    assert (first.states, second.states) == ([], []), "the bookmark of the tap stays where it is"


def test_rejects_go_through_the_stream_maps_again(tmp_path: Path) -> None:
    """A stream that a stream map renames: the record comes back under its own name, as read."""
    maps = {"Contact": {"__alias__": "leads", "phone": "phone or fallback", "fallback": "__NULL__"}}
    properties = {**SCHEMA, "fallback": {"type": ["string", "null"]}}
    lines = [schema("Contact", properties), record(1, "Contact", phone=None, fallback="none")]
    with serving() as sandbox:
        config = against(sandbox, stream_maps=maps, max_rejected_percent=100)
        run_target(tmp_path, config, lines)
        finished = replayed(tmp_path, config, lambda message: message.replace('"none"', '"4155550101"'))
        assert [(lead["externId"], lead["leadPhone"]) for lead in sandbox.leads()] == [("L1", "4155550101")]
    assert finished.outcomes == {"read": 1, "loaded": 1}


def test_numbers_of_rejected_records_come_back_digit_by_digit(tmp_path: Path) -> None:
    numbers = {"exact": "12345678901234567890.10", "none": "NaN", "far": "-Infinity"}
    properties = {**SCHEMA, **{name: {"type": "number"} for name in numbers}}
    line = json.dumps(record(1, phone="none"))[:-2] + "".join(f', "{name}": {text}' for name, text in numbers.items())
    config = {**EMBEDDED, "max_rejected_percent": 100}
    run_target(tmp_path, config, [schema("leads", properties), line + "}}"])
    _, message = printed_by(tmp_path, "rejects", "--singer").splitlines()
    told = decode(message.encode())["record"]
    assert told["exact"] == Decimal(numbers["exact"])
    assert [repr(told[name]) for name in ("none", "far")] == ["nan", "-inf"]


def test_a_run_without_rejects_says_which_run_has_some(tmp_path: Path) -> None:
    config = {**EMBEDDED, "max_rejected_percent": 100}
    earlier = run_target(tmp_path, config, [schema(), *REJECTABLE]).run_record["run"]
    newest = run_target(tmp_path, config, [schema(), *records(1)]).run_record["run"]
    done = run_program(ENGAGEVOICE, "rejects", "--singer", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line == f"Run {newest} has rejected nothing. The newest run that has rejects is {earlier}."


# Words


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example(command: str) -> None:
    told = CliRunner().invoke(engagevoice, [command, "--help"]).output
    assert re.search(rf"Examples?:\s[\s\S]*engagevoice {command} ?", told)
