"""One account's part of the ledger: transactions, dead runs, and the claims of the run that writes."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_engagevoice.ledger.batches import ClaimsByBatch
from target_engagevoice.ledger.in_flight import Claims, ClaimsByLead
from target_engagevoice.ledger.statements import as_json, statements
from target_engagevoice.ledger.tables import REPLAY_CANDIDATES, RUNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from target_engagevoice.ledger.database import Database


class LedgerAccount:
    """What the parts of a ledger share. Any thread may call it: one lock queues the transactions that write.

    Attributes:
        run: The run that writes.
        claims: Its claims; the lock of `writing` guards them.
        claims_by_lead: The claims of dead runs.
        dead: Dead runs, as of the last `find_dead_runs`; that method alone replaces the tuple.
        absent: Whether there is no ledger. A dry run treats that as an empty one.
    """

    def __init__(self, database: Database, account_id: str, run: str, *, absent: bool) -> None:
        self.database = database
        self.account_id = account_id
        self.run = run
        self.absent = absent
        self.statements = statements(database.dialect)
        self.claims_by_lead = ClaimsByLead(database.dialect)
        self.claims: Claims = (
            self.claims_by_lead if database.shared else ClaimsByBatch(account_id, run, self.claims_by_lead)
        )
        self.dead: tuple[str, ...] = ()
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
        return self.database.transaction("read")

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes, one at a time."""
        with self._writing, self.database.transaction("written") as connection:
            yield connection

    def find_dead_runs(self) -> None:
        """Find out which unfinished runs are dead: from here on their claims and replay candidates count."""
        query = sa.select(RUNS.c.run).where(RUNS.c.account_id == self.account_id, RUNS.c.run != self.run)
        with self.reading() as connection:
            runs = list(connection.execute(query).scalars())
            self.dead = tuple(run for run in runs if self.database.is_dead(connection, self.account_id, run))

    def settle_claims(
        self,
        connection: sa.Connection,
        given: Mapping[str, Any],
        done: Mapping[str, str],
        cleared: Collection[str] = (),
    ) -> None:
        """End claims of this run, as part of a transaction that records what came of them.

        Args:
            connection: In that transaction.
            given: `campaign_id` and `stream`.
            done: `externId` to digest of the leads that become replay candidates.
            cleared: `externId` of the others.
        """
        given = self.given(**given, run=self.run)
        positioned = self.keep_positions(connection, given, done) if done else ()
        self.claims.settle(connection, given, done, cleared, positioned=positioned, refused=False)

    def keep_positions(
        self, connection: sa.Connection, given: dict[str, Any], accepted: Mapping[str, str]
    ) -> Collection[str]:
        """Mark versions that a dead run got refused as accepted, in the positions they have.

        Versions of a lead are ordered by when the tap first sent them, not by when the campaign accepted them. An
        example: run A reads L1 twice, first with the name Ann, then with the name Bea. The campaign refuses Ann and
        accepts Bea. A is killed before STATE passes either record. Its candidates are (1, Ann, refused) and (2, Bea,
        accepted). Run B reads Ann again, and this time the campaign accepts it. B does not add (3, Ann, accepted); it
        turns candidate 1 into an accepted one. If B is killed as well, run C finds Ann before Bea, in the order in
        which the tap sends them to it. Behind Bea, Ann would look like the newest version, as if the source had gone
        back to it.

        Args:
            connection: In a transaction.
            given: `campaign_id`, `stream` and `run`, as parameters of a statement.
            accepted: `externId` to digest of the versions that were accepted now.

        Returns:
            `externId` of the versions that have a position, and must not be added again.
        """
        others = [run for run in self.dead if run != given["run"]]
        if not others:
            return ()
        positions: dict[str, int] = {}
        query = given | {"ids": as_json(list(accepted)), "dead": others}
        for extern_id, position, digest, was_accepted in connection.execute(self.statements.replay_candidates, query):
            if not was_accepted and digest == accepted[extern_id]:
                positions.setdefault(extern_id, position)
        if positions:
            these = REPLAY_CANDIDATES.c.place.in_(positions.values())
            connection.execute(sa.update(REPLAY_CANDIDATES).where(these).values(taken=True))
        return positions.keys()
