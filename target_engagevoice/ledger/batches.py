"""Claims of the only run of a SQLite ledger, by batch, and their conversion to one row a lead (see `in_flight`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from target_engagevoice.ledger.statements import as_json
from target_engagevoice.ledger.tables import (
    BATCHES,
    FATE_ACCEPTED,
    FATE_REFUSED,
    FATE_UNKNOWN,
    IN_FLIGHT,
    REPLAY_CANDIDATES,
    REPLAY_INDEX,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_engagevoice.ledger.in_flight import ClaimsByLead, Given


@dataclass
class _Batch:
    """Leads claimed together that are still in flight: `externId` to digest."""

    number: int
    given: Given
    leads: dict[str, str]


class ClaimsByBatch:
    """One row a batch, whose fate turns from unknown to accepted without touching its leads.

    What is in flight is also kept here, in memory. The lock of `LedgerAccount.writing` guards it.

    Args:
        account_id: Whose leads.
        run: The run that writes.
        by_lead: The claims of dead runs.
    """

    def __init__(self, account_id: str, run: str, by_lead: ClaimsByLead) -> None:
        self._account_id = account_id
        self._run = run
        self._by_lead = by_lead
        self._of_dead_runs: set[tuple[str, str]] = set()  # campaign and `externId`
        self._in_flight: dict[str, dict[str, _Batch]] = {}  # of each campaign, by `externId`

    def take_over(self, connection: sa.Connection, dead: Sequence[str], *, read_only: bool) -> None:
        """See `Claims`."""
        expand_dead_runs(connection, self._account_id, dead, read_only=read_only)
        query = sa.select(IN_FLIGHT.c.campaign_id, IN_FLIGHT.c.extern_id)
        rows = connection.execute(query.where(IN_FLIGHT.c.account_id == self._account_id))
        self._of_dead_runs = {(campaign_id, extern_id) for campaign_id, extern_id in rows}

    def claim(self, connection: sa.Connection, given: Given, digests: Mapping[str, str]) -> set[str]:
        """See `Claims`. A claim of a dead run stays that run's until it is settled."""
        campaign_id = given["campaign_id"]
        in_flight = self._in_flight.setdefault(campaign_id, {})
        again = in_flight.keys() & digests.keys() if in_flight else ()
        if again:
            self._remove(connection, campaign_id, again)
        leads = dict(digests)
        if self._of_dead_runs:
            leads = {key: digest for key, digest in digests.items() if (campaign_id, key) not in self._of_dead_runs}
        if leads:
            number = self._insert(connection, given, FATE_UNKNOWN, leads, given["since"], given["work"])
            in_flight.update(dict.fromkeys(leads, _Batch(number, given, leads)))
        return set(digests)

    def settle(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        positioned: Collection[str],
        refused: bool,
    ) -> None:
        """See `Claims`."""
        campaign_id = given["campaign_id"]
        candidates: Mapping[str, str] = accepted
        if positioned:
            candidates = {key: digest for key, digest in accepted.items() if key not in positioned}
        in_flight = self._in_flight.get(campaign_id, {})
        batch = in_flight.get(next(iter(candidates), ""))
        if batch is not None and batch.leads == candidates and batch.given["stream"] == given["stream"]:
            # A whole batch was accepted, as most are: its row needs a new fate and nothing else.
            connection.execute(_ACCEPT, {"number": batch.number})
            for key in candidates:
                del in_flight[key]
            candidates = {}
        settled = dict.fromkeys((*accepted, *cleared)) if candidates or cleared or positioned else ()
        ended = [key for key in settled if key in in_flight]
        turned_down = [
            (in_flight[key].given["stream"], key, in_flight[key].leads[key])
            for key in ended
            if refused and key in cleared
        ]
        self._remove(connection, campaign_id, ended)
        if candidates:
            self._insert(connection, given, FATE_ACCEPTED, candidates)
        for stream in dict.fromkeys(stream for stream, _, _ in turned_down):
            leads = {key: digest for of_stream, key, digest in turned_down if of_stream == stream}
            self._insert(connection, {**given, "stream": stream}, FATE_REFUSED, leads)

    def settle_for_dead_run(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        positioned: Collection[str],
        refused: bool,
    ) -> None:
        """See `Claims`."""
        if accepted or refused:
            # The candidates that this run has so far come before the new one, so they need their positions first.
            _expand_settled(connection, self._account_id, self._run)
        self._by_lead.settle(connection, given, accepted, cleared, positioned=positioned, refused=refused)
        self._of_dead_runs.difference_update((given["campaign_id"], key) for key in (*accepted, *cleared))

    def _remove(self, connection: sa.Connection, campaign_id: str, ended: Collection[str]) -> None:
        """Take leads out of their batches; delete the batches that are empty then."""
        in_flight = self._in_flight.get(campaign_id, {})
        smaller: dict[int, _Batch] = {}
        for key in ended:
            batch = in_flight.pop(key)
            del batch.leads[key]
            smaller[batch.number] = batch
        for number, batch in smaller.items():
            if batch.leads:
                connection.execute(_SHRINK, {"number": number, "rest": as_json(batch.leads)})
            else:
                connection.execute(_DELETE, {"number": number})

    def _insert(
        self,
        connection: sa.Connection,
        given: Given,
        fate: int,
        leads: Mapping[str, str],
        since: float = 0.0,
        work: str = "",
    ) -> int:
        row = {name: given[name] for name in ("account_id", "campaign_id", "stream", "run")}
        row |= {"fate": fate, "since": since, "work": work, "leads": _encode(leads).decode()}
        return int(connection.execute(_INSERT, row).inserted_primary_key[0])  # type: ignore[index]  # SQLite has one


