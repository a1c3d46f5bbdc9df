"""The files in `.github` and `meltano.yml`, checked against the schemas that `check-jsonschema` brings: no network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"

SCHEMAS: dict[str, list[str]] = {
    "vendor.github-workflows": ["workflows/*.yml"],
    "custom.github-workflows-require-timeout": ["workflows/*.yml"],
    "vendor.dependabot": ["dependabot.yml"],
    "vendor.github-issue-config": ["ISSUE_TEMPLATE/config.yml"],
    "vendor.github-issue-forms": ["ISSUE_TEMPLATE/bug_report.yml", "ISSUE_TEMPLATE/feature_request.yml"],
}


def files(patterns: list[str]) -> list[Path]:
    """The files in `.github` that match, in the order of their names."""
    return sorted({path for pattern in patterns for path in GITHUB.glob(pattern)})


def check(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run `check-jsonschema` on these files."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command: list[str | Path] = [program, "--builtin-schema", schema, *paths]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_files_fit_their_schema(schema: str) -> None:
    paths = files(SCHEMAS[schema])
    assert paths
    done = check(schema, *paths)
    assert done.returncode == 0, done.stdout


def test_every_file_is_checked() -> None:
    checked = {path for patterns in SCHEMAS.values() for path in files(patterns)}
    assert checked == {path for path in GITHUB.rglob("*") if path.is_file()}


def test_a_file_that_does_not_fit_is_found(tmp_path: Path) -> None:
    (tmp_path / "tests.yml").write_text("on: push\njobs:\n  test:\n    runs-on: linux\n    step: []\n")
    assert check("vendor.github-workflows", tmp_path / "tests.yml").returncode == 1


def test_meltano_yml_fits_meltanos_own_schema() -> None:
    done = check("vendor.meltano", ROOT / "meltano.yml")
    assert done.returncode == 0, done.stdout
