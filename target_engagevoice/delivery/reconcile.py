"""Finding out what the server holds, where an answer does not say (DESIGN, promise 3)."""

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
    """Looks leads up. Holds no state of its own, so any thread may call it.

    Args:
        search_delay_seconds: How long a freshly loaded lead may take to be found.
    """

    def __init__(self, client: Client, clock: Clock, halt: Halt, search_delay_seconds: float) -> None:
        self._client = client
        self._clock = clock
        self._halt = halt
        self.delay = search_delay_seconds

    def held(self, campaign_id: str, since: Mapping[str, float], settled_at: float | None = None) -> set[str]:
        """Which of these leads the campaign holds; see `found`."""
        return set(self.found(campaign_id, since, settled_at))

    def found(
        self, campaign_id: str, since: Mapping[str, float], settled_at: float | None = None
    ) -> dict[str, LoadedLead]:
        """Those of these leads that the campaign holds by a load that began no earlier than their `since`.

        Looks at once and again until all are found; a lead counts as missing only when a look that began after the
        search delay did not find it.

        Args:
            campaign_id: Where to look.
            since: `externId` to epoch seconds on the server's clock; no earlier version of the lead was loaded later.
            settled_at: Monotonic seconds from when on a look is believed; the search delay from now when None.

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
                        "loaded (loadedDts), so it can not be told whether a request arrived. Nothing was sent again. "
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
    """Settle what killed runs left on its way: what arrived is accepted, the rest will be read and sent again.

    Of a lead that was to be changed or retired nothing is asked: it is uncertain until its next record says what it is
    to be, and that may be done again without harm.

    Args:
        ledger: Where they noted it.
        reconciler: Looks it up.
        clock: For the search delay, waited out once for all campaigns.
        server_latest: Epoch seconds the server's clock can show at most; asked when a lead is found, since a request of
            the killed run may have been stored only just before.
        search_delay: Seconds.

    Returns:
        How many leads were looked up.
    """
    groups: dict[tuple[str, str, str], dict[str, InFlight]] = {}
    doubtful: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for lead in ledger.in_flight():
        if lead.work == LOAD:
            groups.setdefault((lead.stream, lead.campaign_id, lead.run), {})[lead.extern_id] = lead
        else:
            how = lead.digest if lead.work == RETIRE else ""
            digests = doubtful.setdefault((lead.stream, lead.campaign_id, lead.run, how), {})
            digests[lead.extern_id] = lead.digest
    for (stream, campaign_id, run, how), digests in doubtful.items():
        ledger.leads.settle_uncertain(stream, campaign_id, digests, run, Retire(how) if how else None)
    settled_at = clock.monotonic() + search_delay
    for (stream, campaign_id, run), leads in groups.items():
        held = reconciler.found(campaign_id, {key: lead.since for key, lead in leads.items()}, settled_at)
        accepted = {extern_id: lead.digest for extern_id, lead in leads.items() if extern_id in held}
        cleared = [key for key in leads if key not in held]
        # Whoever changes one later must know which fields to blank.
        contents = {extern_id: content_of_fields(lead.fields) for extern_id, lead in held.items()}
        ledger.settle(stream, campaign_id, accepted, cleared, server_latest(), run, contents=contents)
    return sum(len(leads) for leads in groups.values())
