"""The ledger's statements, built once for each kind of database. Each takes a whole batch, as one JSON text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from target_engagevoice.ledger.tables import ACCEPTED, IN_FLIGHT, REFUSED, REPLAY_CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

    _Column = sa.ColumnElement[Any]
    _Condition = sa.ColumnElement[bool]

_JSON = msgspec.json.Encoder(order="sorted")  # rows that are neighbors in an index are written one after another

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
"""Parameters, named like the columns they go to."""

_CLEARED = MappingProxyType(dict.fromkeys(("retired", "lead_id", "was", "content")))
"""Columns that describe the lead as it was before: cleared when the lead is loaded anew."""

_OF_RUN = IN_FLIGHT.c.run == _GIVEN["run"]


def as_json(leads: Sequence[str] | Mapping[str, str]) -> str:
    """`externId`s, or `externId` to digest, as one parameter."""
    return _JSON.encode(leads).decode()


def extern_ids(dialect: str) -> sa.Select[Any]:
    """The values of the JSON array `ids`, for an IN."""
    return _KINDS[dialect].values()


def insert(dialect: str, table: sa.Table) -> SqliteInsert | PostgresInsert:
    """An insert that can handle a conflict with an existing row."""
    return _KINDS[dialect].insert(table)


@dataclass(frozen=True)
class Statements:
    """Statements for one kind of database. All take `account_id` and `campaign_id`.

    Attributes:
        accepted: `extern_id`, `digest`, `accepted_at`, `retired` of the leads in `ids`, a JSON array.
        replay_candidates: `extern_id`, `place`, `digest`, `taken` of those leads in `ids` that are candidates of the
            runs `dead`, read from `stream`; ordered by `place`.
        held: `account_id`, `campaign_id`, `extern_id` of those leads in `ids` that a `run` has claimed. Locks the rows,
            so that no other run can settle them before the transaction ends.
        claim: Claim `leads`, a JSON object of `externId` to digest, for a `run`, with `stream`, `since` and `work`.
        accept: Record `leads` as accepted, from a `run`, as of `accepted_at`.
        add_candidates: Add `leads` to the accepted replay candidates of a `run`, read from `stream`.
        add_refused_candidates: Add those leads in `ids` that a `run` has claimed to its refused replay candidates.
        release: Delete the claims of a `run` on the leads in `ids`.
        refuse: Record `leads` as refused.
    """

    accepted: sa.Select[Any]
    replay_candidates: sa.Select[Any]
    held: sa.Select[Any]
    claim: sa.Insert
    accept: sa.Insert
    add_candidates: sa.Insert
    add_refused_candidates: sa.Insert
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
    candidates = sa.select(
        REPLAY_CANDIDATES.c.extern_id, REPLAY_CANDIDATES.c.place, REPLAY_CANDIDATES.c.digest, REPLAY_CANDIDATES.c.taken
    ).where(kind.listed(REPLAY_CANDIDATES))
    names = ("account_id", "campaign_id", "stream", "extern_id", "digest", "run")
    claimed = sa.select(*(IN_FLIGHT.c[name] for name in names), sa.false()).where(kind.listed(IN_FLIGHT), _OF_RUN)
    return Statements(
        accepted=sa.select(*(ACCEPTED.c[name] for name in ("extern_id", "digest", "accepted_at", "retired"))).where(
            kind.listed(ACCEPTED),
        ),
        replay_candidates=candidates.where(
            REPLAY_CANDIDATES.c.stream == _GIVEN["stream"],
            REPLAY_CANDIDATES.c.run.in_(sa.bindparam("dead", expanding=True)),
        ).order_by(REPLAY_CANDIDATES.c.place),
        held=held,
        claim=_upsert(
            kind,
            IN_FLIGHT,
            ("stream", "digest", "since", "run", "work"),
            where=lambda excluded: IN_FLIGHT.c.run == excluded.run,
        ),
        accept=_upsert(kind, ACCEPTED, ("digest", "accepted_at", "run", "stream"), cleared=_CLEARED),
        add_candidates=_insert(kind, REPLAY_CANDIDATES, ("stream", "digest", "run")),
        add_refused_candidates=sa.insert(REPLAY_CANDIDATES).from_select((*names, "taken"), claimed),
        release=kind.release(held),
        refuse=_upsert(kind, REFUSED, ("digest",)),
    )


def _insert(kind: _Sqlite | _Postgres, table: sa.Table, values: Sequence[str]) -> SqliteInsert | PostgresInsert:
    """Insert a row for each of `leads`."""
    leads = kind.pairs().table_valued("key", "value", name="leads")
    names = ("account_id", "campaign_id", "extern_id", *values)
    given = _GIVEN | {"extern_id": leads.c.key, "digest": leads.c.value}
    # Without a condition SQLite parses ON CONFLICT as the ON of a join.
    rows = sa.select(*(given[name] for name in names)).where(sa.true())
    return kind.insert(table).from_select(names, kind.in_turn(rows, leads.c.key))


def _upsert(
    kind: _Sqlite | _Postgres,
    table: sa.Table,
    values: Sequence[str],
    where: Callable[[Any], _Condition] | None = None,
    cleared: Mapping[str, None] = MappingProxyType({}),
) -> SqliteInsert | PostgresInsert:
    """Insert a row for each of `leads`, or update the existing one.

    Args:
        kind: Of database.
        table: Where to.
        values: Columns to update.
        cleared: Columns to clear in an existing row.
        where: Makes a condition from the row to insert; an existing row is updated only where it holds.
    """
    insert = _insert(kind, table, values)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: insert.excluded[name] for name in values} | dict(cleared),
        where=None if where is None else where(insert.excluded),
    )


class _Sqlite:
    """SQLite has one writer at a time, so the order in which rows are locked does not matter."""

    def insert(self, table: sa.Table) -> SqliteInsert:
        """SQLite's own insert."""
        return sqlite.insert(table)

    def listed(self, table: sa.Table) -> _Condition:
        """Whether a row is one of the leads in the JSON array `ids`."""
        # IN uses the primary key; for a join SQLite reads the whole table.
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
        """Delete the claims of a `run` on the leads in `ids`."""
        return sa.delete(IN_FLIGHT).where(self.listed(IN_FLIGHT), _OF_RUN)


