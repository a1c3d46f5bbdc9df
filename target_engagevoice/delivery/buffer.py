"""Leads that wait to be sent, one buffer per stream and campaign, and the batches that are cut from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

from target_engagevoice.delivery.batch import Batch, Work
from target_engagevoice.model.retirement import RETIRED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import FlaggedRecord
    from target_engagevoice.outcomes.outcomes import ReadRecord

MAX_LOAD_BYTES = 48 << 20
"""Memory that all leads together may use which wait or are about to be loaded."""

CHANGES_AT_ONCE = 25
"""Leads of one batch of changes: they are looked up together, and few enough that several threads have work."""

LEAD_OVERHEAD_BYTES = 1000
"""Memory of a lead besides its line and its body: keys, digest, and what Python itself needs."""


@dataclass(frozen=True)
class BufferLimits:
    """When a buffer is drained: at so many leads, at so many bytes of request body, or at this age in seconds.

    Attributes:
        memory: Bytes that all buffers and the batches on their way may use; beyond that the fullest is drained.
    """

    rows: int
    size: int
    age: float
    memory: int = MAX_LOAD_BYTES


class BufferedLead(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A lead, and the record it was made of.

    Attributes:
        buffered_at: Monotonic seconds.
        memory: Bytes it uses, roughly.
        not_before: Epoch seconds on the server's clock: when the campaign accepted an earlier version of this lead,
            0 for never. It is not sent before that moment is clearly past, so that the search can tell the two apart.
        certain: Whether it is known to be no replay, see `replay`.
    """

    record: ReadRecord
    lead: Lead
    buffered_at: float
    memory: int
    not_before: float = 0.0
    certain: bool = False

    @classmethod
    def of(cls, record: ReadRecord, lead: Lead, buffered_at: float, not_before: float = 0.0) -> BufferedLead:
        """A lead that comes into its buffer at a moment, in monotonic seconds."""
        memory = len(record.source) + len(lead.body) + LEAD_OVERHEAD_BYTES
        return cls(record, lead, buffered_at, memory, not_before)

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
        memory: Bytes it uses, roughly.
        certain: As of a `BufferedLead`.
    """

    record: ReadRecord
    flagged: FlaggedRecord
    buffered_at: float
    memory: int
    certain: bool = False

    @classmethod
    def of(cls, record: ReadRecord, flagged: FlaggedRecord, buffered_at: float) -> BufferedRetirement:
        """A record that comes into its buffer at a moment, in monotonic seconds."""
        return cls(record, flagged, buffered_at, len(record.source) + LEAD_OVERHEAD_BYTES)

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
        """It is not part of a request body; 1, so that a buffer that holds some is not empty."""
        return 1


Buffered: TypeAlias = "BufferedLead | BufferedRetirement"

B = TypeVar("B", BufferedLead, BufferedRetirement)
"""What a buffer holds."""


@dataclass(eq=False, kw_only=True)
class Buffer(Generic[B]):
    """What waits of one stream. The lock of `Backlog` guards it.

    Attributes:
        incoming: Not yet compared with the ledger.
        incoming_size: Bytes of what is incoming, with a comma for each lead.
        waiting: How many leads wait for an earlier version before they come in here.
    """

    stream: str
    incoming: list[B] = field(default_factory=list)
    incoming_size: int = 0
    waiting: int = 0

    def __len__(self) -> int:
        return len(self.incoming)

    @property
    def size(self) -> int:
        """Bytes of what is to be sent, with the commas between the leads."""
        return self.incoming_size

    def is_full(self, limits: BufferLimits) -> bool:
        """Whether rows or bytes reach a limit, or too many leads wait for an earlier version."""
        return len(self.incoming) >= limits.rows or self.incoming_size >= limits.size or self.waiting >= limits.rows

    def put(self, lead: B) -> None:
        """Add a lead that is still to be compared."""
        self.incoming.append(lead)
        self.incoming_size += lead.size

    def take_incoming(self) -> list[B]:
        """Take all that is still to be compared."""
        incoming, self.incoming, self.incoming_size = self.incoming, [], 0
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
        ready: Compared, and to be loaded; of what is incoming, it comes back through `put_ready`.
        ready_size: Bytes of what is ready, with a comma for each lead.
        changes: Compared, and to be changed.
        batches: Loads cut so far.
    """

    campaign: Campaign
    options: ListOptions
    ready: list[BufferedLead] = field(default_factory=list)
    ready_size: int = 0
    changes: list[BufferedLead] = field(default_factory=list)
    batches: int = 0

    def __len__(self) -> int:
        return len(self.incoming) + len(self.ready) + len(self.changes)

    @property
    def size(self) -> int:
        """Bytes of what is incoming or ready, with the commas between the leads."""
        return self.incoming_size + self.ready_size

    def is_full(self, limits: BufferLimits) -> bool:
        """Whether rows or bytes reach a limit, or too many leads wait for an earlier version."""
        return (
            len(self.incoming) + len(self.ready) >= limits.rows
            or self.incoming_size + self.ready_size >= limits.size
            or self.waiting >= limits.rows
        )

    def put_ready(self, leads: Sequence[BufferedLead]) -> None:
        """Add leads that are to be loaded."""
        self.ready += leads
        self.ready_size += sum([len(buffered.lead.body) for buffered in leads]) + len(leads)

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
        if len(self.ready) <= limits.rows and overhead + self.ready_size <= limits.size:  # they fit in one request
            whole = everything or len(self.ready) >= limits.rows or overhead + self.ready_size >= limits.size
            batches = [self._batch(self.ready)] if self.ready and whole else []
            if batches:
                self.ready, self.ready_size = [], 0
            return batches
        batches = []
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
            taken, size = [], overhead
        self.ready, self.ready_size = taken, size - overhead
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
