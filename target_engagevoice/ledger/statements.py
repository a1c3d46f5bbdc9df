"""What the ledger asks its database, built once for each kind: a whole batch is one statement with one JSON text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from target_engagevoice.ledger.tables import ACCEPTED, IN_FLIGHT, LEFT, REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

    _Column = sa.ColumnElement[Any]
    _Condition = sa.ColumnElement[bool]

_JSON = msgspec.json.Encoder(order="sorted")  # neighbours in an index are written one after another

_LEADS = sa.bindparam("leads", type_=sa.Text)
_IDS = sa.bindparam("ids", type_=sa.Text)
_GIVEN = {
    "account_id": sa.bindparam("account_id", type_=sa.String),
    "campaign_id": sa.bindparam("campaign_id", type_=sa.String),
    "stream": sa.bindparam("stream", type_=sa.Text),
    "run": sa.bindparam("run", type_=sa.String),
    "since": sa.bindparam("since", type_=sa.Double),
    "accepted_at": sa.bindparam("accepted_at", type_=sa.Double),
    "work": sa.bindparam("work", type_=sa.String),
}
"""Parameters, named after the columns they go to."""

_GONE = MappingProxyType(dict.fromkeys(("retired", "lead_id", "was", "content")))
"""Of a lead that was loaded anew nothing is known that was known of the one before it."""

_OF_RUN = IN_FLIGHT.c.run == _GIVEN["run"]


def as_json(leads: Sequence[str] | Mapping[str, str]) -> str:
    """`externId`s, or `externId` to digest, as one parameter."""
    return _JSON.encode(leads).decode()


def extern_ids(dialect: str) -> sa.Select[Any]:
    """The values of the JSON array `ids`, for an IN."""
    return _KINDS[dialect].values()


def insert(dialect: str, table: sa.Table) -> SqliteInsert | PostgresInsert:
    """An insert that may say what to do about a row that is there."""
    return _KINDS[dialect].insert(table)


@dataclass(frozen=True)
class Statements:
    """Statements for one kind of database. All take `account_id` and `campaign_id`.

    Attributes:
        accepted: `extern_id`, `digest`, `accepted_at`, `retired` of the leads in `ids`, a JSON array.
        left: `extern_id`, `place`, `digest`, `taken` of those of a `stream` that the runs `dead` left, in order.
        held: `account_id`, `campaign_id`, `extern_id` of those a `run` has in flight: nobody else can settle them
            before the transaction ends.
        claim: Put `leads`, a JSON object of `externId` to digest, in flight for a `run`, with `stream` and `since`.
        accept: They are accepted, by a `run`, as of `accepted_at`.
        leave: They are accepted by a `run` that has not come to its end, of `stream`.
        leave_refused: The leads in `ids`, in flight for a `run`, are refused by it.
        release: The leads in `ids` are not in flight for a `run` any more.
        refuse: `leads` are refused.
    """

    accepted: sa.Select[Any]
    left: sa.Select[Any]
    held: sa.Select[Any]
    claim: sa.Insert
    accept: sa.Insert
    leave: sa.Insert
    leave_refused: sa.Insert
    release: sa.Delete
    refuse: sa.Insert


@cache
def statements(dialect: str) -> Statements:
    """The statements for a kind of database.

    Args:
        dialect: `sqlite` or `postgresql`.
    """
    kind = _KINDS[dialect]
    held: sa.Select[Any] = sa.select(IN_FLIGHT.c.account_id, IN_FLIGHT.c.campaign_id, IN_FLIGHT.c.extern_id).where(
        kind.listed(IN_FLIGHT), _OF_RUN
    )
    held = kind.in_turn(held, IN_FLIGHT.c.extern_id).with_for_update()
    left = sa.select(LEFT.c.extern_id, LEFT.c.place, LEFT.c.digest, LEFT.c.taken).where(kind.listed(LEFT))
    names = ("account_id", "campaign_id", "stream", "extern_id", "digest", "run")
    flying = sa.select(*(IN_FLIGHT.c[name] for name in names), sa.false()).where(kind.listed(IN_FLIGHT), _OF_RUN)
    return Statements(
        accepted=sa.select(*(ACCEPTED.c[name] for name in ("extern_id", "digest", "accepted_at", "retired"))).where(
            kind.listed(ACCEPTED),
        ),
        left=left.where(
            LEFT.c.stream == _GIVEN["stream"],
            LEFT.c.run.in_(sa.bindparam("dead", expanding=True)),
        ).order_by(LEFT.c.place),
        held=held,
        claim=_upsert(
            kind,
            IN_FLIGHT,
            ("stream", "digest", "since", "run", "work"),
            where=lambda excluded: IN_FLIGHT.c.run == excluded.run,
        ),
        accept=_upsert(kind, ACCEPTED, ("digest", "accepted_at", "run", "stream"), gone=_GONE),
        leave=_insert(kind, LEFT, ("stream", "digest", "run")),
        leave_refused=sa.insert(LEFT).from_select((*names, "taken"), flying),
        release=kind.release(held),
        refuse=_upsert(kind, REFUSED, ("digest",)),
    )


def _insert(kind: _Sqlite | _Postgres, table: sa.Table, values: Sequence[str]) -> SqliteInsert | PostgresInsert:
    """Insert a row for each of `leads`."""
    leads = kind.pairs().table_valued("key", "value", name="leads")
    names = ("account_id", "campaign_id", "extern_id", *values)
    given = _GIVEN | {"extern_id": leads.c.key, "digest": leads.c.value}
    # Without a condition SQLite would take ON CONFLICT for that of a join.
    rows = sa.select(*(given[name] for name in names)).where(sa.true())
    return kind.insert(table).from_select(names, kind.in_turn(rows, leads.c.key))


def _upsert(
    kind: _Sqlite | _Postgres,
    table: sa.Table,
    values: Sequence[str],
    where: Callable[[Any], _Condition] | None = None,
    gone: Mapping[str, None] = MappingProxyType({}),
) -> SqliteInsert | PostgresInsert:
    """Insert a row for each of `leads`, or update the one that is there.

    Args:
        kind: Of database.
        table: Where to.
        values: Columns to update.
        gone: Columns to clear in a row that is there.
        where: From the row that would be inserted to a condition under which the one that is there is updated.
    """
    insert = _insert(kind, table, values)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: insert.excluded[name] for name in values} | dict(gone),
        where=None if where is None else where(insert.excluded),
    )


class _Sqlite:
    """One writer at a time, so the order in which rows are taken is nobody's trouble."""

    def insert(self, table: sa.Table) -> SqliteInsert:
        """SQLite's own insert."""
        return sqlite.insert(table)

    def listed(self, table: sa.Table) -> _Condition:
        """Whether a row is one of the leads in the JSON array `ids`."""
        # An IN: for a join SQLite would read the whole table.
        return sa.and_(
            table.c.account_id == _GIVEN["account_id"],
            table.c.campaign_id == _GIVEN["campaign_id"],
            table.c.extern_id.in_(self.values()),
        )

    def values(self) -> sa.Select[Any]:
        """The values of the JSON array `ids`."""
        return sa.select(sa.func.json_each(_IDS).table_valued("value").c.value)

    def pairs(self) -> sa.FunctionElement[Any]:
        """Rows of `key` and `value` from the JSON object `leads`."""
        return sa.func.json_each(_LEADS)

    def in_turn(self, query: sa.Select[Any], _column: _Column) -> sa.Select[Any]:
        """The query, its rows in any order."""
        return query

    def release(self, _held: sa.Select[Any]) -> sa.Delete:
        """Take the leads in `ids` out of what a `run` has in flight."""
        return sa.delete(IN_FLIGHT).where(self.listed(IN_FLIGHT), _OF_RUN)


