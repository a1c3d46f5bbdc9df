"""`kill -9` under a real Meltano: the loader alone, or Meltano and all it started. Meltano keeps the state."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml

from tests.end_to_end import test_meltano as undisturbed
from tests.support.executable import OUTCOMES, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_engagevoice.sandbox.sandbox import Sandbox
    from tests.support.postgres import Postgres

ROWS = 3000
STATE_EVERY = 100
BATCH_ROWS = 50
CHANGED = 20

STREAM = "public-people"
DATABASE = "disturbed"
FIRST_DAY = datetime(2026, 3, 1, tzinfo=timezone.utc)

TAP = """\
#!/bin/sh
exec "{python}" -c '
from singer_sdk.streams import core
core.Stream.STATE_MSG_FREQUENCY = {often}
from tap_postgres.tap import TapPostgres
TapPostgres.cli()
' "$@"
"""
"""The tap of the registry, with a STATE message after every so many records instead of every 10,000."""

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.meltano,
    pytest.mark.postgres,
    # Meltano and both plugins are installed first.
    pytest.mark.timeout(600),
]


@dataclass(frozen=True)
class Project:
    """A Meltano project, and what is at either end of its pipeline."""

    folder: Path
    program: Path
    environment: Mapping[str, str]
    sandbox: Sandbox
    table: psycopg.Connection[Any]

    def start(self) -> subprocess.Popen[bytes]:
        """Begin a run, in a process group of its own; a run that was killed may still count as running."""
        log = (self.folder / "output.log").open("wb")
        with log:
            return subprocess.Popen(
                [self.program, "run", "--force", "tap-postgres", "target-engagevoice"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What the last run printed."""
        return (self.folder / "output.log").read_text(encoding="utf-8", errors="replace")

    def loads(self) -> int:
        """Loads the sandbox has had so far."""
        return len(self.sandbox.requests("load"))

    def kill(self, loads: int, fault: str, who: Callable[[subprocess.Popen[bytes]], None]) -> int:
        """Let so many loads through, let the next ones hang, kill, and wait until nothing of it runs.

        Returns:
            Meltano's exit code.
        """
        before = self.loads()
        self.sandbox.faults([{"on": "load", "do": fault, "after": loads, "times": None}])
        with self.start() as run:
            try:
                wait_until(lambda: self.loads() > before + loads or run.poll() is not None, 60)
                assert run.poll() is None, self.output
                who(run)
                return run.wait(60)
            finally:
                _end(run)

    def finish(self) -> int:
        """Run undisturbed; the exit code."""
        self.sandbox.faults([])
        with self.start() as run:
            try:
                return run.wait(120)
            finally:
                _end(run)

    def versions(self) -> dict[str, list[str]]:
        """The last names each lead was loaded with, in the order of loading."""
        found: dict[str, list[str]] = {}
        for lead in self.sandbox.leads():
            found.setdefault(lead["externId"], []).append(lead["lastName"])
        return found

    def bookmark(self) -> str | None:
        """As far as Meltano knows that the loader is through."""
        state = subprocess.run(
            [self.program, "state", "get", "sandbox:tap-postgres-to-target-engagevoice"],
            check=True,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        ).stdout
        bookmarks = json.loads(state[state.index("{") :]).get("singer_state", {}).get("bookmarks", {})
        value: str | None = bookmarks.get(STREAM, {}).get("replication_key_value")
        return value

    def missing(self) -> list[int]:
        """Rows that the bookmark is past, and that the server does not hold as they are in the table now."""
        bookmark = self.bookmark()
        if bookmark is None:
            return []
        versions = self.versions()
        rows = self.table.execute("SELECT id, last_name FROM people WHERE updated_at <= %s::timestamptz", (bookmark,))
        return [key for key, name in rows if name not in versions.get(str(key), [])]


