"""One account's quota shared by several processes, in PostgreSQL (setting `rate_limit_store`).

One row an account and host of the table `engagevoice_quotas` holds the places that still count, what is used of the
windows since the last 429, and until when everybody pauses. Whoever wants a place locks the row, reads it, asks
`SlidingWindows`, and writes it back, all in one transaction: two that ask at once are told one after the other. Time is
the database's, read under the lock, so that the clocks of the machines do not matter. The row keeps no more
places than the longest window allows; it does not grow. Loads only: the lead search is paced by each process.

Why not `pyrate-limiter`'s own `PostgresBucket` (only its windows are used here, through `SlidingWindows`): in version
4.5 it reads the clock in another transaction than the one that takes the place, so that a place may be stamped earlier
than its request leaves; it turns down whoever comes while another holds its table lock, without a time to come again;
it keeps times without a zone, which daylight saving shifts by an hour; it logs a traceback and goes on
with the machine's clock when the database is gone; its table keeps every place until somebody removes it; and neither a
429 nor a pause reaches the others.

What happens when the database dies in the middle: nothing is sent while it is asked again for `PATIENCE_SECONDS`;
then the run ends, with STATE where it was. Going on alone would be on a quota that the others use as well.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from target_engagevoice.api.ratelimit.share import Share
from target_engagevoice.api.ratelimit.windows import SlidingWindows, Turn
from target_engagevoice.database_errors import hint
from target_engagevoice.errors import ConfigError, QuotaError
from target_engagevoice.logger import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_engagevoice.api.ratelimit.windows import InUse, Window
    from target_engagevoice.clock import Clock

PATIENCE_SECONDS = 30.0
"""A database that is started anew, or hands over to another, is back by then."""

RETRY_SECONDS = 1.0

UNNOTICED_SECONDS = 0.02
"""A request that leaves no later than that after its place was taken is not worth a transaction."""

CONNECT_SECONDS = 5
ANSWER_MILLISECONDS = 10_000
"""How long one statement, the wait for the row included, and an unanswered packet may take."""

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
_MAKING = "SELECT pg_advisory_xact_lock(4711199901)"  # two may come first at once
_IN_TIME = sa.text(f"SET LOCAL statement_timeout = {ANSWER_MILLISECONDS}")
_NOW = sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()).cast(sa.Double))


class SharedQuota:
    """Counts what every process with the same store sends to one account. Any thread may call it.

    Its lock guards the time since when the database does not answer, and keeps to one connection a process. What the
    row held last is replaced whole, by whoever has the lock, and read without it.

    Args:
        engine: To a PostgreSQL that has the table.
        quota: The row: host and account.
        windows: What the server allows. Every process that shares the row has to be given the same.
        margin: Seconds that each window is kept longer.
        clock: For the patience with a database that does not answer.
    """

    def __init__(self, engine: sa.Engine, quota: str, windows: Sequence[Window], margin: float, clock: Clock) -> None:
        self._engine = engine
        self._quota = quota
        self._windows = windows
        self._margin = margin
        self._clock = clock
        self._silent_since: float | None = None
        self._seen: tuple[list[int], float] = ([], 0.0)  # places, and how far the database's clock is ahead of ours
        self._lock = threading.Lock()

    @classmethod
    def open(cls, url: str, quota: str, windows: Sequence[Window], margin: float, clock: Clock) -> SharedQuota:
        """Reach the store, and make its table and the account's row where they are missing.

        Args:
            url: Of a PostgreSQL database.
            quota: Host and account, such as `ringcx.ringcentral.com 99990001`.
            windows: What the server allows.
            margin: Seconds that each window is kept longer.
            clock: Time.

        Raises:
            ConfigError: The URL can not be read, or the driver is not installed.
            QuotaError: The database does not answer or refuses.
        """
        shared = cls(_engine(url), quota, windows, margin, clock)
        try:
            with shared._explained("opened"), shared._engine.begin() as connection:
                connection.execute(sa.text(_MAKING))
                _QUOTAS.metadata.create_all(connection)
                row = {"quota": quota, "places": [], **vars(_UNUSED)}
                connection.execute(insert(_QUOTAS).values(row).on_conflict_do_nothing())
        except QuotaError:
            shared.close()
            raise
        return shared

    def take(self) -> Turn:
        """Take a place now, if there is one.

        Returns:
            The turn; for `PATIENCE_SECONDS` after the database fell silent, that it is to be asked again.

        Raises:
            QuotaError: It has been silent for longer.
        """
        with self._lock:
            try:
                with self._explained("reached any more"), self._row() as (windows, now):
                    turn = windows.take(now)
            except QuotaError:
                silent_since = self._silent_since or self._clock.monotonic()
                self._silent_since = silent_since
                if self._clock.monotonic() - silent_since >= PATIENCE_SECONDS:
                    raise
                return Turn(0.0, RETRY_SECONDS)
            self._silent_since = None
            return turn

    def left(self, place: float, late: float) -> None:
        """The request of this place left so many seconds later than it was taken.

        What is within `UNNOTICED_SECONDS`, or can not be told to a database that does not answer, is left to the
        margin.
        """
        if late <= UNNOTICED_SECONDS:
            return
        with suppress(QuotaError), self._lock, self._explained("written"), self._row() as (windows, _):
            windows.left(place, late)

    def pause(self, seconds: float) -> None:
        """Let nothing of any process through for so long.

        Raises:
            QuotaError: The database does not answer.
        """
        with self._lock, self._explained("written"), self._row() as (windows, now):
            windows.share = windows.share.paused(now + seconds)

    def throttled(self, place: float, seconds: float) -> None:
        """The server said 429 to the request of this place, and to wait for so long: that goes for all.

        A database that does not answer is left to the next `take`, which is patient.
        """
        with suppress(QuotaError), self._lock, self._explained("written"), self._row() as (windows, now):
            windows.throttled(place, now + seconds)

    def in_use(self) -> tuple[InUse, ...]:
        """What was taken of each window, by all, when this process asked last, less what has run out since."""
        stamps, ahead = self._seen
        return SlidingWindows(self._windows, self._margin, stamps).in_use(self._clock.monotonic() + ahead)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _row(self) -> Iterator[tuple[SlidingWindows, float]]:
        """The account's windows and the database's time, with the row locked; what becomes of it is written back."""
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

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn whatever the database says into an error of ours, without the password."""
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            shown = self._engine.url.set(query={}).render_as_string(hide_password=True)
            cause = type(error.orig).__name__ if isinstance(error, sa.exc.DBAPIError) else type(error).__name__
            msg = f"rate_limit_store {shown} can not be {what}: {cause}{hint(error)}."
            raise QuotaError(msg) from None


def _not_ahead(stamps: list[int], now: float) -> list[int]:
    """The places without those of the future: there are some only when the database's clock was set back."""
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
