"""What a dry run would have done, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.buffers import Work
from target_engagevoice.retirements import Retirement

if TYPE_CHECKING:
    from target_engagevoice.buffers import Batch, RetireBatch
    from target_engagevoice.campaigns import Directory
    from target_engagevoice.ledger import Ledger
    from target_engagevoice.runs import Run


class DryRun:
    """Counts. Owned by `Drains`.

    Args:
        run: Where it is counted.
        ledger: Which leads there are to retire, which phones are listed.
        directory: The account's campaigns.
    """

    def __init__(self, run: Run, ledger: Ledger, directory: Directory) -> None:
        self._run = run
        self._leads = ledger.leads
        self._directory = directory

    def count(self, batch: Batch) -> None:
        """These would be loaded, or changed."""
        what = "would_load" if batch.work is Work.LOAD else "would_change"
        self._run.count_effort(batch.stream, batch.campaign, what, len(batch.leads))

    def count_retirements(self, batch: RetireBatch) -> None:
        """The leads of these would be retired, and their phones listed."""
        stays = {
            lead.lead.extern_id: buffer.campaign.campaign_id if buffer.campaign else None
            for lead, buffer in zip(batch.leads, batch.buffers, strict=True)
        }
        for held in self._leads.whereabouts(batch.stream, list(stays)):
            campaign = self._directory.by_id(held.campaign_id)
            if held.is_dialled and held.campaign_id != stays[held.extern_id] and campaign is not None:
                self._run.count_effort(batch.stream, campaign, "would_retire")
        for lead in batch.leads:
            if isinstance(lead.lead, Retirement) and lead.lead.phones:
                new = {phone.digest for phone in lead.lead.phones}
                new -= self._leads.listed(new)
                self._run.count_effort(batch.stream, lead.lead.campaign, "would_list", len(new))
