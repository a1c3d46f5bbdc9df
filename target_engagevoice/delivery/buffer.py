"""Leads waiting to be sent: a buffer per stream and campaign, and the lane that keeps versions of a lead apart."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import msgspec

from target_engagevoice.model.retirement import RETIRED, Retire

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.outcomes import ReadRecord

MOST_ROOM = 48 << 20
"""So many bytes all leads may take up together that wait or are on their way to be loaded."""

MOST_ROOM_OF_CHANGES = 24 << 20
"""The same for leads to be changed: they go one by one, and must not leave the others no room to fill a request."""

CHANGES_AT_ONCE = 25
"""Leads of one batch of changes: they are looked up together, and few enough that several threads have work."""

ROOM_OF_A_LEAD = 1000
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
    """A lead, and the record it was made of.

    Attributes:
        buffered_at: Monotonic seconds.
        room: Bytes it takes up, more or less.
        not_before: Epoch seconds on the server's clock: when the campaign accepted an earlier version of this lead,
            0 for never. It is not sent before that moment is clearly past, so that the search can tell the two apart.
        certain: Whether it was settled that it is no version read again, see `dedupe`.
    """

    record: ReadRecord
    lead: Lead
    buffered_at: float
    room: int
    not_before: float = 0.0
    certain: bool = False

    @classmethod
    def of(cls, record: ReadRecord, lead: Lead, buffered_at: float, not_before: float = 0.0) -> BufferedLead:
        """A lead that comes into its buffer at a moment, in monotonic seconds."""
        room = len(record.source) + len(lead.body) + ROOM_OF_A_LEAD
        return cls(record, lead, buffered_at, room, not_before)

    @property
    def extern_id(self) -> str:
        """Of the lead."""
        return self.lead.extern_id

    @property
    def digest(self) -> str:
        """Of the lead."""
        return self.lead.digest

    @property
    def size(self) -> int:
        """Bytes in a request body, with a comma."""
        return len(self.lead.body) + 1


class BufferedRetirement(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A record that must not be called, waiting until the earlier versions of its lead have their outcomes.

    Attributes:
        buffered_at: Monotonic seconds.
        room: Bytes it takes up, more or less.
        certain: As of a `BufferedLead`.
    """

    record: ReadRecord
    flagged: FlaggedRecord
    buffered_at: float
    room: int
    certain: bool = False

    @classmethod
    def of(cls, record: ReadRecord, flagged: FlaggedRecord, buffered_at: float) -> BufferedRetirement:
        """A record that comes into its buffer at a moment, in monotonic seconds."""
        return cls(record, flagged, buffered_at, len(record.source) + ROOM_OF_A_LEAD)

    @property
    def extern_id(self) -> str:
        """Of the lead; empty where only phones are to be listed."""
        return self.flagged.extern_id

    @property
    def digest(self) -> str:
        """What the ledger notes in place of the digest of a lead."""
        return RETIRED

    @property
    def size(self) -> int:
        """Counts it among what waits: it is not part of a request body."""
        return 1


Buffered: TypeAlias = "BufferedLead | BufferedRetirement"

B = TypeVar("B", BufferedLead, BufferedRetirement)
"""What a buffer holds."""


class Work(enum.Enum):
    """What a batch is there for."""

    LOAD = "load"
    CHANGE = "change"


@dataclass(frozen=True, eq=False)
class Batch:
    """What one request carries, or, of leads to be changed, what one thread sees through.

    Attributes:
        number: Counts the loads of a stream and campaign, from 1; 0 for changes.
    """

    stream: str
    campaign: Campaign
    options: ListOptions
    number: int
    leads: tuple[BufferedLead, ...]
    work: Work = Work.LOAD

    @cached_property
    def digests(self) -> dict[str, str]:
        """`externId` to digest."""
        return {buffered.lead.extern_id: buffered.lead.digest for buffered in self.leads}


@dataclass(frozen=True, eq=False)
class RetireBatch:
    """Records of a stream that must not be called, handled together; no two of the same `externId`."""

    stream: str
    retirements: tuple[BufferedRetirement, ...]


@dataclass(frozen=True, eq=False)
class MoveBatch:
    """Leads that are to leave other campaigns before they are loaded into theirs.

    Attributes:
        campaign: Where they go.
        how: How they are retired where they are.
    """

    stream: str
    campaign: Campaign
    leads: tuple[BufferedLead, ...]
    how: Retire


