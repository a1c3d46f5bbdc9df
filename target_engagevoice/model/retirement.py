"""What a record that must not be called asks for: its lead taken out of the dialer, its phones listed."""

from __future__ import annotations

import enum
import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import msgspec

from target_engagevoice.model.campaign import Campaign  # noqa: TC001 - msgspec reads the annotations of a struct
from target_engagevoice.model.lead import Outcome  # noqa: TC001 - msgspec reads the annotations of a struct

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

REVIVABLE_STATES = frozenset({"READY"})
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


class Retirement(msgspec.Struct, frozen=True, gc=False):
    """A record whose leads are to be taken out of the dialer. It is handled after the versions read before it.

    Attributes:
        extern_id: Of the lead; never empty.
        outcome: `DELETED` or `DO_NOT_CALL`: how the record ends.
        how: What becomes of its leads.
        campaign: Where the record is counted; None where it names none.
        phones: What is to go on the do-not-call list.
    """

    extern_id: str
    outcome: Outcome
    how: Retire
    campaign: Campaign | None
    phones: tuple[DncPhone, ...] = ()


class PhoneListing(msgspec.Struct, frozen=True, gc=False):
    """A record that names no lead: only its phones are to go on the do-not-call list.

    Attributes:
        outcome: As of a `Retirement`.
        campaign: As of a `Retirement`.
        phones: At least one.
    """

    extern_id: ClassVar[str] = ""

    outcome: Outcome
    campaign: Campaign | None
    phones: tuple[DncPhone, ...]


FlaggedRecord: TypeAlias = "Retirement | PhoneListing"
"""What is to be done for a record that must not be called."""


def phone_digest(number: str) -> str:
    """SHA-256 of a number as leads carry it: the ledger knows no numbers."""
    return hashlib.sha256(number.encode()).hexdigest()
