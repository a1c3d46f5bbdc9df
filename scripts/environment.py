"""Create `.venv` in the checkout, with this package and its locked dependencies. Only the standard library is used.

The Python that runs this creates it, with the first of these that is available: `venv` with `ensurepip`,
`virtualenv` fetched by `pip`, or `uv`. A `.venv` that is up to date is kept; one of another Python is
replaced.
"""  # noqa: INP001 - scripts are run by their path, not imported as a package

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

RUNTIME_LOCK = ROOT / "requirements.lock"
DEVELOPMENT_LOCK = ROOT / "requirements-dev.lock"
"""Holds everything of `RUNTIME_LOCK` in the same versions, and the development tools."""

OLDEST_PYTHON = (3, 10)


def say(line: str) -> None:
    """Print a step's name at once, ahead of what the step prints itself."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command in the checkout; when it fails, end with its exit code."""
    code = subprocess.call(command, cwd=ROOT, env=env)  # noqa: S603 - the commands are this folder's own
    if code:
        say(f"failed with exit code {code}: {' '.join(map(str, command))}")
        # A command ended by a signal has a negative code; a shell would say 128 and its number.
        raise SystemExit(code if code > 0 else 128 - code)


def prepare(lock: Path) -> None:
    """Make sure that `.venv` holds what the lock file names, and this checkout as the package."""
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise SystemExit(f"this needs Python {wanted} or newer, and {sys.executable} is {sys.version.split()[0]}")
    if not _is_ours():
        _make()
    if _is_installed(lock):
        say(f"== .venv: up to date with {lock.name}")
        return
    say(f"== .venv: install {lock.name} and this package")
    pip = (PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "--requirement", lock)
    run(*pip, "--no-deps", "--editable", ROOT)
    _stamp(lock).write_text(_fingerprint(lock))


def _is_ours() -> bool:
    """Whether `.venv` works and is of the Python that runs this."""
    if not PYTHON.exists():
        return False
    question = "import sys, pip; print(*sys.version_info[:3])"
    answer = subprocess.run([PYTHON, "-c", question], check=False, capture_output=True, text=True)  # noqa: S603 - a fixed command
    return answer.returncode == 0 and answer.stdout.split() == [str(part) for part in sys.version_info[:3]]


def _make() -> None:
    say(f"== .venv: make it with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    uv = shutil.which("uv")
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", VENV)
    elif importlib.util.find_spec("pip"):
        with tempfile.TemporaryDirectory() as folder:
            pip = (sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check")
            run(*pip, "--target", folder, "virtualenv")
            run(sys.executable, "-m", "virtualenv", "--quiet", VENV, env={**os.environ, "PYTHONPATH": folder})
    elif uv:
        run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, VENV)
    else:
        raise SystemExit(
            f"{sys.executable} cannot create a virtual environment: it has neither `ensurepip` nor `pip`, and"
            " there is no `uv`; on Debian and Ubuntu: apt-get install python3-venv"
        )


def _stamp(lock: Path) -> Path:
    return VENV / f"installed-{lock.name}"


def _fingerprint(lock: Path) -> str:
    """What an installation depends on: the locked versions, and the package's own metadata."""
    parts = (lock.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _is_installed(lock: Path) -> bool:
    locks = {lock, DEVELOPMENT_LOCK}
    return any(_stamp(one).is_file() and _stamp(one).read_text() == _fingerprint(one) for one in locks)
