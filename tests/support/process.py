"""The real executable as a process of its own: fed by a thread, watched, and killed without ceremony."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tests.support.executable import PATIENCE_SECONDS, STATE_DIR, TARGET, start, start_target, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from tests.support.forked import Forked
    from tests.support.launcher import Moment

KILLED = -signal.SIGKILL


class Process:
    """One run of the target.

    Args:
        folder: Where it is started; `config.json` is made there.
        config: The content of `config.json`.
        lines: All of standard input, which ends after them unless `keep_open`.
        die_at: When it kills itself; None to leave that to others.
        through: The program that starts the executable, if it is not started directly.
        stdout: Where standard output goes; a pipe that is read when None.

    Attributes:
        stdout: Lines, as far as they came.
        fed: Whether all of standard input was taken.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        lines: Iterable[bytes],
        *,
        die_at: Moment | None = None,
        keep_open: bool = False,
        through: Sequence[str | Path] = (),
        stdout: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (folder / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
        arguments = ("--config", "config.json")
        self._popen: subprocess.Popen[bytes] | Forked = (
            start(Path(through[0]), *through[1:], TARGET, *arguments, folder=folder, environment={})
            if through
            else start_target(
                *arguments,
                folder=folder,
                environment={},
                moment="" if die_at is None else str(die_at),
                stdout=stdout,
            )
        )
        self.fed = False
        self.stdout: list[str] = []
        self._stderr: list[str] = []
        self._lines = list(lines)
        self._keep_open = keep_open
        self._threads = [
            threading.Thread(target=self._feed, daemon=True),
            *(
                threading.Thread(target=_drain, args=(pipe, into), daemon=True)
                for pipe, into in ((self._popen.stdout, self.stdout), (self._popen.stderr, self._stderr))
                if pipe is not None
            ),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.wait()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._popen.pid

    @property
    def states(self) -> list[Any]:
        """The STATE lines so far; the last line counts only when it is whole."""
        return [json.loads(line) for line in list(self.stdout) if line.endswith("\n")]

    @property
    def stderr(self) -> str:
        """What was logged so far."""
        return "".join(self._stderr)

    @property
    def over(self) -> bool:
        """Whether the process has ended."""
        return self._popen.poll() is not None

    def write(self, lines: Iterable[bytes]) -> None:
        """Send more lines, with standard input kept open."""
        assert self._popen.stdin is not None
        self._threads[0].join(PATIENCE_SECONDS)
        try:
            self._popen.stdin.write(b"".join(lines))
            self._popen.stdin.flush()
        except BrokenPipeError:
            self.fed = False

    def finish(self) -> int:
        """End standard input, kept open until now, and wait for the end of the process; its exit code."""
        self._threads[0].join(PATIENCE_SECONDS)
        self._close()
        return self.wait()

    def kill(self) -> None:
        """`kill -9`; harmless when it is dead already."""
        self._popen.kill()

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def kill_when(self, fact: Callable[[], object]) -> None:
        """`kill -9` as soon as a fact is true, or not at all when the process ends before that."""
        wait_until(lambda: self.over or fact(), PATIENCE_SECONDS)
        self.kill()

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for the end of the process; its exit code."""
        try:
            code = self._popen.wait(seconds)
        finally:
            self.kill()
        self._popen.wait()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        if self._keep_open:
            self._close()
        return code

    def _feed(self) -> None:
        assert self._popen.stdin is not None
        try:
            for line in self._lines:
                self._popen.stdin.write(line)
            self._popen.stdin.flush()
            self.fed = True
        except (BrokenPipeError, ValueError):
            self.fed = False
        if not self._keep_open:
            self._close()

    def _close(self) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.close()
        except BrokenPipeError:
            self.fed = False


def run_records(folder: Path) -> list[dict[str, Any]]:
    """The run records in a folder, in the order of the runs."""
    records = [json.loads(path.read_text()) for path in (folder / STATE_DIR / "runs").glob("*.json")]
    return sorted(records, key=lambda record: str(record["started"]))


def rejects(folder: Path) -> list[dict[str, Any]]:
    """Every whole line of every rejects file; a killed run may have left half a line at the end of its own."""
    found = []
    for path in sorted((folder / STATE_DIR / "rejects").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        found += [json.loads(line) for line in lines if line.endswith("\n")]
        assert all(line.endswith("\n") for line in lines[:-1])
    return found


def _drain(pipe: IO[bytes], into: list[str]) -> None:
    with pipe:
        into.extend(line.decode() for line in pipe)


def table_count(ledger: Path, table: str) -> int:
    """How many rows a table of a SQLite ledger has."""
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM engagevoice_{table}").fetchone()  # noqa: S608 - the name comes from a test
        return int(count)
