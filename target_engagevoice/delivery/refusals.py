"""Leads that the server refused alone, kept back until it is plain that it is the leads."""

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
"""So many lone refusals in a row, with nothing taken in between, are suspicious: it may not be the leads."""

FEW_AMONG_TAKEN = 50
"""The same where the campaign is known to take leads: from this very batch, or from the killed run before this one."""

BROKEN = "http_500"
"""The reason of leads that make the server itself break."""


class Refusals:
    """Refused leads per campaign since it last took one. Any thread may call it; its lock guards everything.

    A refused lead is rejected as soon as its campaign takes another lead, or when the run ends with no more than a
    few refused. When everything is refused it is not the leads: the run fails and none of them is rejected. A lead
    that was refused before with the same content, while others were taken, is known and is rejected at once.

    Attributes:
        most_rows: So many leads may be in one request; None for any number.
        breakable: Whether a lead is known in this run that makes the server break.
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
        """A lead was refused alone: it is not stored, so its claim ends here and leaves room for a later version.

        Raises:
            LedgerError: That can not be noted.
            StorageError: It is known, and can not be put aside.
            RejectedTooMany: It is known, and more were rejected than allowed.
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
        """Whether the campaign refused too many in a row.

        Args:
            campaign: It.
            took: Whether it took others of the batch that they are from.
        """
        with self._lock:
            waiting = len(self._waiting.get(campaign, ()))
        if waiting < FEW:
            return False
        return waiting >= FEW_AMONG_TAKEN or not (took or self._ledger.loaded_by_dead_runs(campaign.campaign_id))

    def record_taken(self, campaign: Campaign, rows: int = 0) -> None:
        """The campaign took a lead: those it refused before were at fault themselves.

        Args:
            campaign: It.
            rows: How many it took in one request.

        Raises:
            LedgerError: It can not be noted.
            StorageError: One can not be put aside.
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
        """The run ends: the few that wait are rejected.

        Raises:
            LedgerError: It can not be noted.
            StorageError: One can not be put aside.
            RejectedTooMany: More were rejected than allowed.
        """
        for campaign in list(self._waiting):
            self.record_taken(campaign)

    def _reject(self, campaign: Campaign, buffered: BufferedLead, refusal: Refused) -> None:
        self._outcomes.reject(buffered.record, campaign, rejection_of(refusal), buffered.lead)

    def all_refused(self, campaign: Campaign) -> ServerError:
        """The error for a campaign that refuses everything."""
        with self._lock:
            waiting = self._waiting.get(campaign, [])
        reason = waiting[-1][1].reason if waiting else "refused"
        return ServerError(
            f"campaign {campaign.campaign_id} refused each of {len(waiting)} leads sent alone ({reason}), so it is not "
            "the leads. Nothing was rejected for it. Check the campaign, its list settings and the mapping, e.g. with "
            "`dry_run: true`, then run again.",
        )

    def shrink(self, rows: int) -> bool:
        """A request of so many leads was called too large: send at most half of it for the rest of the run.

        Returns:
            False when it can not be that: it was a single lead, or as many were taken before. Then it is a lead of
            which something is too large.
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
