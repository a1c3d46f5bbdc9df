"""Finds out what the server holds where an answer does not say (DESIGN, promise 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.api.server_clock import RESOLUTION_SECONDS
from target_engagevoice.delivery.field_digests import content_of_fields
from target_engagevoice.errors import ServerError
from target_engagevoice.ledger.tables import LOAD, RETIRE
from target_engagevoice.model.retirement import Retire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.api.client import Client
    from target_engagevoice.api.rows import LoadedLead
    from target_engagevoice.clock import Clock
    from target_engagevoice.halt import Halt
    from target_engagevoice.ledger.entries import InFlight
    from target_engagevoice.ledger.ledger import Ledger

LOOK_UP_AT_ONCE = 500
FIRST_PAUSE_SECONDS = 0.5


class Reconciler:
    """Searches campaigns for leads. Any thread may call it: it holds no state of its own.

    Args:
        search_delay_seconds: Seconds until the search shows a lead that was just loaded.
    """

    def __init__(self, client: Client, clock: Clock, halt: Halt, search_delay_seconds: float) -> None:
        self._client = client
        self._clock = clock
        self._halt = halt
        self.delay = search_delay_seconds

    def held(self, campaign_id: str, since: Mapping[str, float], settled_at: float | None = None) -> set[str]:
        """`externId`s of the leads that the campaign holds, see `found`."""
        return set(self.found(campaign_id, since, settled_at))

    def found(
        self, campaign_id: str, since: Mapping[str, float], settled_at: float | None = None
    ) -> dict[str, LoadedLead]:
        """Leads that the campaign holds by a load that began no earlier than their `since`.

        Searches at once, and again until every lead is found. A lead counts as missing only if a search that began
        after the search delay did not show it.

        Args:
            campaign_id: Where to search.
            since: `externId` to epoch seconds on the server's clock; no earlier version of the lead was loaded later.
            settled_at: Monotonic seconds. A search that begins later is believed; None for one search delay from now.

        Raises:
            ServerError: The search keeps failing, or a row does not say when it was loaded.
        """
        missing = dict(since)
        found: dict[str, LoadedLead] = {}
        if settled_at is None:
            settled_at = self._clock.monotonic() + self.delay
        pause = FIRST_PAUSE_SECONDS
        while True:
            last = self._clock.monotonic() >= settled_at
            for lead in self._look(campaign_id, missing):
                missing.pop(lead.extern_id, None)
                found[lead.extern_id] = lead
            if last or not missing:
                return found
            self._halt.sleep(min(pause, max(0.0, settled_at - self._clock.monotonic())))
            pause *= 2

    def _look(self, campaign_id: str, since: Mapping[str, float]) -> list[LoadedLead]:
        found = []
        extern_ids = sorted(since)
        for start in range(0, len(extern_ids), LOOK_UP_AT_ONCE):
            asked = extern_ids[start : start + LOOK_UP_AT_ONCE]
            bound = min(since[extern_id] for extern_id in asked) - RESOLUTION_SECONDS
            for lead in self._client.search(campaign_id, asked, bound):
                if lead.loaded_at is None:
                    msg = (
                        f"the lead search of campaign {campaign_id} does not say when lead {lead.extern_id} was "
                        "loaded (loadedDts), so it is not known whether a request arrived. Nothing was sent again. "
                        "Look the lead up by hand, or ask RingCentral."
                    )
                    raise ServerError(msg)
                if lead.loaded_at >= since[lead.extern_id] - RESOLUTION_SECONDS:
                    found.append(lead)
        return found


def recover(
    ledger: Ledger,
    reconciler: Reconciler,
    clock: Clock,
    server_latest: Callable[[], float],
    search_delay: float,
) -> int:
    """Settle the leads that dead runs had claimed: leads that arrived are accepted, the others are read again.

    A run notes each lead in the ledger before it sends it, and the outcome after the answer. A run that is killed in
    between leaves notes without an outcome. STATE did not pass these records, so the tap sends them again; the
    campaign is searched first, so that no lead is loaded twice.

    Example: a run notes `A1` to `A500` at 10:00:00, sends them in one request, and is killed before the answer. The
    next run searches the campaign for the 500 leads. It finds `A1` to `A300`, loaded at 10:00:01, and after the search
    delay it still does not find the others. `A1` to `A300` become accepted: when the tap sends them again, they are
    unchanged. The notes of `A301` to `A500` are removed: when the tap sends them again, they are loaded. A row for `A7`
    that was loaded at 9:00:00 would be an earlier version, and would not count.

    Leads that were to be changed or retired are not searched for. They become uncertain, and their next record is
    applied in any case: to change or retire a lead twice does no harm.

    Args:
        ledger: Holds the notes.
        reconciler: Searches.
        clock: For the search delay, which is waited for once for all campaigns.
        server_latest: Epoch seconds that the server's clock shows at most. Called when a lead is found, since the
            request of a dead run may have been stored only just before.
        search_delay: Seconds.

    Returns:
        How many leads were searched for.
    """
    groups: dict[tuple[str, str, str], dict[str, InFlight]] = {}
    uncertain: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for lead in ledger.in_flight():
        if lead.work == LOAD:
            groups.setdefault((lead.stream, lead.campaign_id, lead.run), {})[lead.extern_id] = lead
        else:
            how = lead.digest if lead.work == RETIRE else ""
            digests = uncertain.setdefault((lead.stream, lead.campaign_id, lead.run, how), {})
            digests[lead.extern_id] = lead.digest
    for (stream, campaign_id, run, how), digests in uncertain.items():
        ledger.leads.settle_uncertain(stream, campaign_id, digests, run, Retire(how) if how else None)
    settled_at = clock.monotonic() + search_delay
    for (stream, campaign_id, run), leads in groups.items():
        held = reconciler.found(campaign_id, {key: lead.since for key, lead in leads.items()}, settled_at)
        accepted = {extern_id: lead.digest for extern_id, lead in leads.items() if extern_id in held}
        cleared = [key for key in leads if key not in held]
        # A later change must know which fields to blank.
        contents = {extern_id: content_of_fields(lead.fields) for extern_id, lead in held.items()}
        ledger.settle(stream, campaign_id, accepted, cleared, server_latest(), run, contents=contents)
    return sum(len(leads) for leads in groups.values())