@pytest.fixture(scope="module")
def table(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """Three thousand people in a database of their own, each with her own phone and time."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    with psycopg.connect(_url(postgres), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE people (id bigint PRIMARY KEY, last_name text NOT NULL, phone text NOT NULL,"
            " updated_at timestamptz NOT NULL)"
        )
        phones = undisturbed._fictitious_numbers()
        with connection.cursor() as cursor, cursor.copy("COPY people FROM STDIN") as copy:
            for number in range(ROWS):
                copy.write_row((number, "first", next(phones), FIRST_DAY + timedelta(seconds=number)))
        yield connection


@pytest.fixture(scope="module")
def project(
    meltano: Path, postgres: Postgres, table: psycopg.Connection[Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("disturbed")
    definition = yaml.safe_load((undisturbed.ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (extractor,) = definition["plugins"]["extractors"]
    (loader,) = definition["plugins"]["loaders"]
    extractor |= {
        "pip_url": undisturbed.TAP,
        "executable": str(folder / "tap"),
        "select": [f"{STREAM}.*"],
        "metadata": {STREAM: {"replication-method": "INCREMENTAL", "replication-key": "updated_at"}},
    }
    loader["pip_url"] = str(undisturbed.ROOT)
    with serving(search_delay_seconds=0.2) as sandbox:
        (config,) = [environment["config"] for environment in definition["environments"] if "config" in environment]
        config["plugins"]["loaders"][0]["config"] |= {
            "base_url": sandbox.base_url,
            "campaign": "1001",
            "batch_size_rows": BATCH_ROWS,
            "max_in_flight": 3,
            "rate_limits": ["1000/1s"],
            "search_delay_seconds": 0.5,
            "mappings": {STREAM: {"preset": "auto"}},
        }
        (folder / "meltano.yml").write_text(yaml.safe_dump(definition), encoding="utf-8")
        environment = {**undisturbed._environment(postgres), "TAP_POSTGRES_DATABASE": DATABASE}
        tap = folder / "tap"
        python = folder / ".meltano" / "extractors" / "tap-postgres" / "venv" / "bin" / "python"
        tap.write_text(TAP.format(python=python, often=STATE_EVERY), encoding="utf-8")
        tap.chmod(0o755)
        done = subprocess.run(
            [meltano, "install"], check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield Project(folder, meltano, environment, sandbox, table)


def test_after_kills_under_meltano_no_row_is_lost_and_none_is_loaded_twice(project: Project) -> None:
    places = [0]
    kills = itertools.product(("timeout_after", "timeout_before"), (0, 9, 4))
    for turn, (fault, loads) in enumerate(kills):
        code = project.kill(loads, fault, _kill_the_loader)
        assert code not in (0, -signal.SIGKILL), project.output
        places.append(_place(project.bookmark()))
        assert project.missing() == [], "the state is ahead of the server"
        if turn == 3:
            _change_some(project)
    assert project.kill(5, "timeout_after", _kill_all_of_it) == -signal.SIGKILL
    places.append(_place(project.bookmark()))
    assert places == sorted(places)
    assert places[-1] > places[0], "the state moved on although no run came to its end"
    assert project.finish() == 0, project.output

    current = {str(key): name for key, name in project.table.execute("SELECT id, last_name FROM people")}
    versions = project.versions()
    assert versions.keys() == current.keys()
    assert {key: names[-1] for key, names in versions.items()} == current
    assert [key for key, names in versions.items() if len(names) != len(set(names))] == []
    assert Counter(map(len, versions.values()))[1] >= ROWS - CHANGED
    assert _place(project.bookmark()) > ROWS

    # Nothing is left to do.
    loads = project.loads()
    assert project.finish() == 0, project.output
    assert project.loads() == loads
    newest = max((project.folder / ".target-engagevoice" / "runs").glob("*.json"), key=lambda path: path.name)
    totals = json.loads(newest.read_text())["totals"]
    assert {name: totals[name] for name in OUTCOMES if totals[name]} == {"unchanged": totals["read"]}


def _change_some(project: Project) -> None:
    """Some that are loaded and some that are not change, and so come again at the end."""
    changed = project.table.execute(
        "UPDATE people SET last_name = 'second', updated_at = updated_at + interval '1 day' WHERE id %% %s = 7",
        (ROWS // CHANGED,),
    )
    assert changed.rowcount == CHANGED


def _place(bookmark: str | None) -> int:
    """Of how many rows a bookmark says that they are through."""
    if bookmark is None:
        return 0
    time = datetime.fromisoformat(bookmark.replace("Z", "+00:00"))
    return int((time - FIRST_DAY).total_seconds()) + 1


def _kill_the_loader(run: subprocess.Popen[bytes]) -> None:
    (loader,) = [pid for pid in _children(run.pid) if b"target-engagevoice" in _command(pid)]
    os.kill(loader, signal.SIGKILL)


def _kill_all_of_it(run: subprocess.Popen[bytes]) -> None:
    os.killpg(run.pid, signal.SIGKILL)


def _end(run: subprocess.Popen[bytes]) -> None:
    """Leave nothing of a run behind: it has a process group of its own."""
    try:
        os.killpg(run.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    run.wait()


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _url(postgres: Postgres) -> str:
    return f"postgresql://{postgres.user}@{postgres.host}:{postgres.port}/{DATABASE}"
