"""One PostgreSQL for all processes of a test session: the first that needs it starts it, it ends after the last.

A process of its own holds the server: `python -m tests.support.shared_postgres FOLDER`. All that use the server have a
FIFO open; once none has, killed ones included, the server is stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from tests.support.postgres import Postgres, PostgresError, running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def shared_postgres(folder: Path) -> Iterator[Postgres]:
    """The server of all processes that name the same folder.

    Raises:
        PostgresError: It did not start.
    """
    fifo, where = folder / "postgres-users", folder / "postgres.json"
    with FileLock(folder / "postgres.lock"):
        if not fifo.exists():
            os.mkfifo(fifo)
        if not where.exists():
            where.write_text(_start(folder), encoding="utf-8")
        answer = json.loads(where.read_text(encoding="utf-8"))
        if "error" in answer:
            raise PostgresError(answer["error"])
        using = os.open(fifo, os.O_WRONLY)
    try:
        yield Postgres(**answer)
    finally:
        os.close(using)


def _start(folder: Path) -> str:
    """Start a process that holds a server; what it prints."""
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.support.shared_postgres", folder],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C ends the tests; the server ends after them
    )
    holder.returncode = 0  # no warning that it still runs when this process ends: it is meant to
    assert holder.stdout is not None
    with holder.stdout as stdout:
        return stdout.readline() or json.dumps({"error": "the process that holds PostgreSQL ended at once"})


def hold(folder: Path) -> None:
    """Start a server, print where it is, and stop it once no process uses it."""
    try:
        with running_postgres() as server:
            _print(asdict(server))
            _wait(folder)
    except PostgresError as error:
        _print({"error": str(error)})


def _print(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _wait(folder: Path) -> None:
    """Until no process has the FIFO open for writing; from then on a new user starts a server of its own."""
    users = os.open(folder / "postgres-users", os.O_RDONLY)  # returns once the first has it open
    try:
        while True:
            while os.read(users, 1):
                pass
            with FileLock(folder / "postgres.lock"):
                # Another may have come between the end of the last one and the lock.
                poll = select.poll()
                poll.register(users, select.POLLIN)
                if any(event & select.POLLHUP for _, event in poll.poll(0)):
                    (folder / "postgres.json").unlink(missing_ok=True)
                    return
    finally:
        os.close(users)


if __name__ == "__main__":
    hold(Path(sys.argv[1]))
