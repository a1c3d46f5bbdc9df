"""Leads are taken out of the dialer, many a request, and phones put on the do-not-call list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from target_engagevoice.api import answers
from target_engagevoice.api.lead_client import MOST_ACTED_ON
from target_engagevoice.delivery.buffer import MoveBatch, RetireBatch
from target_engagevoice.delivery.claims import wait_for_others
from target_engagevoice.delivery.lead_action import LeadActions
from target_engagevoice.delivery.refusals import rejection_of
from target_engagevoice.logger import logger
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.retirement import REVIVALS, Retire, Retirement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_engagevoice.api.lead_client import FoundLead
    from target_engagevoice.delivery.buffer import BufferedLead, BufferedRetirement
    from target_engagevoice.delivery.context import BatchContext, LeadAccess
    from target_engagevoice.ledger.entries import LedgerLead
    from target_engagevoice.model.retirement import FlaggedRecord

LEADS_AT_ONCE = 500


Key = tuple[str, str]
"""Campaign id and `externId`."""


@dataclass(frozen=True)
class Wanted:
    """What is to become of a lead.

    Attributes:
        how: What is done where it is in the dialer.
        stays: The campaign it stays in, and moved to; None for none.
        flagged: Whether it must not be called, also once a campaign is seen again that can not be seen now.
    """

    how: Retire
    stays: str | None = None
    flagged: bool = False


class LeadRetirements:
    """Retires leads of one stream. Owned by the thread that runs it."""

    def __init__(self, context: BatchContext, access: LeadAccess, stream: str) -> None:
        self._context = context
        self._access = access
        self._actions = LeadActions(context, access, stream)
        self._stream = stream
        self._out_of_sight: list[LedgerLead] = []  # flagged, and as they are in the ledger now

    def handle(self, batch: RetireBatch | MoveBatch) -> list[BufferedLead]:
        """Retire what a batch asks for.

        Returns:
            Leads that left the other campaigns: they are to be compared with the ledger again, and loaded.

        Raises:
            EngageVoiceError: The run cannot go on; leads of which it is not known whether they are retired stay
                claimed in the ledger.
        """
        if isinstance(batch, MoveBatch):
            return self._move(batch)
        self._retire_flagged(batch)
        return []

    def _retire_flagged(self, batch: RetireBatch) -> None:
        """Bring every record of a batch to its outcome."""
        wanted = {
            each.flagged.extern_id: Wanted(each.flagged.how, flagged=each.flagged.outcome is Outcome.DO_NOT_CALL)
            for each in batch.retirements
            if isinstance(each.flagged, Retirement)
        }
        self._end(batch.retirements, self.retire(wanted))

    def _move(self, batch: MoveBatch) -> list[BufferedLead]:
        """Retire leads in every campaign but the one they go to; reject those that another campaign still has.

        Returns:
            The others: they may be loaded.
        """
        stays = batch.campaign.campaign_id
        refused = self.retire({each.lead.extern_id: Wanted(batch.how, stays) for each in batch.leads})
        moved: list[BufferedLead] = []
        for each in batch.leads:
            refusal = refused.get(each.lead.extern_id)
            if refusal is None:
                moved.append(each)
                continue
            self._context.outcomes.reject(each.record, batch.campaign, rejection_of(refusal), each.lead)
        return moved

    def retire(self, wanted: Mapping[str, Wanted]) -> dict[str, answers.Refused]:
        """Take leads out of the dialer of every campaign that has them, but of the one they stay in.

        Args:
            wanted: By `externId`.

        Returns:
            Those that the server would not retire, and why.

        Raises:
            EngageVoiceError: The run can not go on.
        """
        refused: dict[str, answers.Refused] = {}
        while held := [
            each
            for each in self._dialled({key: each for key, each in wanted.items() if key not in refused})
            if not wanted[each.extern_id].flagged or each not in self._out_of_sight
        ]:
            claimed = self._claim(held, wanted)
            if not claimed:
                wait_for_others(self._context)  # or they have done it
                continue
            for how in Retire:
                group = [each for each in claimed if _way(each, wanted[each.extern_id].how) is how]
                for start in range(0, len(group), LEADS_AT_ONCE):
                    part = group[start : start + LEADS_AT_ONCE]
                    refused |= {key[1]: why for key, why in self._retire(how, part, wanted).items()}
        return refused

    def _dialled(self, wanted: Mapping[str, Wanted]) -> list[LedgerLead]:
        held = self._context.ledger.leads.locate(self._stream, list(wanted)) if wanted else []
        return [each for each in held if each.in_dialer and each.campaign_id != wanted[each.extern_id].stays]

    def _claim(self, held: Sequence[LedgerLead], wanted: Mapping[str, Wanted]) -> list[LedgerLead]:
        """Those that are this run's to retire now."""
        claimed: list[LedgerLead] = []
        for campaign_id in sorted({each.campaign_id for each in held}):
            leads = [each for each in held if each.campaign_id == campaign_id]
            mine = self._actions.claim(campaign_id, {each.extern_id: wanted[each.extern_id].how for each in leads})
            claimed += [each for each in leads if each.extern_id in mine]
        return self._without_what_others_retired(claimed, wanted) if self._context.ledger.shared else claimed

    def _without_what_others_retired(self, claimed: list[LedgerLead], wanted: Mapping[str, Wanted]) -> list[LedgerLead]:
        """Another run may have retired a lead between our look into the ledger and our claim, or changed it."""
        now = self._dialled({each.extern_id: wanted[each.extern_id] for each in claimed})
        mine = {(each.campaign_id, each.extern_id) for each in claimed}
        still = [each for each in now if (each.campaign_id, each.extern_id) in mine]
        done = mine - {(each.campaign_id, each.extern_id) for each in still}
        for campaign_id, extern_id in done:
            self._context.ledger.settle(self._stream, campaign_id, {}, [extern_id], 0.0)
        return still

    def _retire(
        self, how: Retire, held: Sequence[LedgerLead], wanted: Mapping[str, Wanted]
    ) -> dict[Key, answers.Refused]:
        """Look up, act, and look once more for what was loaded just before and may not have been found."""
        refused: dict[Key, answers.Refused] = {}
        known = [each for each in held if self._access.directory.by_id(each.campaign_id) is not None]
        if len(known) < len(held):
            logger.warning(
                "%d leads are in campaigns that can not be seen any more; they can not be retired there.",
                len(held) - len(known),
            )
        acted: set[str] = set()
        for looks_again in (False, True):
            wait = self._access.lookups.settles_in(known)
            if looks_again and wait > 0:
                self._context.halt.sleep(wait)
            found = self._actions.look_up(how, known, acted)
            for start in range(0, len(found), MOST_ACTED_ON):  # a campaign may hold many of one externId
                refused |= self._act(how, found[start : start + MOST_ACTED_ON])
            acted |= {lead.lead_id for lead in found}
            if wait <= 0:
                break
        kept = [each for each in held if (each.campaign_id, each.extern_id) in refused]
        hidden = [each for each in held if each not in known and wanted[each.extern_id].flagged]
        self._put_off(how, hidden)
        self._noted_as_retired(how, [each for each in held if each not in (*kept, *hidden)], wanted)
        for each in kept:
            refusal = refused[each.campaign_id, each.extern_id]
            self._actions.record_retirement(how, each.campaign_id, [each.extern_id], refusal, moved=False)
        return refused

    def _put_off(self, how: Retire, hidden: Sequence[LedgerLead]) -> None:
        """Leads that can not be retired now are to be when their records are read again: they may be in the dialer."""
        leads = self._context.ledger.leads
        for campaign_id in sorted({each.campaign_id for each in hidden}):
            keys = [each.extern_id for each in hidden if each.campaign_id == campaign_id]
            leads.record_uncertain(campaign_id, keys, how)
            leads.record_not_retired(self._stream, campaign_id, keys)
            self._out_of_sight += leads.of_campaign(campaign_id, keys).values()

    def _act(self, how: Retire, found: Sequence[FoundLead]) -> dict[Key, answers.Refused]:
        """One request for all of them; where the server refuses that, one each."""
        if not found:
            return {}
        campaigns = sorted({lead.campaign_id for lead in found})
        effort = self._effort(campaigns[0])
        refusal = self._actions.retire(how, campaigns, [lead.lead_id for lead in found], effort)
        if refusal is None:
            for campaign_id in campaigns:
                leads = {lead.extern_id for lead in found if lead.campaign_id == campaign_id}
                campaign = self._access.directory.by_id(campaign_id)
                self._context.run.count_effort(self._stream, campaign, "retired", len(leads))
            return {}
        if len(found) == 1:
            return {(found[0].campaign_id, found[0].extern_id): refusal}
        refused: dict[Key, answers.Refused] = {}
        for lead in found:
            refused |= self._act(how, [lead])
        return refused

    def _noted_as_retired(self, how: Retire, held: Sequence[LedgerLead], wanted: Mapping[str, Wanted]) -> None:
        for campaign_id in sorted({each.campaign_id for each in held}):
            for moved in (False, True):
                leads = [
                    each.extern_id
                    for each in held
                    if each.campaign_id == campaign_id and (wanted[each.extern_id].stays is not None) is moved
                ]
                if leads:
                    self._actions.record_retirement(how, campaign_id, leads, None, moved=moved)

    def _end(self, retirements: Sequence[BufferedRetirement], refused: Mapping[str, answers.Refused]) -> None:
        """Put their phones on the list; then these records have their outcome."""
        context = self._context
        ended: list[BufferedRetirement] = []
        for each in retirements:
            flagged = each.flagged
            unlisted = self._list(flagged)
            refusal = refused.get(flagged.extern_id) or unlisted
            if refusal is None:
                ended.append(each)
            else:
                rejection = rejection_of(refusal, flagged.extern_id or None)
                context.outcomes.reject(each.record, flagged.campaign, rejection)
        context.ledger.leads.record_retired_everywhere(
            self._stream, [each.extern_id for each in ended if each.extern_id]
        )
        for each in ended:
            context.outcomes.settle(each.record, each.flagged.campaign, each.flagged.outcome)

    def _list(self, flagged: FlaggedRecord) -> answers.Refused | None:
        """Put the phones of a record on the do-not-call list, those that are not there by our doing.

        Returns:
            Why the server would not list one of them; None when all are there.
        """
        phones = self._context.ledger.phones
        listed = phones.listed([phone.digest for phone in flagged.phones])
        effort = partial(self._context.run.count_effort, self._stream, flagged.campaign)
        refusal: answers.Refused | None = None
        for phone in flagged.phones:
            if phone.digest in listed:
                continue
            answer = self._access.lead_client.list_phone(phone.number, phone.country, flagged.extern_id, effort)
            if isinstance(answer, answers.Refused):
                refusal = refusal or answer
                continue
            phones.record(phone.digest)
            effort("listed")
        return refusal

    def _effort(self, campaign_id: str) -> Callable[[str], None]:
        return partial(self._context.run.count_effort, self._stream, self._access.directory.by_id(campaign_id))


def _way(held: LedgerLead, how: Retire) -> Retire:
    """How a lead is to be retired: one that may be retired in another way already in that way, which can be undone.

    Otherwise it might be retired in both, and only one of them be undone later.
    """
    perhaps = held.how
    return perhaps if perhaps is not None and perhaps in REVIVALS and how is not Retire.DELETE else how
