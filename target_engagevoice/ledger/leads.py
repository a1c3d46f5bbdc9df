"""What the ledger knows of leads that are loaded, so that they can be changed, retired and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from target_engagevoice.ledger.statements import as_json, extern_ids, insert
from target_engagevoice.ledger.tables import ACCEPTED, EVERYWHERE, LISTED
from target_engagevoice.model.lead import PERSONA_PHONES
from target_engagevoice.model.retirement import RETIRED, UNCERTAIN, Retire, phone_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_engagevoice.ledger.account import LedgerAccount
    from target_engagevoice.model.lead import Lead


class LoadedLead(msgspec.Struct, frozen=True):
    """A lead that a campaign accepted.

    Attributes:
        digest: Of its content; empty when that is not known.
        at: Epoch seconds on the server's clock, the latest it can have been loaded.
        retired: How it was taken out of the dialer; None for not at all; see `ledger_tables.ACCEPTED`.
        lead_id: The server's own; None until it was looked up.
        earlier_state: Its state at the server before it was retired.
        content: Digests of its fields; None when they are not known.
    """

    campaign_id: str
    extern_id: str
    digest: str
    at: float
    retired: str | None
    lead_id: str | None
    earlier_state: str | None
    content: str | None

    @property
    def in_dialer(self) -> bool:
        """Whether it is in the dialer, or may be."""
        return self.retired is None or self.retired.endswith(UNCERTAIN)

    @property
    def how(self) -> Retire | None:
        """How it was retired, or may have been."""
        return None if self.retired is None else Retire(self.retired.removesuffix(UNCERTAIN))


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
"""Steps from campaign to campaign through the key, in place of reading all of it."""


class LedgerLeads:
    """The leads of a ledger. Any thread may call it: each call is one transaction of the ledger's."""

    def __init__(self, book: LedgerAccount) -> None:
        self._account = book

    def campaigns(self, connection: sa.Connection) -> Sequence[str]:
        """Every campaign that accepted a lead."""
        return connection.execute(_CAMPAIGNS, self._account.given("")).scalars().all()

    def locate(self, stream: str, wanted: Sequence[str]) -> list[LoadedLead]:
        """Where leads of a stream are, retired or not. Leads that an earlier version noted are of any stream.

        Args:
            stream: It.
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
            return [LoadedLead(*row) for row in connection.execute(query, given)]

    def of_campaign(self, campaign_id: str, wanted: Sequence[str]) -> dict[str, LoadedLead]:
        """What is known of leads of a campaign, by `externId`."""
        if self._account.absent:
            return {}
        query = sa.select(*(ACCEPTED.c[name] for name in _COLUMNS)).where(self._these(campaign_id))
        given = {"ids": as_json(wanted)}
        with self._account.reading() as connection:
            return {row.extern_id: LoadedLead(*row) for row in connection.execute(query, given)}

    def keep_contents(self, connection: sa.Connection, campaign_id: str, contents: Mapping[str, str]) -> None:
        """Note the digests of the fields of leads that were accepted just now."""
        rows = [{"a_campaign": campaign_id, "a_lead": key, "new": content} for key, content in contents.items()]
        connection.execute(self._each().values(content=sa.bindparam("new")), self._named(rows))

    def record_uncertain_fields(self, campaign_id: str, contents: Mapping[str, str]) -> None:
        """Leads that were claimed are about to be changed: what their fields hold is not known until that is done."""
        with self._account.writing() as connection:
            self.keep_contents(connection, campaign_id, contents)

    def record_lookup(self, campaign_id: str, found: Mapping[str, tuple[str, str | None]]) -> None:
        """Leads were looked up.

        Args:
            campaign_id: Where.
            found: `externId` to their id at the server, and their state there when they are about to be retired. A
                state that is known already is that from before the first try, and stays.
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
        """A campaign holds leads that this ledger did not know of.

        Args:
            stream: Whose they are from now on.
            campaign_id: The campaign.
            found: `externId` to the id at the server, and when it was loaded, in epoch seconds of the server's clock.
        """
        given = self._account.given(campaign_id, stream=stream, digest="", run="")
        rows = [
            given | {"extern_id": extern_id, "lead_id": lead_id, "accepted_at": at}
            for extern_id, (lead_id, at) in sorted(found.items())  # in one order, so that no two runs wait in a circle
        ]
        with self._account.writing() as connection:
            connection.execute(insert(self._account.dialect, ACCEPTED).on_conflict_do_nothing(), rows)

    def record_change(
        self, stream: str, campaign_id: str, digests: Mapping[str, str], contents: Mapping[str, str]
    ) -> None:
        """Leads that were claimed are changed in place, and in the dialer.

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
            self._account.land(connection, {"campaign_id": campaign_id, "stream": stream}, digests)

    def record_gone(self, stream: str, campaign_id: str, leads: Collection[str]) -> None:
        """Leads that were claimed are not at the server any more: as if they had been deleted."""
        with self._account.writing() as connection:
            self._retire(connection, campaign_id, leads, Retire.DELETE.value)
            self._account.land(connection, {"campaign_id": campaign_id, "stream": stream}, {}, leads)

    def record_retirement(
        self, stream: str, campaign_id: str, leads: Collection[str], how: Retire, *, moved: bool
    ) -> None:
        """Leads that were claimed are out of the dialer.

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
            self._account.land(connection, given, done, () if moved else leads)

    def record_not_retired(self, stream: str, campaign_id: str, leads: Collection[str]) -> None:
        """The server did not retire leads that were claimed: it is asked anew for their state before the next try."""
        in_dialer = sa.update(ACCEPTED).where(self._these(campaign_id), ACCEPTED.c.retired.is_(None))
        with self._account.writing() as connection:
            connection.execute(in_dialer.values(was=None), {"ids": as_json(list(leads))})
            self._account.land(connection, {"campaign_id": campaign_id, "stream": stream}, {}, leads)

    def record_uncertain(self, campaign_id: str, leads: Collection[str], how: Retire | None) -> None:
        """The server broke on what was asked for these leads, and may have done it: what they are now is not known.

        Args:
            campaign_id: Where they are.
            leads: Their `externId`s.
            how: How they were to be retired, or put back from; None for a change.
        """
        values = {"digest": ""} if how is None else {"retired": how.value + UNCERTAIN}
        with self._account.writing() as connection:
            these = sa.update(ACCEPTED).where(self._these(campaign_id))
            connection.execute(these.values(values), {"ids": as_json(list(leads))})

    def record_retired_everywhere(self, stream: str, leads: Collection[str]) -> None:
        """Leads are out of the dialer everywhere, or there was none: for the next run, should this one be killed."""
        with self._account.writing() as connection:
            given = {"campaign_id": EVERYWHERE, "stream": stream}
            self._account.land(connection, given, dict.fromkeys(leads, RETIRED))

    def settle_uncertain(
        self, stream: str, campaign_id: str, leads: Mapping[str, str], run: str, how: Retire | None
    ) -> None:
        """A killed run may have changed leads, or retired them: the next record of theirs is applied in any case.

        A lead that was to be put back into the dialer as it was holds what it held.

        Args:
            stream: Where they came from.
            campaign_id: Where they are.
            leads: `externId` to the digest of what they were to be.
            run: The killed run.
            how: How it was to retire them; None for a change.
        """
        known = self.of_campaign(campaign_id, list(leads)) if how is None else {}
        as_it_was = [key for key, lead in known.items() if lead.digest == leads[key]]
        with self._account.writing() as connection:
            theirs = self._account.given(campaign_id, stream=stream, run=run)
            # Of the others somebody else knows the fate by now.
            flying = self._account.rows.held(connection, theirs, leads)
            if how is not None:
                self._retire(connection, campaign_id, flying, how.value + UNCERTAIN)
            else:
                perhaps = sa.func.rtrim(ACCEPTED.c.retired, UNCERTAIN, type_=sa.String).concat(UNCERTAIN)
                either = sa.update(ACCEPTED).where(self._these(campaign_id)).values(retired=perhaps)
                connection.execute(either, {"ids": as_json([key for key in as_it_was if key in flying])})
                changed = [key for key in flying if key not in as_it_was]
                connection.execute(either.values(digest=""), {"ids": as_json(changed)})
            self._account.land_theirs(connection, theirs, {}, flying)

    def listed(self, phones: Collection[str]) -> set[str]:
        """Which of these phones, as digests, are on the do-not-call list by our doing."""
        if self._account.absent or not phones:
            return set()
        query = sa.select(LISTED.c.phone).where(
            LISTED.c.account_id == sa.bindparam("account_id"),
            LISTED.c.phone.in_(extern_ids(self._account.dialect)),
        )
        with self._account.reading() as connection:
            return set(connection.execute(query, self._account.given("", ids=as_json(list(phones)))).scalars())

    def note_listed(self, phone: str) -> None:
        """A phone, as a digest, is on the do-not-call list."""
        given = {"account_id": self._account.account_id, "phone": phone}
        with self._account.writing() as connection:
            connection.execute(insert(self._account.dialect, LISTED).on_conflict_do_nothing(), given)

    def listed_among(self, leads: Sequence[Lead]) -> set[str]:
        """The `externId`s of leads of which a phone that is dialled is on the do-not-call list by our doing."""
        phones = {lead.extern_id: [phone_digest(number) for number in _dialled_numbers(lead)] for lead in leads}
        known = self.listed({digest for digests in phones.values() for digest in digests})
        return {extern_id for extern_id, digests in phones.items() if known.intersection(digests)}

    def _retire(self, connection: sa.Connection, campaign_id: str, leads: Collection[str], how: str) -> None:
        values: dict[str, Any] = {"retired": how} | ({"lead_id": None, "was": None} if how == Retire.DELETE else {})
        given = {"ids": as_json(list(leads))}
        connection.execute(sa.update(ACCEPTED).where(self._these(campaign_id)).values(values), given)

    def _these(self, campaign_id: str) -> sa.ColumnElement[bool]:
        """The leads of a campaign in `ids`."""
        return sa.and_(
            ACCEPTED.c.account_id == self._account.account_id,
            ACCEPTED.c.campaign_id == campaign_id,
            ACCEPTED.c.extern_id.in_(extern_ids(self._account.dialect)),
        )

    def _each(self) -> sa.Update:
        """An update of one lead, for many."""
        return sa.update(ACCEPTED).where(
            ACCEPTED.c.account_id == sa.bindparam("an_account"),
            ACCEPTED.c.campaign_id == sa.bindparam("a_campaign"),
            ACCEPTED.c.extern_id == sa.bindparam("a_lead"),
        )

    def _named(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        account_id = self._account.account_id
        return [row | {"an_account": account_id} for row in rows]


def _dialled_numbers(lead: Lead) -> list[str]:
    """Of a STRATEGIC campaign's lead, the phones under its labels are dialled as well."""
    labelled: Mapping[str, str] = lead.fields.get(PERSONA_PHONES, {})
    return [*(lead.phone or "").split("|"), *labelled.values()]
