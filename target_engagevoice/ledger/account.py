"""One account's pages in the ledger: transactions, and the claims of the run that writes."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_engagevoice.ledger.database import Database, explained
from target_engagevoice.ledger.in_flight import BatchFlights, Flights, LeadFlights
from target_engagevoice.ledger.statements import as_json, statements
from target_engagevoice.ledger.tables import LEFT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


class LedgerAccount:
    """What the parts of a ledger share. Any thread may call it: writes queue at one lock.

    Attributes:
        run: The run that writes.
        flights: What it has in flight; guarded by the lock of `writing`.
        rows: What other runs have, lead by lead.
        dead: Runs that were killed, as far as is known.
        absent: Whether there is no ledger, which a dry run takes for an empty one.
    """

    def __init__(self, database: Database, account_id: str, run: str) -> None:
        self.database = database
        self.account_id = account_id
        self.run = run
        self.statements = statements(database.dialect)
        self.rows = LeadFlights(database.dialect)
        self.flights: Flights = self.rows if database.shared else BatchFlights(())
        self.dead: tuple[str, ...] = ()
        self.absent = False
        self._writing = threading.Lock()

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for the kind of database."""
        return self.database.dialect

    def given(self, campaign_id: str = "", **given: Any) -> dict[str, Any]:
        """The parameters of a statement."""
        return {"account_id": self.account_id, "campaign_id": campaign_id, **given}

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that reads."""
        return self.transaction("read")

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes, one at a time."""
        with self._writing, self.transaction("written") as connection:
            yield connection

    @contextmanager
    def transaction(self, what: str) -> Iterator[sa.Connection]:
        """A transaction; `what` can not be done if it fails, see `explained`."""
        with explained(self.database.engine, what), self.database.turn, self.database.engine.begin() as connection:
            yield connection

    def land(
        self,
        connection: sa.Connection,
        given: Mapping[str, Any],
        done: Mapping[str, str],
        cleared: Collection[str] = (),
    ) -> None:
        """Claims end in a transaction of somebody else's.

        Args:
            connection: In that transaction.
            given: `campaign_id` and `stream`.
            done: `externId` to digest of what the next run is to know of, should this one be killed.
            cleared: `externId` of the others.
        """
        given = self.given(**given, run=self.run)
        placed = self.place(connection, given, done) if done else ()
        self.flights.settle(connection, given, done, cleared, placed=placed, refused=False)

    def land_theirs(
        self,
        connection: sa.Connection,
        given: Mapping[str, Any],
        done: Mapping[str, str],
        cleared: Collection[str],
        *,
        placed: Collection[str] = (),
        refused: bool = False,
    ) -> None:
        """Claims of a killed run end.

        Args:
            connection: In a transaction.
            given: `campaign_id`, `stream` and `run`, as parameters of a statement.
            done: `externId` to digest of what the next run is to know of.
            cleared: `externId` of the others.
            placed: Those of `done` that have their place among what is left already.
            refused: Whether the others are left to the next run as well, as refused.
        """
        self.rows.settle(connection, given, done, cleared, placed=placed, refused=refused)
        if isinstance(self.flights, BatchFlights):
            self.flights.settled_elsewhere(given["campaign_id"], [*done, *cleared])

    def place(self, connection: sa.Connection, given: dict[str, Any], accepted: Mapping[str, str]) -> Collection[str]:
        """Which of these versions have their place among what killed runs left: each in the one it was first read in.

        A version that a killed run got refused is now accepted after those that came behind it; its place is before
        them all the same, since the tap will send it before them.
        """
        others = [run for run in self.dead if run != given["run"]]
        if not others:
            return ()
        places: dict[str, int] = {}
        known = given | {"ids": as_json(list(accepted)), "dead": others}
        for extern_id, place, digest, taken in connection.execute(self.statements.left, known).all():
            if not taken and digest == accepted[extern_id]:
                places.setdefault(extern_id, place)
        if places:
            connection.execute(sa.update(LEFT).where(LEFT.c.place.in_(places.values())).values(taken=True))
        return places.keys()
