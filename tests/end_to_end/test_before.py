"""Before a run: what `check`, `preview` and `init` say, and that the run then does it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import signal
import struct
import subprocess
import termios
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.executable import (
    EMBEDDED,
    ENGAGEVOICE,
    PATIENCE_SECONDS,
    STATE_DIR,
    Finished,
    ids,
    run_program,
    run_target,
    start,
)
from tests.support.messages import SAMPLES, encoded, record, records, sample, schema, state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.messages import Line

SOURCES = {"salesforce_leads": "Lead", "hubspot_contacts": "contacts", "postgres_leads": "public-leads"}
ACCOUNT = {name: value for name, value in EMBEDDED.items() if name != "campaign"}
PAGE = SAMPLES.parent / "docs" / "before-a-run.md"
HOSTILE = "\x1b[2Jred\n[bold]"


def configured(folder: Path, **settings: Any) -> Path:
    """A config file."""
    path = folder / "config.json"
    path.write_text(json.dumps({**EMBEDDED, **settings}))
    return path


def preview(
    folder: Path, lines: Sequence[Line], *arguments: str | Path, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Preview these lines out of a pipe."""
    path = configured(folder, **settings)
    with start(ENGAGEVOICE, "preview", "--config", path, *arguments, folder=folder, environment={}) as process:
        stdout, stderr = process.communicate(b"".join(map(encoded, lines)), timeout=PATIENCE_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout.decode(), stderr.decode())


