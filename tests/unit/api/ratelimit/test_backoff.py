"""Waits grow and stay within their bounds; `Retry-After` never raises."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.ratelimit.backoff import (
    FIRST_WAIT_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    LONGEST_WAIT_SECONDS,
    backoff_delays,
    parse_retry_after,
)
from tests.support.fake_clock import NEW_YEAR_2026


def test_waits_grow_and_stay_within_their_bounds() -> None:
    ceilings = [min(FIRST_WAIT_SECONDS * 2**n, LONGEST_WAIT_SECONDS) for n in range(40)]
    runs = [list(itertools.islice(backoff_delays(), 40)) for _ in range(50)]
    for run in runs:
        assert all(0 <= wait <= ceiling for wait, ceiling in zip(run, ceilings, strict=True))
    assert max(run[-1] for run in runs) > LONGEST_WAIT_SECONDS / 2
    assert len({run[-1] for run in runs}) > 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("Thu, 01 Jan 2026 01:00:09 +0100", 9.0),
        ("Thu, 01 Jan 2026 00:00:09 -0000", 9.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("nan", None),
        ("Thu, 45 Jan 2026 00:00:09 GMT", None),
        ("9" * 400, LONGEST_RETRY_AFTER_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER_SECONDS),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NEW_YEAR_2026) == seconds


@given(st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1)), st.integers(-12, 12))  # noqa: DTZ001 - the zone comes with `hours`
def test_retry_after_reads_every_date(when: datetime, hours: int) -> None:
    whole = when.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    now = whole.timestamp() - 77
    assert parse_retry_after(format_datetime(whole), now) == pytest.approx(77)


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"[A-Z][a-z]{2}, \d{1,12} [A-Z][a-z]{2} \d{1,9} \d{1,12}:\d\d:\d\d ([+-]\d{1,9}|GMT)"),
    )
)
def test_retry_after_survives_anything(value: str) -> None:
    seconds = parse_retry_after(value, NEW_YEAR_2026)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER_SECONDS
