"""All leads that have no outcome yet, the memory they use, and the lock that guards them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from target_engagevoice.delivery.buffer import LeadBuffer, RetirementBuffer
from target_engagevoice.delivery.version_queue import VersionQueue

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.buffer import AnyBuffer, Buffered
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.list_options import ListOptions


class Backlog:
    """The buffers of a run. Every method is called with `lock` held.

    Args:
        moves: Whether leads move from one campaign to another.

    Attributes:
        lock: Guards this object, its buffers, and the queues of batches of `Delivery`.
        changed: Notified when leads have their outcomes, and when a batch leaves its queue or comes back.
        versions: Keeps versions of one lead apart.
        load_bytes: Memory of all leads that are not about to be changed.
        change_bytes: Memory of the leads that are about to be changed.
    """

    def __init__(self, *, moves: bool) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.versions = VersionQueue(moves=moves)
        self.load_bytes = 0
        self.change_bytes = 0
        self._lead_buffers: dict[tuple[str, str], LeadBuffer] = {}  # by stream and campaign id
        self._retirement_buffers: dict[str, RetirementBuffer] = {}  # by stream

    @property
    def buffers(self) -> list[AnyBuffer]:
        """Every buffer."""
        return [*self._lead_buffers.values(), *self._retirement_buffers.values()]

    def lead_buffer(self, stream: str, campaign: Campaign, options: ListOptions) -> LeadBuffer:
        """The buffer of a stream and campaign, which uses these list options from now on."""
        key = (stream, campaign.campaign_id)
        buffer = self._lead_buffers.get(key)
        if buffer is None:
            buffer = self._lead_buffers[key] = LeadBuffer(stream=stream, campaign=campaign, options=options)
        buffer.options = options
        return buffer

    def retirement_buffer(self, stream: str) -> RetirementBuffer:
        """The buffer of what a stream retires."""
        buffer = self._retirement_buffers.get(stream)
        if buffer is None:
            buffer = self._retirement_buffers[stream] = RetirementBuffer(stream=stream)
        return buffer

    def buffer_of(self, stream: str, campaign: Campaign) -> LeadBuffer:
        """The buffer that a batch of this stream and campaign was cut from."""
        return self._lead_buffers[stream, campaign.campaign_id]

    def leave(self, buffer: AnyBuffer, leads: Collection[Buffered]) -> None:
        """Leads have their outcomes: free their memory, and let the next versions in."""
        self.load_bytes -= sum([buffered.memory for buffered in leads])
        self.versions.leave(buffer, [buffered.extern_id for buffered in leads])
        self.changed.notify_all()

    def begin_changes(self, batches: Sequence[Batch]) -> None:
        """Count the leads of these batches as about to be changed."""
        memory = sum([lead.memory for batch in batches for lead in batch.leads])
        self.load_bytes -= memory
        self.change_bytes += memory

    def end_changes(self, batch: Batch) -> None:
        """Count the leads of a batch among the others again: some of them may have to be loaded after all."""
        memory = sum([lead.memory for lead in batch.leads])
        self.change_bytes -= memory
        self.load_bytes += memory
