"""The ledger's tables and their version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from target_engagevoice.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SCHEMA_VERSION = 3

LOAD, CHANGE, RETIRE = "load", "change", "retire"
UNDER_WAY, TAKEN, TURNED_DOWN = 0, 1, 2

EVERYWHERE = ""
"""Stands for a campaign where a lead was taken out of the dialer of all of them."""

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
    # Since version 3:
    sa.Column("stream", sa.Text),  # NULL in rows of earlier versions
    sa.Column("retired", sa.String(16)),
    sa.Column("lead_id", sa.String(64)),
    sa.Column("was", sa.String(64)),
    sa.Column("content", sa.Text),
)
"""What each campaign last accepted under each `externId`.

`retired` is the action that took the lead out of the dialer, NULL for none, with a `?` where a killed run may or may
not have done it. `lead_id` is the server's own, once looked up; `was` the lead's state there before it was retired;
`content` the digests of its fields, where a change will need them. A digest of `""` is that of unknown content.
"""

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
    sa.Column("work", sa.String(16), nullable=False, server_default=LOAD),  # since version 3
    sqlite_with_rowid=False,  # a row comes and goes with each lead: in one tree, not in a table and an index
)
"""What is about to be sent, or was, and has no known fate. One run at a time holds a row; `work` is what it does:
`LOAD`, `CHANGE` or `RETIRE`. In SQLite only what killed runs had in flight, see `BATCHES`."""

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
that were accepted, and be accepted after them. In SQLite only what killed runs left, see `BATCHES`."""

BATCHES = sa.Table(
    "engagevoice_batches",
    _METADATA,
    sa.Column("batch", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("fate", sa.SmallInteger, nullable=False),
    sa.Column("account_id", sa.String(64), nullable=False),
    sa.Column("campaign_id", sa.String(64), nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("work", sa.String(16), nullable=False),
    sa.Column("leads", sa.Text, nullable=False),
)
"""What the run that holds a SQLite ledger has in flight, and got accepted or refused: a row a batch, since nobody looks
into it while that run lives. `leads` is a JSON object of `externId` to digest, `fate` one of `UNDER_WAY`, `TAKEN` and
`TURNED_DOWN`. Killed, it is spread over `IN_FLIGHT` and `LEFT` by the next run. PostgreSQL, where runs share a ledger,
has a row a lead from the start. Since version 3."""

LISTED = sa.Table(
    "engagevoice_listed",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("phone", sa.String(64), primary_key=True),
)
"""Phones that are on the account's do-not-call list by our doing, as SHA-256 digests. Since version 3."""

SEEN = sa.Table(
    "engagevoice_seen",
    _METADATA,
    sa.Column("account_id", sa.String(64), primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("extern_id", sa.String(200), primary_key=True),
    sqlite_with_rowid=False,
)
"""What the versions of streams hold, until they are activated (`load_method: overwrite`). Since version 3."""

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


_ADDED: Mapping[int, tuple[sa.Column[Any], ...]] = {
    2: (LEFT.c.taken,),
    3: (*(ACCEPTED.c[name] for name in ("stream", "retired", "lead_id", "was", "content")), IN_FLIGHT.c.work),
}
"""Schema version to the columns that it added to tables of earlier ones."""


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
    if version is not None and version < SCHEMA_VERSION:
        if not make:
            msg = "the ledger was made by an earlier version. Run once without dry_run, which brings it up to date."
            raise LedgerError(msg)
        _METADATA.create_all(connection)
        for column in (column for since, columns in _ADDED.items() if since > version for column in columns):
            added = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {column.table.name} ADD COLUMN {added}"))
        connection.execute(sa.update(_VERSION).values(version=SCHEMA_VERSION))
    if version is None and make:
        _METADATA.create_all(connection)
        connection.execute(sa.insert(_VERSION).values(version=SCHEMA_VERSION))
    return version is not None or make


def spread_batches(connection: sa.Connection, account_id: str, dead: Collection[str], *, read_only: bool) -> None:
    """Make what killed runs left in SQLite's `BATCHES` known lead by lead, and have the index of `LEFT` where it helps.

    Nobody looks up what a living run got accepted. Without the index, and in batches, it is only appended, which costs
    next to nothing; with it every lead touches a page somewhere in the index, which was half the cost of a large load.

    Args:
        connection: In a transaction.
        account_id: Whose leads are looked up.
        dead: Killed runs.
        read_only: Leave the ledger as it is: what they left is copied into temporary tables, which are found before it.
    """
    if connection.dialect.name != "sqlite":
        return
    flying, left = IN_FLIGHT, LEFT
    if read_only:
        connection.execute(sa.text("PRAGMA query_only=OFF"))
        flying, left = (_copied(connection, table, account_id, dead) for table in (IN_FLIGHT, LEFT))
    theirs = sa.and_(BATCHES.c.account_id == account_id, BATCHES.c.run.in_(dead))
    _spread(connection, flying, sa.and_(theirs, BATCHES.c.fate == UNDER_WAY))
    _spread(connection, left, sa.and_(theirs, BATCHES.c.fate != UNDER_WAY))
    if read_only:
        connection.execute(sa.text("PRAGMA query_only=ON"))
        return
    connection.execute(sa.delete(BATCHES).where(theirs))
    anything = sa.select(LEFT.c.place).where(LEFT.c.account_id == account_id, LEFT.c.run.in_(dead)).limit(1)
    if connection.execute(anything).first() is None:
        _LEFT_LEAD.drop(connection, checkfirst=True)
    else:
        _LEFT_LEAD.create(connection, checkfirst=True)


def spread_done(connection: sa.Connection, account_id: str, run: str) -> None:
    """Make what a living run got accepted or refused in SQLite known lead by lead: something else comes behind it."""
    done = sa.and_(BATCHES.c.account_id == account_id, BATCHES.c.run == run, BATCHES.c.fate != UNDER_WAY)
    _spread(connection, LEFT, done)
    connection.execute(sa.delete(BATCHES).where(done))


def _spread(connection: sa.Connection, table: sa.Table, batches: sa.ColumnElement[bool]) -> None:
    """Insert a row a lead for these batches."""
    lead = sa.func.json_each(BATCHES.c.leads).table_valued("key", "value", name="lead", joins_implicitly=True)
    spread = {
        "extern_id": lead.c.key,
        "digest": lead.c.value,
        "taken": BATCHES.c.fate == TAKEN,
        **{name: BATCHES.c[name] for name in ("account_id", "campaign_id", "stream", "run", "since", "work")},
    }
    names = [column.name for column in table.c if column.name != "place"]
    rows = sa.select(*(spread[name] for name in names)).where(batches).order_by(BATCHES.c.batch)
    # A lead that an earlier run has in flight stays that run's.
    connection.execute(sqlite.insert(table).from_select(names, rows).on_conflict_do_nothing())


def _copied(connection: sa.Connection, table: sa.Table, account_id: str, dead: Collection[str]) -> sa.Table:
    """A temporary copy of what killed runs have in a table, which stands before it."""
    copy, original = (table.to_metadata(sa.MetaData(), schema=schema) for schema in ("temp", "main"))
    copy.create(connection)
    rows = sa.select(original).where(original.c.account_id == account_id, original.c.run.in_(dead))
    connection.execute(sa.insert(copy).from_select(original.c.keys(), rows))
    return copy
