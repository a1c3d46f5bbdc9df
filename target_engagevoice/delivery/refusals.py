"""Leads that the server refused alone: rejected once it is clear that the leads are the cause."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from target_engagevoice.errors import ServerError
from target_engagevoice.model.lead import Rejection, Stage

if TYPE_CHECKING:
    from target_engagevoice.api.answers import Refused
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.ledger.ledger import Ledger
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.outcomes.outcomes import Outcomes

FEW = 5
"""This many leads refused in a row, with none accepted in between, are suspicious: the cause may be the campaign."""

FEW_AMONG_TAKEN = 50
"""The same for a campaign that is known to accept leads: others of this batch, or of the killed run before this one."""

BROKEN = "http_500"
"""The reason of leads on which the server itself breaks."""


class Refusals:
    """Leads that the server refused when each was sent alone. Any thread may call it; its lock guards all its state.

    A lead is not rejected at once, because its refusal has two possible causes: the lead itself, or a campaign that
    refuses every lead (a setting, a list option, a mapping). What happens next tells the two apart:

    * The campaign accepts another lead. Then the refused leads are at fault, and each is rejected.
    * The run ends with only a few refusals. They are rejected as well.
    * Too many are refused in a row. Then the run fails, and none of them is rejected.

    Example: 100 records are read for a campaign, and the mapping makes an invalid phone for three of them. Three
    refusals wait here until the next batch is accepted; then three records are in the rejects file. Had all 100
    been refused, the run would have failed after a few of them, with an empty rejects file and STATE where it was.

    A lead that an earlier run rejected with the same content, while others were accepted, is rejected at once.

    Attributes:
        max_rows: The largest number of leads that one request may hold; None for no limit.
        server_breaks: Whether this run has met a lead on which the server breaks.
    """

    def __init__(self, outcomes: Outcomes, ledger: Ledger) -> None:
        self._outcomes = outcomes
        self._ledger = ledger
        self._lock = threading.Lock()
        self._waiting: dict[Campaign, list[tuple[BufferedLead, Refused]]] = {}
        self._most_taken = 0
        self.max_rows: int | None = None
        self.server_breaks = False

    def add(self, campaign: Campaign, buffered: BufferedLead, refusal: Refused) -> None:
        """Keep a lead that was refused alone. It is not stored, so its claim ends and a later version may be sent.

        Raises:
            LedgerError: The refusal cannot be noted.
            StorageError: The lead is rejected at once and cannot be written to the rejects file.
            RejectedTooMany: The lead is rejected at once, and more were rejected than allowed.
        """
        lead = buffered.lead
        self._ledger.settle(buffered.record.stream, campaign.campaign_id, {}, [lead.extern_id], 0.0, refused=True)
        if self._ledger.refused(campaign.campaign_id, lead.extern_id) == lead.digest:
            self._reject(campaign, buffered, refusal)
            return
        with self._lock:
            self.server_breaks = self.server_breaks or refusal.reason == BROKEN
            self._waiting.setdefault(campaign, []).append((buffered, refusal))

    def are_suspicious(self, campaign: Campaign, *, took: bool) -> bool:
        """Whether a campaign refused so many leads in a row that the leads may not be the cause.

        Args:
            campaign: The campaign.
            took: Whether it accepted other leads of the same batch.
        """
        with self._lock:
            waiting = len(self._waiting.get(campaign, ()))
        if waiting < FEW:
            return False
        return waiting >= FEW_AMONG_TAKEN or not (took or self._ledger.loaded_by_dead_runs(campaign.campaign_id))

    def record_taken(self, campaign: Campaign, rows: int = 0) -> None:
        """Reject the leads that wait: their campaign accepted another lead, so they are at fault themselves.

        Args:
            campaign: The campaign.
            rows: How many leads it accepted in one request.

        Raises:
            LedgerError: The refusals cannot be noted.
            StorageError: A lead cannot be written to the rejects file.
            RejectedTooMany: More were rejected than allowed.
        """
        with self._lock:
            self._most_taken = max(self._most_taken, rows)
            proven = self._waiting.pop(campaign, [])
        if proven:
            digests = {buffered.lead.extern_id: buffered.lead.digest for buffered, _ in proven}
            self._ledger.remember_refused(campaign.campaign_id, digests)
        for buffered, refusal in proven:
            self._reject(campaign, buffered, refusal)

    def finish(self) -> None:
        """Reject the few leads that wait at the end of the run.

        Raises:
            LedgerError: The refusals cannot be noted.
            StorageError: A lead cannot be written to the rejects file.
            RejectedTooMany: More were rejected than allowed.
        """
        for campaign in list(self._waiting):
            self.record_taken(campaign)

    def _reject(self, campaign: Campaign, buffered: BufferedLead, refusal: Refused) -> None:
        self._outcomes.reject(buffered.record, campaign, rejection_of(refusal), buffered.lead)

    def all_refused(self, campaign: Campaign) -> ServerError:
        """The error for a campaign that refuses every lead."""
        with self._lock:
            waiting = self._waiting.get(campaign, [])
        reason = waiting[-1][1].reason if waiting else "refused"
        return ServerError(
            f"campaign {campaign.campaign_id} refused each of {len(waiting)} leads sent alone ({reason}), so the leads "
            "are not the cause. None of them was rejected. Check the campaign, its list settings and the mapping, "
            "e.g. with `dry_run: true`, then run again.",
        )

    def shrink(self, rows: int) -> bool:
        """The server called a request of this many leads too large: send at most half for the rest of the run.

        Returns:
            False where the number is not the cause: it was a single lead, or as many were accepted before. Then one
            of the leads is too large.
        """
        with self._lock:
            if rows <= max(1, self._most_taken):
                return False
            self.max_rows = min(self.max_rows or rows, rows // 2)
            return True


def rejection_of(refusal: Refused, extern_id: str | None = None) -> Rejection:
    """Why a record is rejected that the server refused.

    Args:
        refusal: The answer.
        extern_id: Of the record, where no lead of it is at hand to be written with the rejection.
    """
    return Rejection(Stage.SERVER, refusal.reason, refusal.message, extern_id)
