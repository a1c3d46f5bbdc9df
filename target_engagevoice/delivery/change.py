"""Changes leads in place and puts them back into the dialer: looked up together, then one request each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from target_engagevoice.api import answers
from target_engagevoice.api.lead_client import Gone
from target_engagevoice.delivery.claims import wait_for_others
from target_engagevoice.delivery.field_digests import blurred, content_of, differences
from target_engagevoice.delivery.lead_action import LeadActions
from target_engagevoice.delivery.listed_leads import ListedLeads
from target_engagevoice.delivery.lookups import newest
from target_engagevoice.delivery.refusals import rejection_of
from target_engagevoice.ledger.tables import CHANGE
from target_engagevoice.model.lead import LEAD_PHONE, LEAD_PHONE_E164, Outcome
from target_engagevoice.model.retirement import REVIVABLE_STATES, REVIVALS, SUPPRESSED, Retire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_engagevoice.api.lead_client import FoundLead
    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.delivery.context import BatchContext, LeadAccess
    from target_engagevoice.ledger.entries import LedgerLead


PROBES = 2
"""Leads from other places in the batch that are sent before the server is blamed for refusing every change."""


class LeadChanges:
    """Changes the leads of one batch. Owned by the thread that runs it."""

    def __init__(self, context: BatchContext, access: LeadAccess, batch: Batch) -> None:
        self._context = context
        self._access = access
        self._actions = LeadActions(context, access, batch.stream)
        self._batch = batch
        self._campaign = batch.campaign
        self._effort = partial(context.run.count_effort, batch.stream, batch.campaign)
        self._took = self._refused = False
        self._probes = 0

    def change(self) -> list[BufferedLead]:
        """Bring every lead to its outcome, except leads that the campaign does not hold any more.

        Returns:
            The leads that are gone: they are to be loaded again.

        Raises:
            EngageVoiceError: The run cannot continue; leads without an outcome stay claimed in the ledger.
        """
        context, stream, campaign_id = self._context, self._batch.stream, self._campaign.campaign_id
        waiting = {buffered.lead.extern_id: buffered for buffered in self._batch.leads}
        gone: list[BufferedLead] = []
        while waiting:
            digests = {key: buffered.lead.digest for key, buffered in waiting.items()}
            mine = context.ledger.claim(stream, campaign_id, digests, context.server_time.earliest(), CHANGE)
            if mine:
                gone += self._change([waiting.pop(key) for key in list(waiting) if key in mine])
            elif waiting:
                wait_for_others(context)
        return gone

    def _change(self, claimed: Sequence[BufferedLead]) -> list[BufferedLead]:
        """Change claimed leads; returns those that are gone."""
        context, campaign_id = self._context, self._campaign.campaign_id
        held = context.ledger.leads.of_campaign(campaign_id, [buffered.lead.extern_id for buffered in claimed])
        done = [each for each in claimed if context.policy.skip_unchanged and self._is_done(each, held)]
        if done:
            context.ledger.settle(self._batch.stream, campaign_id, {}, [each.lead.extern_id for each in done], 0.0)
            context.outcomes.settle_all([each.record for each in done], self._campaign, Outcome.UNCHANGED)
        todo = [each for each in claimed if each not in done]
        ids = self._lead_ids([held[each.lead.extern_id] for each in todo if each.lead.extern_id in held])
        listed_leads = ListedLeads(context, self._access, self._batch, held, ids)
        listed = listed_leads.among(todo)
        if listed:
            listed_leads.keep_off(listed)
            todo = [each for each in todo if each not in listed]
        self._note_fields(todo, held)
        gone: list[BufferedLead] = []
        revived: dict[Retire, list[BufferedLead]] = {}
        while todo:
            buffered = todo.pop(self._next_index(len(todo)))
            extern_id = buffered.lead.extern_id
            lead_id, known = ids.get(extern_id), held.get(extern_id)
            if lead_id is None or known is None or not self._patch(buffered, known, lead_id, ids):
                gone.append(buffered)
            elif extern_id in ids:
                revival = _revival(known)
                if revival is None:
                    self._done([buffered])
                else:
                    revived.setdefault(revival, []).append(buffered)
        if self._refused and self._suspicious:
            raise context.refusals.all_refused(self._campaign)
        for how, leads in revived.items():
            self._revive(how, leads, ids)
        if gone:
            context.ledger.leads.record_gone(self._batch.stream, campaign_id, [each.lead.extern_id for each in gone])
        return gone

    def _note_fields(self, todo: Sequence[BufferedLead], held: Mapping[str, LedgerLead]) -> None:
        """Note which fields the changes touch, before they are sent.

        Example: lead `A7` holds an e-mail, and its record comes without one. The change sends an empty e-mail. If the
        run is killed behind the request, the next run cannot tell which content `A7` has. The note says that it may
        hold an e-mail, so the next change sends the empty e-mail again.
        """
        blurs = {
            each.lead.extern_id: blurred(each.lead, known.content)
            for each in todo
            if (known := held.get(each.lead.extern_id)) is not None and known.content is not None
        }
        if blurs:
            self._context.ledger.leads.record_uncertain_fields(self._campaign.campaign_id, blurs)

    def _is_done(self, buffered: BufferedLead, held: Mapping[str, LedgerLead]) -> bool:
        """Whether another run has made the same change meanwhile."""
        known = held.get(buffered.lead.extern_id)
        return known is not None and known.retired is None and known.digest == buffered.lead.digest

    def _is_same(self, buffered: BufferedLead, known: LedgerLead) -> bool:
        """Whether a lead has this content already. A lead that may be deleted is sent in any case, to find out."""
        same = self._context.policy.skip_unchanged and known.digest == buffered.lead.digest
        return same and known.how is not Retire.DELETE

    def _lead_ids(self, held: Sequence[LedgerLead]) -> dict[str, str]:
        """`externId` to the id of the lead at the server, without the leads that are gone.

        A lead that is out of the dialer is looked up, since the action that revives it does not say whether it exists.
        """
        ids = {each.extern_id: each.lead_id for each in held if each.lead_id is not None and each.retired is None}
        found = newest(self._access.lookups.find([each for each in held if each.extern_id not in ids]))
        self._note_ids(found)
        return ids | {lead.extern_id: lead.lead_id for lead in found}

    def _patch(self, buffered: BufferedLead, known: LedgerLead, lead_id: str, ids: dict[str, str]) -> bool:
        """Send the fields of a lead that differ.

        Args:
            buffered: The lead.
            known: What the ledger holds of it.
            lead_id: Its id at the server.
            ids: All ids; a lead that the server refuses to change is removed, and handed to `Refusals`.

        Returns:
            False when the campaign does not hold the lead any more.
        """
        lead = buffered.lead
        if self._is_same(buffered, known):
            return True
        fields = differences(lead, known.content)
        answer = self._access.lead_client.change(
            self._campaign.campaign_id, lead_id, fields, self._options(fields), self._effort
        )
        if isinstance(answer, Gone):
            again = newest(self._access.lookups.find([known]))
            if again and again[0].lead_id == lead_id:  # the search may still show a lead that was just deleted
                again = newest(self._access.lookups.find_later([known]))
            if not again:
                return False
            if again[0].lead_id != lead_id:
                ids[lead.extern_id] = again[0].lead_id
                self._note_ids(again)
                return self._patch(buffered, known, again[0].lead_id, ids)
            answer = answers.Refused("not_found", f"{answer.what}, of a lead that the search shows")
        if isinstance(answer, answers.Refused):
            del ids[lead.extern_id]
            self._refuse(buffered, answer)
        return True

    def _note_ids(self, found: Iterable[FoundLead]) -> None:
        """Note the ids of leads, and nothing of their states."""
        notes = {lead.extern_id: (lead.lead_id, None) for lead in found}
        self._context.ledger.leads.record_lookup(self._campaign.campaign_id, notes)

    def _options(self, fields: Mapping[str, object]) -> dict[str, str]:
        """The list options that a change of the phone needs again: for its time zone, and for duplicates."""
        if LEAD_PHONE not in fields and LEAD_PHONE_E164 not in fields:
            return {}
        options = self._batch.options
        return {"timezoneOption": options.time_zone_option, "duplicateHandling": options.duplicate_handling}

    def _revive(self, how: Retire, leads: Sequence[BufferedLead], ids: Mapping[str, str]) -> None:
        """Put leads back into the dialer that were retired in this way, and settle or reject them."""
        lead_ids = [ids[each.lead.extern_id] for each in leads]
        campaign_id = self._campaign.campaign_id
        refusal = self._actions.revive(how, campaign_id, lead_ids, self._effort)
        if refusal is None:
            self._done(leads)
            return
        cleared = [each.lead.extern_id for each in leads]
        self._context.ledger.settle(self._batch.stream, campaign_id, {}, cleared, 0.0, refused=True)
        self._actions.record_refusal(how, campaign_id, cleared, refusal)
        self._reject(leads, refusal)

    def _reject(self, leads: Sequence[BufferedLead], refusal: answers.Refused) -> None:
        rejection = rejection_of(refusal)
        for each in leads:
            self._context.outcomes.reject(each.record, self._campaign, rejection, each.lead)

    def _refuse(self, buffered: BufferedLead, refusal: answers.Refused) -> None:
        self._actions.record_refusal(None, self._campaign.campaign_id, [buffered.lead.extern_id], refusal)
        self._refused = True
        self._context.refusals.add(self._campaign, buffered, refusal)

    @property
    def _suspicious(self) -> bool:
        """Whether so many changes were refused in a row that the leads may not be the cause."""
        return self._context.refusals.are_suspicious(self._campaign, took=self._took)

    def _next_index(self, count: int) -> int:
        """Position of the lead to change next: the first, or, where too many were refused in a row, one further back.

        Args:
            count: How many leads are left.

        Raises:
            ServerError: The leads further back were refused as well, so the leads are not the cause.
        """
        if not self._suspicious:
            return 0
        if self._probes == PROBES:
            raise self._context.refusals.all_refused(self._campaign)
        self._probes += 1
        return (count - 1) * (PROBES - self._probes) // (PROBES - 1)

    def _done(self, leads: Sequence[BufferedLead]) -> None:
        """Settle changed leads: in the ledger first, so that STATE never passes a record that is not written there."""
        context = self._context
        digests = {each.lead.extern_id: each.lead.digest for each in leads}
        contents = {each.lead.extern_id: content_of(each.lead) for each in leads} if context.policy.change else {}
        context.ledger.leads.record_change(self._batch.stream, self._campaign.campaign_id, digests, contents)
        context.outcomes.settle_all([each.record for each in leads], self._campaign, Outcome.UPDATED)
        self._took = True
        context.refusals.record_taken(self._campaign)


def _revival(known: LedgerLead) -> Retire | None:
    """How a lead was retired, where that is to be undone; None where nothing is.

    A lead goes back to the state it had before this target retired it: one that was suppressed before stays
    suppressed, and one that was not `READY` before is not made ready.
    """
    how = known.how
    if how is None or how not in REVIVALS:
        return None
    stays = (
        known.earlier_state == SUPPRESSED
        if how is Retire.SUPPRESS
        else known.earlier_state and known.earlier_state not in REVIVABLE_STATES
    )
    return None if stays else how
