"""What loading a batch needs: the run's parts, which every sending thread shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from target_engagevoice.api.client import Client
    from target_engagevoice.api.lead_client import LeadClient
    from target_engagevoice.api.ratelimit.pace import Pace
    from target_engagevoice.api.server_clock import ServerClock
    from target_engagevoice.clock import Clock
    from target_engagevoice.delivery.buffer import BufferedLead
    from target_engagevoice.delivery.lookups import Lookups
    from target_engagevoice.delivery.reconcile import Reconciler
    from target_engagevoice.delivery.refusals import Refusals
    from target_engagevoice.halt import Halt
    from target_engagevoice.ledger.ledger import Ledger
    from target_engagevoice.model.campaign import Directory
    from target_engagevoice.model.policy import Policy
    from target_engagevoice.outcomes.counts import Run
    from target_engagevoice.outcomes.outcomes import Outcomes

Leads: TypeAlias = "tuple[BufferedLead, ...]"


@dataclass(frozen=True)
class Loading:
    """What loading a batch needs. Every part may be used by any thread.

    Attributes:
        pace: The account's, for the loader.
        retry_max_seconds: How long one request is retried before the run fails.
        policy: What follows from what the campaigns have.
    """

    client: Client
    pace: Pace
    ledger: Ledger
    reconciler: Reconciler
    outcomes: Outcomes
    refusals: Refusals
    run: Run
    clock: Clock
    server_clock: ServerClock
    halt: Halt
    retry_max_seconds: float
    policy: Policy
    directory: Directory
    lead_client: LeadClient
    lookups: Lookups

    def server_earliest(self) -> float:
        """Epoch seconds that the server's clock shows at least."""
        return self.server_clock.earliest(self.clock.monotonic(), self.clock.time())

    def server_latest(self) -> float:
        """Epoch seconds that the server's clock shows at most."""
        return self.server_clock.latest(self.clock.monotonic(), self.clock.time())
