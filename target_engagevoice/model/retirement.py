"""What is left to do for a record that must not be called: to take its lead out of the dialer, and note its phones."""

from __future__ import annotations

import enum
import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from target_engagevoice.model.campaign import Campaign  # noqa: TC001 - msgspec reads the annotations of a struct
from target_engagevoice.model.lead import Lead, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

RETIRED = "retired"
"""Stands for the digest of a lead that is out of the dialer."""

UNCERTAIN = "?"
"""Behind a retirement that a killed run may or may not have done."""


class Retire(str, enum.Enum):
    """How a lead is taken out of the dialer (`on_delete`; contract, section 3)."""

    CANCEL = "cancel"
    PAUSE = "pause"
    SUPPRESS = "suppress"
    DELETE = "delete"


ACTIONS: Mapping[Retire, str] = MappingProxyType(
    {
        Retire.CANCEL: "CANCEL_LEADS",
        Retire.PAUSE: "PAUSE_LEADS",
        Retire.SUPPRESS: "SUPPRESS_LEADS",
        Retire.DELETE: "DELETE_LEADS",
    },
)
"""What the API calls it (reference, section 5)."""

REVIVALS: Mapping[Retire, str] = MappingProxyType(
    {
        Retire.CANCEL: "READY_LEADS",
        Retire.PAUSE: "READY_LEADS",
        Retire.SUPPRESS: "UNSUPPRESS_LEADS",
    },
)
"""What undoes it. A lead that was deleted is loaded anew."""

DIALLED = frozenset({"READY"})
"""Lead states from which a lead that was cancelled or paused may go back to READY: what was over before stays over."""


SUPPRESSED = "SUPPRESSED"
"""Stands for the state of a lead that somebody had suppressed before: it stays so."""


class DncPhone(msgspec.Struct, frozen=True, gc=False):
    """A number for the do-not-call list.

    Attributes:
        number: As leads carry it.
        country: ISO 3166, three letters.
        digest: SHA-256 of it, by which the ledger knows it.
    """

    number: str
    country: str
    digest: str


class Retirement(Lead, frozen=True, gc=False):
    """A record that must not be called, on the way of a lead: it has its turn behind the versions read before it.

    Attributes:
        extern_id: Of the lead; may be empty, when there are only phones to note.
        outcome: `DELETED` or `DO_NOT_CALL`: how the record ends.
        how: What becomes of its leads; None for nothing.
        campaign: Where the record is counted.
        phones: What is to go on the do-not-call list.
    """

    outcome: Outcome = Outcome.DELETED
    how: Retire | None = None
    campaign: Campaign | None = None
    phones: tuple[DncPhone, ...] = ()

    @classmethod
    def of_record(
        cls,
        extern_id: str,
        outcome: Outcome,
        how: Retire | None,
        campaign: Campaign | None,
        phones: tuple[DncPhone, ...] = (),
    ) -> Retirement:
        """What is to be done for a record; see the attributes."""
        return cls(extern_id, None, b"", RETIRED, outcome, how, campaign, phones)


def phone_digest(number: str) -> str:
    """SHA-256 of a number as leads carry it: the ledger knows no numbers."""
    return hashlib.sha256(number.encode()).hexdigest()
