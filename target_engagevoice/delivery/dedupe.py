"""What is to be done for a lead: nothing, load it, change it, or retire it in another campaign first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from target_engagevoice.delivery.replay import ReplayHistory
from target_engagevoice.model.retirement import RETIRED, Retire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.delivery.buffer import BufferedLead, BufferedRetirement
    from target_engagevoice.ledger.entries import Accepted, ReplayCandidate
    from target_engagevoice.ledger.ledger import Ledger
    from target_engagevoice.model.policy import Policy
    from target_engagevoice.model.retirement import FlaggedRecord


@dataclass(frozen=True)
class Comparison:
    """Leads by what is to be done for them.

    Attributes:
        unchanged: Nothing: the campaign has them.
        to_load: Load them.
        to_change: Change them: the campaign has an earlier version, or this one, but out of the dialer. Among them are
            leads to be kept out of the dialer for their phone, where it is uncertain that they are out, or that this
            target listed the phone.
        to_move: Retire them in another campaign that has them, then compare them again.
        do_not_call: Reject them: this target put their phone on the do-not-call list.
        ambiguous: Wait: a dead run had loaded them, and later versions after them, whose digests are beside them. If a
            later version is read again as well, they are replays. Otherwise the source has gone back to them.
    """

    unchanged: list[BufferedLead] = field(default_factory=list)
    to_load: list[BufferedLead] = field(default_factory=list)
    to_change: list[BufferedLead] = field(default_factory=list)
    to_move: list[BufferedLead] = field(default_factory=list)
    do_not_call: list[BufferedLead] = field(default_factory=list)
    ambiguous: list[tuple[BufferedLead, frozenset[str]]] = field(default_factory=list)


@dataclass(frozen=True)
class RetirementComparison:
    """Records that must not be called, by what is to be done for them.

    Attributes:
        unchanged: Nothing: they are replays.
        to_retire: Retire their leads, and list their phones.
        ambiguous: As of a `Comparison`.
    """

    unchanged: list[BufferedRetirement] = field(default_factory=list)
    to_retire: list[BufferedRetirement] = field(default_factory=list)
    ambiguous: list[tuple[BufferedRetirement, frozenset[str]]] = field(default_factory=list)


class Dedupe:
    """Compares leads with the ledger. Owned by `Drainer`; the lock of `Backlog` guards it.

    Args:
        ledger: What was accepted.
        policy: What follows from it.
    """

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self.policy = policy
        self._histories: dict[str, dict[str, ReplayHistory]] = defaultdict(dict)  # of each stream, by `externId`

    def compare(self, stream: str, campaign_id: str, leads: list[BufferedLead], *, moving: bool = True) -> Comparison:
        """Compare leads with what their campaign has.

        Args:
            stream: Where they come from.
            campaign_id: Where they go.
            leads: No two of the same `externId`.
            moving: Whether other campaigns that have them retire them first.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        extern_ids = [buffered.lead.extern_id for buffered in leads]
        accepted = self._ledger.accepted(campaign_id, extern_ids)
        candidates = self._ledger.replay_candidates(stream, campaign_id, extern_ids)
        moves = moving and self.policy.move is not None
        elsewhere = self._dialed(stream, extern_ids, besides=campaign_id) if moves else set()
        if not accepted and not candidates and not elsewhere:
            return Comparison(to_load=leads)
        result = Comparison()
        off = self._kept_off(leads, accepted)
        for each in leads:
            extern_id, digest = each.lead.extern_id, each.lead.digest
            last = accepted.get(extern_id)
            buffered = replace(each, not_before=last.at) if last is not None else each
            versions = candidates.get(extern_id, ())
            history = self._history(stream, extern_id) if versions else None
            matched: ReplayCandidate | None = None
            later: frozenset[str] = frozenset()
            if history is not None and not each.certain:
                matched = history.match(campaign_id, digest, versions, skip_unchanged=self.policy.skip_unchanged)
                later = _later_versions(history, matched, versions, digest, last)
            if self.policy.skip_unchanged and last is not None and last.holds(digest):
                (result.to_move if extern_id in elsewhere else result.unchanged).append(buffered)
            elif later:
                result.ambiguous.append((buffered, later))
            elif matched is not None and matched.accepted and not self._may_be_undone(last):
                result.unchanged.append(buffered)
            else:
                if history is not None and extern_id not in off:
                    history.act(campaign_id, matched=matched is not None)
                self._add(result, last, buffered, off=off.get(extern_id), elsewhere=extern_id in elsewhere)
        return result

    def compare_retirements(self, stream: str, retirements: list[BufferedRetirement]) -> RetirementComparison:
        """Compare retirements with what dead runs did.

        Args:
            stream: Where they come from.
            retirements: No two of the same `externId`.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        extern_ids = [buffered.extern_id for buffered in retirements]
        candidates = self._ledger.replay_candidates(stream, None, extern_ids)
        dialed = self._dialed(stream, extern_ids) if candidates else set()
        result = RetirementComparison()
        for each in retirements:
            extern_id = each.extern_id
            versions = candidates.get(extern_id, ())
            history = self._history(stream, extern_id) if versions else None
            mark = history.match_retirement(versions) if history is not None and not each.certain else None
            later = [
                one for one in versions if mark is not None and one.position > mark.position and not one.everywhere
            ]
            if any(version.accepted for version in later):
                result.ambiguous.append((each, frozenset(version.digest for version in later)))
            elif mark is None or extern_id in dialed or self._is_to_list(each.flagged):
                result.to_retire.append(each)
                if history is not None:
                    history.retire()
            else:
                result.unchanged.append(each)
        return result

    def note_unchanged(self, stream: str, campaign_id: str, unchanged: Sequence[BufferedLead]) -> None:
        """Note leads that their campaign has, before they have their outcome, see `Ledger.record_unchanged`.

        A run that sends everything finds only replays unchanged. Their place is known already.

        Raises:
            LedgerError: The ledger cannot be written.
        """
        if unchanged and self.policy.skip_unchanged:
            digests = {buffered.lead.extern_id: buffered.lead.digest for buffered in unchanged}
            self._ledger.record_unchanged(stream, campaign_id, digests)

    def _history(self, stream: str, extern_id: str) -> ReplayHistory:
        histories = self._histories[stream]
        history = histories.get(extern_id)
        if history is None:
            history = histories[extern_id] = ReplayHistory()
        return history

    def _may_be_undone(self, last: Accepted | None) -> bool:
        """Whether the campaign may no longer hold the last version that a dead run had loaded.

        A lead that is changed in place holds one version at a time: this run may have gone through earlier ones, or
        the dead run may have been about to change it.
        """
        return self.policy.change or (last is not None and last.is_unknown)

    def _add(
        self, result: Comparison, last: Accepted | None, buffered: BufferedLead, *, off: bool | None, elsewhere: bool
    ) -> None:
        """Add a version that its campaign does not have."""
        if elsewhere:
            result.to_move.append(buffered)
            return
        if off is not None:
            (result.do_not_call if off else result.to_change).append(buffered)
            return
        if last is None or last.retired == Retire.DELETE:
            result.to_load.append(buffered)
            return
        same = last.digest == buffered.lead.digest and self.policy.skip_unchanged
        change = self.policy.change or last.is_unknown or (last.retired is not None and same)
        (result.to_change if change else result.to_load).append(buffered)

    def _dialed(self, stream: str, extern_ids: Sequence[str], besides: str | None = None) -> set[str]:
        """Which of these leads are, or may be, in the dialer of a campaign besides one."""
        held = self._ledger.leads.locate(stream, extern_ids)
        return {each.extern_id for each in held if each.in_dialer and each.campaign_id != besides}

    def _kept_off(self, leads: Sequence[BufferedLead], accepted: dict[str, Accepted]) -> dict[str, bool]:
        """Which of these leads stay out of the dialer, since this target put their phone on the do-not-call list.

        Returns:
            `externId` to whether both are certain: that the lead is out, and that the phone is listed.
        """
        if not self.policy.list_phones:
            return {}
        retired = [each.lead for each in leads if (last := accepted.get(each.lead.extern_id)) and last.retired]
        listed = self._ledger.phones.leads_with_listed_phone(retired)
        uncertain = self._ledger.phones.uncertain_of_leads(retired)
        return {
            extern_id: extern_id not in uncertain and not accepted[extern_id].in_dialer
            for extern_id in listed | uncertain.keys()
        }

    def _is_to_list(self, flagged: FlaggedRecord) -> bool:
        """Whether a phone is not yet on the do-not-call list: the retirement read before may have been a deletion."""
        phones = {phone.digest for phone in flagged.phones}
        return not phones <= self._ledger.phones.listed(phones)


def _later_versions(
    history: ReplayHistory,
    matched: ReplayCandidate | None,
    candidates: Sequence[ReplayCandidate],
    digest: str,
    last: Accepted | None,
) -> frozenset[str]:
    """Digests of what dead runs did to a lead after the version that is read now; none when they did nothing.

    A version that a run before the dead one had loaded is read again as well, where STATE is before it. It matches no
    candidate then, because the dead run noted only that it retired it.
    """
    retired = last is not None and last.retired is not None
    if matched is None:
        same = retired and last is not None and last.digest == digest
        by_dead_run = same and any(each.position > history.position and each.digest == RETIRED for each in candidates)
        return frozenset((RETIRED,)) if by_dead_run else frozenset()
    if not matched.accepted:
        return frozenset()
    behind = [candidate for candidate in candidates if candidate.position > matched.position]
    later = {candidate.digest for candidate in behind} if any(candidate.accepted for candidate in behind) else set()
    if retired:
        later.add(RETIRED)  # or it may be: the dead run was killed before it noted the retirement in its own place
    return frozenset(later)


def _versions_behind(mark: ReplayCandidate, candidates: Sequence[ReplayCandidate]) -> list[ReplayCandidate]:
    """What came after a lead was retired everywhere, but for retirements."""
    return [each for each in candidates if each.position > mark.position and not each.everywhere]
