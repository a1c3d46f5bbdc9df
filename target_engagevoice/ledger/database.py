"""The ledger's database, and which runs are alive: a lock file next to SQLite, advisory locks in PostgreSQL.

The operating system or the database server drops such a lock when the process that holds it ends, even by a kill. So a
run that has not finished and holds no lock is dead.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from filelock import FileLock, Timeout

from target_engagevoice.database_errors import database_errors_as
from target_engagevoice.errors import LedgerError
from target_engagevoice.private_files import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_WAIT_SECONDS = 5.0
BUSY_WAIT_SECONDS = 30.0


@dataclass
class Database:
    """An engine, and the lock that shows other runs that this one is alive. Owned by its `Ledger`.

    Attributes:
        file_lock: Held while a SQLite ledger is open to write.
        alive: Connection that holds the advisory lock of this run in PostgreSQL.
        one_at_a_time: Held during a transaction where all threads share one connection.
    """

    engine: sa.Engine
    file_lock: FileLock | None = None
    alive: sa.Connection | None = None
    one_at_a_time: AbstractContextManager[Any] = field(default_factory=nullcontext)

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for the kind of database."""
        return self.engine.dialect.name

    @property
    def shared(self) -> bool:
        """Whether other runs may use it at the same time."""
        return self.dialect == "postgresql"

    def show_alive(self, account_id: str, run: str) -> None:
        """Show other runs that this one is alive, until the process ends. A SQLite ledger has its lock file for that.

        Raises:
            LedgerError: The database does not answer.
        """
        if self.shared:
            with _ledger_errors(self.engine, "opened"):
                self.alive = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self.alive.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _key(account_id, run)})

    def check_alive(self) -> None:
        """Check that other runs still see this one as alive. If they do not, they take over its claims.

        Raises:
            LedgerError: The connection that holds the lock is gone.
        """
        if self.alive is not None:
            with _ledger_errors(self.engine, "reached any more"):
                self.alive.execute(sa.text("SELECT 1"))

    def is_dead(self, connection: sa.Connection, account_id: str, run: str) -> bool:
        """Whether a run that has not finished is dead."""
        if not self.shared:
            return True
        key = {"key": _key(account_id, run)}
        # A shared lock: two runs that ask at the same moment must not keep each other from getting it.
        return bool(connection.execute(sa.text("SELECT pg_try_advisory_xact_lock_shared(:key)"), key).scalar())

    @contextmanager
    def transaction(self, what: str) -> Iterator[sa.Connection]:
        """A transaction.

        Args:
            what: What cannot be done with the ledger if it fails, such as `read`.

        Raises:
            LedgerError: The database refused.
        """
        with _ledger_errors(self.engine, what), self.one_at_a_time, self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection, then release the lock file."""
        if self.alive is not None:
            self.alive.close()
        self.engine.dispose()
        if self.file_lock is not None:
            self.file_lock.release()


def open_database(url: str | None, state_dir: Path, *, read_only: bool) -> tuple[Database, bool]:
    """Open the database of a ledger.

    Args:
        url: Any SQLAlchemy URL of SQLite or PostgreSQL; None for SQLite in `state_dir`.
        state_dir: Where the SQLite ledger is.
        read_only: Create and write nothing; a missing file is an empty ledger.

    Returns:
        The database, and whether tables may be created in it.

    Raises:
        LedgerError: It cannot be opened or written, or another run holds it.
    """
    parsed = _parsed(url, state_dir)
    if parsed.get_backend_name() != "sqlite":
        return Database(_postgres(parsed, read_only=read_only)), not read_only
    if parsed.database in (None, "", ":memory:"):
        return Database(_sqlite(parsed, read_only=False), one_at_a_time=threading.RLock()), True
    path = str(parsed.database)
    if read_only:
        missing = not Path(path).exists()
        engine = _sqlite(sa.make_url("sqlite://") if missing else parsed, read_only=not missing)
        return Database(engine, one_at_a_time=threading.RLock()), missing
    lock = _lock(path)
    return Database(_sqlite(parsed, read_only=False), lock), True


def _ledger_errors(engine: sa.Engine, action: str) -> AbstractContextManager[None]:
    """Turn the database's errors into a `LedgerError`."""
    return database_errors_as(LedgerError, "ledger", engine.url, action)


def _parsed(url: str | None, state_dir: Path) -> sa.URL:
    if url is None:
        make_private(state_dir)
        return sa.URL.create("sqlite", database=str(state_dir / "ledger.db"))
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        msg = "ledger_url: not a URL that SQLAlchemy knows; write e.g. postgresql://user@host/database."
        raise LedgerError(msg) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        msg = f"ledger_url: {parsed.get_backend_name()} is not supported; use SQLite or PostgreSQL."
        raise LedgerError(msg)
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _lock(path: str) -> FileLock:
    """The lock file of a SQLite ledger, locked."""
    make_private(Path(path).parent)
    lock = FileLock(f"{path}.lock", timeout=LOCK_WAIT_SECONDS, mode=0o600, thread_local=False)
    try:
        lock.acquire()
        Path(path).touch(mode=0o600)
    except Timeout:
        msg = f"ledger {path} is in use by another run. Wait for it, or give this run another state_dir."
        raise LedgerError(msg) from None
    except OSError as error:
        lock.release()
        msg = f"ledger {path} cannot be written: {error.strerror}. Set state_dir to a folder that can be written."
        raise LedgerError(msg) from error
    return lock


def _postgres(url: sa.URL, *, read_only: bool) -> sa.Engine:
    try:
        options = {"postgresql_readonly": True} if read_only else {}
        # No prepared statements. Their plan is made once, for tables that are still empty, and would later scan them.
        arguments = {"prepare_threshold": None} if url.get_driver_name() == "psycopg" else {}
        return sa.create_engine(
            url,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=60,
            execution_options=options,
            connect_args=arguments,
        )
    except ModuleNotFoundError as error:
        msg = f"ledger_url needs the Python package {error.name}: pip install 'target-engagevoice[postgres]'."
        raise LedgerError(msg) from None


def _sqlite(url: sa.URL, *, read_only: bool) -> sa.Engine:
    # Two connections: one to write, which the account's lock hands from thread to thread, and one to read meanwhile.
    # Each has a page cache of its own, 2 MB, and must read pages again after the other wrote. Last in, first out
    # prefers the connection whose cache is warm.
    pool: dict[str, Any] = {"pool_size": 2, "max_overflow": 0, "pool_use_lifo": True, "pool_timeout": None}
    if read_only or url.database in (None, "", ":memory:"):
        # One connection for all threads. Another one would see another database in memory, and not the temporary tables
        # of a dry run.
        pool = {"poolclass": sa.StaticPool}
    arguments = {"timeout": BUSY_WAIT_SECONDS, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=arguments, **pool)

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            if read_only:
                cursor.execute("PRAGMA query_only=ON")
            else:
                # WAL: threads can read while one writes, and a commit syncs one file. FULL: each commit syncs it, so a
                # claim survives a power cut right after its request was sent.
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute("PRAGMA synchronous=FULL")
                # Debian's SQLite overwrites freed pages with zeros by default, and a run frees the pages of all its
                # batches. FAST overwrites only where that costs no extra write.
                cursor.execute("PRAGMA secure_delete=FAST")
        finally:
            cursor.close()

    return engine


def _key(account_id: str, run: str) -> int:
    """The key of a run's advisory lock in PostgreSQL: 64 bits."""
    return int.from_bytes(hashlib.sha256(f"{account_id}/{run}".encode()).digest()[:8], "big", signed=True)
