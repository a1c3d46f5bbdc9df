"""The ledger's tables, their version, and how the two databases say "insert or update"."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from target_engagevoice.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

SCHEMA_VERSION = 1

_METADATA = sa.MetaData()

_VERSION = sa.Table("engagevoice_schema", _METADATA, sa.Column("version", sa.Integer, primary_key=True))

RUNS = sa.Table(
    "engagevoice_runs",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("run", sa.String(64), primary_key=True),
)
"""Runs that have not come to their end: under way, or killed."""

ACCEPTED = sa.Table(
    "engagevoice_accepted",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("accepted_at", sa.Double, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
)
"""What each campaign last accepted under each `externId`."""

IN_FLIGHT = sa.Table(
    "engagevoice_in_flight",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
)
"""What is about to be sent, or was, and has no known fate. One run at a time holds a row."""

LEFT = sa.Table(
    "engagevoice_left",
    _METADATA,
    sa.Column("place", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("account_id", sa.String(64), nullable=False),
    sa.Column("campaign_id", sa.String(64), nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("extern_id", sa.String(200), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Index("engagevoice_left_lead", "account_id", "campaign_id", "extern_id"),
)
"""What runs that have not come to their end got accepted, in that order: after a kill the tap reads it again."""

REFUSED = sa.Table(
    "engagevoice_refused",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
)
"""What each campaign refused under each `externId` while it took other leads: known to be the lead's own fault."""


def _postgres_insert(table: sa.Table) -> PostgresInsert:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a ledger in SQLite has no use for it, nor for asyncpg

    return postgresql.insert(table)


_INSERTS: Mapping[str, Callable[[sa.Table], SqliteInsert | PostgresInsert]] = MappingProxyType(
    {"sqlite": sqlite.insert, "postgresql": _postgres_insert},
)


def upsert(
    dialect: str, table: sa.Table, values: Sequence[str], where: Callable[[Any], Any] | None = None
) -> SqliteInsert | PostgresInsert:
    """An insert that updates the row that is there.

    Args:
        dialect: `sqlite` or `postgresql`.
        table: Where to.
        values: Columns to update.
        where: From the row that would be inserted to a condition under which the one that is there is updated.
    """
    insert: SqliteInsert | PostgresInsert = _INSERTS[dialect](table)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: insert.excluded[name] for name in values},
        where=None if where is None else where(insert.excluded),
    )


def check_version(connection: sa.Connection, *, make: bool) -> bool:
    """Refuse a ledger that is too new; make the tables where there are none.

    Args:
        connection: In a transaction.
        make: Whether tables may be made.

    Returns:
        Whether there are tables now.

    Raises:
        LedgerError: A newer version of this program wrote it.
    """
    if make and connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(4711199900)"))  # two runs may come first at once
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
    return version is not None or make
