"""Where a measurement was made: this checkout, this machine, this moment."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_DISTORTING = ("PYTHON", "TARGET_ENGAGEVOICE_", "LOGLEVEL")
"""Prefixes of variables that change what is measured, such as `PYTHONDONTWRITEBYTECODE`: each start would compile."""

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(_DISTORTING)},
    "PYTHONPATH": str(ROOT),
}
"""What a measured process is started with: this checkout comes before an installed one."""


def description() -> str:
    """One line on the processor, its cores and their load, the Python; one on the date and the commit."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}"
    now = datetime.now(tz=timezone.utc)
    return (
        f"{_processor()}, {os.cpu_count()} cores, load {load}; {python}, {system}\n"
        f"{now:%Y-%m-%d %H:%M} UTC, commit {_commit()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
        return subprocess.check_output(command, cwd=ROOT, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
