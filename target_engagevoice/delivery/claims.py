"""Claims: a run writes to the ledger which leads it is about to send, before it sends them.

A claim holds the lead, its digest, the run, and the earliest moment the request can be sent. It serves two purposes:

* A run that is killed between the request and its outcome leaves its claims. The next run looks those leads up at the
  server, and only repeats what is not there.
* Runs that share a PostgreSQL ledger never send the same lead at the same time: a lead has one claim at most.

Example: runs A and B share a ledger, and both read L0. A claims it and sends it. B asks for a claim, gets none, and
sends the rest of its batch. Then B waits, and asks again. If A has loaded L0 meanwhile, B gets the claim, reads in the
ledger that the campaign has this version already, drops the claim, and settles its record as `unchanged`. If A was
killed, B looks L0 up at the server first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.api.server_clock import RESOLUTION_SECONDS
from target_engagevoice.delivery.reconcile import recover
from target_engagevoice.model.lead import Outcome

if TYPE_CHECKING:
    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.delivery.context import BatchContext, Leads

OTHERS_WAIT_SECONDS = 0.5


class Claims:
    """Claims the leads of one batch. Used by the thread that loads it.

    Attributes:
        since: Epoch seconds on the server's clock: the leads of the last claim were not sent before.
    """

    def __init__(self, context: BatchContext, batch: Batch) -> None:
        self._context = context
        self._batch = batch
        self._campaign = batch.campaign
        self.since = 0.0

    def claim(self, leads: Leads) -> tuple[Leads, Leads]:
        """Claim leads, once the search can tell them from earlier versions of themselves.

        Returns:
            Leads that this run may send, and those that another run has claimed.
        """
        context, stream, campaign_id = self._context, self._batch.stream, self._campaign.campaign_id
        not_before = max([buffered.not_before for buffered in leads])
        while True:
            self._wait_until_past(not_before)
            self.since = self._context.server_time.earliest()
            digests = self._batch.digests_of(leads)
            mine = context.ledger.claim(stream, campaign_id, digests, self.since)
            claimed, others = leads, leads[:0]
            if len(mine) < len(leads):
                claimed = tuple(buffered for buffered in leads if buffered.lead.extern_id in mine)
                others = tuple(buffered for buffered in leads if buffered.lead.extern_id not in mine)
            if not context.ledger.shared or not claimed:
                return claimed, others
            claimed, not_before = self._without_what_others_loaded(claimed)
            if not claimed or not_before + RESOLUTION_SECONDS < self.since:
                return claimed, others
            leads = claimed + others

    def _without_what_others_loaded(self, claimed: Leads) -> tuple[Leads, float]:
        """Drop leads that another run loaded after this run had read the ledger, and before it claimed them.

        Returns:
            Leads still to send, and when the last version of any of them was accepted.
        """
        context, stream, campaign = self._context, self._batch.stream, self._campaign
        known = context.ledger.accepted(campaign.campaign_id, [buffered.lead.extern_id for buffered in claimed])
        unchanged: list[BufferedLead] = []
        rest: list[BufferedLead] = []
        for buffered in claimed:
            accepted = known.get(buffered.lead.extern_id)
            same = context.policy.skip_unchanged and accepted is not None and accepted.holds(buffered.lead.digest)
            (unchanged if same else rest).append(buffered)
        if unchanged:
            context.ledger.settle(stream, campaign.campaign_id, {}, [each.lead.extern_id for each in unchanged], 0.0)
            context.outcomes.settle_all([each.record for each in unchanged], campaign, Outcome.UNCHANGED)
        latest = max((known[each.lead.extern_id].at for each in rest if each.lead.extern_id in known), default=0.0)
        return tuple(rest), latest

    def _wait_until_past(self, moment: float) -> None:
        """Wait until the server's clock is clearly past a moment, so that the search can tell before from after."""
        self._context.halt.check()
        while moment and (ahead := moment + RESOLUTION_SECONDS - self._context.server_time.earliest()) >= 0:
            self._context.halt.sleep(ahead + 0.05)


def wait_for_others(context: BatchContext) -> None:
    """Wait for other runs that have claimed all remaining leads, and look up what dead ones may have loaded."""
    context.halt.sleep(OTHERS_WAIT_SECONDS)
    context.ledger.find_dead_runs()
    recover(context.ledger, context.reconciler, context.clock, context.server_time.latest, context.reconciler.delay)
