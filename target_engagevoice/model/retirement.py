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
"""What the ledger holds in place of a digest for a lead that is out of the dialer."""

UNCERTAIN = "?"
"""Ends the name of a retirement that may or may not have been done: the run was killed, or the server broke."""


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
"""`leadAction` of each (reference, section 5)."""

REVIVALS: Mapping[Retire, str] = MappingProxyType(
    {
        Retire.CANCEL: "READY_LEADS",
        Retire.PAUSE: "READY_LEADS",
        Retire.SUPPRESS: "UNSUPPRESS_LEADS",
    },
)
"""`leadAction` that undoes each. A deleted lead is loaded again instead."""

REVIVABLE_STATES = frozenset({"READY"})
"""States before a cancel or a pause that are restored by `READY_LEADS`. A lead that was finished before stays so."""


SUPPRESSED = "SUPPRESSED"
"""Noted as the state of a lead that was suppressed before this target suppressed it: it stays suppressed."""


class DncPhone(msgspec.Struct, frozen=True, gc=False):
    """A number for the do-not-call list.

    Attributes:
        number: In the form that leads carry.
        country: ISO 3166, three letters.
        digest: SHA-256 of the number; the ledger holds this instead of the number.
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
    """SHA-256 of a number in the form that leads carry: the ledger holds no numbers."""
    return hashlib.sha256(number.encode()).hexdigest()
