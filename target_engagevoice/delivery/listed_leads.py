"""Keeps leads out of the dialer whose phone this target put, or may have put, on the account's do-not-call list."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from target_engagevoice.delivery.field_digests import differences
from target_engagevoice.delivery.lead_action import LeadActions
from target_engagevoice.delivery.phone_listing import put_on_list
from target_engagevoice.delivery.refusals import rejection_of
from target_engagevoice.model.lead import LEAD_PHONE, PERSONA_PHONES, Outcome
from target_engagevoice.model.retirement import Retire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_engagevoice.api import answers
    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.delivery.context import BatchContext, LeadAccess
    from target_engagevoice.ledger.entries import LedgerLead

_PHONES = frozenset({LEAD_PHONE, PERSONA_PHONES})
"""The fields that hold numbers to dial."""


class ListedLeads:
    """The leads of one batch that have such a phone. Owned by the thread that runs the batch.

    Args:
        context: What batches share.
        access: Acts on leads, and lists phones.
        batch: Whose leads are claimed, to be changed.
        held: What the ledger has of them, by `externId`.
        ids: `externId` to the id at the server, without the leads that are gone.
    """

    def __init__(
        self,
        context: BatchContext,
        access: LeadAccess,
        batch: Batch,
        held: Mapping[str, LedgerLead],
        ids: Mapping[str, str],
    ) -> None:
        self._context = context
        self._access = access
        self._actions = LeadActions(context, access, batch.stream)
        self._batch = batch
        self._held = held
        self._ids = ids
        self._effort = partial(context.run.count_effort, batch.stream, batch.campaign)

    def among(self, claimed: Sequence[BufferedLead]) -> list[BufferedLead]:
        """Leads that would get such a phone, which a load would not insert, or that would be put back with it."""
        if not self._context.policy.list_phones:
            return []
        phones, leads = self._context.ledger.phones, [each.lead for each in claimed]
        listed = phones.leads_with_listed_phone(leads) | phones.uncertain_of_leads(leads).keys()
        return [each for each in claimed if each.lead.extern_id in listed and self._would_be_dialed(each)]

    def _would_be_dialed(self, buffered: BufferedLead) -> bool:
        known = self._held.get(buffered.lead.extern_id)
        if known is None or (known.in_dialer and buffered.lead.extern_id not in self._ids):
            return False
        return known.how is not None or not _PHONES.isdisjoint(differences(buffered.lead, known.content))

    def keep_off(self, leads: Sequence[BufferedLead]) -> None:
        """Retire leads instead of changing them, until their records come with another phone, and settle them.

        A phone whose listing is uncertain is listed once more.

        Raises:
            EngageVoiceError: The run cannot continue.
        """
        context, refused = self._context, dict[str, "answers.Refused"]()
        for how in Retire:
            keys = [each.lead.extern_id for each in leads if self._retires(each.lead.extern_id) is how]
            refusal = self._retire(how, keys) if keys else None
            if refusal is not None:
                refused |= dict.fromkeys(keys, refusal)
        uncertain = context.ledger.phones.uncertain_of_leads([each.lead for each in leads])
        for extern_id, phones in uncertain.items():
            unlisted = put_on_list(context, self._access, phones, extern_id, self._effort)
            if unlisted is not None:
                refused.setdefault(extern_id, unlisted)
        out = [each.lead.extern_id for each in leads if self._retires(each.lead.extern_id) is None]
        if out:
            context.ledger.settle(self._batch.stream, self._batch.campaign.campaign_id, {}, out, 0.0)
        done = [each.record for each in leads if each.lead.extern_id not in refused]
        context.outcomes.settle_all(done, self._batch.campaign, Outcome.DO_NOT_CALL)
        for each in leads:
            if (why := refused.get(each.lead.extern_id)) is not None:
                context.outcomes.reject(each.record, self._batch.campaign, rejection_of(why), each.lead)

    def _retires(self, extern_id: str) -> Retire | None:
        """How a lead is retired: as an earlier run may have done it; None where it is out of the dialer for certain."""
        known = self._held[extern_id]
        return (known.how or Retire.SUPPRESS) if known.in_dialer else None

    def _retire(self, how: Retire, keys: Sequence[str]) -> answers.Refused | None:
        campaign_id = self._batch.campaign.campaign_id
        self._actions.claim(campaign_id, dict.fromkeys(keys, how))
        found = self._actions.look_up(how, [self._held[key] for key in keys])
        lead_ids = sorted({self._ids[key] for key in keys} | {lead.lead_id for lead in found})
        refusal = self._actions.retire(how, [campaign_id], lead_ids, self._effort)
        self._actions.record_retirement(how, campaign_id, keys, refusal, moved=True)
        if refusal is None:
            self._context.run.count_effort(self._batch.stream, self._batch.campaign, "retired", len(keys))
        return refusal
