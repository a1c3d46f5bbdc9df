"""What the settings say of leads that are there already, and of records that must not be loaded."""

from __future__ import annotations

from dataclasses import dataclass

from target_engagevoice.model.retirement import Retire


@dataclass(frozen=True)
class Policy:
    """What the settings say of leads that a campaign has.

    Attributes:
        skip_unchanged: `dedupe: changed`; otherwise everything is sent but what a killed run had loaded.
        change: Whether an earlier version is changed in place (`load_method: upsert` or `overwrite`).
        move: How a lead is retired in the campaign it left (`on_delete`); None for not at all.
        list_phones: Whether phones are put on the do-not-call list, and leads of theirs not back into the dialer.
    """

    skip_unchanged: bool = True
    change: bool = False
    move: Retire | None = None
    list_phones: bool = False


@dataclass(frozen=True)
class FlagPolicy:
    """What the settings say of flagged records.

    Attributes:
        deleted: What becomes of the leads of a deleted record (`on_delete`); None for nothing.
        do_not_call: What becomes of the leads of somebody who must not be called.
        list_phones: Whether their phones go on the account's do-not-call list.
    """

    deleted: Retire | None = None
    do_not_call: Retire = Retire.SUPPRESS
    list_phones: bool = False
