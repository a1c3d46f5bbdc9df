"""From the answer to a request to the outcomes of its leads: ledger first, then counts, rejects and STATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.api.batch_answer import divide_batch
from target_engagevoice.delivery.field_digests import content_of
from target_engagevoice.model.lead import Outcome, Rejection, Stage
from target_engagevoice.model.list_options import RETAIN_ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_engagevoice.api import answers
    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.delivery.context import BatchContext, Leads

NOT_ACCEPTED = "The server accepted fewer leads than it was sent, named none, and does not hold this one."


class Settlement:
    """Settles the leads of one batch. Used by the thread that loads it.

    Attributes:
        took: Whether the campaign took any of them.
    """

    def __init__(self, context: BatchContext, batch: Batch) -> None:
        self._context = context
        self._batch = batch
        self._campaign = batch.campaign
        self.took = False

    def counted(self, leads: Leads, counted: answers.Counted, since: float) -> None:
        """Settle leads after an answer that says how many the server accepted.

        Args:
            leads: What was sent, in that order.
            counted: The answer.
            since: Epoch seconds on the server's clock; the request was not sent before.

        Raises:
            EngageVoiceError: The run cannot continue.
        """
        answer = divide_batch([buffered.lead for buffered in leads], counted)
        whole = len(answer.accepted) == len(leads)
        taken: Sequence[BufferedLead] = leads if whole else [leads[position] for position in answer.accepted]
        not_inserted = answer.not_inserted
        refused = [(leads[position], "rejected_row", message) for position, message in answer.rejected.items()]
        if answer.uncertain:
            found, dropped, missing = self._look_up([leads[position] for position in answer.uncertain], since)
            if answer.short is None:
                dropped, missing = [*dropped, *missing], []
            taken, not_inserted = [*found, *dropped], len(dropped)
            refused += [(buffered, "not_accepted", NOT_ACCEPTED) for buffered in missing]
        self._take(taken, not_inserted, cleared=[buffered for buffered, _, _ in refused])
        for buffered, reason, message in refused:
            rejection = Rejection(Stage.SERVER, reason, message)
            self._context.outcomes.reject(buffered.record, self._campaign, rejection, buffered.lead)

    def unknown(self, leads: Leads, since: float) -> Leads:
        """Settle leads of a request without a usable answer: look up which of them the server holds.

        Args:
            leads: What was sent.
            since: Epoch seconds on the server's clock; the request was not sent before.

        Returns:
            Leads that were not stored.

        Raises:
            EngageVoiceError: The run cannot continue, or the search stays down.
        """
        found, dropped, missing = self._look_up(leads, since)
        self._take([*found, *dropped], not_inserted=len(dropped))
        return tuple(missing)

    def _look_up(
        self,
        leads: Iterable[BufferedLead],
        since: float,
    ) -> tuple[list[BufferedLead], list[BufferedLead], list[BufferedLead]]:
        """Leads the campaign holds, leads it dropped as duplicates of those, and leads it does not hold.

        A lead that is missing while another of the same request with its phone is there was dropped as its
        duplicate, unless the server keeps all. Sent again on its own, it would make the dialer call that person twice.
        """
        sent = list(leads)
        held = self._context.reconciler.held(
            self._campaign.campaign_id,
            {buffered.lead.extern_id: since for buffered in sent},
        )
        found = [buffered for buffered in sent if buffered.lead.extern_id in held]
        missing = [buffered for buffered in sent if buffered.lead.extern_id not in held]
        if self._batch.options.duplicate_handling == RETAIN_ALL:
            return found, [], missing
        phones = {buffered.lead.phone for buffered in found} - {None}
        dropped = [buffered for buffered in missing if buffered.lead.phone in phones]
        return found, dropped, [buffered for buffered in missing if buffered not in dropped]

    def _take(self, leads: Sequence[BufferedLead], not_inserted: int = 0, cleared: Sequence[BufferedLead] = ()) -> None:
        """Settle accepted leads. The ledger comes first, so that STATE never passes a lead that is not written there.

        Args:
            leads: Accepted, those not inserted last.
            not_inserted: How many of them the server dropped as duplicates or do-not-call.
            cleared: Leads that were claimed, and that the server refused.
        """
        context = self._context
        at = context.server_time.latest()
        digests = self._batch.digests_of(leads)
        gone = [buffered.lead.extern_id for buffered in cleared]
        contents = {each.lead.extern_id: content_of(each.lead) for each in leads} if context.policy.change else {}
        stream, campaign_id = self._batch.stream, self._campaign.campaign_id
        context.ledger.settle(stream, campaign_id, digests, gone, at, refused=True, contents=contents)
        inserted = len(leads) - not_inserted
        records = [buffered.record for buffered in leads]
        context.outcomes.settle_all(records[:inserted], self._campaign, Outcome.LOADED)
        context.outcomes.settle_all(records[inserted:], self._campaign, Outcome.NOT_INSERTED)
        if leads:
            self.took = True
            context.refusals.record_taken(self._campaign, len(leads))
