"""What the documents show of the sample is what the programs print today, but for times and names of runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from target_engagevoice.reporting.summary import table_lines
from target_engagevoice.sandbox.lead_counts import table
from tests.support.executable import ENGAGEVOICE, STATE_DIR, TARGET, run_program, start

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ("--config", ROOT / "sample_config.json", "--input", ROOT / "samples" / "salesforce_leads.singer")


def page(name: str) -> str:
    """A document."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """A document's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), flags=re.MULTILINE | re.DOTALL)


def without_times(text: str) -> str:
    """A text with dates, names of runs and durations masked, and no more than one blank where columns were aligned."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\d{8}T\d{6}Z-\w{6}", "RUN", text)
    text = re.sub(r"\b\d+\.\d+\b", "SECONDS", text)
    return re.sub(r" +", " ", text).strip()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sample was loaded into the embedded sandbox."""
    folder = tmp_path_factory.mktemp("sample")
    done = run_program(TARGET, *SAMPLE, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def printed(folder: Path, *arguments: str, **environment: str) -> str:
    """What a command of `engagevoice` prints."""
    done = run_program(ENGAGEVOICE, *arguments, folder=folder, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_the_readme_shows_the_end_of_the_demo(loaded: Path) -> None:
    shown = blocks("README.md", "text")[0]
    assert without_times(table(loaded / STATE_DIR / "sandbox.db")) == without_times(shown)


def test_the_page_shows_the_summary_of_the_sample(loaded: Path) -> None:
    (record,) = (loaded / STATE_DIR / "runs").glob("*.json")
    (shown,) = blocks("docs/after-a-run.md", "text")
    lines: Iterable[str] = table_lines(json.loads(record.read_text(encoding="utf-8")))
    # Which campaign comes first is up to the threads that load.
    assert sorted(line.rstrip() for line in lines if line) == sorted(shown.splitlines())


def test_the_page_shows_what_the_commands_print(loaded: Path) -> None:
    (block,) = blocks("docs/after-a-run.md", "console")
    commands = [part.partition("\n") for part in block.split("$ ")[1:]]
    assert [shlex.split(command)[1] for command, _, _ in commands] == ["runs", "rejects", "report"]
    for command, _, shown in commands:
        output = printed(loaded, *shlex.split(command)[1:], COLUMNS="160")
        for line in without_times(shown).splitlines():
            assert line.rstrip("…").strip() in without_times(output), command


def test_the_readmes_first_run_works(tmp_path: Path) -> None:
    (config,) = blocks("README.md", "json")
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    section = page("README.md").split("\n## First run\n")[1].split("\n## ")[0]
    commands = [shlex.split(line) for line in re.findall(r"^\$ (.+)$", section, flags=re.MULTILINE)]
    assert [command[:2] for command in commands][:3] == [
        ["engagevoice", "check"],
        ["engagevoice", "preview"],
        ["target-engagevoice", "--config"],
    ]
    for program, *arguments in commands:
        done = run_program(TARGET.with_name(program), *arguments, folder=tmp_path)
        assert done.returncode == 0, (program, arguments, done.stderr)


def test_rejects_are_fixed_in_a_pipe_as_the_page_shows(loaded: Path) -> None:
    rejects, fix, load = blocks("docs/outcomes-and-rejects.md", "console")[1].removeprefix("$ ").split(" | ")
    assert shlex.split(rejects) == ["engagevoice", "rejects", "--singer"]
    _, wrong, right, _ = shlex.split(fix)[1].split("/")
    assert shlex.split(load)[0] == TARGET.name
    messages = printed(loaded, *shlex.split(rejects)[1:])
    assert wrong in messages
    (loaded / "config.json").write_bytes((ROOT / "sample_config.json").read_bytes())
    arguments = shlex.split(load)[1:]
    with start(TARGET, *arguments, folder=loaded, environment={}) as process:
        process.communicate(messages.replace(wrong, right).encode(), timeout=60)
    assert process.returncode == 0
    newest = max((loaded / STATE_DIR / "runs").glob("*.json"), key=lambda path: path.stat().st_mtime)
    totals = json.loads(newest.read_text(encoding="utf-8"))["totals"]
    assert (totals["read"], totals["loaded"], totals["rejected"]) == (2, 1, 1)