@dataclass(frozen=True, eq=False)
class Waiting(Generic[B]):
    """A version that waits for an earlier one, and the buffer it is for."""

    buffer: Buffer[B]
    lead: B

    def put(self) -> None:
        """Put it into its buffer: the earlier one has its outcome."""
        self.buffer.put(self.lead)


class VersionQueue:
    """Ids on the way. Owned by `Delivery`, whose lock guards it.

    Two versions of a lead must not be on the way at once: nothing could tell which of them the server took, or last.
    The later one waits here until the earlier one has its outcome. Those with the same `externId` are versions of one
    lead that are bound for the same campaign; that come on the same stream, where one of them is to be retired wherever
    it is; or, where leads move from one campaign to another, that come on the same stream at all.

    Args:
        moves: Whether they do.
    """

    def __init__(self, *, moves: bool = False) -> None:
        self._moves = moves
        self._pending: dict[str, Buffer[Any]] = {}
        self._besides: dict[str, list[Buffer[Any]]] = {}  # others of the same id that are no versions of one lead
        self._held: dict[str, deque[Waiting[BufferedLead] | Waiting[BufferedRetirement]]] = {}

    def enter(self, buffer: Buffer[B], lead: B, extern_id: str, size: int) -> None:
        """Put a lead, or what retires one, into its buffer, or have it wait for the one before it.

        Args:
            buffer: It.
            lead: It.
            extern_id: Of the lead; the caller has read it, and each record comes through here.
            size: As of the lead.
        """
        if extern_id not in self._pending:
            self._pending[extern_id] = buffer
            buffer.incoming.append(lead)  # `put`, of which there is one a record
            buffer.size += size
        elif extern_id not in self._held and not self._is_out(extern_id, buffer):
            self._besides.setdefault(extern_id, []).append(buffer)
            buffer.put(lead)
        else:
            self._held.setdefault(extern_id, deque()).append(Waiting(buffer, lead))
            buffer.waiting += 1

    def behind(self, buffer: Buffer[Any], extern_id: str) -> list[str]:
        """Digests of versions that wait for this one, in order; one bound elsewhere takes it out of its campaign."""
        return [
            each.lead.digest if each.buffer is buffer or isinstance(buffer, RetirementBuffer) else RETIRED
            for each in self._held.get(extern_id, ())
            if each.buffer is buffer or (each.buffer.stream == buffer.stream and self._concerns(each.buffer, buffer))
        ]

    def held(self) -> list[tuple[Buffer[Any], Buffered]]:
        """All that wait for an earlier version."""
        return [(each.buffer, each.lead) for waiting in self._held.values() for each in waiting]

    def leave(self, buffer: Buffer[Any], extern_ids: Collection[str]) -> None:
        """Leads have their outcomes: the next of their ids may enter their buffers."""
        if not self._held and not self._besides:
            for extern_id in extern_ids:
                del self._pending[extern_id]
            return
        for extern_id in extern_ids:
            self._let_go(buffer, extern_id)
            self._let_in(extern_id)

    def _is_out(self, extern_id: str, buffer: Buffer[Any]) -> bool:
        """Whether a version of the same lead is in a buffer, or further."""
        first = self._pending.get(extern_id)
        out = (*((first,) if first is not None else ()), *self._besides.get(extern_id, ()))
        return any(self._concerns(each, buffer) for each in out)

    def _concerns(self, one: Buffer[Any], other: Buffer[Any]) -> bool:
        """Whether leads of the same id in these buffers are versions of one lead."""
        if not isinstance(one, LeadBuffer) or not isinstance(other, LeadBuffer):
            return one.stream == other.stream  # what retires a lead does so in every campaign
        return one.campaign is other.campaign or (self._moves and one.stream == other.stream)

    def _let_go(self, buffer: Buffer[Any], extern_id: str) -> None:
        besides = self._besides.get(extern_id, [])
        if self._pending[extern_id] is not buffer:
            besides.remove(buffer)
        elif besides:
            self._pending[extern_id] = besides.pop(0)
        else:
            del self._pending[extern_id]
        if not besides:
            self._besides.pop(extern_id, None)

    def _let_in(self, extern_id: str) -> None:
        waiting = self._held.get(extern_id, deque())
        while waiting and not self._is_out(extern_id, waiting[0].buffer):
            first = waiting.popleft()
            buffer: Buffer[Any] = first.buffer
            buffer.waiting -= 1
            if extern_id in self._pending:
                self._besides.setdefault(extern_id, []).append(buffer)
            else:
                self._pending[extern_id] = buffer
            first.put()
        if not waiting:
            self._held.pop(extern_id, None)


