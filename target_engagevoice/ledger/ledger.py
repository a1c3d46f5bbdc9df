"""What each campaign last accepted under each `externId`, and what may be on its way (SQLAlchemy Core).

Written before STATE moves past a record. Claimed before a request is sent, so that the next run knows what a killed
one may have loaded, and so that two runs on one PostgreSQL ledger never send the same lead at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from target_engagevoice.errors import LedgerError
from target_engagevoice.ledger.account import LedgerAccount
from target_engagevoice.ledger.database import open_database
from target_engagevoice.ledger.in_flight import BatchFlights, foreign
from target_engagevoice.ledger.leads import LedgerLeads
from target_engagevoice.ledger.statements import as_json
from target_engagevoice.ledger.tables import (
    BATCHES,
    EVERYWHERE,
    IN_FLIGHT,
    LEFT,
    LOAD,
    REFUSED,
    RUNS,
    UNDER_WAY,
    check_version,
    spread_batches,
    spread_done,
)
from target_engagevoice.ledger.versions import LedgerVersions
from target_engagevoice.model.retirement import RETIRED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path


class Accepted(msgspec.Struct, frozen=True):
    """What a campaign last accepted under an `externId`.

    Attributes:
        digest: Of the lead's content, see `leads.Lead.digest`.
        at: Epoch seconds on the server's clock, the latest it can have been.
        retired: How the lead was taken out of the dialer since, see `ledger_tables.ACCEPTED`; None for not at all.
    """

    digest: str
    at: float
    retired: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether it is not known what the lead holds: a killed run was about to change it."""
        return not self.digest

    def holds(self, digest: str) -> bool:
        """Whether the campaign has a lead of this content in its dialer."""
        return self.digest == digest and self.retired is None


@dataclass(frozen=True)
class InFlight:
    """A lead that a run was about to send, or had sent, when it ended.

    Attributes:
        since: Epoch seconds on the server's clock; it was not sent before.
        run: The run that ended.
    """

    campaign_id: str
    stream: str
    extern_id: str
    digest: str
    since: float
    run: str
    work: str = LOAD


@dataclass(frozen=True)
class ReplayCandidate:
    """One version of a lead that a run got accepted, or refused, before it was killed.

    Attributes:
        position: Grows with time: which version came first.
        digest: `retirements.RETIRED` when it was taken out of the dialer.
        accepted: Whether it was accepted.
        everywhere: Whether it is that the lead was taken out of the dialer of all campaigns.
    """

    position: int
    digest: str
    accepted: bool = True
    everywhere: bool = False


