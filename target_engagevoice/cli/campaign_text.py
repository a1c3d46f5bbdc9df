"""Properties of a campaign as text, for the commands that list campaigns."""

from __future__ import annotations

from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

from target_engagevoice.model.campaign import DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_engagevoice.model.campaign import Campaign

_ACTIVE: Mapping[int, str] = MappingProxyType({0: "no", 1: "yes", 2: "callbacks only"})

TIME_DIGITS = len("08002100")
"""The length of a day's hours in the usual form: two times of four digits."""


def active_text(campaign: Campaign) -> str:
    """Whether a campaign is active; a value that the API does not document is shown as the server gives it."""
    return _ACTIVE.get(campaign.active, str(campaign.active))


def schedule_text(schedule: tuple[str, ...]) -> str:
    """The hours of a week, with days of the same hours together, such as `mon-fri 08:00-21:00`.

    Args:
        schedule: The hours of Monday to Sunday as the server writes them; hours in another form are not changed.
    """
    if not schedule:
        return "unknown"
    if not any(schedule):
        return "none"
    parts = []
    for hours, group in groupby(zip(DAYS, schedule, strict=True), key=lambda each: each[1]):
        days = [day for day, _ in group]
        span = days[0] if len(days) == 1 else f"{days[0]}-{days[-1]}"
        usual = len(hours) == TIME_DIGITS and hours.isdecimal()
        shown = f"{hours[:2]}:{hours[2:4]}-{hours[4:6]}:{hours[6:]}" if usual else hours
        if hours:
            parts.append(f"{span} {shown}")
    return ", ".join(parts)