_encode = msgspec.json.Encoder().encode

_OF_BATCH = BATCHES.c.batch == sa.bindparam("number", type_=sa.Integer)
_INSERT = sa.insert(BATCHES)
_ACCEPT = sa.update(BATCHES).where(_OF_BATCH).values(fate=FATE_ACCEPTED)
_SHRINK = sa.update(BATCHES).where(_OF_BATCH).values(leads=sa.bindparam("rest", type_=sa.Text))
_DELETE = sa.delete(BATCHES).where(_OF_BATCH)
"""Built once: building a statement and looking it up takes four times as long as executing one that is there."""


def expand_dead_runs(connection: sa.Connection, account_id: str, dead: Collection[str], *, read_only: bool) -> None:
    """Convert the batches of dead runs to one row a lead, and create or drop the index of the replay candidates.

    The index exists only while a dead run has candidates. Candidates of the living run are never looked up, so without
    the index, and in batches, they are only appended. With it every lead would change some page of the index, which was
    half the cost of a large load.

    Args:
        connection: In a transaction.
        account_id: Whose leads.
        dead: The dead runs.
        read_only: Leave the ledger as it is: the rows go to temporary tables, which SQLite finds before the real ones.
    """
    claims, candidates = IN_FLIGHT, REPLAY_CANDIDATES
    if read_only:
        connection.execute(sa.text("PRAGMA query_only=OFF"))
        claims, candidates = (_temporary(connection, table, account_id, dead) for table in (claims, candidates))
    of_dead = sa.and_(BATCHES.c.account_id == account_id, BATCHES.c.run.in_(dead))
    _expand(connection, claims, sa.and_(of_dead, BATCHES.c.fate == FATE_UNKNOWN))
    _expand(connection, candidates, sa.and_(of_dead, BATCHES.c.fate != FATE_UNKNOWN))
    if read_only:
        connection.execute(sa.text("PRAGMA query_only=ON"))
        return
    connection.execute(sa.delete(BATCHES).where(of_dead))
    anything = sa.select(REPLAY_CANDIDATES.c.place).where(
        REPLAY_CANDIDATES.c.account_id == account_id, REPLAY_CANDIDATES.c.run.in_(dead)
    )
    if connection.execute(anything.limit(1)).first() is None:
        REPLAY_INDEX.drop(connection, checkfirst=True)
    else:
        REPLAY_INDEX.create(connection, checkfirst=True)


def _expand_settled(connection: sa.Connection, account_id: str, run: str) -> None:
    """Convert the batches of the living run whose fate is known."""
    settled = sa.and_(BATCHES.c.account_id == account_id, BATCHES.c.run == run, BATCHES.c.fate != FATE_UNKNOWN)
    _expand(connection, REPLAY_CANDIDATES, settled)
    connection.execute(sa.delete(BATCHES).where(settled))


def _expand(connection: sa.Connection, table: sa.Table, batches: sa.ColumnElement[bool]) -> None:
    """Insert one row a lead for these batches."""
    lead = sa.func.json_each(BATCHES.c.leads).table_valued("key", "value", name="lead", joins_implicitly=True)
    values = {
        "extern_id": lead.c.key,
        "digest": lead.c.value,
        "taken": BATCHES.c.fate == FATE_ACCEPTED,
        **{name: BATCHES.c[name] for name in ("account_id", "campaign_id", "stream", "run", "since", "work")},
    }
    names = [column.name for column in table.c if column.name != "place"]
    rows = sa.select(*(values[name] for name in names)).where(batches).order_by(BATCHES.c.batch)
    # A lead that an earlier run has claimed stays that run's.
    connection.execute(sqlite.insert(table).from_select(names, rows).on_conflict_do_nothing())


def _temporary(connection: sa.Connection, table: sa.Table, account_id: str, dead: Collection[str]) -> sa.Table:
    """A temporary table with the rows that dead runs have in this one."""
    copy, original = (table.to_metadata(sa.MetaData(), schema=schema) for schema in ("temp", "main"))
    copy.create(connection)
    rows = sa.select(original).where(original.c.account_id == account_id, original.c.run.in_(dead))
    connection.execute(sa.insert(copy).from_select(original.c.keys(), rows))
    return copy
