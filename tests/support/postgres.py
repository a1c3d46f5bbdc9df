"""A real, private PostgreSQL server on a free loopback port, gone when the block ends."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
USER = "engagevoice"
DBNAME = "engagevoice"

START_SECONDS = 60
STOP_SECONDS = 30
PORT_TRIES = 5

DEBIAN_VERSIONS = Path("/usr/lib/postgresql")
"""Debian keeps `initdb` and `postgres` out of PATH, in one folder a major version."""

MISSING = (
    "this test starts a real PostgreSQL server, but its programs `initdb` and `postgres` are neither in PATH"
    " nor in /usr/lib/postgresql/*/bin; install Debian's package `postgresql`: apt-get install postgresql"
)


class PostgresError(Exception):
    """PostgreSQL is not installed or did not start; the message holds what it said."""


@dataclass(frozen=True)
class Postgres:
    """Where a running server is reached; it asks for no password."""

    host: str
    port: int
    user: str
    dbname: str

    @property
    def url(self) -> str:
        """For libpq and psycopg."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.dbname}"

    @property
    def sqlalchemy_url(self) -> str:
        """For SQLAlchemy, which before version 2.1 takes the plain form for another driver than psycopg."""
        return self.url.replace("postgresql:", "postgresql+psycopg:", 1)

    def new_database(self) -> Postgres:
        """One more database, empty, for a test of its own."""
        dbname = f"{self.dbname}_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {dbname}")
        return replace(self, dbname=dbname)


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server with one empty database; stop it and remove its files at the end of the block."""
    binaries = find_binaries()
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="engagevoice-postgres-"))
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        _initialise(binaries, folder, account)
        with _serving(binaries, folder, account) as port:
            with _connect(port) as connection:
                connection.execute(f"CREATE DATABASE {DBNAME}")
            yield Postgres(HOST, port, USER, DBNAME)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries(path: str | None = None, versions: Path = DEBIAN_VERSIONS) -> Path:
    """The folder of `initdb` and `postgres`: where PATH leads to, else the newest of Debian's.

    Links are followed to the end, since `initdb` looks for the server and its files beside itself.
    """
    found = shutil.which("initdb", path=path)
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(versions.glob("*/bin"), key=_version, reverse=True)
    for folder in folders:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    raise PostgresError(MISSING)


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", folder.parent.name))


def _account() -> pwd.struct_passwd | None:
    """Whose rights the server gets instead of root's, which it refuses; None: those of this process."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresError("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`")


def _process(folder: Path, account: pwd.struct_passwd | None) -> dict[str, Any]:
    """How both programs are started: nothing of this process's settings reaches them."""
    process: dict[str, Any] = {
        "cwd": folder,
        "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        "stdin": subprocess.DEVNULL,
        "stderr": subprocess.STDOUT,
    }
    if account is not None:
        process |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return process


def _initialise(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        [binaries / "initdb", f"--pgdata={folder / 'data'}", f"--username={USER}", *options],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        **_process(folder, account),
    )
    if done.returncode:
        raise PostgresError(f"initdb failed with exit code {done.returncode}:\n{done.stdout}")


@contextlib.contextmanager
def _serving(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> Iterator[int]:
    """Run `postgres`; another port is tried when somebody else takes the free one first."""
    log = folder / "postgres.log"
    said = ""
    for _ in range(PORT_TRIES):
        port = _free_port()
        options = {
            # A socket file's path would be too long in a deep temporary folder.
            "unix_socket_directories": "",
            # The data is thrown away at the end: it need not survive a power cut.
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
        }
        with log.open("wb") as out:
            server = subprocess.Popen(
                [
                    binaries / "postgres",
                    *("-D", folder / "data", "-h", HOST, "-p", str(port)),
                    *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
                ],
                stdout=out,
                **_process(folder, account),
            )
        try:
            if _answers(server, port):
                yield port
                return
        finally:
            _stop(server)
        said = log.read_text(errors="replace")
        if "Address already in use" not in said:
            break
    raise PostgresError(f"postgres did not start:\n{said}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _connect(port: int) -> psycopg.Connection[Any]:
    return psycopg.connect(f"postgresql://{USER}@{HOST}:{port}/postgres", connect_timeout=5, autocommit=True)


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server takes connections; false when it ends before that, or never does."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            _connect(port).close()
            return True
        time.sleep(0.05)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the sessions, not wait for them: SIGINT is PostgreSQL's fast shutdown."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
