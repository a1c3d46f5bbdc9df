"""What the settings say about leads that a campaign holds, and about records that must not be loaded."""

from __future__ import annotations

from dataclasses import dataclass

from target_engagevoice.model.retirement import Retire


@dataclass(frozen=True)
class Policy:
    """What the settings say about leads that a campaign holds.

    Attributes:
        skip_unchanged: `dedupe: changed`. Otherwise every lead is sent, except those that a killed run had loaded.
        change: Whether an earlier version is changed in place (`load_method: upsert` or `overwrite`).
        move: How a lead is retired in the campaign that it left (`on_delete`); None where it stays there.
        list_phones: Whether phones are put on the do-not-call list, which also keeps their leads out of the dialer.
    """

    skip_unchanged: bool = True
    change: bool = False
    move: Retire | None = None
    list_phones: bool = False


@dataclass(frozen=True)
class FlagPolicy:
    """What the settings say about flagged records.

    Attributes:
        deleted: How the leads of a deleted record are retired (`on_delete`); None where they stay.
        do_not_call: How the leads of a record flagged do-not-call are retired.
        list_phones: Whether their phones are put on the do-not-call list of the account.
        needs_scrub: Whether leads may be loaded only into campaigns that are scrubbed against that list.
    """

    deleted: Retire | None = None
    do_not_call: Retire = Retire.SUPPRESS
    list_phones: bool = False
    needs_scrub: bool = False
