"""Dates of the server: what cannot be read, or is out of range, is no date."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.dates import EARLIEST, LATEST, parse_api_date, parse_http_date
from target_engagevoice.api.ratelimit.backoff import parse_retry_after
from target_engagevoice.api.server_clock import ServerClock
from tests.support.fake_clock import NEW_YEAR_2026

OUT_OF_RANGE = [
    "Thu, 01 Jan 99999999999999999999 00:00:09 GMT",
    "Thu, 01 Jan 2026 00:00:99999999999999999999 GMT",
    "Thu, 99999999999999999999 Jan 2026 00:00:00 GMT",
    "Thu, 01 Jan 2026 00:00:09 +99999999999",
    "Thu, 01 Jan 10000 00:00:09 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Wed, 31 Dec 1969 23:59:59 GMT",
    "0",
    "",
    "never",
]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 01 Jan 2026 00:00:09 GMT", NEW_YEAR_2026 + 9),
        ("Thu, 01 Jan 2026 01:00:09 +0100", NEW_YEAR_2026 + 9),
        ("Thu, 01 Jan 2026 00:00:09 -0000", NEW_YEAR_2026 + 9),
        (None, None),
        *((text, None) for text in OUT_OF_RANGE),
    ],
)
def test_http_dates(text: str | None, seconds: float | None) -> None:
    assert parse_http_date(text) == seconds


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_a_date_out_of_range_is_not_a_retry_after(text: str) -> None:
    assert parse_retry_after(text, NEW_YEAR_2026) == (0.0 if text == "0" else None)


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_a_date_out_of_range_does_not_set_the_clock(text: str) -> None:
    clock = ServerClock()
    clock.observe(text, 1.0, 2.0)
    assert clock.earliest(3.0, -1.0) == -1.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T00:00:09.000+0000", NEW_YEAR_2026 + 9),
        ("2026-01-01T01:00:09+0100", NEW_YEAR_2026 + 9),
        ("9999-12-31T23:59:59.000-1200", None),
        ("0001-01-01T00:00:00.000+1400", None),
        ("99999-01-01T00:00:00.000+0000", None),
        ("2026-01-01", None),
        (None, None),
        (0, None),
        ({}, None),
    ],
)
def test_dates_of_the_api(text: Any, seconds: float | None) -> None:
    assert parse_api_date(text) == seconds


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"Thu, \d{1,22} Jan \d{1,22} \d{1,22}:\d\d:\d{1,22} ([+-]\d{1,22}|GMT)", fullmatch=True),
        st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", fullmatch=True),
    )
)
def test_any_text_is_a_date_in_range_or_none(text: str) -> None:
    for seconds in (parse_http_date(text), parse_api_date(text)):
        assert seconds is None or EARLIEST <= seconds <= LATEST
