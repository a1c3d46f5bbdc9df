"""What is to be done for a lead: nothing, load it, change it, or take it out of another campaign first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from target_engagevoice.ledger.tables import EVERYWHERE
from target_engagevoice.model.retirement import RETIRED, Retire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.delivery.buffer import BufferedLead, BufferedRetirement
    from target_engagevoice.ledger.entries import Accepted, ReplayCandidate
    from target_engagevoice.ledger.ledger import Ledger
    from target_engagevoice.model.policy import Policy
    from target_engagevoice.model.retirement import FlaggedRecord


@dataclass(frozen=True)
class Division:
    """Leads by what is to be done for them.

    Attributes:
        there: Nothing: the campaign has them.
        to_send: They are to be loaded.
        to_change: The campaign has an earlier version, or this one but out of the dialer.
        moved: Another campaign has them, which is to let go of them first.
        forbidden: Their phone is on the do-not-call list by our doing.
        unclear: A killed run had loaded them, and later versions after them, whose digests are beside them. If a
            later version is read again as well, they were only read again; otherwise the source went back to them.
    """

    there: list[BufferedLead] = field(default_factory=list)
    to_send: list[BufferedLead] = field(default_factory=list)
    to_change: list[BufferedLead] = field(default_factory=list)
    moved: list[BufferedLead] = field(default_factory=list)
    forbidden: list[BufferedLead] = field(default_factory=list)
    unclear: list[tuple[BufferedLead, frozenset[str]]] = field(default_factory=list)


@dataclass(frozen=True)
class RetirementDivision:
    """Records that must not be called, by what is to be done for them.

    Attributes:
        there: Nothing: they were only read again.
        to_retire: Their leads are to be retired, their phones to be listed.
        unclear: As of a `Division`.
    """

    there: list[BufferedRetirement] = field(default_factory=list)
    to_retire: list[BufferedRetirement] = field(default_factory=list)
    unclear: list[tuple[BufferedRetirement, frozenset[str]]] = field(default_factory=list)


class Dedupe:
    """Compares leads with the ledger. Owned by `Delivery`, whose lock guards it.

    Args:
        ledger: What was accepted.
        policy: What follows from it.
    """

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self.policy = policy
        self._reached: dict[tuple[str, str, str], int] = {}
        self._reached_last: dict[tuple[str, str], int] = {}
        self._gone_on: set[tuple[str, str, str]] = set()  # leads of killed runs that this run did something to since
        self._overtaken: set[tuple[str, str, str]] = set()  # leads of which a version came that no killed run had

    def divide(self, stream: str, campaign_id: str, leads: list[BufferedLead], *, moving: bool = True) -> Division:
        """Compare leads with what their campaign has.

        Args:
            stream: Where they come from.
            campaign_id: Where they are bound for.
            leads: No two of the same `externId`.
            moving: Whether other campaigns that have them are to let go of them first.

        Raises:
            LedgerError: The ledger can not be read.
        """
        extern_ids = [buffered.lead.extern_id for buffered in leads]
        accepted = self._ledger.accepted(campaign_id, extern_ids)
        left = self._ledger.replay_candidates(stream, campaign_id, extern_ids)
        elsewhere = self._elsewhere(stream, campaign_id, extern_ids) if moving else set()
        if not accepted and not left and not elsewhere:
            return Division(to_send=leads)
        division = Division()
        off = self._off(leads, accepted)
        for each in leads:
            extern_id = each.lead.extern_id
            last = accepted.get(extern_id)
            buffered = replace(each, not_before=last.at) if last is not None else each
            versions = left.get(extern_id, [])
            again = None if each.certain else self._read_again(stream, campaign_id, buffered, versions)
            if self.policy.skip_unchanged and last is not None and last.holds(each.lead.digest):
                (division.moved if extern_id in elsewhere else division.there).append(buffered)
            elif not each.certain and (later := self._later(stream, each, again, versions, last)):
                division.unclear.append((buffered, later))
            elif again is not None and again.accepted and not self._is_undone(last):
                division.there.append(buffered)
            else:
                if versions and extern_id not in off:
                    (self._overtaken if again is None else self._gone_on).add((stream, campaign_id, extern_id))
                self._to_do(division, last, buffered, off=extern_id in off, elsewhere=extern_id in elsewhere)
        return division

    def note(self, stream: str, campaign_id: str, there: Sequence[BufferedLead]) -> None:
        """Note leads that their campaign has, before they have their outcome, see `Ledger.record_unchanged`.

        Where everything is sent, only what a killed run had loaded is there, and its place is known.

        Raises:
            LedgerError: That can not be noted.
        """
        if there and self.policy.skip_unchanged:
            digests = {buffered.lead.extern_id: buffered.lead.digest for buffered in there}
            self._ledger.record_unchanged(stream, campaign_id, digests)

    def _later(
        self,
        stream: str,
        buffered: BufferedLead,
        again: ReplayCandidate | None,
        versions: Sequence[ReplayCandidate],
        last: Accepted | None,
    ) -> frozenset[str]:
        """What became of a lead behind a version that is read again, as digests; none when nothing did.

        A version that a run before the killed one had loaded is read again as well, where STATE names it: the killed
        run noted only that it retired it.
        """
        retired = last is not None and last.retired is not None
        if again is None:
            first = self._reached_last.get((stream, buffered.lead.extern_id), -1)
            same = retired and last is not None and last.digest == buffered.lead.digest
            by_it = same and any(each.position > first and each.digest == RETIRED for each in versions)
            return frozenset((RETIRED,)) if by_it else frozenset()
        if not again.accepted:
            return frozenset()
        behind = [version for version in versions if version.position > again.position]
        later = {version.digest for version in behind} if any(version.accepted for version in behind) else set()
        if retired:
            later.add(RETIRED)  # or may be: the killed run did not get so far as to say so in its own place
        return frozenset(later)

    def _is_undone(self, last: Accepted | None) -> bool:
        """Whether the last version that a killed run had loaded may not be what its campaign holds now.

        A lead that is changed in place holds one version at a time: this run may have gone through earlier ones, or
        the killed run may have been about to change it.
        """
        return self.policy.change or (last is not None and last.is_unknown)

    def _to_do(
        self, division: Division, last: Accepted | None, buffered: BufferedLead, *, off: bool, elsewhere: bool
    ) -> None:
        if off or elsewhere:
            (division.moved if elsewhere else division.forbidden).append(buffered)
            return
        if last is None or last.retired == Retire.DELETE:
            division.to_send.append(buffered)
            return
        same = last.digest == buffered.lead.digest and self.policy.skip_unchanged
        change = self.policy.change or last.is_unknown or (last.retired is not None and same)
        (division.to_change if change else division.to_send).append(buffered)

    def _elsewhere(self, stream: str, campaign_id: str, extern_ids: Sequence[str]) -> set[str]:
        """Which of these leads another campaign has in its dialer."""
        if self.policy.move is None:
            return set()
        held = self._ledger.leads.locate(stream, extern_ids)
        return {each.extern_id for each in held if each.in_dialer and each.campaign_id != campaign_id}

    def _off(self, leads: Sequence[BufferedLead], accepted: dict[str, Accepted]) -> set[str]:
        """Which of these leads are out of the dialer and have a phone that is on the do-not-call list by our doing."""
        if not self.policy.list_phones:
            return set()
        retired = [each.lead for each in leads if (last := accepted.get(each.lead.extern_id)) and last.retired]
        return self._ledger.phones.leads_with_listed_phone(retired)

    def divide_retirements(self, stream: str, leads: list[BufferedRetirement]) -> RetirementDivision:
        """Compare what is to be retired with what killed runs did.

        Args:
            stream: Where they come from.
            leads: Retirements, no two of the same `externId`.

        Raises:
            LedgerError: The ledger can not be read.
        """
        extern_ids = [buffered.extern_id for buffered in leads]
        left = self._ledger.replay_candidates(stream, None, extern_ids)
        dialled = self._dialled(stream, extern_ids) if left else set()
        division = RetirementDivision()
        for each in leads:
            key = (stream, each.extern_id)
            versions = left.get(each.extern_id, [])
            first = self._reached_last.get(key, -1)
            again = next((each for each in versions if each.position >= first and each.everywhere), None)
            if again is None or each.certain:
                self._to_retire(division, stream, each, versions)
                continue
            self._reached_last[key] = again.position
            later = [version for version in versions if version.position > again.position and not version.everywhere]
            if any(version.accepted for version in later):
                division.unclear.append((each, frozenset(version.digest for version in later)))
            elif each.extern_id in dialled or self._is_to_list(each.flagged):
                self._to_retire(division, stream, each, versions)
            else:
                division.there.append(each)
        return division

    def _to_retire(
        self,
        division: RetirementDivision,
        stream: str,
        buffered: BufferedRetirement,
        versions: Sequence[ReplayCandidate],
    ) -> None:
        division.to_retire.append(buffered)
        if versions:
            self._gone_on.add((stream, EVERYWHERE, buffered.extern_id))

    def _dialled(self, stream: str, extern_ids: Sequence[str]) -> set[str]:
        """Which of these leads are in the dialer of some campaign, or may be."""
        return {each.extern_id for each in self._ledger.leads.locate(stream, extern_ids) if each.in_dialer}

    def _is_to_list(self, flagged: FlaggedRecord) -> bool:
        """Whether a phone is not yet on the do-not-call list: what was read before may have been a deletion."""
        phones = {phone.digest for phone in flagged.phones}
        return not phones <= self._ledger.phones.listed(phones)

    def _read_again(
        self, stream: str, campaign_id: str, buffered: BufferedLead, left: Sequence[ReplayCandidate]
    ) -> ReplayCandidate | None:
        """The version that a killed run had loaded, or got refused, and that this one is, read again; None for none.

        STATE did not get past it, so the tap sends it again. Versions are read again in the order they were loaded
        in, so none before the one reached counts any more. The one reached counts again where the same content would
        not have been loaded twice in a row either, unless this run has done something to the lead since. Behind a
        version that no killed run had, none counts: those would have come before it. One that was refused, and taken
        when it came again next, was taken.
        """
        key = (stream, campaign_id, buffered.lead.extern_id)
        if key in self._overtaken:
            return None
        reached = self._reached.get(key, -1)
        gone_on = not self._gone_on.isdisjoint((key, (stream, EVERYWHERE, key[2])))
        first = reached if self.policy.skip_unchanged and not gone_on else reached + 1
        for number, version in enumerate(left):
            if version.position >= first and version.digest == buffered.lead.digest:
                taken = next((later for later in left[number:] if later.accepted and later.digest != RETIRED), None)
                again = taken if taken is not None and taken.digest == version.digest else version
                if self.policy.skip_unchanged:
                    again = _last_in_a_row(again, left)
                self._reached[key] = again.position
                self._gone_on.discard(key)
                last = self._reached_last.get(key[::2], -1)
                self._reached_last[key[::2]] = max(last, again.position)
                return again
        return None


def _last_in_a_row(version: ReplayCandidate, left: Sequence[ReplayCandidate]) -> ReplayCandidate:
    """The last of the same versions in a row: each but the first was only noted, see `Ledger.record_unchanged`."""
    last = version
    for later in left:
        if later.position > version.position:
            if later.digest != version.digest:
                break
            last = later if later.accepted else last
    return last
