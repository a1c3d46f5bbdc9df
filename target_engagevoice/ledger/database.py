"""The database under the ledger, and which runs live: a lock file beside SQLite, advisory locks in PostgreSQL.

Either lock ends with the process that holds it, however that ends: that is what makes a killed run known as one.
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

from target_engagevoice.database_errors import hint
from target_engagevoice.errors import LedgerError
from target_engagevoice.private_files import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_WAIT_SECONDS = 5.0
BUSY_WAIT_SECONDS = 30.0


@dataclass
class Database:
    """An engine, and this run's sign of life in it. Owned by its `Ledger`.

    Attributes:
        dialect: `sqlite` or `postgresql`.
        shared: Whether other runs may write at the same time.
        turn: Held during a transaction, where all threads have but one connection.
    """

    engine: sa.Engine
    file_lock: FileLock | None = None
    pulse: sa.Connection | None = None
    turn: AbstractContextManager[Any] = field(default_factory=nullcontext)

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for the kind of database."""
        return self.engine.dialect.name

    @property
    def shared(self) -> bool:
        """Whether other runs may use it at the same time."""
        return self.dialect == "postgresql"

    def hold(self, account_id: str, run: str) -> None:
        """Show that this run lives, until the process ends. A SQLite ledger needs no more than its lock file.

        Raises:
            LedgerError: The database does not answer.
        """
        if self.shared:
            with explained(self.engine, "opened"):
                self.pulse = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self.pulse.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _key(account_id, run)})

    def check_pulse(self) -> None:
        """Make sure that this run still shows that it lives: otherwise another takes over what it has in flight.

        Raises:
            LedgerError: It does not.
        """
        if self.pulse is not None:
            with explained(self.engine, "reached any more"):
                self.pulse.execute(sa.text("SELECT 1"))

    def is_dead(self, connection: sa.Connection, account_id: str, run: str) -> bool:
        """Whether a run that did not come to its end is no more."""
        if not self.shared:
            return True
        key = {"key": _key(account_id, run)}
        # Shared, so that two runs that look at the same moment do not take each other for the one they look for.
        return bool(connection.execute(sa.text("SELECT pg_try_advisory_xact_lock_shared(:key)"), key).scalar())

    def close(self) -> None:
        """Let go of everything."""
        if self.pulse is not None:
            self.pulse.close()
        self.engine.dispose()
        if self.file_lock is not None:
            self.file_lock.release()


def open_database(url: str | None, state_dir: Path, *, read_only: bool) -> tuple[Database, bool]:
    """Open the database of a ledger.

    Args:
        url: Any SQLAlchemy URL of SQLite or PostgreSQL; None for SQLite in `state_dir`.
        state_dir: Where the SQLite ledger is.
        read_only: Nothing is made or written; a file that is not there is an empty ledger.

    Returns:
        The database, and whether tables may be made in it.

    Raises:
        LedgerError: It can not be opened or written, or another run holds it.
    """
    parsed = _parsed(url, state_dir)
    if parsed.get_backend_name() != "sqlite":
        return Database(_postgres(parsed, read_only=read_only)), not read_only
    if parsed.database in (None, "", ":memory:"):
        return Database(_sqlite(parsed, read_only=False), turn=threading.RLock()), True
    path = str(parsed.database)
    if read_only:
        missing = not Path(path).exists()
        engine = _sqlite(sa.make_url("sqlite://") if missing else parsed, read_only=not missing)
        return Database(engine, turn=threading.RLock()), missing
    lock = _lock(path)
    return Database(_sqlite(parsed, read_only=False), lock), True


@contextmanager
def explained(engine: sa.Engine, what: str) -> Iterator[None]:
    """Turn whatever the database says into an error of ours, without data and without the password.

    Raises:
        LedgerError: The database refused.
    """
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        shown = engine.url.render_as_string(hide_password=True)
        cause = type(error.orig).__name__ if isinstance(error, sa.exc.DBAPIError) else type(error).__name__
        msg = f"ledger {shown} can not be {what}: {cause}{hint(error)}."
        raise LedgerError(msg) from None


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
    """This run's right to the file."""
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
        msg = f"ledger {path} can not be written: {error.strerror}. Set state_dir to a folder that can be written."
        raise LedgerError(msg) from error
    return lock


def _postgres(url: sa.URL, *, read_only: bool) -> sa.Engine:
    try:
        options = {"postgresql_readonly": True} if read_only else {}
        # Planned each time, for tables as large as they are by now: a plan made for empty ones would read all of them.
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
    # A connection holds its own pages, 2 MB, and reads them again when another one wrote. So there is one to write,
    # which takes turns at the ledger's lock, one to read meanwhile, and the warm one goes first.
    pool: dict[str, Any] = {"pool_size": 2, "max_overflow": 0, "pool_use_lifo": True, "pool_timeout": None}
    if read_only or url.database in (None, "", ":memory:"):
        # One for all threads: each would see its own database in memory, or none of the dry run's temporary tables.
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
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute("PRAGMA synchronous=FULL")
                # Debian's SQLite writes zeros over every page that is let go of, and a run lets go of all its batches.
                cursor.execute("PRAGMA secure_delete=FAST")
        finally:
            cursor.close()

    return engine


def _key(account_id: str, run: str) -> int:
    """A run as PostgreSQL's advisory locks know it: 64 bits."""
    return int.from_bytes(hashlib.sha256(f"{account_id}/{run}".encode()).digest()[:8], "big", signed=True)
