"""Bars are in proportion to the records read, and every outcome is visible."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.model.lead import Outcome
from target_engagevoice.reporting.bars import MIN_SEGMENT_WIDTH, WIDTH, outcome_bars

COUNTS = st.fixed_dictionaries({outcome.value: st.integers(0, 5) | st.integers(0, 10**6) for outcome in Outcome})


def record(*rows: dict[str, int]) -> dict[str, Any]:
    campaigns = [
        {"campaign_id": str(number), "campaign": f"Group/C{number}", "read": sum(row.values()), **row}
        for number, row in enumerate(rows)
    ]
    return {"streams": [{"stream": "people", "campaigns": campaigns}]}


@given(st.lists(COUNTS, max_size=5))
def test_a_bar_has_every_outcome_that_occurred_side_by_side(rows: list[dict[str, int]]) -> None:
    bars = outcome_bars(record(*rows))
    assert sorted(bar.read for bar in bars) == sorted(total for row in rows if (total := sum(row.values())))
    for bar in bars:
        assert sum(segment.count for segment in bar.segments) == bar.read
        end = 0.0
        for segment in bar.segments:
            assert segment.width > MIN_SEGMENT_WIDTH / 3
            assert segment.start == pytest.approx(end, abs=0.1)
            end = segment.start + segment.width
        assert end <= WIDTH + 0.1


def test_bars_are_in_proportion_and_the_longest_is_first() -> None:
    short, long = {"loaded": 25, "rejected": 25}, {"loaded": 100}
    first, second = outcome_bars(record(short, long))
    assert [(segment.start, segment.width) for segment in first.segments] == [(0, WIDTH)]
    assert [(segment.start, segment.width) for segment in second.segments] == [(0, 250), (250, 250)]


def test_a_bar_has_its_counts_as_text() -> None:
    (bar,) = outcome_bars(record({"loaded": 1200, "do_not_call": 3}))
    assert (bar.campaign, bar.text) == ("Group/C0 (0)", "1,200 loaded, 3 do not call")


def test_a_campaign_without_records_has_no_bar() -> None:
    assert outcome_bars(record({"loaded": 0})) == []
