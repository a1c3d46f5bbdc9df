"""Meltano in a virtual environment of its own, beside the one of the tests: installed once, kept until that goes."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

MELTANO = "meltano==4.4.1"


def installed_meltano(folder: Path) -> Path:
    """The program, on the Python that runs the tests.

    Args:
        folder: Where to install it, unless the tests run in a virtual environment, which then holds it.
    """
    home = Path(sys.prefix) if sys.prefix != sys.base_prefix else folder
    environment, done = home / MELTANO, home / f"{MELTANO}-is-installed"
    with FileLock(home / "meltano.lock"):
        if not done.exists():
            shutil.rmtree(environment, ignore_errors=True)
            _install(environment)
            done.touch()
    return environment / "bin" / "meltano"


def _install(folder: Path) -> None:
    python = folder / "bin" / "python"
    if importlib.util.find_spec("ensurepip"):
        _must(sys.executable, "-m", "venv", folder)
    else:
        _must(sys.executable, "-m", "venv", "--without-pip", folder)
        _must(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "pip")
    _must(python, "-m", "pip", "install", "--quiet", MELTANO)


def _must(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
