"""What changing and retiring leads have in common: claim them, act on them, note what came of it.

Every action on leads takes the same steps, and each step is in the ledger before the next one begins:

1. claim: from here on no other run touches the leads, and the next run knows of them, should this one be killed;
2. look up: the ids at the server, and the states that an undo must restore;
3. act: one request for all of them;
4. note the result: done, refused, or uncertain where the server broke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.api import answers
from target_engagevoice.delivery.lookups import newest
from target_engagevoice.delivery.refusals import BROKEN
from target_engagevoice.ledger.tables import RETIRE
from target_engagevoice.model.retirement import ACTIONS, REVIVALS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from target_engagevoice.api.lead_client import FoundLead
    from target_engagevoice.delivery.context import BatchContext, LeadAccess
    from target_engagevoice.ledger.entries import LedgerLead
    from target_engagevoice.model.retirement import Retire


class LeadActions:
    """Acts on leads of one stream. Owned by the thread that runs it."""

    def __init__(self, context: BatchContext, access: LeadAccess, stream: str) -> None:
        self._context = context
        self._access = access
        self._stream = stream

    def claim(self, campaign_id: str, wanted: Mapping[str, Retire]) -> Collection[str]:
        """Claim leads of a campaign that are to be retired.

        Args:
            campaign_id: Where they are.
            wanted: `externId` to how each is to be retired.

        Returns:
            Those that are this run's to retire now.
        """
        notes = {extern_id: how.value for extern_id, how in wanted.items()}
        earliest = self._context.server_time.earliest()
        return self._context.ledger.claim(self._stream, campaign_id, notes, earliest, RETIRE)

    def look_up(self, how: Retire, claimed: Sequence[LedgerLead], acted: Collection[str] = ()) -> list[FoundLead]:
        """Look up leads before they are retired, and note their ids and states: afterwards the states are lost.

        Args:
            how: How they are to be retired.
            claimed: Which.
            acted: Ids of leads that are retired already; left out.
        """
        found = [lead for lead in self._access.lookups.look(claimed) if lead.lead_id not in acted]
        for campaign_id in {lead.campaign_id for lead in found}:
            latest = newest(lead for lead in found if lead.campaign_id == campaign_id)
            states = {lead.extern_id: (lead.lead_id, lead.state_before(how)) for lead in latest}
            self._context.ledger.leads.record_lookup(campaign_id, states)
        return found

    def retire(
        self, how: Retire, campaign_ids: Sequence[str], lead_ids: Sequence[str], effort: Callable[[str], None]
    ) -> answers.Refused | None:
        """Take leads out of the dialer, in one request.

        Args:
            how: What is done.
            campaign_ids: Where the leads are.
            lead_ids: At most `lead_client.MOST_ACTED_ON`.
            effort: Counts requests, see `LeadClient.act`.

        Returns:
            Why the server refused it; None when it is done.
        """
        answer = self._access.lead_client.act(ACTIONS[how], campaign_ids, lead_ids, effort)
        return answer if isinstance(answer, answers.Refused) else None

    def revive(
        self, how: Retire, campaign_id: str, lead_ids: Sequence[str], effort: Callable[[str], None]
    ) -> answers.Refused | None:
        """Put leads back into the dialer; arguments and result as of `retire`.

        Args:
            how: How they were retired.
            campaign_id: Where they are.
            lead_ids: Which.
            effort: Counts requests.
        """
        answer = self._access.lead_client.act(REVIVALS[how], [campaign_id], lead_ids, effort)
        if isinstance(answer, answers.Refused):
            return answer
        self._access.lookups.revived(lead_ids)
        return None

    def record_retirement(
        self, how: Retire, campaign_id: str, extern_ids: Sequence[str], refusal: answers.Refused | None, *, moved: bool
    ) -> None:
        """Note what came of retiring claimed leads, which ends their claim.

        Args:
            how: What was done, or asked for.
            campaign_id: Where they are.
            extern_ids: Which.
            refusal: What `retire` gave back.
            moved: Whether the records of the leads are settled by this, see `LedgerLeads.record_retirement`.
        """
        leads = self._context.ledger.leads
        if refusal is None:
            leads.record_retirement(self._stream, campaign_id, extern_ids, how, moved=moved)
            return
        self.record_refusal(how, campaign_id, extern_ids, refusal)
        leads.record_not_retired(self._stream, campaign_id, extern_ids)

    def record_refusal(
        self, how: Retire | None, campaign_id: str, extern_ids: Sequence[str], refusal: answers.Refused
    ) -> None:
        """Note leads as uncertain where the server broke: it may have done what it answered with an error.

        An uncertain lead is retired, revived or changed again by its next record, whatever the ledger says of it
        otherwise. Example: `SUPPRESS_LEADS` for lead `A7` is answered with HTTP 500 each time. The record of `A7` is
        rejected, and the ledger holds `suppress?`. Where the next run reads `A7` as flagged, it suppresses it again,
        which does no harm if it is suppressed already; where it reads it with another phone, it changes it and takes
        the suppression back, which does no harm if there is none.

        Args:
            how: What was to be done, or undone; None for a change.
            campaign_id: Where they are.
            extern_ids: Which.
            refusal: The answer.
        """
        if refusal.reason == BROKEN:
            self._context.ledger.leads.record_uncertain(campaign_id, extern_ids, how)
