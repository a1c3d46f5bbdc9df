"""What a dry run would have done, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.delivery.batch import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from target_engagevoice.api.lead_search import FoundLead
    from target_engagevoice.delivery.batch import Batch, MoveBatch, RetireBatch
    from target_engagevoice.ledger.ledger import Ledger
    from target_engagevoice.model.campaign import Directory
    from target_engagevoice.outcomes.counts import Run

    Find: TypeAlias = Callable[[Sequence[str], Sequence[str]], Sequence[FoundLead]]


class DryRun:
    """Counts what a run would do. Owned by `Drainer`.

    Args:
        run: The counts.
        ledger: Knows which leads there are to retire, and which phones are listed.
        directory: The account's campaigns.
        find: Looks leads up by campaigns and `externId`s, where leads that the ledger does not know would be changed in
            place; None where they would be loaded all the same.
    """

    def __init__(self, run: Run, ledger: Ledger, directory: Directory, find: Find | None = None) -> None:
        self._run = run
        self._find = find
        self._leads = ledger.leads
        self._phones = ledger.phones
        self._directory = directory

    def count(self, batch: Batch) -> None:
        """Count the leads of a batch, which would be loaded or changed.

        Raises:
            ServerError: They cannot be looked up.
        """
        changed = len(batch.leads)
        if batch.work is Work.LOAD:
            new = [each.lead.extern_id for each in batch.leads if not each.not_before]
            found = self._find([batch.campaign.campaign_id], new) if self._find is not None else ()
            changed = len({lead.extern_id for lead in found})
        for what, count in (("would_load", len(batch.leads) - changed), ("would_change", changed)):
            if count:
                self._run.count_effort(batch.stream, batch.campaign, what, count)

    def count_retirements(self, batch: RetireBatch) -> None:
        """Count the leads that these records would retire, and the phones they would list."""
        self._count_dialed(batch.stream, [each.extern_id for each in batch.retirements])
        for each in batch.retirements:
            if each.flagged.phones:
                new = {phone.digest for phone in each.flagged.phones}
                new -= self._phones.listed(new)
                self._run.count_effort(batch.stream, each.flagged.campaign, "would_list", len(new))

    def count_moves(self, batch: MoveBatch) -> None:
        """Count the campaigns in which these leads would be retired: all but the one they go to."""
        self._count_dialed(batch.stream, [each.extern_id for each in batch.leads], stays=batch.campaign.campaign_id)

    def _count_dialed(self, stream: str, extern_ids: Sequence[str], stays: str | None = None) -> None:
        for held in self._leads.locate(stream, extern_ids):
            campaign = self._directory.by_id(held.campaign_id)
            if held.in_dialer and held.campaign_id != stays and campaign is not None:
                self._run.count_effort(stream, campaign, "would_retire")
