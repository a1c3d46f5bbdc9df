"""Which versions of a lead are read again after a run was killed: one history per lead.

A run writes each version to the ledger before STATE passes its record. When the run is killed, the tap of the next run
sends every record behind STATE again, in the same order. The ledger lists what dead runs got accepted, got refused or
noted for these leads: the replay candidates, each with a position that grows with time. A record whose content equals a
candidate at or behind the position reached so far is a replay. It needs no request.

Example: a run loaded Ann (position 1), then Anna (position 2) as versions of lead L0, and was killed before STATE
passed either. The next run reads Ann, Anna, Ann:

* Ann matches position 1. Anna was loaded after it, so this Ann is ambiguous: either the tap sends both versions again,
  or the source has gone back to Ann. The record waits for the next one of its lead.
* Anna matches position 2. Now both are known to be replays, and both records are `unchanged`.
* Ann matches nothing at position 2 or behind. It is a new version and is loaded. From here on the lead is overtaken:
  every candidate would have come before this record.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.model.retirement import RETIRED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.ledger.entries import ReplayCandidate

NOTHING_REACHED = -1
"""Smaller than every position."""


class ReplayState(enum.Enum):
    """How far a lead's replay in one campaign is.

    | event                                          | state afterwards |
    |------------------------------------------------|------------------|
    | a record matches a candidate                   | REPLAYING        |
    | this run loads or changes a matched version    | ACTED_ON         |
    | this run loads or changes an unmatched version | OVERTAKEN        |
    """

    REPLAYING = enum.auto()
    """The version reached may match once more: a run that skips unchanged leads noted the same content only once."""

    ACTED_ON = enum.auto()
    """This run sent the version reached itself: only later candidates match."""

    OVERTAKEN = enum.auto()
    """This run sent a version that no dead run had: no candidate matches any more."""


@dataclass(slots=True)
class CampaignReplay:
    """The replay of a lead in one campaign.

    Attributes:
        position: Of the candidate matched last.
    """

    campaign_id: str
    state: ReplayState = ReplayState.REPLAYING
    position: int = NOTHING_REACHED


@dataclass(slots=True)
class ReplayHistory:
    """What this run read again of one lead of a stream. Owned by `Dedupe`; the lock of `Backlog` guards it.

    Only leads that have replay candidates have a history.

    Attributes:
        position: The furthest position matched in any campaign, or by a retirement.
        retired: Whether this run retired the lead in every campaign. The version reached does not match again then.
        campaigns: One for each campaign in which the lead was read, in most cases a single one.
    """

    position: int = NOTHING_REACHED
    retired: bool = False
    campaigns: tuple[CampaignReplay, ...] = ()

    def match(
        self, campaign_id: str, digest: str, candidates: Sequence[ReplayCandidate], *, skip_unchanged: bool
    ) -> ReplayCandidate | None:
        """Match a record with the candidates, and remember the position.

        A candidate that was refused, and accepted when it came again next, counts as accepted.

        Args:
            campaign_id: Where the record goes.
            digest: Of its lead.
            candidates: Of this lead and campaign, oldest first.
            skip_unchanged: Whether the run skips leads that their campaign has already.

        Returns:
            The candidate that this record is; None when it is a new version.
        """
        replay = self._in_campaign(campaign_id)
        if replay.state is ReplayState.OVERTAKEN:
            return None
        may_match_again = skip_unchanged and replay.state is ReplayState.REPLAYING and not self.retired
        first = replay.position if may_match_again else replay.position + 1
        for number, candidate in enumerate(candidates):
            if candidate.position >= first and candidate.digest == digest:
                accepted = next(
                    (later for later in candidates[number:] if later.accepted and later.digest != RETIRED), None
                )
                matched = accepted if accepted is not None and accepted.digest == digest else candidate
                if skip_unchanged:
                    matched = _last_in_a_row(matched, candidates)
                replay.state, replay.position = ReplayState.REPLAYING, matched.position
                self.position = max(self.position, matched.position)
                return matched
        return None

    def match_retirement(self, candidates: Sequence[ReplayCandidate]) -> ReplayCandidate | None:
        """Match a retirement with the candidates, and remember the position.

        Args:
            candidates: Of this lead in every campaign, oldest first.

        Returns:
            The mark that a dead run left when it had carried out this retirement; None when there is none.
        """
        mark = next((each for each in candidates if each.position >= self.position and each.everywhere), None)
        if mark is not None:
            self.position = mark.position
        return mark

    def act(self, campaign_id: str, *, matched: bool) -> None:
        """This run loads or changes the lead.

        Args:
            campaign_id: Where.
            matched: Whether the version matches a candidate.
        """
        self._in_campaign(campaign_id).state = ReplayState.ACTED_ON if matched else ReplayState.OVERTAKEN

    def retire(self) -> None:
        """This run retires the lead in every campaign."""
        self.retired = True

    def _in_campaign(self, campaign_id: str) -> CampaignReplay:
        for each in self.campaigns:
            if each.campaign_id == campaign_id:
                return each
        new = CampaignReplay(campaign_id)
        self.campaigns = (*self.campaigns, new)
        return new


def _last_in_a_row(candidate: ReplayCandidate, candidates: Sequence[ReplayCandidate]) -> ReplayCandidate:
    """The last of equal candidates in a row: each but the first was only noted, see `Ledger.record_unchanged`."""
    last = candidate
    for later in candidates:
        if later.position > candidate.position:
            if later.digest != candidate.digest:
                break
            last = later if later.accepted else last
    return last
