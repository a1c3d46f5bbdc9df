"""Phones that this target put on the account's do-not-call list. The ledger holds digests, no numbers.

A phone is noted as uncertain before the request that lists it. Example: lead `A7` is flagged, and the run is killed
after the server listed its phone, before the answer. The tap of the next run sends only the newest record of `A7`,
which is no longer flagged. Without the note the next run would put `A7` back into the dialer with a listed phone. With
it, the run lists the phone once more, which does no harm, and `A7` stays out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_engagevoice.ledger.statements import as_json, extern_ids, insert
from target_engagevoice.ledger.tables import LISTED, LISTING
from target_engagevoice.model.lead import PERSONA_PHONES
from target_engagevoice.model.retirement import DncPhone, phone_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_engagevoice.ledger.account import LedgerAccount
    from target_engagevoice.model.lead import Lead


class ListedPhones:
    """The listed phones of an account. Any thread may call it: each call is one transaction of the ledger."""

    def __init__(self, account: LedgerAccount) -> None:
        self._account = account

    def listed(self, phones: Collection[str]) -> set[str]:
        """Which of these phones, as digests, this target put on the do-not-call list."""
        return {row.phone for row in self._rows(LISTED, (LISTED.c.phone,), phones)}

    def record_uncertain(self, phone: str, country: str) -> bool:
        """A phone, as a digest, is about to be put on the do-not-call list.

        Args:
            phone: Its digest.
            country: As the request needs it.

        Returns:
            Whether the listing was not uncertain before.
        """
        row = {"account_id": self._account.account_id, "phone": phone, "country": country}
        note = insert(self._account.dialect, LISTING).on_conflict_do_nothing()
        with self._account.writing() as connection:
            # Without the option, SQLAlchemy does not keep the count of an INSERT on PostgreSQL.
            made = connection.execute(note, row, execution_options={"preserve_rowcount": True})
            return made.rowcount > 0

    def record(self, phone: str) -> None:
        """A phone, as a digest, is on the do-not-call list."""
        row = {"account_id": self._account.account_id, "phone": phone}
        with self._account.writing() as connection:
            connection.execute(insert(self._account.dialect, LISTED).on_conflict_do_nothing(), row)
            connection.execute(self._not_uncertain(phone))

    def record_not_listed(self, phone: str) -> None:
        """The server refused to list a phone, given as a digest, whose listing was not uncertain before."""
        with self._account.writing() as connection:
            connection.execute(self._not_uncertain(phone))

    def leads_with_listed_phone(self, leads: Sequence[Lead]) -> set[str]:
        """The `externId`s of the leads whose dialed phones include one that this target put on the list."""
        phones = {lead.extern_id: [phone_digest(number) for number in _dialed_numbers(lead)] for lead in leads}
        known = self.listed({digest for digests in phones.values() for digest in digests})
        return {extern_id for extern_id, digests in phones.items() if known.intersection(digests)}

    def uncertain_of_leads(self, leads: Sequence[Lead]) -> dict[str, list[DncPhone]]:
        """The dialed phones whose listing is uncertain, by `externId`; a lead without such a phone is absent."""
        numbers = {phone_digest(number): number for lead in leads for number in _dialed_numbers(lead)}
        known = {
            row.phone: DncPhone(numbers[row.phone], row.country, row.phone)
            for row in self._rows(LISTING, (LISTING.c.phone, LISTING.c.country), numbers)
        }
        found = {
            lead.extern_id: [known[digest] for each in _dialed_numbers(lead) if (digest := phone_digest(each)) in known]
            for lead in (leads if known else ())
        }
        return {extern_id: phones for extern_id, phones in found.items() if phones}

    def _rows(
        self, table: sa.Table, columns: Sequence[sa.Column[Any]], phones: Collection[str]
    ) -> Sequence[sa.Row[Any]]:
        if self._account.absent or not phones:
            return ()
        query = sa.select(*columns).where(
            table.c.account_id == sa.bindparam("account_id"), table.c.phone.in_(extern_ids(self._account.dialect))
        )
        with self._account.reading() as connection:
            return connection.execute(query, self._account.given("", ids=as_json(list(phones)))).all()

    def _not_uncertain(self, phone: str) -> sa.Delete:
        return sa.delete(LISTING).where(LISTING.c.account_id == self._account.account_id, LISTING.c.phone == phone)


def _dialed_numbers(lead: Lead) -> list[str]:
    """A STRATEGIC campaign also dials the phones under its labels."""
    labeled: Mapping[str, str] = lead.fields.get(PERSONA_PHONES, {})
    return [*(lead.phone or "").split("|"), *labeled.values()]
