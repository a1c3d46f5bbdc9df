"""Loads one batch: claims its leads, sends them, and halves what the server refuses until each has its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.api.retry import PATIENCE_WITH_500
from target_engagevoice.delivery.claims import Claims, wait_for_others
from target_engagevoice.delivery.lookups import newest
from target_engagevoice.delivery.refusals import BROKEN
from target_engagevoice.delivery.send import BatchSender, RefusedLeads
from target_engagevoice.delivery.settlement import Settlement

if TYPE_CHECKING:
    from target_engagevoice.api.answers import Refused
    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.delivery.context import BatchContext, LeadAccess, Leads, LoaderAccess

PROBES = 3
"""Leads from other places in the batch that are sent before the server is blamed for refusing every lead."""


class BatchLoad:
    """Loads the leads of one batch. Owned by the thread that runs it."""

    def __init__(self, context: BatchContext, loader: LoaderAccess, access: LeadAccess, batch: Batch) -> None:
        self._context = context
        self._find = access.lead_client.find
        self._batch = batch
        self._campaign = batch.campaign
        self._claims = Claims(context, batch)
        self._settlement = Settlement(context, batch)
        self._sender = BatchSender(context, loader, batch, self._settlement)

    def load(self) -> list[BufferedLead]:
        """Bring every lead of the batch to its outcome, except leads that the campaign turns out to hold.

        Returns:
            Leads to compare with the ledger again, since they are to be changed: where leads are changed in place,
            the campaign is searched for leads that the ledger does not hold.

        Raises:
            EngageVoiceError: The run cannot continue; leads without an outcome stay claimed in the ledger.
        """
        held = self._adopt() if self._context.policy.change else set()
        waiting = self._batch.leads
        if held:
            waiting = tuple(each for each in waiting if each.lead.extern_id not in held)
        while waiting:
            claimed, waiting = self._claims.claim(waiting)
            if claimed:
                self._load(claimed)
            elif waiting:
                wait_for_others(self._context)
        return [each for each in self._batch.leads if each.lead.extern_id in held] if held else []

    def _adopt(self) -> set[str]:
        """Note leads that the campaign holds and the ledger does not, and return their `externId`s."""
        context, campaign_id = self._context, self._campaign.campaign_id
        new = [each.lead.extern_id for each in self._batch.leads if not each.not_before]
        found = newest(self._find([campaign_id], new))
        if found:
            at = context.server_time.latest()
            leads = {lead.extern_id: (lead.lead_id, lead.loaded_at or at) for lead in found}
            context.ledger.leads.record_existing(self._batch.stream, campaign_id, leads)
        return {lead.extern_id for lead in found}

    def _load(self, claimed: Leads) -> None:
        """Send claimed leads until each has its outcome."""
        todo: list[Leads | RefusedLeads] = [claimed]
        while todo:
            leads = todo.pop()
            refused = leads if isinstance(leads, RefusedLeads) else None
            if not isinstance(leads, RefusedLeads):
                most = self._context.refusals.max_rows
                if most is not None and len(leads) > most:
                    todo += [leads[most:], leads[:most]]
                    continue
                refused = self._send(leads, self._patience)
            if refused is None:
                continue
            if refused.refusal.shrink and self._context.refusals.shrink(len(refused.leads)):
                todo.append(refused.leads)
                continue
            left = self._isolate(refused)
            if left:
                todo.append(left)

    def _isolate(self, refused: RefusedLeads) -> Leads | RefusedLeads:
        """Halve refused leads until the one at fault is alone; hand it to `Refusals` and return the others.

        Only the first half of the suspects is sent. If it is accepted, its leads are loaded, and the fault is in the
        second half, which need not be sent to be known as refused. If it is refused, the fault is in the first half,
        and nothing is known of the second: it joins the rest. So one bad lead costs one request for each halving, and
        one for the rest.

        Example: leads 1 to 8 are refused together, and lead 6 is at fault.

            send 1 2 3 4    accepted: suspects are 5 6 7 8
            send 5 6        refused:  suspects are 5 6, the rest is 7 8
            send 5          accepted: lead 6 is left; it need not be sent alone

        Lead 6 goes to `Refusals`, and 7 8 are sent next, together: four requests after the first, not eight. Lead 6
        need not be sent alone, since `5 6` was refused for the same reason as all eight after a larger request had
        been accepted. Where that cannot be said, `_blame` sends the last suspect alone.

        Returns:
            Leads that are still to be sent, or that are known to be refused together; none when all have an outcome.
        """
        suspects, refusal = refused.leads, refused.refusal
        rest: Leads = ()
        taken = certain = alone = False
        breakable = self._context.refusals.server_breaks
        while len(suspects) > 1:
            middle = len(suspects) // 2
            again = self._send(suspects[:middle], 1 if refusal.reason == BROKEN else self._patience)
            if again is None:
                suspects, taken = suspects[middle:], True
                continue
            rest = suspects[middle:] + rest
            certain = (taken or middle == 1) and again.refusal.is_like(refusal)
            suspects, refusal, alone = again.leads, again.refusal, middle == 1
        sure = certain and (refusal.reason != BROKEN or (breakable and alone))
        return self._blame(suspects, refusal, rest, sure=sure, breakable=breakable)

    def _blame(
        self, suspect: Leads, refusal: Refused, rest: Leads, *, sure: bool, breakable: bool
    ) -> Leads | RefusedLeads:
        """Hand the last suspect to `Refusals`, unless the refusals had another cause than the lead.

        If no half was accepted, the cause may have been the size of the requests. If the refusals differ, or the
        server broke, the server may have had trouble for a moment. In both cases the suspect is sent once more, alone.

        Where this run knows leads on which the server breaks, the rest is sent instead, which must be sent anyway. If
        it is accepted without the suspect, and was refused together with it, the suspect is at fault.

        Returns:
            As of `_isolate`.
        """
        context = self._context
        left: Leads | RefusedLeads = rest
        if not sure and breakable and refusal.reason == BROKEN and rest:
            refused = self._send(rest, self._patience)
            sure, left = refused is None, refused or ()
        if not sure:
            again = self._send(suspect, self._patience)
            if again is None:
                return left
            suspect, refusal = again.leads, again.refusal
        context.refusals.add(self._campaign, suspect[0], refusal)
        if context.refusals.are_suspicious(self._campaign, took=self._settlement.took):
            return self._probe(left.leads if isinstance(left, RefusedLeads) else left)
        return left

    def _probe(self, rest: Leads) -> Leads:
        """Where too many leads were refused in a row, send a few from other places in the batch, each alone.

        Returns:
            The leads that are still to be sent.

        Raises:
            ServerError: They are refused as well, so the leads are not the cause.
        """
        context = self._context
        probes = 0
        while context.refusals.are_suspicious(self._campaign, took=self._settlement.took):
            if not rest or probes == PROBES:
                raise context.refusals.all_refused(self._campaign)
            place = (len(rest) - 1) * (PROBES - 1 - probes) // (PROBES - 1)
            probe, rest = rest[place : place + 1], rest[:place] + rest[place + 1 :]
            refused = self._send(probe, self._patience)
            if refused is not None:
                context.refusals.add(self._campaign, refused.leads[0], refused.refusal)
            probes += 1
        return rest

    @property
    def _patience(self) -> int:
        """Answers of 500 in a row that count as a refusal: one, where a lead is known on which the server breaks."""
        return 1 if self._context.refusals.server_breaks else PATIENCE_WITH_500

    def _send(self, leads: Leads, patience: int) -> RefusedLeads | None:
        """Send leads, see `BatchSender.send`."""
        return self._sender.send(leads, self._claims.since, patience)
