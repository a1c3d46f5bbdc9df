"""The parts of a run that its batches share, grouped by what they are used for."""

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
class ServerTime:
    """What the server's clock shows now, as far as its answers show. Any thread may use it."""

    clock: Clock
    server_clock: ServerClock

    def earliest(self) -> float:
        """Epoch seconds that the server's clock shows at least."""
        return self.server_clock.earliest(self.clock.monotonic(), self.clock.time())

    def latest(self) -> float:
        """Epoch seconds that the server's clock shows at most."""
        return self.server_clock.latest(self.clock.monotonic(), self.clock.time())


@dataclass(frozen=True)
class BatchContext:
    """What every batch uses to claim its leads, and to settle and count them. Any thread may use each part.

    Attributes:
        run: Counts requests and retries.
        reconciler: Looks up what the campaign holds, for requests of unknown fate.
        policy: What the settings say of leads that a campaign has.
    """

    ledger: Ledger
    outcomes: Outcomes
    refusals: Refusals
    run: Run
    reconciler: Reconciler
    clock: Clock
    server_time: ServerTime
    halt: Halt
    policy: Policy


@dataclass(frozen=True)
class LoaderAccess:
    """What sends a batch of leads to the loader. Any thread may use each part.

    Attributes:
        pace: The account's, for the loader.
        retry_max_seconds: How long one request is retried before the run fails.
    """

    client: Client
    pace: Pace
    retry_max_seconds: float


@dataclass(frozen=True)
class LeadAccess:
    """What finds leads that are at the server, and changes or retires them. Any thread may use each part.

    Attributes:
        directory: The campaigns that the account shows.
    """

    lead_client: LeadClient
    lookups: Lookups
    directory: Directory