def cells(text: str) -> list[list[str]]:
    """The lines of tables, cut where two blanks are."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


# init


def proposed(folder: Path, source: str, *arguments: str) -> str:
    done = run_program(ENGAGEVOICE, "init", "--from", SAMPLES / f"{source}.singer", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_proposed_loads_into_the_sandbox_unchanged(source: str, tmp_path: Path) -> None:
    as_yaml = yaml.safe_load(proposed(tmp_path, source, "--campaign", "Outbound/Renewals"))
    by_yaml, by_preset = (tmp_path / name for name in ("by_yaml", "by_preset"))
    runs: list[Finished] = []
    for folder, config in (
        (by_yaml, ACCOUNT | as_yaml["plugins"]["loaders"][0]["config"]),
        (by_preset, EMBEDDED | {"mappings": {"Lead": {"preset": "salesforce"}, "contacts": {"preset": "hubspot"}}}),
    ):
        folder.mkdir()
        runs.append(run_target(folder, config, sample(source)))
    assert [(run.code, run.errors) for run in runs] == [(0, [])] * 2
    assert runs[0].outcomes == runs[1].outcomes
    assert runs[0].outcomes["loaded"] > 0
    sent = [
        sorted((lead["fields"] for lead in run.leads(1001)), key=lambda lead: str(lead["externId"])) for run in runs
    ]
    assert sent[0] == sent[1]


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_proposed_is_accepted_by_check(source: str, tmp_path: Path) -> None:
    (tmp_path / "mappings.json").write_text(proposed(tmp_path, source, "--campaign", "1001", "--format", "json"))
    (tmp_path / "config.json").write_text(json.dumps(ACCOUNT))
    files = ("--config", "config.json", "--config", "mappings.json", "--input", SAMPLES / f"{source}.singer")
    done = run_program(ENGAGEVOICE, "check", *files, "--format", "json", folder=tmp_path)
    found = json.loads(done.stdout)
    assert (done.returncode, found["failures"], found["warnings"]) == (0, [], [])
    assert [(stream["stream"], stream["campaign"]) for stream in found["streams"]] == [
        (SOURCES[source], "Outbound/Renewals")
    ]


def test_the_confidence_of_json_is_told_beside_it(tmp_path: Path) -> None:
    done = run_program(
        ENGAGEVOICE, "init", "--from", SAMPLES / "postgres_leads.singer", "--format", "json", folder=tmp_path
    )
    json.loads(done.stdout)
    assert ["mobile_phone, else phone", "leadPhone", "medium"] in [row[:3] for row in cells(done.stderr.decode())]


def test_a_placeholder_is_refused_by_the_run_with_the_campaigns_there_are(tmp_path: Path) -> None:
    mappings = json.loads(proposed(tmp_path, "postgres_leads", "--format", "json"))
    finished = run_target(tmp_path, ACCOUNT | mappings, sample("postgres_leads"))
    assert finished.code == 1
    assert "Outbound/Renewals" in finished.error


def test_what_does_not_speak_singer_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tap.singer").write_text("not json\n")
    done = run_program(ENGAGEVOICE, "init", "--from", "tap.singer", folder=tmp_path)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert "line 1 is not JSON. Everything before it is read." in line


# check


def test_a_check_that_passes_is_followed_by_a_run_that_starts(tmp_path: Path) -> None:
    done = run_program(ENGAGEVOICE, "check", "--config", configured(tmp_path), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"A run would be accepted." in done.stdout
    assert run_target(tmp_path, EMBEDDED, [schema(), *records(1)]).code == 0


def test_a_check_that_fails_shows_every_failure_and_what_to_do(tmp_path: Path) -> None:
    path = configured(tmp_path, campaign="Renewal", phone_format="nationale", max_in_flight=0)
    done = run_program(ENGAGEVOICE, "check", "--config", path, "--format", "json", folder=tmp_path)
    failures = [failure["message"] for failure in json.loads(done.stdout)["failures"]]
    assert done.returncode == 1
    assert [any(words in message for message in failures) for words in ("'Renewals'", "'national'", "at least 1")] == [
        True
    ] * 3


def test_a_config_file_that_can_not_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    done = run_program(ENGAGEVOICE, "check", "--config", "config.json", folder=tmp_path)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert "config.json is not JSON" in line


def test_a_check_leaves_no_secret_on_the_screen(tmp_path: Path) -> None:
    path = configured(tmp_path, api_token="wrong-sesame", retry_max_seconds=1)
    done = run_program(ENGAGEVOICE, "check", "--config", path, folder=tmp_path)
    assert done.returncode == 1
    assert b"sesame" not in done.stdout + done.stderr


def on_a_terminal(folder: Path, columns: int, *arguments: str | Path) -> str:
    """What `engagevoice` shows on a terminal of so many columns."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    size = ("COLUMNS", "LINES", "NO_COLOR")
    environment = {name: value for name, value in os.environ.items() if name not in size} | {"TERM": "xterm"}
    with subprocess.Popen(
        [ENGAGEVOICE, *arguments], cwd=folder, env=environment, stdin=secondary, stdout=secondary, stderr=secondary
    ) as process:
        os.close(secondary)
        shown = b""
        try:
            while block := os.read(primary, 65536):
                shown += block
        except OSError:  # Linux says so when the other end is closed
            pass
        process.wait(PATIENCE_SECONDS)
    os.close(primary)
    assert process.returncode == 0, shown
    return shown.decode()


def without_style(text: str) -> list[str]:
    """The lines of a terminal, without bold."""
    return text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()


def test_on_a_terminal_of_80_columns_the_tables_fit_and_nothing_is_cut(tmp_path: Path) -> None:
    mappings = {"Lead": {"preset": "salesforce", "campaign": "Inbound callbacks/Callbacks"}}
    path = configured(tmp_path, mappings=mappings)
    shown = on_a_terminal(tmp_path, 80, "check", "--config", path)
    lines = without_style(shown)
    assert "\x1b[1m" in shown
    assert max(map(len, lines)) <= 80
    assert "…" not in shown
    for words in ("STRATEGIC", "mon-sun", "08:00-21:00", "MailingPostalCode", "A run would be accepted."):
        assert any(words in line for line in lines), words


def test_on_a_terminal_of_80_columns_a_long_value_is_wrapped_and_a_longer_one_is_said_to_be_cut(tmp_path: Path) -> None:
    mappings = {"leads": {"fields": {"auxData1": "note"}}}
    lines = [schema(), record(1, note="x" * 150), record(2, note="y" * 310)]
    (tmp_path / "tap.singer").write_bytes(b"".join(map(encoded, lines)))
    arguments = ("preview", "--config", configured(tmp_path, mappings=mappings), "--input", "tap.singer")
    shown = on_a_terminal(tmp_path, 80, *arguments)
    assert max(map(len, without_style(shown))) <= 80
    assert (shown.count("x"), shown.count("y")) >= (2 * 150, 2 * 300)
    assert shown.count("… (10") == 2


