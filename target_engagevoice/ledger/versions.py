"""Which leads each version of a stream has, until one version is activated, and which one was activated last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_engagevoice.ledger.statements import insert
from target_engagevoice.ledger.tables import ACCEPTED, SEEN
from target_engagevoice.model.retirement import UNCERTAIN

if TYPE_CHECKING:
    from collections.abc import Collection

    from target_engagevoice.ledger.account import LedgerAccount

ANY_VERSION = 0
"""The version of records that carry none: they count for every version."""

NO_VERSION = -1
"""A version that has no records."""

NO_EXTERN_ID = ""
"""Stands for the `externId` of a record that yields none."""

ACTIVATED = " "
"""Stands in the column `extern_id`, where a real one is never blank, and marks the version that was activated last."""


class LedgerVersions:
    """The versions of a ledger's streams. Any thread may call it: each call is one transaction of the ledger."""

    def __init__(self, book: LedgerAccount) -> None:
        self._account = book

    def record_seen(self, stream: str, version: int, leads: Collection[str]) -> None:
        """These leads were read in a version of a stream."""
        given = self._given(stream, version)
        rows = [given | {"extern_id": extern_id} for extern_id in sorted(leads)]
        if rows:
            with self._account.writing() as connection:
                connection.execute(insert(self._account.dialect, SEEN).on_conflict_do_nothing(), rows)

    def holds(self, stream: str, version: int, extern_id: str) -> bool:
        """Whether a version has a record of this id, or of `NO_EXTERN_ID`."""
        that = sa.select(SEEN.c.version).where(self._of_version(stream, version), SEEN.c.extern_id == extern_id)
        with self._account.reading() as connection:
            return connection.execute(that.limit(1)).first() is not None

    def count(self, stream: str, version: int) -> tuple[int, int]:
        """How many leads of a stream are in the dialer but not in a version, and how many are in the dialer at all."""
        in_dialer = sa.select(sa.func.count()).select_from(ACCEPTED).where(self._in_dialer(stream))
        with self._account.reading() as connection:
            missing = connection.execute(in_dialer.where(self._is_missing(stream, version))).scalar()
            return int(missing or 0), int(connection.execute(in_dialer).scalar() or 0)

    def missing(self, stream: str, version: int, after: str, most: int) -> list[tuple[str, str]]:
        """Campaign and `externId` of leads in the dialer that are not in a version, ordered by `externId`.

        Args:
            stream: Whose leads.
            version: The version.
            after: The `externId` to continue after.
            most: How many rows at most, -1 for all of them; a lead may be in several campaigns.
        """
        if self._account.absent:
            return []
        behind = sa.and_(
            self._in_dialer(stream),
            self._is_missing(stream, version),
            sa.collate(ACCEPTED.c.extern_id, self._order) > after,
        )
        order = sa.collate(ACCEPTED.c.extern_id, self._order)
        rows = sa.select(ACCEPTED.c.campaign_id, ACCEPTED.c.extern_id).where(behind).order_by(order)
        rows = rows if most < 0 else rows.limit(most)
        with self._account.reading() as connection:
            return [(campaign_id, extern_id) for campaign_id, extern_id in connection.execute(rows)]

    def activated(self, stream: str) -> int | None:
        """The version of a stream that was activated last, by this run or one before; None for none."""
        last = sa.select(sa.func.max(SEEN.c.version)).where(self._of_stream(stream), SEEN.c.extern_id == ACTIVATED)
        with self._account.reading() as connection:
            return connection.execute(last).scalar()

    def record_activated(self, stream: str, activated: int) -> None:
        """Remember that a version was activated, and delete which leads the versions of this stream have."""
        with self._account.writing() as connection:
            connection.execute(sa.delete(SEEN).where(self._of_stream(stream)))
            that = self._given(stream, activated) | {"extern_id": ACTIVATED}
            connection.execute(insert(self._account.dialect, SEEN).on_conflict_do_nothing(), that)

    @property
    def _order(self) -> str:
        return "C" if self._account.database.shared else "BINARY"

    def _given(self, stream: str, version: int) -> dict[str, str | int]:
        return {"account_id": self._account.account_id, "stream": stream, "version": version}

    def _of_stream(self, stream: str) -> sa.ColumnElement[bool]:
        return sa.and_(SEEN.c.account_id == self._account.account_id, SEEN.c.stream == stream)

    def _of_version(self, stream: str, version: int) -> sa.ColumnElement[bool]:
        return sa.and_(self._of_stream(stream), SEEN.c.version.in_((version, ANY_VERSION)))

    def _is_missing(self, stream: str, version: int) -> sa.ColumnElement[bool]:
        seen = sa.select(SEEN.c.extern_id).where(
            self._of_version(stream, version), SEEN.c.extern_id == ACCEPTED.c.extern_id
        )
        return sa.not_(seen.exists())

    def _in_dialer(self, stream: str) -> sa.ColumnElement[bool]:
        maybe = sa.or_(ACCEPTED.c.retired.is_(None), ACCEPTED.c.retired.like(f"%{UNCERTAIN}"))
        of_stream = sa.and_(ACCEPTED.c.account_id == self._account.account_id, ACCEPTED.c.stream == stream)
        return sa.and_(of_stream, maybe)
