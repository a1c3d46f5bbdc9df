"""The real executable over real pipes, and the sandbox it talks to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.forked import ROOT, Forked
from tests.support.launcher import VARIABLE
from tests.support.messages import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tests.support.messages import Line

PROGRAMS = Path(sys.executable).parent
TARGET = PROGRAMS / "target-engagevoice"
ENGAGEVOICE = PROGRAMS / "engagevoice"
STATE_DIR = ".target-engagevoice"
"""The default of the setting `state_dir`, below the folder a run is started in."""

OUTCOMES = ("loaded", "updated", "unchanged", "not_inserted", "rejected", "do_not_call", "deleted", "skipped")
EFFORTS = ("requests", "retries", "throttled", "retired", "listed")
PATIENCE_SECONDS = 60.0

EMBEDDED: dict[str, Any] = {"base_url": "sandbox", "api_token": "token-of-the-tests", "campaign": "1001"}
"""The shortest configuration: the run brings its own Engage Voice."""


@dataclass(frozen=True)
class Finished:
    """A run that ended.

    Attributes:
        stderr: Everything logged.
        fed: Whether all of standard input was taken; a pipe that broke was not.
        new_records: The run records that were not there before.
    """

    code: int
    stdout: str
    stderr: str
    folder: Path
    fed: bool
    new_records: tuple[Path, ...]

    @property
    def states(self) -> list[Any]:
        """The STATE lines, parsed: nothing else may stand on standard output."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @cached_property
    def run_record(self) -> dict[str, Any]:
        """The one run record that was written."""
        (path,) = self.new_records
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content

    @property
    def outcomes(self) -> dict[str, int]:
        """`read` and the outcomes that are not zero, in total."""
        totals = self.run_record["totals"]
        return {name: totals[name] for name in ("read", *OUTCOMES) if totals[name]}

    @property
    def per_campaign(self) -> dict[tuple[str, str | None], dict[str, int]]:
        """The same by stream and campaign id."""
        return {
            (stream["stream"], row["campaign_id"]): {name: row[name] for name in ("read", *OUTCOMES) if row[name]}
            for stream in self.run_record["streams"]
            for row in stream["campaigns"]
        }

    @property
    def rejects_file(self) -> Path:
        """Where the rejects of this run are, if there are any."""
        return self.folder / STATE_DIR / "rejects" / f"{self.run_record['run']}.jsonl"

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The rejects file, parsed."""
        if not self.rejects_file.exists():
            return []
        return [json.loads(line) for line in self.rejects_file.read_text(encoding="utf-8").splitlines()]

    @property
    def errors(self) -> list[str]:
        """The lines logged at ERROR, and those of Python's own."""
        return [line for line in self.stderr.splitlines() if " | ERROR " in line or "Traceback" in line]

    @property
    def error(self) -> str:
        """The one line that says what went wrong; it has to be the last one as well."""
        assert len(self.errors) == 1, self.stderr
        assert self.stderr.splitlines()[-1] == self.errors[0], self.stderr
        return self.errors[0].split(" | ", 3)[-1].strip()

    def leads(self, campaign: int | None = None) -> list[dict[str, Any]]:
        """What the embedded sandbox holds."""
        store = self.folder / STATE_DIR / "sandbox.db"
        return Sandbox(store=store).leads(campaign) if store.exists() else []


