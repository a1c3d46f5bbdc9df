"""The order of versions: two versions of one lead are never on the way at once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from target_engagevoice.delivery.buffer import B, LeadBuffer, RetirementBuffer
from target_engagevoice.model.retirement import RETIRED

if TYPE_CHECKING:
    from collections.abc import Collection

    from target_engagevoice.delivery.buffer import Buffer, Buffered, BufferedLead, BufferedRetirement


@dataclass(frozen=True, eq=False)
class Waiting(Generic[B]):
    """A version that waits for an earlier one, and the buffer it is for."""

    buffer: Buffer[B]
    lead: B

    def put(self) -> None:
        """Put it into its buffer: the earlier one has its outcome."""
        self.buffer.put(self.lead)


class VersionQueue:
    """The `externId`s on the way, and the leads that wait for them. The lock of `Backlog` guards it.

    If two versions of a lead were on the way at once, nothing could say which of them the server took, or took last.
    So the later version waits here until the earlier one has its outcome. Two leads of the same `externId` are
    versions of one lead

    * if they go to the same campaign,
    * if they come on the same stream, and one of them is a retirement, which concerns every campaign, or
    * if they come on the same stream, and leads move from one campaign to another.

    Example: L0 is read as Ann, as Bea, and then as Cleo, all for campaign 1001. Ann enters the buffer; Bea and Cleo
    wait. Once Ann is loaded, Bea enters the buffer, and Cleo waits on. L0 for campaign 1002 does not wait for any of
    them, unless leads move.

    Args:
        moves: Whether leads move from one campaign to another.
    """

    def __init__(self, *, moves: bool = False) -> None:
        self._moves = moves
        self._pending: dict[str, Buffer[Any]] = {}
        self._also_pending: dict[str, list[Buffer[Any]]] = {}  # of the same ids, but no versions of the same leads
        self._waiting: dict[str, deque[Waiting[BufferedLead] | Waiting[BufferedRetirement]]] = {}

    def enter(self, buffer: Buffer[B], lead: B, extern_id: str, size: int) -> None:
        """Put a lead or a retirement into its buffer, or let it wait for the version before it.

        Args:
            buffer: Its buffer.
            lead: It.
            extern_id: Of the lead. It is passed, and `size` is, because this is called for every record, and the caller
                has read them.
            size: Of the lead.
        """
        if extern_id not in self._pending:
            self._pending[extern_id] = buffer
            buffer.incoming.append(lead)  # as `put` does, without a call
            buffer.incoming_size += size
        elif extern_id not in self._waiting and not self._is_pending(extern_id, buffer):
            self._also_pending.setdefault(extern_id, []).append(buffer)
            buffer.put(lead)
        else:
            self._waiting.setdefault(extern_id, deque()).append(Waiting(buffer, lead))
            buffer.waiting += 1

    def behind(self, buffer: Buffer[Any], extern_id: str) -> list[str]:
        """Digests of the versions that wait for a lead of this buffer, in order.

        One that goes to another campaign counts as `RETIRED`: it takes the lead out of this one.
        """
        return [
            each.lead.digest if each.buffer is buffer or isinstance(buffer, RetirementBuffer) else RETIRED
            for each in self._waiting.get(extern_id, ())
            if each.buffer is buffer or (each.buffer.stream == buffer.stream and self._share_leads(each.buffer, buffer))
        ]

    def waiting(self) -> list[tuple[Buffer[Any], Buffered]]:
        """All that wait for an earlier version."""
        return [(each.buffer, each.lead) for waiting in self._waiting.values() for each in waiting]

    def leave(self, buffer: Buffer[Any], extern_ids: Collection[str]) -> None:
        """Leads have their outcomes: the next versions enter their buffers."""
        if not self._waiting and not self._also_pending:
            for extern_id in extern_ids:
                del self._pending[extern_id]
            return
        for extern_id in extern_ids:
            self._remove(buffer, extern_id)
            self._admit_next(extern_id)

    def _is_pending(self, extern_id: str, buffer: Buffer[Any]) -> bool:
        """Whether a version of the same lead is in a buffer, or on its way."""
        first = self._pending.get(extern_id)
        pending = (*((first,) if first is not None else ()), *self._also_pending.get(extern_id, ()))
        return any(self._share_leads(each, buffer) for each in pending)

    def _share_leads(self, one: Buffer[Any], other: Buffer[Any]) -> bool:
        """Whether leads of the same id in these buffers are versions of one lead."""
        if not isinstance(one, LeadBuffer) or not isinstance(other, LeadBuffer):
            return one.stream == other.stream  # a retirement concerns every campaign
        return one.campaign is other.campaign or (self._moves and one.stream == other.stream)

    def _remove(self, buffer: Buffer[Any], extern_id: str) -> None:
        others = self._also_pending.get(extern_id, [])
        if self._pending[extern_id] is not buffer:
            others.remove(buffer)
        elif others:
            self._pending[extern_id] = others.pop(0)
        else:
            del self._pending[extern_id]
        if not others:
            self._also_pending.pop(extern_id, None)

    def _admit_next(self, extern_id: str) -> None:
        waiting = self._waiting.get(extern_id, deque())
        while waiting and not self._is_pending(extern_id, waiting[0].buffer):
            first = waiting.popleft()
            buffer: Buffer[Any] = first.buffer
            buffer.waiting -= 1
            if extern_id in self._pending:
                self._also_pending.setdefault(extern_id, []).append(buffer)
            else:
                self._pending[extern_id] = buffer
            first.put()
        if not waiting:
            self._waiting.pop(extern_id, None)
