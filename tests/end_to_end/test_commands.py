"""`engagevoice`, and what `target-engagevoice` says of itself."""

from __future__ import annotations

import json
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_engagevoice.config.table import SETTINGS
from tests.support.executable import (
    EMBEDDED,
    ENGAGEVOICE,
    PATIENCE_SECONDS,
    TARGET,
    against,
    ids,
    run_program,
    run_target,
    serving,
    start,
)
from tests.support.messages import records, schema

if TYPE_CHECKING:
    from pathlib import Path

SCRUB = "INTERNAL_AND_NATIONAL"
CAMPAIGNS = [
    ("501", "Outbound", "PREDICTIVE", "1001", "Renewals", "yes", "SIMPLE", SCRUB),
    ("501", "Outbound", "PREDICTIVE", "1002", "Winback", "yes", "SIMPLE", SCRUB),
    ("501", "Outbound", "PREDICTIVE", "1003", "Dormant", "no", "SIMPLE", SCRUB),
    ("502", "Inbound callbacks", "PREVIEW", "2001", "Callbacks", "yes", "STRATEGIC", SCRUB),
]


def configured(folder: Path, **settings: Any) -> Path:
    """A config file."""
    path = folder / "config.json"
    path.write_text(json.dumps({**EMBEDDED, **settings}))
    return path


def test_campaigns_are_listed_as_a_table(tmp_path: Path) -> None:
    done = run_program(ENGAGEVOICE, "campaigns", "--config", configured(tmp_path), folder=tmp_path)
    heading, *rows, blank, tags = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert heading.split("  ")[0] == "dial group id"
    assert (blank, tags) == ("", "Do-not-call tags: GLOBAL")
    assert len(rows) == len(CAMPAIGNS)
    assert all(all(cell in row for cell in cells) for row, cells in zip(rows, CAMPAIGNS, strict=True))


def test_campaigns_are_listed_as_json(tmp_path: Path) -> None:
    with serving() as sandbox:
        path = configured(tmp_path, **against(sandbox))
        done = run_program(ENGAGEVOICE, "campaigns", "--config", path, "--format", "json", folder=tmp_path)
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert [row.pop("dnc_tags") for row in rows] == [["GLOBAL"]] * len(CAMPAIGNS)
    assert [tuple(row.values()) for row in rows] == CAMPAIGNS


@pytest.mark.parametrize(
    ("settings", "words"), [({"api_token": "wrong-sesame"}, "401"), ({"campain": "x"}, "'campaign'")]
)
def test_campaigns_fails_with_one_line(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = configured(tmp_path, **settings)
    done = run_program(ENGAGEVOICE, "campaigns", "--config", path, folder=tmp_path)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert words in line
    assert "sesame" not in line


def test_a_served_sandbox_says_where_it_is_takes_a_run_and_ends_on_sigterm(tmp_path: Path) -> None:
    with start(ENGAGEVOICE, "sandbox", "--store", "kept.db", folder=tmp_path, environment={}) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().decode().strip()
        finished = run_target(tmp_path, {**EMBEDDED, "base_url": base_url}, [schema(), *records(3)])
        leads = requests.get(f"{base_url.removesuffix('/voice')}/sandbox/leads", timeout=10).json()
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert base_url.startswith("http://127.0.0.1:")
    assert (finished.code, ids(leads)) == (0, ["L0", "L1", "L2"])
    assert (process.returncode, stdout, stderr) == (0, b"", b"")
    assert (tmp_path / "kept.db").stat().st_mode & 0o777 == 0o600


def test_a_sandbox_that_can_not_be_served_fails_with_one_line(tmp_path: Path) -> None:
    with serving() as sandbox:
        port = sandbox.origin.rsplit(":", 1)[1]
        done = run_program(ENGAGEVOICE, "sandbox", "--port", port, folder=tmp_path)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert port in line


def test_about_as_json_holds_every_setting(tmp_path: Path) -> None:
    done = run_program(TARGET, "--about", "--format", "json", folder=tmp_path)
    about = json.loads(done.stdout)
    assert done.returncode == 0
    assert about["name"] == "target-engagevoice"
    assert set(about["settings"]["properties"]) == set(SETTINGS)


def test_about_as_markdown_holds_every_setting(tmp_path: Path) -> None:
    done = run_program(TARGET, "--about", "--format", "markdown", folder=tmp_path)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert [name for name in SETTINGS if not any(line.startswith(f"| {name} ") for line in lines)] == []


@pytest.mark.parametrize("program", [TARGET, ENGAGEVOICE])
def test_the_version_is_told(program: Path, tmp_path: Path) -> None:
    done = run_program(program, "--version", folder=tmp_path)
    assert done.returncode == 0
    assert version("target-engagevoice").encode() in done.stdout


@pytest.mark.parametrize(("program", "word"), [(TARGET, b"--config"), (ENGAGEVOICE, b"campaigns")])
def test_help_is_given(program: Path, word: bytes, tmp_path: Path) -> None:
    done = run_program(program, "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert word in done.stdout
