"""Finding leads that are loaded, by the caller's own key (reference, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.rows import epoch_of
from target_engagevoice.model.retirement import SUPPRESSED, Retire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_engagevoice.api.client import Client

MOST_SOUGHT = 500
"""So many `externId`s are looked for in one request."""

EVERY_LEAD: Mapping[str, Any] = MappingProxyType({"suppressed": "ALL"})
"""What goes with all criteria: leads that are not to be dialled are meant as well. What holds where it is left out, the
documentation does not say."""


@dataclass(frozen=True)
class FoundLead:
    """A lead as the search shows it.

    Attributes:
        state: Its `leadState`; empty when the row does not say.
        suppressed: Whether it is; that the row says so is a guess.
        loaded_at: Epoch seconds on the server's clock; None when the row does not say.
    """

    lead_id: str
    extern_id: str
    campaign_id: str
    state: str
    loaded_at: float | None
    suppressed: bool = False

    def state_before(self, how: Retire) -> str:
        """What is to be known of a lead that is about to be retired, to put it back into what it was.

        One that is to be suppressed keeps its state; of it, whether it is suppressed already.
        """
        return SUPPRESSED if how is Retire.SUPPRESS and self.suppressed else self.state


class LeadSearch:
    """Searches the leads of one account. Any thread may call it.

    Args:
        client: Speaks to the account, at the pace of the search.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, campaign_ids: Sequence[str], extern_ids: Sequence[str]) -> list[FoundLead]:
        """The leads of these campaigns with these ids, each once; several may have the same `externId`.

        All pages are asked for, and the rows filtered again here: one integration found `externIds` ignored. A row
        that does not say its lead's id, key or campaign is passed over; of a single campaign, that one is meant.

        Raises:
            ServerError: The search keeps failing, or its answer can not be read.
        """
        if not campaign_ids or not extern_ids:
            return []
        found: dict[str, FoundLead] = {}
        for start in range(0, len(extern_ids), MOST_SOUGHT):
            sought = dict.fromkeys(extern_ids[start : start + MOST_SOUGHT])
            criteria = {**EVERY_LEAD, "campaignIds": numbers(campaign_ids), "externIds": list(sought)}
            for lead in self._rows(criteria, campaign_ids):
                if lead.extern_id in sought and lead.campaign_id in campaign_ids:
                    found.setdefault(lead.lead_id, lead)
        return list(found.values())

    def lead_ids(self, criteria: Mapping[str, Any]) -> Iterator[set[str]]:
        """The ids of the leads that fit these criteria, page by page.

        Raises:
            ServerError: The search keeps failing, or its answer can not be read.
        """
        for rows in self._client.search_pages(criteria):
            yield {_id(row.get("leadId")) for row in rows} - {""}

    def _rows(self, criteria: Mapping[str, Any], campaign_ids: Sequence[str]) -> Iterator[FoundLead]:
        alone = campaign_ids[0] if len(campaign_ids) == 1 else ""
        for rows in self._client.search_pages(criteria):
            for row in rows:
                lead = _found(row, alone)
                if lead is not None:
                    yield lead


def _found(row: Mapping[str, Any], campaign_id: str) -> FoundLead | None:
    """The lead of a row; None for one that names no lead.

    Args:
        row: As the search gives it.
        campaign_id: What holds where the row does not name its campaign.
    """
    lead_id, extern_id = _id(row.get("leadId")), _id(row.get("externId"))
    if not lead_id or not extern_id:
        return None
    return FoundLead(
        lead_id,
        extern_id,
        campaign_id=_id(row.get("campaignId")) or campaign_id,
        state=_id(row.get("leadState")),
        loaded_at=epoch_of(row.get("loadedDts")),
        suppressed=row.get("suppressed") is True,
    )


def _id(value: Any) -> str:
    """A text or whole number as text; empty for anything else."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def numbers(ids: Sequence[str]) -> list[int | str]:
    """Ids as the API writes them: numbers."""
    return [int(each) if each.isascii() and each.isdecimal() else each for each in ids]