class _Postgres:
    """Runs write side by side: all take rows in one order, whatever the database's, so that none waits in a circle."""

    def insert(self, table: sa.Table) -> PostgresInsert:
        """PostgreSQL's own insert."""
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a ledger in SQLite has no use for it

        return postgresql.insert(table)

    def listed(self, table: sa.Table) -> _Condition:
        """Whether a row is one of the leads in the JSON array `ids`."""
        extern_id = self._values()
        return self._among(table, sa.select(_GIVEN["account_id"], _GIVEN["campaign_id"], extern_id).cte("listed"))

    def values(self) -> sa.Select[Any]:
        """The values of the JSON array `ids`."""
        # A name of its own: beside a table with a column `extern_id`, `column_valued("extern_id")` would mean that one.
        return sa.select(sa.func.json_array_elements_text(sa.cast(_IDS, sa.JSON)).table_valued("value").c.value)

    def _values(self) -> sa.ColumnElement[Any]:
        return sa.func.json_array_elements_text(sa.cast(_IDS, sa.JSON)).column_valued("extern_id")

    def _among(self, table: sa.Table, leads: sa.CTE) -> _Condition:
        # The planner is not to see account and campaign: without statistics, as in a new ledger, it takes one row for
        # all that these two leave, and compares each of them with each of the leads.
        key = sa.tuple_(table.c.account_id, table.c.campaign_id, table.c.extern_id)
        return key.in_(sa.select(leads.prefix_with("MATERIALIZED")))

    def pairs(self) -> sa.FunctionElement[Any]:
        """Rows of `key` and `value` from the JSON object `leads`."""
        return sa.func.json_each_text(sa.cast(_LEADS, sa.JSON))

    def in_turn(self, query: sa.Select[Any], column: _Column) -> sa.Select[Any]:
        """The query, its rows in the one order."""
        return query.order_by(sa.collate(column, "C"))

    def release(self, held: sa.Select[Any]) -> sa.Delete:
        """Take the leads in `ids` out of what a `run` has in flight, locking them in the order they are claimed in."""
        return sa.delete(IN_FLIGHT).where(self._among(IN_FLIGHT, held.cte("held")), _OF_RUN)


_KINDS: dict[str, _Sqlite | _Postgres] = {"sqlite": _Sqlite(), "postgresql": _Postgres()}
