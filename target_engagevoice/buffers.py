"""Leads waiting to be sent: a buffer per stream and campaign, and the lane of a campaign that keeps ids apart."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from target_engagevoice.campaigns import Campaign
    from target_engagevoice.leads import Lead
    from target_engagevoice.lists import ListOptions
    from target_engagevoice.outcomes import ReadRecord

MOST_ROOM = 48 << 20
"""So many bytes all leads may take up together that wait or are on their way."""

_ROOM_OF_A_LEAD = 1000
"""What a lead takes up besides its line and its body: keys, digest, and what Python itself needs."""


@dataclass(frozen=True)
class BufferLimits:
    """When a buffer is drained: at so many leads, at so many bytes of request body, or at this age in seconds.

    Attributes:
        room: Bytes that all buffers and the batches on their way may take up; the fullest is drained beyond that.
    """

    rows: int
    size: int
    age: float
    room: int = MOST_ROOM


class BufferedLead(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A lead and the record it was made of.

    Attributes:
        buffered_at: Monotonic seconds.
        room: Bytes it takes up, more or less.
        not_before: Epoch seconds on the server's clock: when the campaign accepted an earlier version of this lead,
            0 for never. It is not sent before that moment is clearly past, so that the search can tell the two apart.
    """

    record: ReadRecord
    lead: Lead
    buffered_at: float
    room: int
    not_before: float = 0.0

    @classmethod
    def of(cls, record: ReadRecord, lead: Lead, buffered_at: float, not_before: float = 0.0) -> BufferedLead:
        """A lead that comes into its buffer at a moment, in monotonic seconds."""
        room = len(record.source) + len(lead.body) + _ROOM_OF_A_LEAD
        return cls(record, lead, buffered_at, room, not_before)


@dataclass(frozen=True, eq=False)
class Batch:
    """What one request carries.

    Attributes:
        number: Counts the batches of a stream and campaign, from 1.
    """

    stream: str
    campaign: Campaign
    options: ListOptions
    number: int
    leads: tuple[BufferedLead, ...]


class Lane:
    """One campaign's ids on the way. Owned by `Delivery`, whose lock guards it.

    Two versions of a lead must not be on the way at once: nothing could tell which of them the server took, or last.
    The later one waits here until the earlier one has its outcome.
    """

    def __init__(self) -> None:
        self._pending: set[str] = set()
        self._held: dict[str, deque[tuple[Buffer, BufferedLead]]] = {}
        self.waiting = 0

    def enter(self, buffer: Buffer, lead: BufferedLead) -> None:
        """Put a lead into its buffer, or have it wait for the one before it."""
        extern_id = lead.lead.extern_id
        if extern_id in self._pending:
            self._held.setdefault(extern_id, deque()).append((buffer, lead))
            self.waiting += 1
        else:
            self._pending.add(extern_id)
            buffer.put(lead)

    def behind(self, extern_id: str) -> list[str]:
        """Digests of the leads that wait for this one, in order."""
        return [lead.lead.digest for _, lead in self._held.get(extern_id, ())]

    def leave(self, extern_ids: Collection[str]) -> None:
        """Leads have their outcomes: the next of their ids may enter their buffers."""
        if not self._held:
            self._pending.difference_update(extern_ids)
            return
        for extern_id in extern_ids:
            self._let_in(extern_id)

    def _let_in(self, extern_id: str) -> None:
        waiting = self._held.get(extern_id)
        if not waiting:
            self._pending.discard(extern_id)
            return
        buffer, lead = waiting.popleft()
        if not waiting:
            del self._held[extern_id]
        self.waiting -= 1
        buffer.put(lead)


@dataclass
class Buffer:
    """Leads of one stream bound for one campaign. Owned by `Delivery`, whose lock guards it.

    Attributes:
        incoming: Not yet compared with the ledger.
        ready: Compared, and to be sent.
        size: Bytes of both, with the commas between the leads.
        batches: Batches cut so far.
    """

    stream: str
    campaign: Campaign
    options: ListOptions
    lane: Lane
    incoming: list[BufferedLead] = field(default_factory=list)
    ready: list[BufferedLead] = field(default_factory=list)
    size: int = 0
    batches: int = 0

    def __len__(self) -> int:
        return len(self.incoming) + len(self.ready)

    def is_full(self, limits: BufferLimits) -> bool:
        """Whether rows or bytes say it is time, or too many leads wait for an earlier version of themselves."""
        return len(self) >= limits.rows or self.size >= limits.size or self.lane.waiting >= limits.rows

    def put(self, lead: BufferedLead) -> None:
        """Add a lead that is still to be compared."""
        self.incoming.append(lead)
        self.size += len(lead.lead.body) + 1

    def take_incoming(self) -> list[BufferedLead]:
        """Take all that is still to be compared; what is to be sent comes back through `put_ready`."""
        incoming, self.incoming = self.incoming, []
        self.size -= _size(incoming)
        return incoming

    def put_ready(self, leads: Sequence[BufferedLead]) -> None:
        """Add leads that are to be sent."""
        self.ready += leads
        self.size += _size(leads)

    def oldest(self) -> float | None:
        """When the lead that waits longest was buffered; None when none waits."""
        return min(
            (buffered.buffered_at for part in (self.ready, self.incoming) for buffered in part[:1]),
            default=None,
        )

    def cut(self, limits: BufferLimits, overhead: int, *, everything: bool) -> list[Batch]:
        """Take what is ready, in requests within the limits; unless `everything`, leave what does not fill one.

        Args:
            limits: Rows and bytes of a request; a single lead larger than a request goes alone.
            overhead: Bytes of a request body without its leads.
            everything: Whether to leave nothing.
        """
        batches: list[Batch] = []
        if not self.incoming and len(self.ready) <= limits.rows and overhead + self.size <= limits.size:  # most are
            if self.ready and (everything or len(self.ready) >= limits.rows):
                batches.append(self._batch(self.ready))
                self.ready = []
            return batches
        taken: list[BufferedLead] = []
        size = overhead
        for buffered in self.ready:
            weight = len(buffered.lead.body) + 1
            if taken and (len(taken) >= limits.rows or size + weight > limits.size):
                batches.append(self._batch(taken))
                taken, size = [], overhead
            taken.append(buffered)
            size += weight
        if taken and (everything or len(taken) >= limits.rows or size >= limits.size):
            batches.append(self._batch(taken))
            taken = []
        self.ready = taken
        return batches

    def _batch(self, leads: list[BufferedLead]) -> Batch:
        self.batches += 1
        self.size -= _size(leads)
        return Batch(self.stream, self.campaign, self.options, self.batches, tuple(leads))


def _size(leads: Sequence[BufferedLead]) -> int:
    """Bytes in a request body, with the commas between them."""
    return sum([len(buffered.lead.body) for buffered in leads]) + len(leads)
