"""What each campaign last accepted under each `externId`, and what runs have in flight (SQLAlchemy Core).

An outcome is written before STATE passes its record. A claim is written before a request is sent (see `in_flight`).
"""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_engagevoice.errors import LedgerError
from target_engagevoice.ledger.account import LedgerAccount
from target_engagevoice.ledger.database import open_database
from target_engagevoice.ledger.entries import Accepted, InFlight, ReplayCandidate
from target_engagevoice.ledger.leads import LedgerLeads
from target_engagevoice.ledger.listed_phones import ListedPhones
from target_engagevoice.ledger.migrations import check_version
from target_engagevoice.ledger.statements import as_json
from target_engagevoice.ledger.tables import (
    BATCHES,
    EVERYWHERE,
    FATE_UNKNOWN,
    IN_FLIGHT,
    LOAD,
    REFUSED,
    REPLAY_CANDIDATES,
    RUNS,
)
from target_engagevoice.ledger.versions import LedgerVersions
from target_engagevoice.model.retirement import RETIRED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path


class Ledger:
    """One account's ledger. Any thread may call it: each call is one transaction, and one lock queues those that write.

    Args:
        account: Its database, and the run that writes.
        predecessors: Runs that were dead when this one began.
    """

    def __init__(self, account: LedgerAccount, predecessors: Sequence[str]) -> None:
        self._account = account
        self._predecessors = predecessors
        self.leads = LedgerLeads(account)
        self.phones = ListedPhones(account)
        self.versions = LedgerVersions(account)

    @classmethod
    def open(cls, url: str | None, state_dir: Path, account_id: str, run: str, *, read_only: bool = False) -> Ledger:
        """Open the ledger; create it where there is none.

        Args:
            url: Any SQLAlchemy URL of SQLite or PostgreSQL; None for SQLite in `state_dir`.
            state_dir: Where the SQLite ledger is.
            account_id: Whose leads.
            run: The run that writes.
            read_only: For a dry run: create and write nothing; a missing ledger is an empty one.

        Raises:
            LedgerError: It cannot be opened or written, a newer version wrote it, or another run holds it.
        """
        database, make = open_database(url, state_dir, read_only=read_only)
        try:
            with database.transaction("opened") as connection:
                absent = not check_version(connection, make=make)
            if not read_only:
                database.show_alive(account_id, run)
                with database.transaction("written") as connection:
                    connection.execute(sa.insert(RUNS).values(account_id=account_id, run=run))
            account = LedgerAccount(database, account_id, run, absent=absent)
            if not absent:
                account.find_dead_runs()
                with database.transaction("read" if read_only else "written") as connection:
                    account.claims.take_over(connection, account.dead, read_only=read_only)
        except LedgerError:
            database.close()
            raise
        return cls(account, account.dead)

    @property
    def shared(self) -> bool:
        """Whether other runs may write at the same time."""
        return self._account.database.shared

    def find_dead_runs(self) -> None:
        """Find out which unfinished runs are dead: from here on their claims and replay candidates count."""
        self._account.find_dead_runs()

    def accepted(self, campaign_id: str, extern_ids: Sequence[str]) -> dict[str, Accepted]:
        """What the campaign last accepted under these ids; an id it never accepted is absent."""
        if self._account.absent:
            return {}
        given = self._account.given(campaign_id, ids=as_json(extern_ids))
        with self._account.reading() as connection:
            rows = connection.execute(self._account.statements.accepted, given).all()
        return {extern_id: Accepted(digest, at, retired) for extern_id, digest, at, retired in rows}

    def replay_candidates(
        self, stream: str, campaign_id: str | None, extern_ids: Sequence[str]
    ) -> dict[str, list[ReplayCandidate]]:
        """Versions of these leads that dead runs got accepted or refused, in the order in which the tap sent them.

        The tap sends them again, because no STATE passed them. A lead may have several versions among them, while
        `accepted` knows only the last one that the campaign took. An example: run A loads L1 as Ann, then as Bea, and
        is killed before STATE passes either. Run B reads Ann again. The campaign now has Bea, so `accepted` alone would
        make B load Ann over it. The candidates Ann, Bea show that Ann comes before Bea: B skips both.

        Args:
            stream: Where the records came from.
            campaign_id: Where the leads went; None for any campaign. A lead that was retired everywhere is in the
                result in any case.
            extern_ids: Which leads.
        """
        found: dict[str, list[ReplayCandidate]] = {}
        if not self._account.dead:
            return found
        with self._account.reading() as connection:
            campaigns = self.leads.campaigns(connection) if campaign_id is None else [campaign_id]
            for where in (EVERYWHERE, *campaigns):
                given = self._account.given(where, ids=as_json(extern_ids), stream=stream, dead=self._account.dead)
                rows = connection.execute(self._account.statements.replay_candidates, given)
                for extern_id, position, digest, was_accepted in rows:
                    version = ReplayCandidate(position, digest, was_accepted, everywhere=where == EVERYWHERE)
                    found.setdefault(extern_id, []).append(version)
        for versions in found.values():
            versions.sort(key=attrgetter("position"))
        return found

    def claim(
        self, stream: str, campaign_id: str, digests: Mapping[str, str], since: float, work: str = LOAD
    ) -> set[str]:
        """Claim leads before they are loaded, changed or retired.

        Args:
            stream: Where they come from.
            campaign_id: Where they go.
            digests: `externId` to digest.
            since: Epoch seconds on the server's clock; the request is not sent before.
            work: What is about to be done: `tables.LOAD`, `CHANGE` or `RETIRE`.

        Returns:
            Those that this run now has; the others are in flight in another run.
        """
        given = self._account.given(campaign_id, stream=stream, since=since, run=self._account.run, work=work)
        self._account.database.check_alive()
        with self._account.writing() as connection:
            return self._account.claims.claim(connection, given, digests)

    def settle(  # noqa: PLR0913 - all that is known of a batch is written at once
        self,
        stream: str,
        campaign_id: str,
        accepted: Mapping[str, str],
        cleared: Collection[str],
        at: float,
        run: str | None = None,
        *,
        refused: bool = False,
        contents: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Record what came of claimed leads, and end their claims.

        Args:
            stream: Where they came from.
            campaign_id: Where they were sent.
            accepted: `externId` to digest of those that the campaign accepted.
            cleared: `externId` of those that it did not accept.
            at: Epoch seconds on the server's clock, the latest they can have been loaded.
            run: The run that claimed them; this one when None. For a dead run, leads that another run settled meanwhile
                are left alone: the campaign may have accepted a later version since.
            refused: Whether the cleared leads were refused. Then they become replay candidates too.
            contents: `externId` to the digests of the fields, of accepted leads that may be changed.
        """
        account, run = self._account, run or self._account.run
        given = account.given(campaign_id, stream=stream, accepted_at=at, run=run)
        settle = account.claims.settle if run == account.run else account.claims.settle_for_dead_run
        with account.writing() as connection:
            if run != account.run:
                held = account.claims_by_lead.held(connection, given, accepted)
                accepted = {extern_id: digest for extern_id, digest in accepted.items() if extern_id in held}
            positioned: Collection[str] = ()
            if accepted:
                connection.execute(account.statements.accept, given | {"leads": as_json(accepted)})
                if contents:
                    self.leads.keep_contents(connection, campaign_id, contents)
                positioned = account.keep_positions(connection, given, accepted)
            settle(connection, given, accepted, cleared, positioned=positioned, refused=refused)

    def record_unchanged(self, stream: str, campaign_id: str, digests: Mapping[str, str]) -> None:
        """Make leads replay candidates that were read and need nothing, because the campaign has them like this.

        An example: the campaign has L1 as Ann. This run reads Ann and records it here, then reads Bea, loads it and is
        killed. The next run reads Ann again and finds the candidates Ann, Bea, in this order. With Bea as the only
        candidate, Ann would look like a newer version than Bea, as if the source had gone back to it.

        Args:
            stream: Where they came from.
            campaign_id: Where they are.
            digests: `externId` to digest.
        """
        given = self._account.given(campaign_id, stream=stream, run=self._account.run)
        with self._account.writing() as connection:
            self._account.claims.settle(connection, given, digests, (), positioned=(), refused=False)

    def in_flight(self) -> list[InFlight]:
        """The claims of dead runs, as of the last `find_dead_runs`."""
        query = sa.select(IN_FLIGHT).where(
            IN_FLIGHT.c.account_id == self._account.account_id,
            IN_FLIGHT.c.run.in_(self._account.dead),
        )
        with self._account.reading() as connection:
            return [
                InFlight(row.campaign_id, row.stream, row.extern_id, row.digest, row.since, row.run, row.work)
                for row in connection.execute(query)
            ]

    def refused(self, campaign_id: str, extern_id: str) -> str | None:
        """The digest of the lead that the campaign last refused for its own fault under this id; None for none."""
        query = sa.select(REFUSED.c.digest).where(
            REFUSED.c.account_id == self._account.account_id,
            REFUSED.c.campaign_id == campaign_id,
            REFUSED.c.extern_id == extern_id,
        )
        with self._account.reading() as connection:
            digest: str | None = connection.execute(query).scalar()
            return digest

    def remember_refused(self, campaign_id: str, digests: Mapping[str, str]) -> None:
        """Remember leads that the campaign refused while it accepted others.

        Args:
            campaign_id: The campaign.
            digests: `externId` to digest.
        """
        given = self._account.given(campaign_id, leads=as_json(digests))
        with self._account.writing() as connection:
            connection.execute(self._account.statements.refuse, given)

    def loaded_by_dead_runs(self, campaign_id: str) -> bool:
        """Whether the campaign accepted leads from dead runs, whose work this run continues."""
        if not self._account.dead:
            return False
        some = sa.select(REPLAY_CANDIDATES.c.place).where(
            REPLAY_CANDIDATES.c.account_id == self._account.account_id,
            REPLAY_CANDIDATES.c.campaign_id == campaign_id,
            REPLAY_CANDIDATES.c.run.in_(self._account.dead),
            REPLAY_CANDIDATES.c.taken,
            REPLAY_CANDIDATES.c.digest != RETIRED,
        )
        with self._account.reading() as connection:
            return connection.execute(some.limit(1)).first() is not None

    def finish(self, streams: Collection[str]) -> None:
        """Delete replay candidates that STATE has passed, and runs that have nothing left in the ledger.

        STATE has passed those of this run, and those that its predecessors read from the same streams. Candidates of a
        run that died while this one was alive stay: its tap has a STATE of its own, and sends them again.

        Args:
            streams: Those that this run read.
        """
        account, run = self._account.account_id, self._account.run
        candidates = REPLAY_CANDIDATES.c.account_id == account
        needed = [
            sa.select(table.c.run).where(table.c.account_id == account, table.c.run == RUNS.c.run).exists()
            for table in (REPLAY_CANDIDATES, IN_FLIGHT, BATCHES)
        ]
        mine = sa.delete(REPLAY_CANDIDATES).where(candidates, REPLAY_CANDIDATES.c.run == run)
        mine_in_batches = sa.delete(BATCHES).where(
            BATCHES.c.account_id == account, BATCHES.c.fate != FATE_UNKNOWN, BATCHES.c.run == run
        )
        of_predecessors = sa.delete(REPLAY_CANDIDATES).where(
            candidates, REPLAY_CANDIDATES.c.run.in_(self._predecessors), REPLAY_CANDIDATES.c.stream.in_(streams)
        )
        runs = sa.delete(RUNS).where(
            RUNS.c.account_id == account,
            RUNS.c.run.in_([run, *self._account.dead]),
            *(sa.not_(each) for each in needed),
        )
        with self._account.writing() as connection:
            for statement in (mine, mine_in_batches, of_predecessors, runs):
                connection.execute(statement)

    def close(self) -> None:
        """Close the database. Other runs no longer see this one as alive."""
        self._account.database.close()
