"""The store of the sandbox: one SQLite file, which several processes may share and a kill does not corrupt.

All writes go through `Store.transaction`: write-ahead log, `BEGIN IMMEDIATE`, commit or roll back. Within a process
all threads share one connection, one at a time: a load takes a few milliseconds, and a lock is simpler than a pool.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from target_engagevoice.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_SECONDS = 30.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS lists (
    list_id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, campaign_id INTEGER NOT NULL,
    description TEXT NOT NULL, state TEXT NOT NULL, duplicate_handling TEXT NOT NULL,
    dial_priority TEXT NOT NULL, time_zone_option TEXT NOT NULL, supplied INTEGER NOT NULL,
    accepted INTEGER NOT NULL, inserted INTEGER NOT NULL, uploaded REAL NOT NULL);
CREATE INDEX IF NOT EXISTS lists_by_campaign ON lists (campaign_id);
CREATE TABLE IF NOT EXISTS leads (
    lead_id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, campaign_id INTEGER NOT NULL,
    list_id INTEGER NOT NULL, extern_id TEXT NOT NULL, phone TEXT NOT NULL, state TEXT NOT NULL,
    suppressed INTEGER NOT NULL DEFAULT 0, passes INTEGER NOT NULL DEFAULT 0, loaded REAL NOT NULL,
    fields TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS leads_by_extern_id ON leads (campaign_id, extern_id);
CREATE INDEX IF NOT EXISTS leads_by_loaded ON leads (loaded);
CREATE TABLE IF NOT EXISTS phones (
    lead_id INTEGER NOT NULL, campaign_id INTEGER NOT NULL, phone TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS phones_by_phone ON phones (campaign_id, phone);
CREATE INDEX IF NOT EXISTS phones_by_lead ON phones (lead_id);
CREATE TABLE IF NOT EXISTS dnc (
    dnc_id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, phone TEXT NOT NULL,
    country TEXT NOT NULL, tag INTEGER, extern_id TEXT, added REAL NOT NULL, UNIQUE (account_id, phone));
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, expires REAL NOT NULL,
    used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS hits (subject TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS hits_by_subject ON hits (subject, at);
CREATE TABLE IF NOT EXISTS penalties (subject TEXT PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    request_id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, at REAL NOT NULL, status INTEGER,
    campaign_id INTEGER, leads INTEGER, path TEXT NOT NULL, fault TEXT);
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'lists', 30000 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'lists');
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'leads', 7000000 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'leads');
"""

LOADS = """
CREATE TABLE loads (
    load_id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, campaign_id INTEGER NOT NULL,
    list_id INTEGER, at REAL NOT NULL, supplied INTEGER NOT NULL, accepted INTEGER NOT NULL,
    inserted INTEGER NOT NULL, rejected INTEGER NOT NULL, duplicates INTEGER, dnc INTEGER);
CREATE INDEX loads_by_campaign ON loads (campaign_id);
CREATE INDEX loads_by_list ON loads (list_id);
INSERT INTO loads (account_id, campaign_id, list_id, at, supplied, accepted, inserted, rejected)
    SELECT account_id, campaign_id, list_id, uploaded, supplied, accepted, inserted, supplied - accepted
    FROM lists ORDER BY list_id;
CREATE INDEX leads_by_list ON leads (list_id, lead_id, state);
ALTER TABLE requests ADD COLUMN method TEXT;
ALTER TABLE requests ADD COLUMN received INTEGER;
ALTER TABLE requests ADD COLUMN answered INTEGER
"""
"""Columns for the page: the counts of each load, and more about each request. Loads before them have no duplicates."""

ARRIVED = "ALTER TABLE leads ADD COLUMN arrived REAL"
"""When a lead was stored by the clock of the sandbox; `loaded` is by the clock of a node, which may differ."""

STEPS = (SCHEMA, LOADS, ARRIVED)
"""The migrations from each version of the schema to the next, starting with an empty file. They are split at `;`."""

SCHEMA_VERSION = len(STEPS)


class Store:
    """The SQLite file behind a sandbox.

    Args:
        path: The file, created `0600` with its missing parents `0700`; None for a private one that is
            deleted with this object.

    Raises:
        StorageError: The file cannot be opened or created.
        ConfigError: The file is not the store of a sandbox.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            directory = tempfile.mkdtemp(prefix="engagevoice-sandbox-")
            weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
            path = Path(directory) / "sandbox.db"
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        _create(path)
        self._prepare()

    def open(self) -> None:
        """Keep one connection open from now on. Without it, each transaction opens its own, which is slower."""
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()

    def close(self) -> None:
        """Close the kept connection. The store stays usable."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: commits at the end, rolls back on an exception.

        Yields:
            The connection, inside `BEGIN IMMEDIATE`.

        Raises:
            sqlite3.OperationalError: Another process held the store for longer than `BUSY_SECONDS`.
        """
        with self._lock:
            connection = self._connection or self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
            finally:
                if connection is not self._connection:
                    connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A snapshot of the store for reading. It does not wait for transactions, and they do not wait for it.

        Yields:
            A separate connection that cannot write.
        """
        connection = self._connect()
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # `transaction` begins and ends the transactions
            check_same_thread=False,  # the lock allows one thread at a time
        )
        try:
            connection.row_factory = sqlite3.Row
            # With a write-ahead log, NORMAL survives a kill. Only a power cut may lose the last load.
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._migrate()
            except sqlite3.OperationalError as error:  # noqa: PERF203 - the loop waits for another process anyway
                # Switching to the write-ahead log fails at once when another process opens the store; the rest waits.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise StorageError(f"the sandbox cannot open its store {self.path}: {error}") from error
                time.sleep(0.02)
            except sqlite3.DatabaseError as error:
                raise ConfigError(
                    f"{self.path} is not the store of a sandbox: name another file, or delete it"
                ) from error
            else:
                return

    def _migrate(self) -> None:
        connection = self._connect()
        try:
            if self._version(connection) == 0:
                connection.execute("PRAGMA synchronous = OFF")  # the file is empty, and this is much faster
                connection.execute("PRAGMA journal_mode = WAL")
            if self._version(connection) == SCHEMA_VERSION:
                return
            connection.execute("BEGIN IMMEDIATE")
            # Read the version again: another process may have migrated the store.
            for step in STEPS[self._version(connection) :]:
                for statement in step.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        finally:
            connection.close()

    def _version(self, connection: sqlite3.Connection) -> int:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not 0 <= version <= SCHEMA_VERSION:
            raise ConfigError(f"{self.path} was written by another version of the sandbox: delete it to start anew")
        return int(version)


def row_id(written: str | None) -> int | None:
    """The id in a path as a number; None if a row cannot have it."""
    digits = 18  # numbers of 18 digits fit into 64 bits
    return int(written) if written and written.isdecimal() and len(written) <= digits else None


def _create(path: Path) -> None:
    try:
        for parent in reversed(path.parents):
            if not parent.exists():
                parent.mkdir(mode=0o700, exist_ok=True)
        # SQLite gives its other files the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        reason = f"the sandbox cannot create its store {path}: {error.strerror}"
        raise StorageError(f"{reason}; choose a directory that can be written to") from error