class _Postgres:
    """In PostgreSQL runs write side by side. All lock rows in one order, whatever the collation: no deadlock."""

    def insert(self, table: sa.Table) -> PostgresInsert:
        """PostgreSQL's own insert."""
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a ledger in SQLite does not need it

        return postgresql.insert(table)

    def listed(self, table: sa.Table) -> _Condition:
        """Whether a row is one of the leads in the JSON array `ids`."""
        extern_id = self._values()
        return self._among(table, sa.select(_GIVEN["account_id"], _GIVEN["campaign_id"], extern_id).cte("listed"))

    def values(self) -> sa.Select[Any]:
        """The values of the JSON array `ids`."""
        # Not `column_valued("extern_id")`: next to a table with a column `extern_id` that would mean the column.
        return sa.select(sa.func.json_array_elements_text(sa.cast(_IDS, sa.JSON)).table_valued("value").c.value)

    def _values(self) -> sa.ColumnElement[Any]:
        return sa.func.json_array_elements_text(sa.cast(_IDS, sa.JSON)).column_valued("extern_id")

    def _among(self, table: sa.Table, leads: sa.CTE) -> _Condition:
        # MATERIALIZED hides account and campaign from the planner. Without statistics, as in a new ledger, the planner
        # would expect them to match one row, and compare every row that they do match with every lead.
        key = sa.tuple_(table.c.account_id, table.c.campaign_id, table.c.extern_id)
        return key.in_(sa.select(leads.prefix_with("MATERIALIZED")))

    def pairs(self) -> sa.FunctionElement[Any]:
        """Rows of `key` and `value` from the JSON object `leads`."""
        return sa.func.json_each_text(sa.cast(_LEADS, sa.JSON))

    def in_turn(self, query: sa.Select[Any], column: _Column) -> sa.Select[Any]:
        """The query, with its rows in the order of the lock."""
        return query.order_by(sa.collate(column, "C"))

    def release(self, held: sa.Select[Any]) -> sa.Delete:
        """Delete the claims of a `run` on the leads in `ids`, after locking them in the order of all locks."""
        return sa.delete(IN_FLIGHT).where(self._among(IN_FLIGHT, held.cte("held")), _OF_RUN)


_KINDS: dict[str, _Sqlite | _Postgres] = {"sqlite": _Sqlite(), "postgresql": _Postgres()}
