"""The ledger's tables and their version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_engagevoice.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Collection

SCHEMA_VERSION = 2

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
    sqlite_with_rowid=False,  # a row comes and goes with each lead: in one tree, not in a table and an index
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
    sa.Column("taken", sa.Boolean, nullable=False, server_default=sa.true()),  # since version 2
)
"""What runs that have not come to their end got accepted, or refused, in that order: after a kill the tap reads it
again. A lead that was refused is sent again then, and its place is that of the first time: it may stand before versions
that were accepted, and be accepted after them."""

_LEFT_LEAD = sa.Index("engagevoice_left_lead", LEFT.c.account_id, LEFT.c.campaign_id, LEFT.c.extern_id)
"""To look them up. SQLite has it only while there is something to look up, see `index_left`."""

REFUSED = sa.Table(
    "engagevoice_refused",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.String(64), primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
)
"""What each campaign refused under each `externId` while it took other leads: known to be the lead's own fault."""


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
    if version == 1:
        if not make:
            msg = "the ledger was made by an earlier version. Run once without dry_run, which brings it up to date."
            raise LedgerError(msg)
        taken = sa.schema.CreateColumn(LEFT.c.taken).compile(dialect=connection.dialect)
        connection.execute(sa.text(f"ALTER TABLE {LEFT.name} ADD COLUMN {taken}"))
        connection.execute(sa.update(_VERSION).values(version=SCHEMA_VERSION))
    if version is None and make:
        _METADATA.create_all(connection)
        connection.execute(sa.insert(_VERSION).values(version=SCHEMA_VERSION))
    return version is not None or make


def index_left(connection: sa.Connection, account_id: str, dead: Collection[str], *, read_only: bool) -> None:
    """Have the index of `LEFT` in SQLite when killed runs left something, and not otherwise.

    Nobody looks up what a living run got accepted. Without the index it is only appended, which costs next to nothing;
    with it every lead touches a page somewhere in the index, which was half the cost of a large load.

    Args:
        connection: In a transaction.
        account_id: Whose leads are looked up.
        dead: Killed runs.
        read_only: Leave the ledger as it is: what they left is copied into a temporary table, which is found before it.
    """
    if connection.dialect.name != "sqlite":
        return
    anything = sa.select(LEFT.c.place).where(LEFT.c.account_id == account_id, LEFT.c.run.in_(dead)).limit(1)
    if connection.execute(anything).first() is None:
        if not read_only:
            _LEFT_LEAD.drop(connection, checkfirst=True)
    elif read_only:
        connection.execute(sa.text("PRAGMA query_only=OFF"))
        copy, original = (LEFT.to_metadata(sa.MetaData(), schema=schema) for schema in ("temp", "main"))
        copy.create(connection)
        remains = sa.select(original).where(original.c.account_id == account_id, original.c.run.in_(dead))
        connection.execute(sa.insert(copy).from_select(original.c.keys(), remains))
        connection.execute(sa.text("PRAGMA query_only=ON"))
    else:
        _LEFT_LEAD.create(connection, checkfirst=True)