class Ledger:
    """One account's ledger. Any thread may call it: each call is one transaction, and writes queue at one lock."""

    def __init__(self, book: LedgerAccount) -> None:
        self._account = book
        self._predecessors: tuple[str, ...] = ()
        self.leads = LedgerLeads(book)
        self.versions = LedgerVersions(book)

    @classmethod
    def open(cls, url: str | None, state_dir: Path, account_id: str, run: str, *, read_only: bool = False) -> Ledger:
        """Open the ledger, making it when missing.

        Args:
            url: Any SQLAlchemy URL of SQLite or PostgreSQL; None for SQLite in `state_dir`.
            state_dir: Where the SQLite ledger is.
            account_id: Whose leads.
            run: The run that writes.
            read_only: For a dry run: nothing is made or written; a ledger that is not there is an empty one.

        Raises:
            LedgerError: It can not be opened or written, is of a newer version, or another run holds it.
        """
        database, make = open_database(url, state_dir, read_only=read_only)
        book = LedgerAccount(database, account_id, run)
        ledger = cls(book)
        try:
            with book.transaction("opened") as connection:
                book.absent = not check_version(connection, make=make)
            if not read_only:
                database.hold(account_id, run)
                with book.transaction("written") as connection:
                    connection.execute(sa.insert(RUNS).values(account_id=account_id, run=run))
            if not book.absent:
                ledger.find_dead_runs()
                ledger._predecessors = book.dead
                with book.transaction("read" if read_only else "written") as connection:
                    spread_batches(connection, account_id, book.dead, read_only=read_only)
                    if not database.shared:
                        book.flights = BatchFlights(foreign(connection, account_id))
        except LedgerError:
            ledger.close()
            raise
        return ledger

    @property
    def shared(self) -> bool:
        """Whether other runs may write at the same time."""
        return self._account.database.shared

    def find_dead_runs(self) -> None:
        """Look which runs were killed: what they left counts from here on."""
        query = sa.select(RUNS.c.run).where(
            RUNS.c.account_id == self._account.account_id, RUNS.c.run != self._account.run
        )
        with self._account.reading() as connection:
            runs = list(connection.execute(query).scalars())
            self._account.dead = tuple(
                run for run in runs if self._account.database.is_dead(connection, self._account.account_id, run)
            )

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
        """What killed runs got accepted or refused under these ids, oldest first.

        The tap reads it again, because STATE did not get past it. A lead may be among it in several versions, of which
        `accepted` knows only the last.

        Args:
            stream: Where they came from.
            campaign_id: Where they went; None for anywhere. That a lead was retired everywhere is of every campaign.
            extern_ids: Which leads.
        """
        found: dict[str, list[ReplayCandidate]] = {}
        if not self._account.dead:
            return found
        with self._account.reading() as connection:
            campaigns = self.leads.campaigns(connection) if campaign_id is None else [campaign_id]
            for where in (EVERYWHERE, *campaigns):
                given = self._account.given(where, ids=as_json(extern_ids), stream=stream, dead=self._account.dead)
                for extern_id, place, digest, taken in connection.execute(self._account.statements.left, given).all():
                    version = ReplayCandidate(place, digest, taken, everywhere=where == EVERYWHERE)
                    found.setdefault(extern_id, []).append(version)
        for versions in found.values():
            versions.sort(key=attrgetter("position"))
        return found

    def claim(
        self, stream: str, campaign_id: str, digests: Mapping[str, str], since: float, work: str = LOAD
    ) -> set[str]:
        """These leads are about to be sent, changed or retired: note it, for others and for the next run.

        Args:
            stream: Where they come from.
            campaign_id: Where to.
            digests: `externId` to digest.
            since: Epoch seconds on the server's clock; the request is not sent before.
            work: What is about to be done: `ledger_tables.LOAD`, `CHANGE` or `RETIRE`.

        Returns:
            Those that are this run's now; the others are in flight in another run.
        """
        given = self._account.given(campaign_id, stream=stream, since=since, run=self._account.run, work=work)
        self._account.database.check_pulse()
        with self._account.writing() as connection:
            return self._account.flights.claim(connection, given, digests)

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
        """The fate of claimed leads is known.

        Args:
            stream: Where they came from.
            campaign_id: Where they were sent.
            accepted: `externId` to digest of those the server took.
            cleared: `externId` of those it did not take.
            at: Epoch seconds on the server's clock, the latest they can have been loaded.
            run: The run that sent them; this one when None. For another one, what somebody else settled is left alone:
                a later version of the lead may have been accepted since.
            refused: Whether the cleared leads were refused: they are read again as well when this run is killed.
            contents: `externId` to the digests of the fields, of accepted leads that may be changed.
        """
        run = run or self._account.run
        mine = run == self._account.run
        given = self._account.given(campaign_id, stream=stream, accepted_at=at, run=run)
        with self._account.writing() as connection:
            if not mine:
                if not self.shared:
                    spread_done(connection, self._account.account_id, self._account.run)
                known = self._account.rows.held(connection, given, accepted)
                accepted = {extern_id: digest for extern_id, digest in accepted.items() if extern_id in known}
            placed: Collection[str] = ()
            if accepted:
                connection.execute(self._account.statements.accept, given | {"leads": as_json(accepted)})
                if contents:
                    self.leads.keep_contents(connection, campaign_id, contents)
                placed = self._account.place(connection, given, accepted)
            land = self._account.flights.settle if mine else self._account.land_theirs
            land(connection, given, accepted, cleared, placed=placed, refused=refused)

    def record_unchanged(self, stream: str, campaign_id: str, digests: Mapping[str, str]) -> None:
        """Leads came that the campaign has as they are: for the next run, should this one be killed.

        Without it a version of theirs that is read again then, before a later one that this run is about to load, would
        look as if the source had gone back to it.

        Args:
            stream: Where they came from.
            campaign_id: Where they are.
            digests: `externId` to digest.
        """
        given = self._account.given(campaign_id, stream=stream, run=self._account.run)
        with self._account.writing() as connection:
            self._account.flights.settle(connection, given, digests, (), placed=(), refused=False)

    def in_flight(self) -> list[InFlight]:
        """What killed runs left without a known fate; `find_dead_runs` says which those are."""
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
        """The campaign refused these while it took others.

        Args:
            campaign_id: It.
            digests: `externId` to digest.
        """
        given = self._account.given(campaign_id, leads=as_json(digests))
        with self._account.writing() as connection:
            connection.execute(self._account.statements.refuse, given)

    def loaded_by_dead_runs(self, campaign_id: str) -> bool:
        """Whether the campaign took leads from runs that were killed, which this one goes on with."""
        if not self._account.dead:
            return False
        some = sa.select(LEFT.c.place).where(
            LEFT.c.account_id == self._account.account_id,
            LEFT.c.campaign_id == campaign_id,
            LEFT.c.run.in_(self._account.dead),
            LEFT.c.taken,
            LEFT.c.digest != RETIRED,
        )
        with self._account.reading() as connection:
            return connection.execute(some.limit(1)).first() is not None

    def finish(self, streams: Collection[str]) -> None:
        """This run came to its end: STATE is past all it got accepted, and past what killed runs before it left.

        What a run left that was killed meanwhile is kept: another source, whose STATE is not ours, reads it again.

        Args:
            streams: Those it read, whose remains of killed runs are of no more use.
        """
        account = LEFT.c.account_id == self._account.account_id
        unused = [
            sa.select(table.c.run)
            .where(table.c.account_id == self._account.account_id, table.c.run == RUNS.c.run)
            .exists()
            for table in (LEFT, IN_FLIGHT, BATCHES)
        ]
        with self._account.writing() as connection:
            connection.execute(sa.delete(LEFT).where(account, LEFT.c.run == self._account.run))
            known = sa.and_(BATCHES.c.account_id == self._account.account_id, BATCHES.c.fate != UNDER_WAY)
            connection.execute(sa.delete(BATCHES).where(known, BATCHES.c.run == self._account.run))
            connection.execute(
                sa.delete(LEFT).where(account, LEFT.c.run.in_(self._predecessors), LEFT.c.stream.in_(streams)),
            )
            connection.execute(
                sa.delete(RUNS).where(
                    RUNS.c.account_id == self._account.account_id,
                    RUNS.c.run.in_([self._account.run, *self._account.dead]),
                    *(sa.not_(used) for used in unused),
                ),
            )

    def close(self) -> None:
        """Let go of the database, and of the sign of life in it."""
        self._account.database.close()
