"""Which leads their campaign has already: the same content again, or what a killed run had loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_engagevoice.buffers import BufferedLead
    from target_engagevoice.ledger import Ledger, Left


class Dedupe:
    """Compares leads with the ledger. Owned by `Delivery`, whose lock guards it.

    Args:
        ledger: What was accepted.
        skip_unchanged: `dedupe: changed`; otherwise everything is sent but what a killed run had loaded.
    """

    def __init__(self, ledger: Ledger, *, skip_unchanged: bool) -> None:
        self._ledger = ledger
        self.skip_unchanged = skip_unchanged
        self._read_again: dict[tuple[str, str, str], int] = {}

    def divide(
        self,
        stream: str,
        campaign_id: str,
        leads: list[BufferedLead],
    ) -> tuple[list[BufferedLead], list[BufferedLead]]:
        """Leads the campaign has, and leads to send.

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
        there: list[BufferedLead] = []
        to_send: list[BufferedLead] = []
        for buffered in leads:
            extern_id = buffered.lead.extern_id
            last = accepted.get(extern_id)
            again = self._is_read_again(stream, campaign_id, buffered, left.get(extern_id, ()))
            if again or (self.skip_unchanged and last is not None and last.digest == buffered.lead.digest):
                there.append(buffered)
            else:
                to_send.append(replace(buffered, not_before=last.at) if last is not None else buffered)
        return there, to_send

    def _is_read_again(self, stream: str, campaign_id: str, buffered: BufferedLead, left: Iterable[Left]) -> bool:
        """Whether this is a version that a killed run had loaded, read again because STATE did not get past it.

        Versions are read again in the order they were loaded in, so none before the one reached counts any more: a
        source that goes back to an earlier version is heard. The one reached counts again where the same content
        would not have been loaded twice in a row either.
        """
        key = (stream, campaign_id, buffered.lead.extern_id)
        reached = self._read_again.get(key, -1)
        for version in left:
            first = reached if self.skip_unchanged else reached + 1
            if version.place >= first and version.digest == buffered.lead.digest:
                self._read_again[key] = version.place
                return True
        return False
