"""Takes leads out of the dialer, many in one request, and puts phones on the do-not-call list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from target_engagevoice.api.lead_client import MOST_ACTED_ON
from target_engagevoice.delivery.batch import MoveBatch, RetireBatch
from target_engagevoice.delivery.claims import wait_for_others
from target_engagevoice.delivery.lead_action import LeadActions
from target_engagevoice.delivery.phone_listing import list_phones
from target_engagevoice.delivery.refusals import rejection_of
from target_engagevoice.logger import logger
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.retirement import REVIVALS, Retire, Retirement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_engagevoice.api import answers
    from target_engagevoice.api.lead_client import FoundLead
    from target_engagevoice.delivery.buffer import BufferedLead, BufferedRetirement
    from target_engagevoice.delivery.context import BatchContext, LeadAccess
    from target_engagevoice.ledger.entries import LedgerLead

LEADS_AT_ONCE = 500


Key = tuple[str, str]
"""Campaign id and `externId`."""


@dataclass(frozen=True)
class Wanted:
    """What is to be done for a lead.

    Attributes:
        how: How it is retired in each campaign that has it in the dialer.
        stays: Id of the campaign that it moved to, where it is not retired; None where it is retired everywhere.
        flagged: Whether it must not be called. Then it must also be retired in a campaign that the account does not
            show now, once that is shown again.
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
        self._hidden: list[LedgerLead] = []  # flagged leads that cannot be retired now, as the ledger has them

    def handle(self, batch: RetireBatch | MoveBatch) -> list[BufferedLead]:
        """Retire the leads of a batch.

        Returns:
            Leads that left the other campaigns: they are to be compared with the ledger again, and loaded.

        Raises:
            EngageVoiceError: The run cannot continue; leads that may or may not be retired stay claimed in the ledger.
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
        self._settle(batch.retirements, self.retire(wanted))

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
        """Take leads out of the dialer in every campaign that has them, except the one they stay in.

        Looks into the ledger again after each round: another run may hold a lead, or load it meanwhile.

        Args:
            wanted: By `externId`.

        Returns:
            `externId`s that the server did not retire, and why.

        Raises:
            EngageVoiceError: The run cannot continue.
        """
        refused: dict[str, answers.Refused] = {}
        while held := [
            each
            for each in self._in_dialer({key: each for key, each in wanted.items() if key not in refused})
            if not wanted[each.extern_id].flagged or each not in self._hidden
        ]:
            claimed = self._claim(held, wanted)
            if not claimed:
                wait_for_others(self._context)  # they retire the leads, or their claims end
                continue
            for how in Retire:
                group = [each for each in claimed if _how_now(each, wanted[each.extern_id].how) is how]
                for start in range(0, len(group), LEADS_AT_ONCE):
                    part = group[start : start + LEADS_AT_ONCE]
                    refused |= {key[1]: why for key, why in self._retire(how, part, wanted).items()}
        return refused

    def _in_dialer(self, wanted: Mapping[str, Wanted]) -> list[LedgerLead]:
        held = self._context.ledger.leads.locate(self._stream, list(wanted)) if wanted else []
        return [each for each in held if each.in_dialer and each.campaign_id != wanted[each.extern_id].stays]

    def _claim(self, held: Sequence[LedgerLead], wanted: Mapping[str, Wanted]) -> list[LedgerLead]:
        """Claim leads, and return those that this run is to retire now."""
        claimed: list[LedgerLead] = []
        for campaign_id in sorted({each.campaign_id for each in held}):
            leads = [each for each in held if each.campaign_id == campaign_id]
            mine = self._actions.claim(campaign_id, {each.extern_id: wanted[each.extern_id].how for each in leads})
            claimed += [each for each in leads if each.extern_id in mine]
        return self._without_what_others_retired(claimed, wanted) if self._context.ledger.shared else claimed

    def _without_what_others_retired(self, claimed: list[LedgerLead], wanted: Mapping[str, Wanted]) -> list[LedgerLead]:
        """Drop leads that another run retired or changed between this run's look into the ledger and its claim."""
        now = self._in_dialer({each.extern_id: wanted[each.extern_id] for each in claimed})
        mine = {(each.campaign_id, each.extern_id) for each in claimed}
        still = [each for each in now if (each.campaign_id, each.extern_id) in mine]
        done = mine - {(each.campaign_id, each.extern_id) for each in still}
        for campaign_id, extern_id in done:
            self._context.ledger.settle(self._stream, campaign_id, {}, [extern_id], 0.0)
        return still

    def _retire(
        self, how: Retire, held: Sequence[LedgerLead], wanted: Mapping[str, Wanted]
    ) -> dict[Key, answers.Refused]:
        """Retire claimed leads in one way, and note what came of it.

        The search shows a lead only some seconds after its load. Where one of the leads was loaded later than that,
        it is waited for, and the search and the action are repeated for the leads that were not found before.

        Returns:
            Leads that the server did not retire, and why.
        """
        refused: dict[Key, answers.Refused] = {}
        known = [each for each in held if self._access.directory.by_id(each.campaign_id) is not None]
        if len(known) < len(held):
            logger.warning(
                "%d leads are in campaigns that the account does not show any more; they cannot be retired there.",
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
        self._postpone(how, hidden)
        self._record_retired(how, [each for each in held if each not in (*kept, *hidden)], wanted)
        for each in kept:
            refusal = refused[each.campaign_id, each.extern_id]
            self._actions.record_retirement(how, each.campaign_id, [each.extern_id], refusal, moved=False)
        return refused

    def _postpone(self, how: Retire, hidden: Sequence[LedgerLead]) -> None:
        """Note leads as uncertain that cannot be retired now, so that their next records retire them."""
        leads = self._context.ledger.leads
        for campaign_id in sorted({each.campaign_id for each in hidden}):
            keys = [each.extern_id for each in hidden if each.campaign_id == campaign_id]
            leads.record_uncertain(campaign_id, keys, how)
            leads.record_not_retired(self._stream, campaign_id, keys)
            self._hidden += leads.of_campaign(campaign_id, keys).values()

    def _act(self, how: Retire, found: Sequence[FoundLead]) -> dict[Key, answers.Refused]:
        """Retire leads in one request, or in one request each where the server refuses that.

        Returns:
            Leads that the server did not retire, and why.
        """
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

    def _record_retired(self, how: Retire, held: Sequence[LedgerLead], wanted: Mapping[str, Wanted]) -> None:
        for campaign_id in sorted({each.campaign_id for each in held}):
            for moved in (False, True):
                leads = [
                    each.extern_id
                    for each in held
                    if each.campaign_id == campaign_id and (wanted[each.extern_id].stays is not None) is moved
                ]
                if leads:
                    self._actions.record_retirement(how, campaign_id, leads, None, moved=moved)

    def _settle(self, retirements: Sequence[BufferedRetirement], refused: Mapping[str, answers.Refused]) -> None:
        """List the phones of records, and bring each record to its outcome."""
        context = self._context
        ended: list[BufferedRetirement] = []
        for each in retirements:
            flagged = each.flagged
            unlisted = list_phones(context, self._access, self._stream, flagged)
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

    def _effort(self, campaign_id: str) -> Callable[[str], None]:
        return partial(self._context.run.count_effort, self._stream, self._access.directory.by_id(campaign_id))


def _how_now(held: LedgerLead, how: Retire) -> Retire:
    """How a lead is retired now: as asked for, or as an earlier run may have retired it already.

    The fate of an earlier retirement is uncertain if the run was killed behind the request, or the server broke on it.
    The lead must be retired again, and in the same way: otherwise it could be retired in two ways, and a later record
    that puts it back into the dialer would undo only the one that the ledger holds.

    Example: a run with `on_delete: pause` is killed while it pauses lead `A7`; the ledger holds `pause?`. The next run
    has `on_delete: suppress` and reads that `A7` is deleted. It pauses `A7` once more, and the ledger holds `pause`.
    When `A7` comes back at the source, `READY_LEADS` undoes all there is. Had the run suppressed it, the ledger would
    hold `suppress`, `UNSUPPRESS_LEADS` would be sent, and `A7` could stay paused.

    A lead that is to be deleted is deleted in any case: it is loaded again where it comes back.
    """
    uncertain = held.how
    return uncertain if uncertain is not None and uncertain in REVIVALS and how is not Retire.DELETE else how
