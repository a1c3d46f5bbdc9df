"""Batches: leads that are loaded, changed, moved or retired together."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_engagevoice.delivery.buffer import BufferedLead, BufferedRetirement
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.retirement import Retire


class Work(enum.Enum):
    """What a batch is there for."""

    LOAD = "load"
    CHANGE = "change"


@dataclass(frozen=True, eq=False)
class Batch:
    """What one request carries or, of leads to be changed, what one thread handles.

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

    def digests_of(self, leads: Sequence[BufferedLead]) -> dict[str, str]:
        """`externId` to digest of some leads of this batch, which in most cases are all of them."""
        if len(leads) == len(self.leads):
            return self.digests
        return {buffered.lead.extern_id: buffered.lead.digest for buffered in leads}


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
