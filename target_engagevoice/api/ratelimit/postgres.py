"""One account's quota shared by several processes, in PostgreSQL (setting `rate_limit_store`).

The table `engagevoice_quotas` has one row for each account and host. It holds the slots that still count (column
`places`), the share of the windows that is used since the last 429, and until when all processes pause. A process that
wants a slot locks the row, reads it, asks `SlidingWindows`, and writes it back, all in one transaction: two processes
that ask at once get their answers one after the other. Time is the database's, read under the lock, so the clocks of
the machines do not matter. The row keeps no more slots than the longest window allows; it does not grow. It covers
loads only: each process paces the lead search by itself.

Why not the `PostgresBucket` of `pyrate-limiter`: in version 4.5 it reads the clock in another transaction than the one
that takes the slot, so a slot may be stamped earlier than its request is sent; it refuses a process that comes while
another holds its table lock, without saying when to come again; it keeps times without a zone, which daylight saving
shifts by an hour; it logs a traceback and continues with the machine's clock when the database is gone; its table
keeps every slot until something removes it; and neither a 429 nor a pause reaches the other processes.

When the database fails in the middle of a run, nothing is sent while it is asked again for `PATIENCE_SECONDS`. Then the
run ends, with STATE where it was. A run that continued alone would use a quota that the others use as well.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from target_engagevoice.api.ratelimit.share import Share
from target_engagevoice.api.ratelimit.windows import SlidingWindows, Turn
from target_engagevoice.database_errors import database_errors_as
from target_engagevoice.errors import ConfigError, QuotaError
from target_engagevoice.logger import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_engagevoice.api.ratelimit.windows import InUse, Window
    from target_engagevoice.clock import Clock

PATIENCE_SECONDS = 30.0
"""A database that restarts, or fails over to another, is back by then."""

RETRY_SECONDS = 1.0

NEGLIGIBLE_SECONDS = 0.02
"""A request that is sent no later than this after its slot was taken is not worth a transaction."""

CONNECT_SECONDS = 5
ANSWER_MILLISECONDS = 10_000
"""How long one statement may take, with the wait for the row, and how long a packet may stay unanswered."""

EXAMPLE = "postgresql://user:password@host/database"

_QUOTAS = sa.Table(
    "engagevoice_quotas",
    sa.MetaData(),
    sa.Column("quota", sa.Text, primary_key=True),
    sa.Column("places", ARRAY(sa.BigInteger), nullable=False),
    sa.Column("low", sa.Double, nullable=False),
    sa.Column("peak", sa.Double, nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("margin", sa.Double, nullable=False),
    sa.Column("not_before", sa.Double, nullable=False),
)
_SHARE = (_QUOTAS.c.low, _QUOTAS.c.peak, _QUOTAS.c.since, _QUOTAS.c.margin, _QUOTAS.c.not_before)
_UNUSED = Share()
_MAKING = "SELECT pg_advisory_xact_lock(4711199901)"  # two processes may be the first at once
_IN_TIME = sa.text(f"SET LOCAL statement_timeout = {ANSWER_MILLISECONDS}")
_NOW = sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()).cast(sa.Double))


class SharedQuota:
    """Counts what every process with the same store sends to one account. Any thread may call it.

    Its lock guards the time since when the database does not answer, and keeps the process to one connection. What the
    row held last is replaced whole by the thread that has the lock, and read without the lock.

    Args:
        engine: To a PostgreSQL that has the table.
        quota: The row: host and account.
        windows: What the server allows. Every process that shares the row needs the same.
        margin: Seconds that each window is kept longer.
        clock: Measures how long the database has not answered.
    """

    def __init__(self, engine: sa.Engine, quota: str, windows: Sequence[Window], margin: float, clock: Clock) -> None:
        self._engine = engine
        self._shown_url = engine.url.set(query={})
        self._quota = quota
        self._windows = windows
        self._margin = margin
        self._clock = clock
        self._silent_since: float | None = None
        self._seen: tuple[list[int], float] = ([], 0.0)  # slots, and the seconds that the database's clock is ahead
        self._lock = threading.Lock()

    @classmethod
    def open(cls, url: str, quota: str, windows: Sequence[Window], margin: float, clock: Clock) -> SharedQuota:
        """Connect to the store, and create its table and the account's row where they are missing.

        Args:
            url: Of a PostgreSQL database.
            quota: Host and account, such as `ringcx.ringcentral.com 99990001`.
            windows: What the server allows.
            margin: Seconds that each window is kept longer.
            clock: Time.

        Raises:
            ConfigError: The URL cannot be read, or the driver is not installed.
            QuotaError: The database does not answer or refuses.
        """
        shared = cls(_engine(url), quota, windows, margin, clock)
        try:
            with shared._as_quota_error("opened"), shared._engine.begin() as connection:
                connection.execute(sa.text(_MAKING))
                _QUOTAS.metadata.create_all(connection)
                row = {"quota": quota, "places": [], **vars(_UNUSED)}
                connection.execute(insert(_QUOTAS).values(row).on_conflict_do_nothing())
        except QuotaError:
            shared.close()
            raise
        return shared

    def take(self) -> Turn:
        """Take a slot now, if one is free.

        Returns:
            The turn. While the database has been silent for less than `PATIENCE_SECONDS`, a turn that says to ask
            again.

        Raises:
            QuotaError: The database has not answered for longer.
        """
        with self._lock:
            try:
                with self._as_quota_error("reached any more"), self._row() as (windows, now):
                    turn = windows.take(now)
            except QuotaError:
                silent_since = self._silent_since or self._clock.monotonic()
                self._silent_since = silent_since
                if self._clock.monotonic() - silent_since >= PATIENCE_SECONDS:
                    raise
                return Turn(0.0, RETRY_SECONDS)
            self._silent_since = None
            return turn

    def move(self, at: float, late: float) -> None:
        """Make the slot that was taken at `at` count from `late` seconds later.

        A delay within `NEGLIGIBLE_SECONDS` is not written, nor one while the database does not answer: the margin of
        the windows covers it.
        """
        if late <= NEGLIGIBLE_SECONDS:
            return
        with suppress(QuotaError), self._lock, self._as_quota_error("written"), self._row() as (windows, _):
            windows.move(at, late)

    def pause(self, seconds: float) -> None:
        """Let no request of any process through for so many seconds.

        Raises:
            QuotaError: The database does not answer.
        """
        with self._lock, self._as_quota_error("written"), self._row() as (windows, now):
            windows.share = windows.share.paused(now + seconds)

    def throttled(self, at: float, seconds: float) -> None:
        """Make all processes wait: the server answered 429 to the request of this slot, with so many seconds to wait.

        A database that does not answer raises nothing here: the next `take` waits for it.
        """
        with suppress(QuotaError), self._lock, self._as_quota_error("written"), self._row() as (windows, now):
            windows.throttled(at, now + seconds)

    def in_use(self) -> tuple[InUse, ...]:
        """How much of each window all processes had taken when this one asked last, less what has expired since."""
        stamps, ahead = self._seen
        return SlidingWindows(self._windows, self._margin, stamps).in_use(self._clock.monotonic() + ahead)

    def close(self) -> None:
        """Close the connection to the database."""
        self._engine.dispose()

    @contextmanager
    def _row(self) -> Iterator[tuple[SlidingWindows, float]]:
        """The account's windows and the database's time, with the row locked. Changes to the windows are saved."""
        this = _QUOTAS.c.quota == self._quota
        with self._engine.begin() as connection:
            connection.execute(_IN_TIME)
            stamps, *share = connection.execute(
                sa.select(_QUOTAS.c.places, *_SHARE).where(this).with_for_update()
            ).one()
            now: float = connection.execute(_NOW).scalar_one()  # not in the same statement: it may wait for the lock
            windows = SlidingWindows(self._windows, self._margin, _not_ahead(stamps, now), Share(*share))
            yield windows, now
            self._seen = windows.stamps, now - self._clock.monotonic()
            after = {"places": windows.stamps, **vars(windows.share)}
            if after != {"places": stamps, **vars(Share(*share))}:
                connection.execute(sa.update(_QUOTAS).where(this).values(after))

    def _as_quota_error(self, action: str) -> AbstractContextManager[None]:
        """Turn the database's errors into a `QuotaError`."""
        return database_errors_as(QuotaError, "rate_limit_store", self._shown_url, action)


def _not_ahead(stamps: list[int], now: float) -> list[int]:
    """The slots without those in the future, which exist only when the database's clock was set back."""
    return [stamp for stamp in stamps if stamp <= (now + 1) * 1_000_000]


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        msg = f"rate_limit_store: not a URL; write {EXAMPLE}."
        raise ConfigError(msg) from None
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": ANSWER_MILLISECONDS,
        "application_name": NAME,
    }
    try:
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=1, connect_args=arguments
        )
    except ModuleNotFoundError as error:
        msg = f"rate_limit_store needs the Python package {error.name}: pip install 'target-engagevoice[postgres]'."
        raise ConfigError(msg) from None
