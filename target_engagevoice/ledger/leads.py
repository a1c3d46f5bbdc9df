"""Leads that campaigns accepted: where they are, and how they were changed and retired since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_engagevoice.ledger.entries import LedgerLead
from target_engagevoice.ledger.statements import as_json, extern_ids, insert
from target_engagevoice.ledger.tables import ACCEPTED, EVERYWHERE
from target_engagevoice.model.retirement import RETIRED, UNCERTAIN, Retire

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_engagevoice.ledger.account import LedgerAccount


_COLUMNS = ("campaign_id", "extern_id", "digest", "accepted_at", "retired", "lead_id", "was", "content")

_CAMPAIGNS = sa.text("""
    WITH RECURSIVE known (id) AS (
        SELECT min(campaign_id) FROM engagevoice_accepted WHERE account_id = :account_id
        UNION ALL
        SELECT (SELECT min(campaign_id) FROM engagevoice_accepted
                WHERE account_id = :account_id AND campaign_id > known.id)
        FROM known WHERE known.id IS NOT NULL
    )
    SELECT id FROM known WHERE id IS NOT NULL
""").columns(id=sa.String)
"""Jumps from campaign to campaign in the primary key. SELECT DISTINCT would read all of it."""


class LedgerLeads:
    """The leads of a ledger. Any thread may call it: each call is one transaction of the ledger."""

    def __init__(self, book: LedgerAccount) -> None:
        self._account = book

    def campaigns(self, connection: sa.Connection) -> Sequence[str]:
        """Every campaign that accepted a lead."""
        return connection.execute(_CAMPAIGNS, self._account.given("")).scalars().all()

    def locate(self, stream: str, wanted: Sequence[str]) -> list[LedgerLead]:
        """Leads of a stream in every campaign, retired or not. Leads of an earlier version belong to any stream.

        Args:
            stream: The stream.
            wanted: Their `externId`s.
        """
        if self._account.absent:
            return []
        known = _CAMPAIGNS.subquery("known")
        query = sa.select(*(ACCEPTED.c[name] for name in _COLUMNS)).where(
            ACCEPTED.c.account_id == sa.bindparam("account_id"),
            ACCEPTED.c.campaign_id.in_(sa.select(known.c.id)),
            ACCEPTED.c.extern_id.in_(extern_ids(self._account.dialect)),
            sa.or_(ACCEPTED.c.stream == sa.bindparam("stream"), ACCEPTED.c.stream.is_(None)),
        )
        given = self._account.given("", ids=as_json(wanted), stream=stream)
        with self._account.reading() as connection:
            return [LedgerLead(*row) for row in connection.execute(query, given)]

    def of_campaign(self, campaign_id: str, wanted: Sequence[str]) -> dict[str, LedgerLead]:
        """Leads of a campaign, by `externId`; an id it never accepted is absent."""
        if self._account.absent:
            return {}
        query = sa.select(*(ACCEPTED.c[name] for name in _COLUMNS)).where(self._these(campaign_id))
        given = {"ids": as_json(wanted)}
        with self._account.reading() as connection:
            return {row.extern_id: LedgerLead(*row) for row in connection.execute(query, given)}

    def keep_contents(self, connection: sa.Connection, campaign_id: str, contents: Mapping[str, str]) -> None:
        """Write the digests of the fields of leads that are accepted in the same transaction."""
        rows = [{"a_campaign": campaign_id, "a_lead": key, "new": content} for key, content in contents.items()]
        connection.execute(self._each().values(content=sa.bindparam("new")), self._named(rows))

    def record_uncertain_fields(self, campaign_id: str, contents: Mapping[str, str]) -> None:
        """Claimed leads are about to be changed. Until that is done, either value of a changed field is possible.

        Args:
            campaign_id: Where they are.
            contents: `externId` to the digests of those fields that are certain.
        """
        with self._account.writing() as connection:
            self.keep_contents(connection, campaign_id, contents)

    def record_lookup(self, campaign_id: str, found: Mapping[str, tuple[str, str | None]]) -> None:
        """Leads were looked up.

        Args:
            campaign_id: Where.
            found: `externId` to their id on the server, and their state there when they are about to be retired. A
                known state stays: it is the one from before the first attempt.
        """
        rows = [
            {"a_campaign": campaign_id, "a_lead": key, "id": lead_id, "state": state}
            for key, (lead_id, state) in found.items()
        ]
        was = sa.func.coalesce(ACCEPTED.c.was, sa.bindparam("state", type_=sa.String))
        if rows:
            with self._account.writing() as connection:
                connection.execute(self._each().values(lead_id=sa.bindparam("id"), was=was), self._named(rows))

    def record_existing(self, stream: str, campaign_id: str, found: Mapping[str, tuple[str, float]]) -> None:
        """A campaign has leads that this ledger did not know of. Their content is unknown.

        Args:
            stream: The stream that they belong to from now on.
            campaign_id: The campaign.
            found: `externId` to the id on the server, and when it was loaded, in epoch seconds on the server's clock.
        """
        given = self._account.given(campaign_id, stream=stream, digest="", run="")
        rows = [
            given | {"extern_id": extern_id, "lead_id": lead_id, "accepted_at": at}
            for extern_id, (lead_id, at) in sorted(found.items())  # in one order: no deadlock between two runs
        ]
        with self._account.writing() as connection:
            connection.execute(insert(self._account.dialect, ACCEPTED).on_conflict_do_nothing(), rows)

    def record_change(
        self, stream: str, campaign_id: str, digests: Mapping[str, str], contents: Mapping[str, str]
    ) -> None:
        """Claimed leads were changed in place, and are in the dialer.

        Args:
            stream: Where they came from.
            campaign_id: Where they are.
            digests: `externId` to the digest of the new content.
            contents: `externId` to the digests of its fields.
        """
        rows = [
            {"a_campaign": campaign_id, "a_lead": key, "new": digest, "fields": contents.get(key)}
            for key, digest in digests.items()
        ]
        values: dict[str, Any] = {
            "digest": sa.bindparam("new"),
            "content": sa.bindparam("fields"),
            "retired": None,
            "was": None,
        }
        with self._account.writing() as connection:
            connection.execute(self._each().values(**values, stream=stream), self._named(rows))
            self._account.settle_claims(connection, {"campaign_id": campaign_id, "stream": stream}, digests)

    def record_gone(self, stream: str, campaign_id: str, leads: Collection[str]) -> None:
        """Claimed leads are no longer on the server: the ledger treats them as deleted."""
        with self._account.writing() as connection:
            self._retire(connection, campaign_id, leads, Retire.DELETE.value)
            self._account.settle_claims(connection, {"campaign_id": campaign_id, "stream": stream}, {}, leads)

    def record_retirement(
        self, stream: str, campaign_id: str, leads: Collection[str], how: Retire, *, moved: bool
    ) -> None:
        """Claimed leads are out of the dialer.

        Args:
            stream: Where they came from.
            campaign_id: Where they are.
            leads: Their `externId`s.
            how: What was done.
            moved: Whether another campaign is to have them. If not, call `record_retired_everywhere` as well.
        """
        with self._account.writing() as connection:
            self._retire(connection, campaign_id, leads, how.value)
            done = dict.fromkeys(leads, RETIRED) if moved else {}
            given = {"campaign_id": campaign_id, "stream": stream}
            self._account.settle_claims(connection, given, done, () if moved else leads)

    def record_not_retired(self, stream: str, campaign_id: str, leads: Collection[str]) -> None:
        """The server did not retire claimed leads. Their state is looked up again before the next attempt."""
        in_dialer = sa.update(ACCEPTED).where(self._these(campaign_id), ACCEPTED.c.retired.is_(None))
        with self._account.writing() as connection:
            connection.execute(in_dialer.values(was=None), {"ids": as_json(list(leads))})
            self._account.settle_claims(connection, {"campaign_id": campaign_id, "stream": stream}, {}, leads)

    def record_uncertain(self, campaign_id: str, leads: Collection[str], how: Retire | None) -> None:
        """A request about claimed leads failed on the server, which may have done it or not.

        Args:
            campaign_id: Where they are.
            leads: Their `externId`s.
            how: How the request would have retired them, or which retirement it would have undone; None for a change.
        """
        values = {"digest": ""} if how is None else {"retired": how.value + UNCERTAIN}
        with self._account.writing() as connection:
            these = sa.update(ACCEPTED).where(self._these(campaign_id))
            connection.execute(these.values(values), {"ids": as_json(list(leads))})

    def record_retired_everywhere(self, stream: str, leads: Collection[str]) -> None:
        """Make leads replay candidates that are in no dialer any more, or never were in one."""
        with self._account.writing() as connection:
            given = {"campaign_id": EVERYWHERE, "stream": stream}
            self._account.settle_claims(connection, given, dict.fromkeys(leads, RETIRED))

    def settle_uncertain(
        self, stream: str, campaign_id: str, leads: Mapping[str, str], run: str, how: Retire | None
    ) -> None:
        """End claims of a dead run that may have changed or retired leads. Their next record is applied in any case.

        The content becomes unknown, unless the run was about to put a lead of this content back into the dialer.

        Args:
            stream: Where they came from.
            campaign_id: Where they are.
            leads: `externId` to the digest that the change would have given them.
            run: The dead run.
            how: How it would have retired them; None for a change.
        """
        known = self.of_campaign(campaign_id, list(leads)) if how is None else {}
        same_content = [key for key, lead in known.items() if lead.digest == leads[key]]
        with self._account.writing() as connection:
            theirs = self._account.given(campaign_id, stream=stream, run=run)
            # Another run has settled the others meanwhile.
            claimed = self._account.claims_by_lead.held(connection, theirs, leads)
            if how is not None:
                self._retire(connection, campaign_id, claimed, how.value + UNCERTAIN)
            else:
                uncertain = sa.func.rtrim(ACCEPTED.c.retired, UNCERTAIN, type_=sa.String).concat(UNCERTAIN)
                update = sa.update(ACCEPTED).where(self._these(campaign_id)).values(retired=uncertain)
                connection.execute(update, {"ids": as_json([key for key in same_content if key in claimed])})
                changed = [key for key in claimed if key not in same_content]
                connection.execute(update.values(digest=""), {"ids": as_json(changed)})
            self._account.claims.settle_for_dead_run(connection, theirs, {}, claimed, positioned=(), refused=False)

    def _retire(self, connection: sa.Connection, campaign_id: str, leads: Collection[str], how: str) -> None:
        values: dict[str, Any] = {"retired": how} | ({"lead_id": None, "was": None} if how == Retire.DELETE else {})
        given = {"ids": as_json(list(leads))}
        connection.execute(sa.update(ACCEPTED).where(self._these(campaign_id)).values(values), given)

    def _these(self, campaign_id: str) -> sa.ColumnElement[bool]:
        """Condition: the leads of a campaign in `ids`."""
        return sa.and_(
            ACCEPTED.c.account_id == self._account.account_id,
            ACCEPTED.c.campaign_id == campaign_id,
            ACCEPTED.c.extern_id.in_(extern_ids(self._account.dialect)),
        )

    def _each(self) -> sa.Update:
        """An update of one lead, to execute with a list of parameters."""
        return sa.update(ACCEPTED).where(
            ACCEPTED.c.account_id == sa.bindparam("an_account"),
            ACCEPTED.c.campaign_id == sa.bindparam("a_campaign"),
            ACCEPTED.c.extern_id == sa.bindparam("a_lead"),
        )

    def _named(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        account_id = self._account.account_id
        return [row | {"an_account": account_id} for row in rows]
