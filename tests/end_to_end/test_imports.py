"""What a process imports, and so how soon it answers: nothing that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from target_engagevoice.__main__ import main as executable
from target_engagevoice.cli.command import COMMANDS
from target_engagevoice.cli.command import main as engagevoice
from target_engagevoice.target import TargetEngageVoice
from tests.support.executable import EMBEDDED, PATIENCE_SECONDS, against, serving
from tests.support.messages import encoded, records, schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import click

WATCHED = """
import atexit, json, sys
from pathlib import Path
before = set(sys.modules)
atexit.register(lambda: Path("imported.json").write_text(json.dumps(sorted(set(sys.modules) - before))))
from {module} import main
main()
"""

TARGET, ENGAGEVOICE = "target_engagevoice.__main__", "target_engagevoice.cli.command"

ONLY_SOME_RUNS_NEED = {
    "flask",
    "jinja2",
    "psycopg",
    "psycopg_pool",
    "redis",
    "rich",
    "sqlalchemy.dialects.postgresql",
    "target_engagevoice.preflight.check",
    "target_engagevoice.preflight.preview",
    "target_engagevoice.reporting.html",
    "target_engagevoice.sandbox",
    "werkzeug",
}


def imported(module: str, *arguments: str, folder: Path, lines: Sequence[Mapping[str, Any]] = ()) -> set[str]:
    """The modules that a process had imported when it ended, without those of a bare Python."""
    program = [sys.executable, "-c", WATCHED.format(module=module), *arguments]
    fed = b"".join(encoded(dict(line)) for line in lines)
    done = subprocess.run(program, cwd=folder, input=fed, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads((folder / "imported.json").read_text()))


def of_a_run(folder: Path, config: Mapping[str, Any]) -> set[str]:
    """The modules of a run that loads three leads."""
    (folder / "config.json").write_text(json.dumps(dict(config)))
    return imported(TARGET, "--config", "config.json", folder=folder, lines=[schema(), *records(3)])


def foreign(modules: set[str]) -> set[str]:
    """The packages among them that do not come with Python."""
    return {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.parametrize("module", [TARGET, ENGAGEVOICE])
def test_help_and_version_need_click_alone(module: str, option: str, tmp_path: Path) -> None:
    assert foreign(imported(module, option, folder=tmp_path)) == {"click", "target_engagevoice"}


def test_a_run_against_a_server_brings_no_server_and_no_other_database(tmp_path: Path) -> None:
    with serving() as sandbox:
        assert ONLY_SOME_RUNS_NEED & of_a_run(tmp_path, against(sandbox)) == set()


def test_a_run_against_the_embedded_sandbox_does_bring_the_server(tmp_path: Path) -> None:
    assert {"flask", "target_engagevoice.sandbox", "werkzeug"} < of_a_run(tmp_path, EMBEDDED)


def shape(option: click.Parameter) -> tuple[Any, ...]:
    """What a user can tell of an option."""
    told = option.to_info_dict()
    return tuple(told.get(key) for key in ("name", "opts", "nargs", "multiple", "is_flag", "help")), option.is_eager


def test_the_executable_has_the_options_of_the_sdk() -> None:
    assert [shape(option) for option in executable.params] == [shape(option) for option in TargetEngageVoice.cli.params]


def test_the_executable_gives_the_help_of_the_sdk_and_then_examples() -> None:
    ours, theirs = (CliRunner().invoke(command, ["--help"]) for command in (executable, TargetEngageVoice.cli))
    assert ours.output.startswith(theirs.output)
    assert ours.output.removeprefix(theirs.output).lstrip().startswith("Examples:\n")


def test_the_executable_tells_the_versions_as_the_sdk_does() -> None:
    ours, theirs = (CliRunner().invoke(command, ["--version"]) for command in (executable, TargetEngageVoice.cli))
    assert ours.output == theirs.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_engagevoice_is_listed_with_its_own_first_line(command: str) -> None:
    told = CliRunner().invoke(engagevoice, [command, "--help"]).output
    assert COMMANDS[command] in [line.strip() for line in told.splitlines()]
