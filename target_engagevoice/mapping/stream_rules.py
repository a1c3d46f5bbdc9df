"""The part of the settings that compiling a stream needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_engagevoice.mapping.config import Mappings
    from target_engagevoice.model.list_options import ListOptions
    from target_engagevoice.model.phone import PhonePolicy
    from target_engagevoice.model.policy import FlagPolicy


@dataclass(frozen=True)
class StreamRules:
    """The settings that apply to streams.

    Attributes:
        campaign: The default campaign.
        phones: How phone numbers are read and written.
        list_options: The options of lists, unless a mapping overrides them.
        flags: What happens to the leads of records that must not be loaded.
        extend_unmapped: Whether fields that no source reads go to `extendedLeadData`.
        validate_records: Whether records are checked against their stream's schema.
        add_record_metadata: Whether the SDK's metadata are added to records.
    """

    mappings: Mappings
    campaign: str | None
    phones: PhonePolicy
    list_options: ListOptions
    flags: FlagPolicy
    extend_unmapped: bool
    validate_records: bool
    add_record_metadata: bool
