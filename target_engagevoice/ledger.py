"""What each campaign last accepted under each `externId`, and what may be on its way (SQLAlchemy Core).

Written before STATE moves past a record. Claimed before a request is sent, so that the next run knows what a killed
one may have loaded, and so that two runs on one PostgreSQL ledger never send the same lead at the same time.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from target_engagevoice.errors import LedgerError
from target_engagevoice.ledger_database import Database, explained, open_database
from target_engagevoice.ledger_statements import as_json, statements
from target_engagevoice.ledger_tables import IN_FLIGHT, LEFT, REFUSED, RUNS, check_version, index_left

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


class Accepted(msgspec.Struct, frozen=True):
    """What a campaign last accepted under an `externId`.

    Attributes:
        digest: Of the lead's content, see `leads.Lead.digest`.
        at: Epoch seconds on the server's clock, the latest it can have been.
    """

    digest: str
    at: float


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


@dataclass(frozen=True)
class Left:
    """One version of a lead that a run got accepted, or refused, before it was killed.

    Attributes:
        place: Grows with time: which version came first.
        taken: Whether it was accepted.
    """

    place: int
    digest: str
    taken: bool = True


class Ledger:
    """One account's ledger. Any thread may call it: each call is one transaction, and writes queue at one lock."""

    def __init__(self, database: Database, account_id: str, run: str) -> None:
        self._database = database
        self._account_id = account_id
        self._run = run
        self._statements = statements(database.dialect)
        self._writing = threading.Lock()
        self._dead: tuple[str, ...] = ()
        self._predecessors: tuple[str, ...] = ()
        self._absent = False  # a dry run found no ledger: it reads as an empty one

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
        ledger = cls(database, account_id, run)
        try:
            with ledger._transaction("opened") as connection:
                ledger._absent = not check_version(connection, make=make)
            if not read_only:
                database.hold(account_id, run)
                with ledger._transaction("written") as connection:
                    connection.execute(sa.insert(RUNS).values(account_id=account_id, run=run))
            if not ledger._absent:
                ledger.find_the_dead()
                ledger._predecessors = ledger._dead
                with ledger._transaction("read" if read_only else "written") as connection:
                    index_left(connection, account_id, ledger._dead, read_only=read_only)
        except LedgerError:
            ledger.close()
            raise
        return ledger

    @property
    def shared(self) -> bool:
        """Whether other runs may write at the same time."""
        return self._database.shared

    def find_the_dead(self) -> None:
        """Look which runs were killed: what they left counts from here on."""
        query = sa.select(RUNS.c.run).where(RUNS.c.account_id == self._account_id, RUNS.c.run != self._run)
        with self._transaction("read") as connection:
            runs = list(connection.execute(query).scalars())
            self._dead = tuple(run for run in runs if self._database.is_dead(connection, self._account_id, run))

    def accepted(self, campaign_id: str, extern_ids: Sequence[str]) -> dict[str, Accepted]:
        """What the campaign last accepted under these ids; an id it never accepted is absent."""
        if self._absent:
            return {}
        given = self._given(campaign_id, ids=as_json(extern_ids))
        with self._transaction("read") as connection:
            rows = connection.execute(self._statements.accepted, given).all()
        return {extern_id: Accepted(digest, at) for extern_id, digest, at in rows}

    def left(self, stream: str, campaign_id: str, extern_ids: Sequence[str]) -> dict[str, list[Left]]:
        """What killed runs got accepted or refused under these ids, oldest first.

        The tap reads it again, because STATE did not get past it. A lead may be among it in several versions, of which
        `accepted` knows only the last.
        """
        found: dict[str, list[Left]] = {}
        if not self._dead:
            return found
        given = self._given(campaign_id, ids=as_json(extern_ids), stream=stream, dead=self._dead)
        with self._transaction("read") as connection:
            for extern_id, place, digest, taken in connection.execute(self._statements.left, given).all():
                found.setdefault(extern_id, []).append(Left(place, digest, taken))
        return found

    def claim(self, stream: str, campaign_id: str, digests: Mapping[str, str], since: float) -> set[str]:
        """These leads are about to be sent: note it, so that nobody else sends them and the next run knows.

        Args:
            stream: Where they come from.
            campaign_id: Where to.
            digests: `externId` to digest.
            since: Epoch seconds on the server's clock; the request is not sent before.

        Returns:
            Those that are this run's now; the others are in flight in another run.
        """
        given = self._given(campaign_id, leads=as_json(digests), stream=stream, since=since, run=self._run)
        self._database.check_pulse()
        with self._writing, self._transaction("written") as connection:
            connection.execute(self._statements.claim, given)
            if not self.shared:
                return set(digests)
            return self._held(connection, self._run, campaign_id, digests)

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
        """
        run = run or self._run
        with self._writing, self._transaction("written") as connection:
            if run != self._run:
                known = self._held(connection, run, campaign_id, accepted)
                accepted = {extern_id: digest for extern_id, digest in accepted.items() if extern_id in known}
            if accepted:
                given = self._given(campaign_id, leads=as_json(accepted), stream=stream, accepted_at=at, run=run)
                connection.execute(self._statements.accept, given)
                self._leave(connection, given, accepted)
            if refused and cleared:
                given = self._given(campaign_id, ids=as_json(list(cleared)), run=run)
                connection.execute(self._statements.leave_refused, given)
            released = self._given(campaign_id, ids=as_json([*accepted, *cleared]), run=run)
            connection.execute(self._statements.release, released)

    def in_flight(self) -> list[InFlight]:
        """What killed runs left without a known fate; `find_the_dead` says which those are."""
        query = sa.select(IN_FLIGHT).where(
            IN_FLIGHT.c.account_id == self._account_id,
            IN_FLIGHT.c.run.in_(self._dead),
        )
        with self._transaction("read") as connection:
            return [
                InFlight(row.campaign_id, row.stream, row.extern_id, row.digest, row.since, row.run)
                for row in connection.execute(query)
            ]

    def refused(self, campaign_id: str, extern_id: str) -> str | None:
        """The digest of the lead that the campaign last refused for its own fault under this id; None for none."""
        query = sa.select(REFUSED.c.digest).where(
            REFUSED.c.account_id == self._account_id,
            REFUSED.c.campaign_id == campaign_id,
            REFUSED.c.extern_id == extern_id,
        )
        with self._transaction("read") as connection:
            digest: str | None = connection.execute(query).scalar()
            return digest

    def remember_refused(self, campaign_id: str, digests: Mapping[str, str]) -> None:
        """The campaign refused these while it took others.

        Args:
            campaign_id: It.
            digests: `externId` to digest.
        """
        given = self._given(campaign_id, leads=as_json(digests))
        with self._writing, self._transaction("written") as connection:
            connection.execute(self._statements.refuse, given)

    def took_leads(self, campaign_id: str) -> bool:
        """Whether the campaign took leads from runs that were killed, which this one goes on with."""
        if not self._dead:
            return False
        some = sa.select(LEFT.c.place).where(
            LEFT.c.account_id == self._account_id,
            LEFT.c.campaign_id == campaign_id,
            LEFT.c.run.in_(self._dead),
            LEFT.c.taken,
        )
        with self._transaction("read") as connection:
            return connection.execute(some.limit(1)).first() is not None

    def finish(self, streams: Collection[str]) -> None:
        """This run came to its end: STATE is past all it got accepted, and past what killed runs before it left.

        What a run left that was killed meanwhile is kept: another source, whose STATE is not ours, reads it again.

        Args:
            streams: Those it read, whose remains of killed runs are of no more use.
        """
        account = LEFT.c.account_id == self._account_id
        unused = [
            sa.select(table.c.run).where(table.c.account_id == self._account_id, table.c.run == RUNS.c.run).exists()
            for table in (LEFT, IN_FLIGHT)
        ]
        with self._writing, self._transaction("written") as connection:
            connection.execute(sa.delete(LEFT).where(account, LEFT.c.run == self._run))
            connection.execute(
                sa.delete(LEFT).where(account, LEFT.c.run.in_(self._predecessors), LEFT.c.stream.in_(streams)),
            )
            connection.execute(
                sa.delete(RUNS).where(
                    RUNS.c.account_id == self._account_id,
                    RUNS.c.run.in_([self._run, *self._dead]),
                    *(sa.not_(used) for used in unused),
                ),
            )

    def close(self) -> None:
        """Let go of the database, and of the sign of life in it."""
        self._database.close()

    def _leave(self, connection: sa.Connection, given: dict[str, Any], accepted: Mapping[str, str]) -> None:
        """Note what a run got accepted, each version in the place it was first read in.

        A version that a killed run got refused is now accepted after those that came behind it; its place is before
        them all the same, since the tap will send it before them.
        """
        places: dict[str, int] = {}
        others = [run for run in self._dead if run != given["run"]]
        if others:
            known = given | {"ids": as_json(list(accepted)), "dead": others}
            for extern_id, place, digest, taken in connection.execute(self._statements.left, known).all():
                if not taken and digest == accepted[extern_id]:
                    places.setdefault(extern_id, place)
        if places:
            connection.execute(sa.update(LEFT).where(LEFT.c.place.in_(places.values())).values(taken=True))
            accepted = {extern_id: digest for extern_id, digest in accepted.items() if extern_id not in places}
        if accepted:
            connection.execute(self._statements.leave, given | {"leads": as_json(accepted)} if places else given)

    def _held(self, connection: sa.Connection, run: str, campaign_id: str, extern_ids: Iterable[str]) -> set[str]:
        """Which of these leads a run has in flight; nobody else can settle them before the transaction ends."""
        given = self._given(campaign_id, ids=as_json(list(extern_ids)), run=run)
        return set(connection.execute(self._statements.held, given).scalars("extern_id"))

    def _given(self, campaign_id: str, **given: Any) -> dict[str, Any]:
        return {"account_id": self._account_id, "campaign_id": campaign_id, **given}

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sa.Connection]:
        with explained(self._database.engine, what), self._database.turn, self._database.engine.begin() as connection:
            yield connection
