"""The wheel and the sdist: what they hold, and that either one installs and runs in a fresh environment."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "target_engagevoice"
IN_THE_SDIST = (
    ".ci/run",
    ".env.example",
    ".github/workflows/tests.yml",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
    "meltano.yml",
    "pyproject.toml",
    "requirements.lock",
    "requirements-dev.lock",
    "sample_config.json",
    "docs/architecture.md",
    "samples/salesforce_leads.singer",
    "scripts/test.py",
    "tests/packaging/test_distributions.py",
)

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.timeout(480),  # installs the dependencies twice, from the package index
]


@dataclass(frozen=True)
class Distributions:
    """Both files, as `python -m build` makes them: the wheel is built from the sdist."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    folder = tmp_path_factory.mktemp("dist")
    must(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Distributions(sdist, wheel)


@pytest.fixture(scope="module")
def metadata(built: Distributions) -> Metadata:
    """The wheel's metadata."""
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions of `requirements.lock` as constraints, which pip does not take with hashes for a built file."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.rstrip(" \\") for line in lines if re.match(r"[\w.-]+==", line)]
    assert len(pins) > 20
    path = tmp_path_factory.mktemp("locked") / "constraints.txt"
    path.write_text("\n".join(pins), encoding="utf-8")
    return path


def must(*command: str | Path) -> str:
    """Run a command that must succeed; gives back what it printed."""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def package_files() -> set[str]:
    """Every file of the package in this checkout, by its path below the checkout."""
    found = (path for path in (ROOT / PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_holds_the_package_and_nothing_else(built: Distributions) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == package_files()
    assert f"{PACKAGE}/py.typed" in names
    assert {Path(name).suffix for name in names} >= {".py", ".html", ".css", ".js", ".svg"}


def test_the_sdist_holds_what_the_tests_and_documents_need(built: Distributions) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= package_files()
    assert names >= set(IN_THE_SDIST)


def test_the_version_is_the_newest_release_of_the_changelog(metadata: Metadata) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", changelog, flags=re.MULTILINE)
    assert releases[0] == ("Unreleased", "")
    assert releases[1][0] == str(metadata.version)
    assert [date.fromisoformat(day) for _, day in releases[1:]]


def test_the_metadata_names_the_interpreters_of_the_test_matrix(metadata: Metadata) -> None:
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    tested = re.findall(r'"(3\.\d+)"', workflow)
    named = [row.rpartition(" ")[2] for row in metadata.classifiers or () if re.search(r":: 3\.\d+$", row)]
    assert tested == named
    assert str(metadata.requires_python) == f">={tested[0]}"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_installs_and_runs_in_a_fresh_environment(
    kind: str, built: Distributions, metadata: Metadata, locked: Path, tmp_path: Path
) -> None:
    environment, distribution = tmp_path / "environment", built.wheel if kind == "wheel" else built.sdist
    must(sys.executable, "-m", "venv", "--without-pip", environment)
    programs = environment / "bin"
    pip = (sys.executable, "-m", "pip", "--python", programs / "python")
    must(*pip, "install", "--quiet", "--no-compile", "--constraint", locked, distribution)
    assert f"target-engagevoice v{metadata.version}," in must(programs / "target-engagevoice", "--version")
    assert "Usage: engagevoice " in must(programs / "engagevoice", "--help")
    assert must(programs / "engagevoice", "--version").strip().endswith(str(metadata.version))
