"""What a run has in flight and got accepted or refused, until it comes to its end: by the lead, or by the batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import sqlalchemy as sa

from target_engagevoice.ledger.statements import as_json, statements
from target_engagevoice.ledger.tables import BATCHES, IN_FLIGHT, TAKEN, TURNED_DOWN, UNDER_WAY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    Given = Mapping[str, Any]
    """`account_id`, `campaign_id`, `stream` and `run`."""


class Flights(Protocol):
    """What the run that writes has in flight. Called in a transaction, and by one thread at a time.

    A row of `given` holds `account_id`, `campaign_id`, `stream` and `run`.
    """

    def claim(self, connection: sa.Connection, given: Given, digests: Mapping[str, str]) -> set[str]:
        """Put leads in flight, with the `since` and `work` of `given`; returns those that are this run's now."""

    def settle(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        placed: Collection[str],
        refused: bool,
    ) -> None:
        """Leads are in flight no more; those accepted are left to the next run should this one be killed.

        Args:
            connection: In a transaction.
            given: Whose they are.
            accepted: `externId` to digest.
            cleared: `externId` of those not accepted.
            placed: Those of the accepted that have their place among what is left already.
            refused: Whether the cleared are left to the next run as well, as refused.
        """


class LeadFlights:
    """A row a lead, which other runs see and respect: for a ledger that runs share."""

    def __init__(self, dialect: str) -> None:
        self._statements = statements(dialect)

    def claim(self, connection: sa.Connection, given: Given, digests: Mapping[str, str]) -> set[str]:
        """See `Flights`."""
        connection.execute(self._statements.claim, {**given, "leads": as_json(digests)})
        return self.held(connection, given, digests)

    def settle(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        placed: Collection[str],
        refused: bool,
    ) -> None:
        """See `Flights`."""
        left = {extern_id: digest for extern_id, digest in accepted.items() if extern_id not in placed}
        if left:
            connection.execute(self._statements.leave, {**given, "leads": as_json(left)})
        if refused and cleared:
            connection.execute(self._statements.leave_refused, {**given, "ids": as_json(list(cleared))})
        connection.execute(self._statements.release, {**given, "ids": as_json([*accepted, *cleared])})

    def held(self, connection: sa.Connection, given: Given, extern_ids: Iterable[str]) -> set[str]:
        """Which of these leads a run has in flight; nobody else can settle them before the transaction ends."""
        rows = connection.execute(self._statements.held, {**given, "ids": as_json(list(extern_ids))})
        return set(rows.scalars("extern_id"))


@dataclass
class _Batch:
    """Leads claimed together that have no fate yet: `externId` to digest."""

    number: int
    given: Given
    leads: dict[str, str] = field(default_factory=dict)


class BatchFlights:
    """A row a batch, which turns from under way into taken as it is: for the only run of a SQLite ledger.

    Two statements a batch in place of four a lead: this was half of what the ledger cost. What is under way is also
    known here; the lock of the `Ledger` guards it.

    Args:
        foreign: Campaign and `externId` of leads that killed runs have in flight: they stay theirs until settled.
    """

    def __init__(self, foreign: Iterable[tuple[str, str]]) -> None:
        self._foreign = set(foreign)
        self._batches: dict[str, dict[str, _Batch]] = {}  # of each campaign, by `externId`

    def claim(self, connection: sa.Connection, given: Given, digests: Mapping[str, str]) -> set[str]:
        """See `Flights`."""
        campaign_id = given["campaign_id"]
        under_way = self._batches.setdefault(campaign_id, {})
        again = under_way.keys() & digests.keys() if under_way else ()
        if again:
            self._shrink(connection, campaign_id, again)
        leads = dict(digests)
        if self._foreign:
            leads = {key: digest for key, digest in digests.items() if (campaign_id, key) not in self._foreign}
        if leads:
            number = self._insert(connection, given, UNDER_WAY, leads, given["since"], given["work"])
            under_way.update(dict.fromkeys(leads, _Batch(number, given, leads)))
        return set(digests)

    def settle(
        self,
        connection: sa.Connection,
        given: Given,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        *,
        placed: Collection[str],
        refused: bool,
    ) -> None:
        """See `Flights`."""
        campaign_id = given["campaign_id"]
        left = {key: digest for key, digest in accepted.items() if key not in placed} if placed else accepted
        under_way = self._batches.get(campaign_id, {})
        batch = under_way.get(next(iter(left), ""))
        if batch is not None and batch.leads == left and batch.given["stream"] == given["stream"]:
            connection.execute(_TAKE, {"number": batch.number})
            for key in left:
                del under_way[key]
            left = {}
        settled = dict.fromkeys((*accepted, *cleared)) if left or cleared or placed else ()
        gone = [key for key in settled if key in under_way]
        down = [(under_way[key].given, key, under_way[key].leads[key]) for key in gone if refused and key in cleared]
        self._shrink(connection, campaign_id, gone)
        if left:
            self._insert(connection, given, TAKEN, left)
        for stream in dict.fromkeys(theirs["stream"] for theirs, _, _ in down):
            leads = {key: digest for theirs, key, digest in down if theirs["stream"] == stream}
            self._insert(connection, {**given, "stream": stream}, TURNED_DOWN, leads)

    def settled_elsewhere(self, campaign_id: str, extern_ids: Iterable[str]) -> None:
        """Leads that killed runs had in flight have their fate."""
        self._foreign.difference_update((campaign_id, extern_id) for extern_id in extern_ids)

    def _shrink(self, connection: sa.Connection, campaign_id: str, gone: Collection[str]) -> None:
        """Take leads out of their batches; with the last one a batch is gone."""
        under_way = self._batches.get(campaign_id, {})
        shrunk: dict[int, _Batch] = {}
        for key in gone:
            batch = under_way.pop(key)
            del batch.leads[key]
            shrunk[batch.number] = batch
        for number, batch in shrunk.items():
            if batch.leads:
                connection.execute(_SHRINK, {"number": number, "rest": as_json(batch.leads)})
            else:
                connection.execute(_REMOVE, {"number": number})

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
_TAKE = sa.update(BATCHES).where(_OF_BATCH).values(fate=TAKEN)
_SHRINK = sa.update(BATCHES).where(_OF_BATCH).values(leads=sa.bindparam("rest", type_=sa.Text))
_REMOVE = sa.delete(BATCHES).where(_OF_BATCH)
"""Built once: to build a statement and look it up anew takes four times as long as to execute one that is there."""


def foreign(connection: sa.Connection, account_id: str) -> list[tuple[str, str]]:
    """Campaign and `externId` of all that killed runs of an account have in flight in a SQLite ledger."""
    query = sa.select(IN_FLIGHT.c.campaign_id, IN_FLIGHT.c.extern_id).where(IN_FLIGHT.c.account_id == account_id)
    return [(campaign_id, extern_id) for campaign_id, extern_id in connection.execute(query)]
