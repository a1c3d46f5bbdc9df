"""What each campaign last accepted under each `externId`, and what may be on its way (SQLAlchemy Core).

Written before STATE moves past a record. Noted before a request is sent, so that the next run knows what a killed
one may have loaded.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.dialects import postgresql, sqlite

from target_engagevoice.errors import LedgerError
from target_engagevoice.state_dir import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

SCHEMA_VERSION = 1
LOCK_WAIT_SECONDS = 5.0
BUSY_WAIT_SECONDS = 30.0
LOOK_UP_AT_ONCE = 500

_METADATA = sa.MetaData()

_VERSION = sa.Table("engagevoice_schema", _METADATA, sa.Column("version", sa.Integer, primary_key=True))

_RUNS = sa.Table(
    "engagevoice_runs",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("run", sa.String(64), primary_key=True),
    sa.Column("finished", sa.Boolean, nullable=False),
)

_ACCEPTED = sa.Table(
    "engagevoice_accepted",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("accepted_at", sa.Double, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
)

_IN_FLIGHT = sa.Table(
    "engagevoice_in_flight",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
)

_INSERTS: Mapping[str, Callable[[sa.Table], SqliteInsert | PostgresInsert]] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": postgresql.insert},
)


@dataclass(frozen=True)
class Accepted:
    """What a campaign last accepted under an `externId`.

    Attributes:
        digest: Of the lead's content, see `leads.Lead.digest`.
        at: Epoch seconds on the server's clock, the latest it can have been.
        run: The run that sent it.
        run_finished: Whether that run came to its end.
    """

    digest: str
    at: float
    run: str
    run_finished: bool


@dataclass(frozen=True)
class InFlight:
    """A lead that a run was about to send, or had sent, when it ended.

    Attributes:
        since: Epoch seconds on the server's clock; it was not sent before.
    """

    campaign_id: str
    extern_id: str
    digest: str
    since: float


class Ledger:
    """One account's ledger. Any thread may call it: each call is one transaction, and writes queue at one lock."""

    def __init__(self, engine: sa.Engine, account_id: str, run: str, lock: FileLock | None) -> None:
        self._engine = engine
        self._account_id = account_id
        self._run = run
        self._lock = lock
        self._writing = threading.Lock()

    @classmethod
    def open(cls, url: str | None, state_dir: Path, account_id: str, run: str, *, read_only: bool = False) -> Ledger:
        """Open the ledger, making it when missing.

        Args:
            url: Any SQLAlchemy URL; None for SQLite in `state_dir`.
            state_dir: Where the SQLite ledger is.
            account_id: Whose leads.
            run: The run that writes.
            read_only: For a dry run: nothing is made or written; a ledger that is not there is an empty one.

        Raises:
            LedgerError: It can not be opened or written, is of a newer version, or another run holds it.
        """
        lock: FileLock | None = None
        parsed = _parsed(url, state_dir)
        missing = False
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            lock, missing = _prepare_file(str(parsed.database), read_only=read_only)
        engine = _engine(sa.make_url("sqlite://") if missing else parsed, read_only=read_only and not missing)
        ledger = cls(engine, account_id, run, lock)
        try:
            with ledger._transaction("opened") as connection:
                _check_version(connection, make=missing or not read_only)
                if not read_only:
                    connection.execute(sa.insert(_RUNS).values(account_id=account_id, run=run, finished=False))
        except LedgerError:
            ledger.close()
            raise
        return ledger

    def accepted(self, campaign_id: str, extern_ids: Sequence[str]) -> dict[str, Accepted]:
        """What the campaign last accepted under these ids; an id it never accepted is absent."""
        found: dict[str, Accepted] = {}
        columns = (
            _ACCEPTED.c.extern_id,
            _ACCEPTED.c.digest,
            _ACCEPTED.c.accepted_at,
            _ACCEPTED.c.run,
            _RUNS.c.finished,
        )
        runs = sa.and_(_RUNS.c.account_id == _ACCEPTED.c.account_id, _RUNS.c.run == _ACCEPTED.c.run)
        with self._transaction("read") as connection:
            for start in range(0, len(extern_ids), LOOK_UP_AT_ONCE):
                query = (
                    sa.select(*columns)
                    .select_from(_ACCEPTED.outerjoin(_RUNS, runs))
                    .where(
                        _ACCEPTED.c.account_id == self._account_id,
                        _ACCEPTED.c.campaign_id == campaign_id,
                        _ACCEPTED.c.extern_id.in_(extern_ids[start : start + LOOK_UP_AT_ONCE]),
                    )
                )
                for row in connection.execute(query):
                    found[row.extern_id] = Accepted(row.digest, row.accepted_at, row.run, bool(row.finished))
        return found

    def note(self, campaign_id: str, digests: dict[str, str], since: float) -> None:
        """These leads are about to be sent.

        Args:
            campaign_id: Where to.
            digests: `externId` to digest.
            since: Epoch seconds on the server's clock; the request is not sent before.
        """
        rows = [
            self._key(campaign_id, extern_id) | {"digest": digest, "since": since, "run": self._run}
            for extern_id, digest in digests.items()
        ]
        with self._writing, self._transaction("written") as connection:
            connection.execute(self._upsert(_IN_FLIGHT, ("digest", "since", "run")), rows)

    def settle(self, campaign_id: str, accepted: dict[str, str], cleared: Sequence[str], at: float) -> None:
        """The fate of noted leads is known.

        Args:
            campaign_id: Where they were sent.
            accepted: `externId` to digest of those the server took.
            cleared: `externId` of those it did not take.
            at: Epoch seconds on the server's clock, the latest they can have been loaded.
        """
        rows = [
            self._key(campaign_id, extern_id) | {"digest": digest, "accepted_at": at, "run": self._run}
            for extern_id, digest in accepted.items()
        ]
        over = [*accepted, *cleared]
        with self._writing, self._transaction("written") as connection:
            if rows:
                connection.execute(self._upsert(_ACCEPTED, ("digest", "accepted_at", "run")), rows)
            for start in range(0, len(over), LOOK_UP_AT_ONCE):
                connection.execute(
                    sa.delete(_IN_FLIGHT).where(
                        _IN_FLIGHT.c.account_id == self._account_id,
                        _IN_FLIGHT.c.campaign_id == campaign_id,
                        _IN_FLIGHT.c.extern_id.in_(over[start : start + LOOK_UP_AT_ONCE]),
                    ),
                )

    def in_flight(self) -> list[InFlight]:
        """What earlier runs left without a known fate."""
        query = sa.select(_IN_FLIGHT).where(
            _IN_FLIGHT.c.account_id == self._account_id,
            _IN_FLIGHT.c.run != self._run,
        )
        with self._transaction("read") as connection:
            return [
                InFlight(row.campaign_id, row.extern_id, row.digest, row.since) for row in connection.execute(query)
            ]

    def finish(self) -> None:
        """This run came to its end: STATE covers all it accepted."""
        with self._writing, self._transaction("written") as connection:
            connection.execute(
                sa.update(_RUNS)
                .where(_RUNS.c.account_id == self._account_id, _RUNS.c.run == self._run)
                .values(finished=True),
            )

    def close(self) -> None:
        """Let go of the database and of the right to write it."""
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def _key(self, campaign_id: str, extern_id: str) -> dict[str, Any]:
        return {"account_id": self._account_id, "campaign_id": campaign_id, "extern_id": extern_id}

    def _upsert(self, table: sa.Table, values: tuple[str, ...]) -> SqliteInsert | PostgresInsert:
        insert: SqliteInsert | PostgresInsert = _INSERTS[self._engine.dialect.name](table)
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: insert.excluded[name] for name in values},
        )

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            shown = self._engine.url.render_as_string(hide_password=True)
            cause = type(error.orig).__name__ if isinstance(error, sa.exc.DBAPIError) else type(error).__name__
            msg = f"ledger {shown} can not be {what}: {cause}{_hint(error)}."
            raise LedgerError(msg) from None


