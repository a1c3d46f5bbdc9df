"""Puts phones on the account's do-not-call list. Each is noted in the ledger before its request, see `ListedPhones`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from target_engagevoice.api import answers
from target_engagevoice.delivery.refusals import BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from target_engagevoice.delivery.context import BatchContext, LeadAccess
    from target_engagevoice.model.retirement import DncPhone, FlaggedRecord


def list_phones(
    context: BatchContext, access: LeadAccess, stream: str, flagged: FlaggedRecord
) -> answers.Refused | None:
    """Put the phones of a record on the do-not-call list, except those that this target listed before.

    Returns:
        Why the server refused one of them; None when all are listed.
    """
    listed = context.ledger.phones.listed([phone.digest for phone in flagged.phones])
    phones = [phone for phone in flagged.phones if phone.digest not in listed]
    effort = partial(context.run.count_effort, stream, flagged.campaign)
    return put_on_list(context, access, phones, flagged.extern_id, effort)


def put_on_list(
    context: BatchContext,
    access: LeadAccess,
    phones: Iterable[DncPhone],
    extern_id: str,
    effort: Callable[[str], None],
) -> answers.Refused | None:
    """Put phones on the do-not-call list that this target did not list, or may have listed; result as above.

    Args:
        context: Holds the ledger.
        access: Lists them.
        phones: Which.
        extern_id: Of their lead; empty where there is none.
        effort: Counts requests, and the phones.
    """
    ledger = context.ledger.phones
    refusal: answers.Refused | None = None
    for phone in phones:
        new = ledger.record_uncertain(phone.digest, phone.country)
        answer = access.lead_client.list_phone(phone.number, phone.country, extern_id, effort)
        if isinstance(answer, answers.Refused):
            refusal = refusal or answer
            if new and answer.reason != BROKEN:  # a server that broke may have listed it, and so may an earlier run
                ledger.record_not_listed(phone.digest)
            continue
        ledger.record(phone.digest)
        effort("listed")
    return refusal
