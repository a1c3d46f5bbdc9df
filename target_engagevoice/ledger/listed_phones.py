"""Phones that this target put on the account's do-not-call list. The ledger holds digests, no numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_engagevoice.ledger.statements import as_json, extern_ids, insert
from target_engagevoice.ledger.tables import LISTED
from target_engagevoice.model.lead import PERSONA_PHONES
from target_engagevoice.model.retirement import phone_digest

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
        if self._account.absent or not phones:
            return set()
        query = sa.select(LISTED.c.phone).where(
            LISTED.c.account_id == sa.bindparam("account_id"),
            LISTED.c.phone.in_(extern_ids(self._account.dialect)),
        )
        with self._account.reading() as connection:
            return set(connection.execute(query, self._account.given("", ids=as_json(list(phones)))).scalars())

    def record(self, phone: str) -> None:
        """A phone, as a digest, is on the do-not-call list."""
        row = {"account_id": self._account.account_id, "phone": phone}
        with self._account.writing() as connection:
            connection.execute(insert(self._account.dialect, LISTED).on_conflict_do_nothing(), row)

    def leads_with_listed_phone(self, leads: Sequence[Lead]) -> set[str]:
        """The `externId`s of the leads whose dialed phones include one that this target put on the list."""
        phones = {lead.extern_id: [phone_digest(number) for number in _dialed_numbers(lead)] for lead in leads}
        known = self.listed({digest for digests in phones.values() for digest in digests})
        return {extern_id for extern_id, digests in phones.items() if known.intersection(digests)}


def _dialed_numbers(lead: Lead) -> list[str]:
    """A STRATEGIC campaign also dials the phones under its labels."""
    labeled: Mapping[str, str] = lead.fields.get(PERSONA_PHONES, {})
    return [*(lead.phone or "").split("|"), *labeled.values()]
