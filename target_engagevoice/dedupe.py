"""Which leads their campaign has already: the same content again, or what a killed run had loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.buffers import BufferedLead
    from target_engagevoice.ledger import Ledger, Left


@dataclass(frozen=True)
class Division:
    """Leads by what their campaign has.

    Attributes:
        there: It has them.
        to_send: It has not.
        unclear: A killed run had loaded them, and later versions after them, whose digests are beside them. If a
            later version is read again as well, they were only read again; otherwise the source went back to them.
    """

    there: list[BufferedLead]
    to_send: list[BufferedLead]
    unclear: list[tuple[BufferedLead, frozenset[str]]]


class Dedupe:
    """Compares leads with the ledger. Owned by `Delivery`, whose lock guards it.

    Args:
        ledger: What was accepted.
        skip_unchanged: `dedupe: changed`; otherwise everything is sent but what a killed run had loaded.
    """

    def __init__(self, ledger: Ledger, *, skip_unchanged: bool) -> None:
        self._ledger = ledger
        self.skip_unchanged = skip_unchanged
        self._reached: dict[tuple[str, str, str], int] = {}

    def divide(self, stream: str, campaign_id: str, leads: list[BufferedLead]) -> Division:
        """Compare leads with what their campaign has.

        Args:
            stream: Where they come from.
            campaign_id: Where they are bound for.
            leads: No two of the same `externId`.

        Raises:
            LedgerError: The ledger can not be read.
        """
        extern_ids = [buffered.lead.extern_id for buffered in leads]
        accepted = self._ledger.accepted(campaign_id, extern_ids)
        left = self._ledger.left(stream, campaign_id, extern_ids)
        if not accepted and not left:
            return Division([], leads, [])
        division = Division([], [], [])
        for each in leads:
            extern_id = each.lead.extern_id
            last = accepted.get(extern_id)
            buffered = replace(each, not_before=last.at) if last is not None else each
            versions = left.get(extern_id, [])
            again = self._read_again(stream, campaign_id, buffered, versions)
            if self.skip_unchanged and last is not None and last.digest == each.lead.digest:
                division.there.append(buffered)
            elif again is not None and again.taken:
                later = [version for version in versions if version.place > again.place]
                if any(version.taken for version in later):
                    division.unclear.append((buffered, frozenset(version.digest for version in later)))
                else:
                    division.there.append(buffered)
            else:
                division.to_send.append(buffered)
        return division

    def _read_again(self, stream: str, campaign_id: str, buffered: BufferedLead, left: Sequence[Left]) -> Left | None:
        """The version that a killed run had loaded, or got refused, and that this one is, read again; None for none.

        STATE did not get past it, so the tap sends it again. Versions are read again in the order they were loaded
        in, so none before the one reached counts any more. The one reached counts again where the same content would
        not have been loaded twice in a row either. One that was refused, and taken when it came again next, was taken.
        """
        key = (stream, campaign_id, buffered.lead.extern_id)
        reached = self._reached.get(key, -1)
        first = reached if self.skip_unchanged else reached + 1
        for number, version in enumerate(left):
            if version.place >= first and version.digest == buffered.lead.digest:
                taken = next((later for later in left[number:] if later.taken), None)
                again = taken if taken is not None and taken.digest == version.digest else version
                self._reached[key] = again.place
                return again
        return None