class Running:
    """A run under way: standard input is open until `finish`."""

    def __init__(self, folder: Path, config: Mapping[str, Any], *arguments: str | Path, **environment: str) -> None:
        self.folder = folder
        (folder / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
        self._before = _run_records(folder)
        self._process = start_target(
            *(arguments or ("--config", "config.json")), folder=folder, environment=environment
        )
        self._stdout, self._stderr = _Pipe(self._process.stdout), _Pipe(self._process.stderr)
        self.fed = True

    @property
    def states(self) -> list[Any]:
        """The STATE lines so far."""
        return [json.loads(line) for line in self._stdout.lines]

    @property
    def stderr(self) -> str:
        """What was logged so far."""
        return "\n".join(self._stderr.lines)

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def write(self, *lines: Line) -> None:
        """Send lines, at once."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            for line in lines:
                stdin.write(encoded(line))
            stdin.flush()
        except BrokenPipeError:
            self.fed = False

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def finish(self) -> Finished:
        """End standard input and wait for the end of the run."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            self.fed = False
        return self.wait()

    def wait(self) -> Finished:
        """Wait for the end of the run, with standard input as it is."""
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        finally:
            self.kill()
        return Finished(
            code=code,
            stdout="".join(f"{line}\n" for line in self._stdout.join()),
            stderr="\n".join(self._stderr.join()),
            folder=self.folder,
            fed=self.fed,
            new_records=tuple(sorted(_run_records(self.folder) - self._before)),
        )

    def kill(self) -> None:
        """End the process, if it still runs, and let go of it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                self.fed = False


@contextmanager
def running(folder: Path, config: Mapping[str, Any], *arguments: str | Path, **environment: str) -> Iterator[Running]:
    """A run to be written to, looked at and signalled."""
    run = Running(folder, config, *arguments, **environment)
    try:
        yield run
    finally:
        run.kill()


def run_target(
    folder: Path, config: Mapping[str, Any], lines: Iterable[Line], *arguments: str | Path, **environment: str
) -> Finished:
    """Run the target to its end.

    Args:
        folder: Where it is started; `config.json` and the state folder are made there.
        config: The content of `config.json`.
        lines: Standard input.
        arguments: The command line, if it is not just `--config config.json`.
        environment: Variables of its environment.
    """
    with running(folder, config, *arguments, **environment) as run:
        run.write(*lines)
        return run.finish()


def inherited() -> dict[str, str]:
    """The variables of this process that are not settings of ours, of the tests or of the terminal they run in."""
    ours = (
        "TARGET_ENGAGEVOICE_",
        "PYTEST_",
        "LOGLEVEL",
        "SINGER_SDK_LOG",
        "PYTHONWARNINGS",
        "COLUMNS",
        "LINES",
        "REAL_STARTS",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def start(
    program: Path, *arguments: str | Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start one of the two executables in an environment that holds nothing of this one's settings."""
    return subprocess.Popen(
        [program, *arguments],
        cwd=folder,
        env={**inherited(), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def start_target(
    *arguments: str | Path,
    folder: Path,
    environment: Mapping[str, str],
    moment: str = "",
    stdout: int | None = None,
) -> subprocess.Popen[bytes] | Forked:
    """Start the target: a fork of a process that has imported it already, unless `REAL_STARTS` is set.

    Args:
        arguments: Its command line.
        folder: Where it is started.
        environment: Variables it has besides those of `inherited`.
        moment: When it kills itself, as text; empty when it does not.
        stdout: Where standard output goes, if not into a pipe.
    """
    whole = {**inherited(), **environment}
    if "REAL_STARTS" not in os.environ:
        return Forked([TARGET, *arguments], folder, whole, moment=moment, stdout=stdout)
    program: list[str | Path] = [TARGET]
    if moment:
        program = [sys.executable, "-m", "tests.support.launcher"]
        whole |= {VARIABLE: moment, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*program, *arguments],
        cwd=folder,
        env=whole,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
    )


def run_program(
    program: Path, *arguments: str | Path, folder: Path, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run one of the two executables, with nothing on standard input, to its end."""
    with start(program, *arguments, folder=folder, environment=environment) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@contextmanager
def serving(*faults: dict[str, Any], **config: Any) -> Iterator[Sandbox]:
    """A sandbox in this process, without rate limits and search delay unless told otherwise."""
    swift = {"search_delay_seconds": 0, "rate_limits": {"load": [], "search": []}}
    with Sandbox(config={"strict_leads": True, **swift, **config}) as sandbox:
        sandbox.faults(list(faults))
        yield sandbox


def against(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    """The configuration of a run against a sandbox of this process."""
    swift = {"search_delay_seconds": 0, "rate_limits": ["1000/1s"], "retry_max_seconds": 20}
    return {**EMBEDDED, **swift, "base_url": sandbox.base_url, **settings}


def wait_until(fact: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a fact to become true; it is an error if it does not."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.01)


def ids(leads: Iterable[Mapping[str, Any]]) -> list[str]:
    """The `externId` of each, sorted: a lead loaded twice stands there twice."""
    return sorted(lead["externId"] for lead in leads)


class _Pipe:
    """Reads what a process prints, line by line, so that it never has to wait for us."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self.lines: list[str] = []
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self) -> list[str]:
        self._thread.join(PATIENCE_SECONDS)
        return self.lines

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self.lines.append(line.decode().rstrip("\n"))


def _run_records(folder: Path) -> set[Path]:
    return set((folder / STATE_DIR / "runs").glob("*.json"))
