"""Looks up leads of the ledger at the server, where a lead that was just loaded may not be shown yet."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from target_engagevoice.api.lead_client import FoundLead, LeadClient
    from target_engagevoice.halt import Halt
    from target_engagevoice.ledger.entries import LedgerLead


class Lookups:
    """Looks up leads. Any thread may call it; its lock guards which leads were put back into the dialer.

    Args:
        client: Searches.
        server_earliest: Epoch seconds that the server's clock shows at least.
        search_delay_seconds: Seconds until the search shows what was done just now.
    """

    def __init__(
        self, client: LeadClient, halt: Halt, server_earliest: Callable[[], float], search_delay_seconds: float
    ) -> None:
        self._client = client
        self._halt = halt
        self._now = server_earliest
        self._delay = search_delay_seconds
        self._lock = threading.Lock()
        self._revived: dict[str, float] = {}  # lead id to when, in epoch seconds of the server's clock

    def revived(self, lead_ids: Collection[str]) -> None:
        """Note leads that are back in the dialer: the search may show for a moment more that they are not."""
        now = self._now()
        with self._lock:
            self._revived = {key: at for key, at in self._revived.items() if at + self._delay > now}
            self._revived |= dict.fromkeys(lead_ids, now)

    def find(self, held: Sequence[LedgerLead]) -> list[FoundLead]:
        """The leads that the server holds. A lead that was just loaded and is not shown yet is waited for.

        Raises:
            ServerError: The search keeps failing, or its answer cannot be read.
        """
        fresh = [each for each in held if self.settles_in([each]) > 0]  # before the search, which may take some time
        found = self.look(held)
        seen = {(lead.campaign_id, lead.extern_id) for lead in found}
        missing = [each for each in fresh if (each.campaign_id, each.extern_id) not in seen]
        if not missing:
            return found
        self._halt.sleep(max(0.0, self.settles_in(missing)))
        return found + self.look(missing)

    def find_later(self, held: Sequence[LedgerLead]) -> list[FoundLead]:
        """The leads that the search shows after the search delay, when it shows everything that was done so far.

        Raises:
            ServerError: The search keeps failing, or its answer cannot be read.
        """
        self._halt.sleep(self._delay)
        return self.look(held)

    def look(self, held: Sequence[LedgerLead]) -> list[FoundLead]:
        """The leads that the search shows now, without the state of a lead that was just put back into the dialer.

        Raises:
            ServerError: The search keeps failing, or its answer cannot be read.
        """
        wanted = {(each.campaign_id, each.extern_id) for each in held}
        campaigns, extern_ids = ({pair[place] for pair in wanted} for place in (0, 1))
        rows = self._client.find(sorted(campaigns), sorted(extern_ids))
        now = self._now()
        with self._lock:
            fresh = {key for key, at in self._revived.items() if at + self._delay > now}
        return [
            replace(lead, state="", suppressed=False) if lead.lead_id in fresh else lead
            for lead in rows
            if (lead.campaign_id, lead.extern_id) in wanted
        ]

    def settles_in(self, held: Iterable[LedgerLead]) -> float:
        """Seconds until the search shows the last load of each of these leads; 0 or less for now."""
        return max((each.at + self._delay - self._now() for each in held), default=0.0)


def newest(found: Iterable[FoundLead]) -> list[FoundLead]:
    """The last loaded of the leads with the same `externId` in a campaign."""
    best: dict[tuple[str, str], FoundLead] = {}
    for lead in found:
        key = (lead.campaign_id, lead.extern_id)
        if key not in best or _age(lead) > _age(best[key]):
            best[key] = lead
    return list(best.values())


def _age(lead: FoundLead) -> tuple[float, int, str]:
    return lead.loaded_at or 0.0, len(lead.lead_id), lead.lead_id
