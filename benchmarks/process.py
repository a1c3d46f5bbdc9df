"""A whole process, and what it cost: processor time, wall time, memory."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

_KIB = 1024


class RunFailedError(Exception):
    """A measured process did not do its work, so that its measure means nothing."""


@dataclass(frozen=True)
class Spent:
    """What a process used from its start to its end.

    Attributes:
        cpu: Seconds of processor time, user's and system's, of all its threads and of its children.
        wall: Seconds.
        memory: The most bytes of memory it held at once.
        started: When it was started, in monotonic seconds.
    """

    cpu: float
    wall: float
    memory: int
    started: float


def run(command: Sequence[str | Path], *, folder: Path, stdin: Path | None = None) -> Spent:
    """Run a command to its end in this folder, which also gets its `stdout` and `stderr`.

    Linux lets a new process's peak of memory begin with that of the process it is forked from: the caller must be
    small.

    Args:
        command: A program and its arguments.
        folder: Where it runs.
        stdin: What it reads; nothing when None.

    Raises:
        RunFailedError: Its exit code is not 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (stdin or Path(os.devnull)).open("rb") as source,
        (folder / "stdout").open("wb") as out,
        (folder / "stderr").open("wb") as log,
    ):
        started = time.monotonic()
        popen = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdin=source, stdout=out, stderr=log)
        _, status, usage = os.wait4(popen.pid, 0)
        wall = time.monotonic() - started
    popen.returncode = os.waitstatus_to_exitcode(status)
    if popen.returncode:
        last = (folder / "stderr").read_text(encoding="utf-8", errors="replace")[-2000:]
        msg = f"{' '.join(map(str, command))} ended with exit code {popen.returncode}:\n{last}"
        raise RunFailedError(msg)
    return Spent(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * _KIB, started)