def _parsed(url: str | None, state_dir: Path) -> sa.URL:
    if url is None:
        make_private(state_dir)
        return sa.URL.create("sqlite", database=str(state_dir / "ledger.db"))
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        msg = "ledger_url: not a URL that SQLAlchemy knows; write e.g. postgresql+psycopg://user@host/database."
        raise LedgerError(msg) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        msg = f"ledger_url: {parsed.get_backend_name()} is not supported; use SQLite or PostgreSQL."
        raise LedgerError(msg)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _prepare_file(path: str, *, read_only: bool) -> tuple[FileLock | None, bool]:
    """The run's right to this file, and whether the file is missing. The lock ends with the process, in any way."""
    file = Path(path)
    if read_only:
        return None, not file.exists()
    make_private(file.parent)
    lock = FileLock(f"{path}.lock", timeout=LOCK_WAIT_SECONDS, mode=0o600)
    try:
        lock.acquire()
        file.touch(mode=0o600)
    except Timeout:
        msg = f"ledger {path} is in use by another run. Wait for it, or give this run another state_dir."
        raise LedgerError(msg) from None
    except OSError as error:
        lock.release()
        msg = f"ledger {path} can not be written: {error.strerror}. Set state_dir to a folder that can be written."
        raise LedgerError(msg) from error
    return lock, False


def _engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        try:
            return sa.create_engine(url, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            msg = f"ledger_url needs the Python package {error.name}: pip install 'target-engagevoice[postgres]'."
            raise LedgerError(msg) from None
    in_memory: dict[str, Any] = {}
    if url.database in (None, "", ":memory:"):
        in_memory = {"poolclass": sa.StaticPool}  # one connection for all threads: each would see its own database
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_WAIT_SECONDS, "check_same_thread": False}, **in_memory)

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    return engine


def _check_version(connection: sa.Connection, *, make: bool) -> None:
    exists = sa.inspect(connection).has_table(_VERSION.name)
    version = connection.execute(sa.select(sa.func.max(_VERSION.c.version))).scalar() if exists else None
    if version is not None and version > SCHEMA_VERSION:
        msg = (
            f"the ledger is of schema version {version}, this program knows {SCHEMA_VERSION}: it was written by a "
            "newer version. Upgrade target-engagevoice."
        )
        raise LedgerError(msg)
    if version is None and make:
        _METADATA.create_all(connection)
        connection.execute(sa.insert(_VERSION).values(version=SCHEMA_VERSION))


def _hint(error: sa.exc.SQLAlchemyError) -> str:
    """The database's own word for the trouble where it can hold no data: SQLite's messages name tables and states."""
    text = str(getattr(error, "orig", "")).casefold()
    hints = {
        "readonly": "it is read-only",
        "locked": "it is locked by another program",
        "full": "the disk is full",
        "unable to open": "it can not be opened",
        "not a database": "the file is not a database",
        "malformed": "the file is damaged",
        "refused": "the database server does not answer",
        "authentication": "the database server refuses the user",
    }
    return next((f" ({words})" for sign, words in hints.items() if sign in text), "")
