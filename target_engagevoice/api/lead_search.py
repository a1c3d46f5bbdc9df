"""Find loaded leads by their `externId` (reference, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.dates import parse_api_date
from target_engagevoice.model.retirement import SUPPRESSED, Retire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_engagevoice.api.client import Client

MOST_SOUGHT = 500
"""How many `externId`s one request may name."""

EVERY_LEAD: Mapping[str, Any] = MappingProxyType({"suppressed": "ALL"})
"""Part of all criteria: suppressed leads are included. The documentation does not say what holds without it."""


@dataclass(frozen=True)
class FoundLead:
    """A lead as the search shows it.

    Attributes:
        state: Its `leadState`; empty when the row does not say.
        suppressed: Whether it is suppressed; that rows have this field is a guess.
        loaded_at: Epoch seconds on the server's clock; None when the row does not say.
    """

    lead_id: str
    extern_id: str
    campaign_id: str
    state: str
    loaded_at: float | None
    suppressed: bool = False

    def state_before(self, how: Retire) -> str:
        """The state of a lead before it is retired, which is needed to restore it later.

        A lead that is suppressed keeps its `leadState`. For it, the result says whether it was suppressed before.
        """
        return SUPPRESSED if how is Retire.SUPPRESS and self.suppressed else self.state


class LeadSearch:
    """Searches the leads of one account. Any thread may call it.

    Args:
        client: Sends the requests of the account, at the pace of the search.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, campaign_ids: Sequence[str], extern_ids: Sequence[str]) -> list[FoundLead]:
        """The leads of these campaigns with these ids, each once; several may have the same `externId`.

        All pages are read, and the rows are filtered again here: one integration found `externIds` ignored. A row
        without `leadId`, `externId` or campaign is skipped; where one campaign is searched, its rows need not name it.

        Raises:
            ServerError: The search keeps failing, or its answer cannot be read.
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
            ServerError: The search keeps failing, or its answer cannot be read.
        """
        for rows in self._client.search_pages(criteria):
            yield {_id(row.get("leadId")) for row in rows} - {""}

    def _rows(self, criteria: Mapping[str, Any], campaign_ids: Sequence[str]) -> Iterator[FoundLead]:
        alone = campaign_ids[0] if len(campaign_ids) == 1 else ""
        for rows in self._client.search_pages(criteria):
            for row in rows:
                lead = _lead_of(row, alone)
                if lead is not None:
                    yield lead


def _lead_of(row: Mapping[str, Any], campaign_id: str) -> FoundLead | None:
    """The lead of a row; None for a row that names no lead.

    Args:
        row: As the search returns it.
        campaign_id: The campaign of a row that does not name one.
    """
    lead_id, extern_id = _id(row.get("leadId")), _id(row.get("externId"))
    if not lead_id or not extern_id:
        return None
    return FoundLead(
        lead_id,
        extern_id,
        campaign_id=_id(row.get("campaignId")) or campaign_id,
        state=_id(row.get("leadState")),
        loaded_at=parse_api_date(row.get("loadedDts")),
        suppressed=row.get("suppressed") is True,
    )


def _id(value: Any) -> str:
    """A text or whole number as text; empty for anything else."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def numbers(ids: Sequence[str]) -> list[int | str]:
    """Ids as the API writes them: numbers."""
    return [int(each) if each.isascii() and each.isdecimal() else each for each in ids]
