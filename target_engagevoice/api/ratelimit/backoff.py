"""How long to wait before a request is tried again: exponential back-off, or what the server asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import backoff

from target_engagevoice.api.dates import parse_http_date

if TYPE_CHECKING:
    from collections.abc import Generator

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0

LONGEST_RETRY_AFTER_SECONDS = 86_400.0
"""A longer `Retry-After` counts as this. No run waits a day, and a number without bounds would break `time.sleep`."""


def backoff_delays() -> Generator[float, None, None]:
    """Seconds to wait before each further try: exponential with full jitter (`backoff`), without end."""
    steps = backoff.expo(factor=FIRST_WAIT_SECONDS, max_value=LONGEST_WAIT_SECONDS)
    next(steps)
    for step in steps:
        yield backoff.full_jitter(step)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from a `Retry-After` header in seconds or as an HTTP date (RFC 9110, section 10.2.3).

    Args:
        value: The header, or None.
        now: Epoch seconds, for a date.

    Returns:
        Seconds from 0 to a day; None where the header is missing or cannot be read.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    when = parse_http_date(text)
    return None if when is None else min(max(0.0, when - now), LONGEST_RETRY_AFTER_SECONDS)