@dataclass(eq=False, kw_only=True)
class Buffer(Generic[B]):
    """What waits of one stream. Owned by `Delivery`, whose lock guards it.

    Attributes:
        incoming: Not yet compared with the ledger.
        size: Bytes of what is to be sent, with the commas between the leads.
        waiting: Leads that wait for an earlier version of themselves before they come in here.
    """

    stream: str
    lane: VersionQueue
    incoming: list[B] = field(default_factory=list)
    size: int = 0
    waiting: int = 0

    def __len__(self) -> int:
        return len(self.incoming)

    def is_full(self, limits: BufferLimits) -> bool:
        """Whether rows or bytes say it is time, or too many leads wait for an earlier version of themselves."""
        return len(self.incoming) >= limits.rows or self.size >= limits.size or self.waiting >= limits.rows

    def put(self, lead: B) -> None:
        """Add a lead that is still to be compared."""
        self.incoming.append(lead)
        self.size += lead.size

    def take_incoming(self) -> list[B]:
        """Take all that is still to be compared."""
        incoming, self.incoming = self.incoming, []
        self.size = 0
        return incoming

    def oldest(self) -> float | None:
        """When the lead that waits longest was buffered; None when none waits."""
        return self.incoming[0].buffered_at if self.incoming else None


@dataclass(eq=False, kw_only=True)
class RetirementBuffer(Buffer[BufferedRetirement]):
    """Records of one stream that must not be called: what they retire may be in any campaign."""


@dataclass(eq=False, kw_only=True)
class LeadBuffer(Buffer[BufferedLead]):
    """Leads of one stream for one campaign.

    Attributes:
        ready: Compared, and to be loaded.
        changes: Compared, and to be changed.
        batches: Loads cut so far.
    """

    campaign: Campaign
    options: ListOptions
    ready: list[BufferedLead] = field(default_factory=list)
    changes: list[BufferedLead] = field(default_factory=list)
    batches: int = 0

    def __len__(self) -> int:
        return len(self.incoming) + len(self.ready) + len(self.changes)

    def is_full(self, limits: BufferLimits) -> bool:
        """Whether rows or bytes say it is time, or too many leads wait for an earlier version of themselves."""
        return (
            len(self.incoming) + len(self.ready) >= limits.rows
            or self.size >= limits.size
            or self.waiting >= limits.rows
        )

    def take_incoming(self) -> list[BufferedLead]:
        """Take all that is still to be compared; what is to be loaded comes back through `put_ready`."""
        incoming, self.incoming = self.incoming, []
        self.size = _size(self.ready) if self.ready else 0
        return incoming

    def put_ready(self, leads: Sequence[BufferedLead]) -> None:
        """Add leads that are to be loaded."""
        self.ready += leads
        self.size += _size(leads)

    def oldest(self) -> float | None:
        """When the lead that waits longest was buffered; None when none waits."""
        return min(
            (buffered.buffered_at for part in (self.ready, self.incoming, self.changes) for buffered in part[:1]),
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
                self.size = 0
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
        self.size = _size(self.incoming) + _size(self.ready)
        return batches

    def cut_changes(self) -> list[Batch]:
        """Take what is to be changed."""
        changes, self.changes = self.changes, []
        return [
            Batch(
                self.stream,
                self.campaign,
                self.options,
                0,
                tuple(changes[start : start + CHANGES_AT_ONCE]),
                Work.CHANGE,
            )
            for start in range(0, len(changes), CHANGES_AT_ONCE)
        ]

    def _batch(self, leads: list[BufferedLead]) -> Batch:
        self.batches += 1
        return Batch(self.stream, self.campaign, self.options, self.batches, tuple(leads))


AnyBuffer: TypeAlias = "LeadBuffer | RetirementBuffer"


def _size(leads: Sequence[BufferedLead]) -> int:
    """Bytes in a request body, with the commas between them."""
    return sum([len(buffered.lead.body) for buffered in leads]) + len(leads)
