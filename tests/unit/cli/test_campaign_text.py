"""Properties of a campaign as text."""

from __future__ import annotations

import pytest

from target_engagevoice.cli.campaign_text import schedule_text

HOURS = "08002100"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ((HOURS,) * 7, "mon-sun 08:00-21:00"),
        ((HOURS,) * 5 + ("", ""), "mon-fri 08:00-21:00"),
        (("", HOURS, "", "10001200", "", "", "by appointment"), "tue 08:00-21:00, thu 10:00-12:00, sun by appointment"),
        (("",) * 7, "none"),
        ((), "unknown"),
    ],
)
def test_a_schedule_groups_days_with_the_same_hours(schedule: tuple[str, ...], words: str) -> None:
    assert schedule_text(schedule) == words
