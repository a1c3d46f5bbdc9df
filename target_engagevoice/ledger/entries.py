"""What the ledger returns about a lead: as a campaign accepted it, in flight, or sent again after a kill."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from target_engagevoice.ledger.tables import LOAD
from target_engagevoice.model.retirement import UNCERTAIN, Retire


class Accepted(msgspec.Struct, frozen=True):
    """What a campaign last accepted under an `externId`.

    Attributes:
        digest: Of the lead's content, see `Lead.digest`; empty when that is unknown.
        at: Epoch seconds on the server's clock, the latest it can have been accepted.
        retired: How the lead was taken out of the dialer since, see `tables.ACCEPTED`; None if it was not.
    """

    digest: str
    at: float
    retired: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether the lead's content is unknown: a dead run was about to change it, or another program loaded it."""
        return not self.digest

    @property
    def in_dialer(self) -> bool:
        """Whether the lead is in the dialer, or may be."""
        return self.retired is None or self.retired.endswith(UNCERTAIN)

    def holds(self, digest: str) -> bool:
        """Whether the campaign has a lead of this content in its dialer."""
        return self.digest == digest and self.retired is None


class LedgerLead(msgspec.Struct, frozen=True):
    """All that the ledger knows of a lead that a campaign accepted.

    Attributes:
        digest: Of its content; empty when that is unknown.
        at: Epoch seconds on the server's clock, the latest it can have been loaded.
        retired: How it was taken out of the dialer, see `tables.ACCEPTED`; None if it was not.
        lead_id: The server's id; None until it was looked up.
        earlier_state: Its state on the server before it was retired.
        content: Digests of its fields; None when they are unknown.
    """

    campaign_id: str
    extern_id: str
    digest: str
    at: float
    retired: str | None
    lead_id: str | None
    earlier_state: str | None
    content: str | None

    @property
    def in_dialer(self) -> bool:
        """Whether it is in the dialer, or may be."""
        return self.retired is None or self.retired.endswith(UNCERTAIN)

    @property
    def how(self) -> Retire | None:
        """How it was retired, or may have been."""
        return None if self.retired is None else Retire(self.retired.removesuffix(UNCERTAIN))


@dataclass(frozen=True)
class InFlight:
    """A lead that a dead run had claimed. Whether its request was sent, and what came of it, is unknown.

    Attributes:
        since: Epoch seconds on the server's clock; the request was not sent before.
        run: The dead run.
        work: What the run was about to do: `LOAD`, `CHANGE` or `RETIRE`.
    """

    campaign_id: str
    stream: str
    extern_id: str
    digest: str
    since: float
    run: str
    work: str = LOAD


@dataclass(frozen=True)
class ReplayCandidate:
    """One version of a lead that a dead run got accepted or refused. The tap may send it again.

    Attributes:
        position: Orders versions: the one that the tap sent first is the smaller.
        digest: `retirement.RETIRED` when the lead was taken out of the dialer.
        accepted: Whether it was accepted.
        everywhere: Whether the lead was taken out of the dialer of all campaigns.
    """

    position: int
    digest: str
    accepted: bool = True
    everywhere: bool = False