def test_in_a_pipe_a_check_has_no_style_and_holds_each_campaign_in_one_line(tmp_path: Path) -> None:
    mappings = {"Lead": {"preset": "salesforce", "campaign": "Inbound callbacks/Callbacks"}}
    done = run_program(ENGAGEVOICE, "check", "--config", configured(tmp_path, mappings=mappings), folder=tmp_path)
    shown = done.stdout.decode()
    assert "\x1b" not in shown
    (row,) = [row for row in cells(shown) if row[:1] == ["Inbound callbacks/Callbacks"]]
    assert row[1:] == ["2001", "PREVIEW", "yes", "STRATEGIC", "mon-sun 08:00-21:00"]


# preview


@pytest.fixture(scope="module")
def salesforce(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("preview")
    mappings = {"Lead": {"preset": "salesforce"}}
    return folder, preview(folder, sample("salesforce_leads"), "--limit", "2", mappings=mappings)


def test_a_preview_shows_where_each_value_comes_from(
    salesforce: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = salesforce
    rows = cells(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert ["leadPhone", "MobilePhone", "(415) 555-0151", "4155550151"] in rows
    assert (
        sum(
            line.startswith("Lead ") and line.endswith("to Outbound/Renewals (1001)")
            for line in done.stdout.splitlines()
        )
        == 2
    )


def test_a_preview_counts_what_a_run_would_do(salesforce: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = salesforce
    heading, *_ = [row for row in cells(done.stdout) if row[:1] == ["STREAM"]]
    (row,) = [row for row in cells(done.stdout) if row[:1] == ["Lead"]]
    told = dict(zip(heading[2:], map(int, row[2:]), strict=True))
    ran = run_target(folder, EMBEDDED | {"mappings": {"Lead": {"preset": "salesforce"}}}, sample("salesforce_leads"))
    assert told["TO BE SENT"] == ran.outcomes["loaded"] + ran.outcomes["not_inserted"]
    assert (told["REJECTED"], told["DO NOT CALL"], told["DELETED"], told["SKIPPED"]) == (2, 3, 2, 0)
    assert [ran.outcomes[name] for name in ("rejected", "do_not_call", "deleted")] == [2, 3, 2]


def test_a_preview_shows_an_example_of_each_kind_of_reject(
    salesforce: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = salesforce
    for words in ("missing_phone: 1 record of", "not_a_phone: 1 record of", "for example externId 00Q5e000004kQa4EAA:"):
        assert words in done.stdout


def test_a_preview_sends_nothing_and_writes_nothing(tmp_path: Path) -> None:
    done = preview(tmp_path, [schema(), *records(3), state("x")])
    assert done.returncode == 0
    assert "bookmark" not in done.stdout
    assert sorted(path.name for path in (tmp_path / STATE_DIR).iterdir()) == ["sandbox.db"]
    assert ids(run_target(tmp_path, EMBEDDED, [schema(), *records(3)]).leads()) == ["L0", "L1", "L2"]


def test_a_preview_without_a_sign_in_takes_campaigns_at_their_word(tmp_path: Path) -> None:
    lines = [schema(), *records(2)]
    done = preview(tmp_path, lines, "--offline", base_url=None, api_token=None, campaign="Somewhere")
    assert done.returncode == 0
    assert "Lead 2: stream leads, to campaign 'Somewhere'" in done.stdout
    assert not (tmp_path / STATE_DIR).exists()


def test_a_preview_goes_through_stream_maps(tmp_path: Path) -> None:
    stream_maps = {"leads": {"first_name": "first_name.upper()", "__alias__": "people"}}
    done = preview(tmp_path, [schema(), *records(1)], "--offline", stream_maps=stream_maps)
    assert ["firstName", "first_name", "FIRST0", "FIRST0"] in cells(done.stdout)
    assert "stream people" in done.stdout


def test_what_a_record_holds_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    done = preview(tmp_path, [schema(), record(1, first_name=HOSTILE)], "--offline")
    assert "\x1b" not in done.stdout
    assert "\\x1b[2Jred\\n[bold]" in done.stdout


def test_a_preview_shows_values_on_standard_output_and_none_in_the_log(tmp_path: Path) -> None:
    arguments = ("preview", "--config", configured(tmp_path))
    lines = b"".join(map(encoded, [schema(), record(1), record(2, phone="call Ada"), record(3, id=None)]))
    with start(ENGAGEVOICE, *arguments, folder=tmp_path, environment={"LOGLEVEL": "INFO"}) as process:
        stdout, stderr = process.communicate(lines, timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    for value in (b"First1", b"person1@example.com", b"call Ada", b"First3"):
        assert value in stdout
        assert value not in stderr
    assert b"INFO" in stderr


def test_a_line_that_is_none_ends_a_preview_after_what_came_before_is_shown(tmp_path: Path) -> None:
    done = preview(tmp_path, [schema(), *records(2), "not json"], "--offline")
    assert done.returncode == 1
    assert "Read 2 records" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "line 4 is not JSON. Everything before it is read." in line


def test_more_rejects_than_allowed_are_said_to_end_a_run(tmp_path: Path) -> None:
    done = preview(tmp_path, [schema(), record(1), record(2, phone=None)], "--offline", max_rejected_percent=40)
    assert done.returncode == 0
    assert "exit code 3: 50.0 % are rejected, and max_rejected_percent allows 40 %." in done.stdout


def test_a_reader_that_goes_away_ends_a_preview_quietly(tmp_path: Path) -> None:
    path = configured(tmp_path)
    lines = b"".join(map(encoded, [schema(), *records(500)]))
    arguments = ("preview", "--config", path, "--offline", "--limit", "500")
    with start(ENGAGEVOICE, *arguments, folder=tmp_path, environment={}) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(lines)
        process.stdin.close()
        stderr = process.stderr.read()
        process.wait(PATIENCE_SECONDS)
    assert stderr == b""


def test_an_interrupted_preview_shows_what_it_has(tmp_path: Path) -> None:
    arguments = ("preview", "--config", configured(tmp_path), "--offline")
    with start(ENGAGEVOICE, *arguments, folder=tmp_path, environment={}) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(map(encoded, [schema(), *records(1)])))
        process.stdin.flush()
        while b"externId" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert b"Read 1 record;" in rest
    (line,) = stderr.decode().splitlines()
    assert "SIGINT" in line


def test_a_preview_fails_as_a_run_would_before_it_reads(tmp_path: Path) -> None:
    done = preview(tmp_path, [schema(), *records(1)], campaign="Renewal")
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert "'Renewals'" in line


@pytest.mark.parametrize("command", ["check", "preview", "init", "campaigns", None])
def test_the_help_of_a_command_has_examples(command: str | None, tmp_path: Path) -> None:
    done = run_program(ENGAGEVOICE, *([command] if command else []), "--help", folder=tmp_path)
    _, examples = done.stdout.decode().split("Examples:\n")
    assert done.returncode == 0
    assert all("engagevoice" in line for line in examples.splitlines() if line.strip())


def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (tmp_path / "samples").symlink_to(SAMPLES)
    (tmp_path / "config.json").write_text('{"base_url": "sandbox", "api_token": "any"}')
    commands = [part for block in page.split("```console\n")[1:] for part in block.split("```")[0].split("$ ")[1:]]
    assert len(commands) == 4
    for command in commands:
        line, _, shown = command.partition("\n")
        program, *arguments = shlex.split(line.split(" > ")[0])
        assert program == "engagevoice"
        done = run_program(ENGAGEVOICE, *arguments, folder=tmp_path, COLUMNS="110")
        assert done.returncode == 0, done.stderr
        if " > " in line:
            (tmp_path / line.split(" > ")[1]).write_bytes(done.stdout)
        rest = done.stdout.decode()
        for part in filter(str.strip, shown.split("…\n")):
            _, found, rest = rest.partition(part)
            assert found, part
