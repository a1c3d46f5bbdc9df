"""Parse the dates that the server sends. A date out of range is no date: a server writes such to say 'never'."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

EARLIEST = 0.0
LATEST = 253_402_300_799.0
"""1970-01-01T00:00:00Z and 9999-12-31T23:59:59Z as epoch seconds: what other code can turn into a date again."""


def parse_http_date(text: str | None) -> float | None:
    """Epoch seconds of an HTTP date such as `Thu, 01 Jan 2026 00:00:09 GMT` (RFC 9110, section 5.6.7).

    Args:
        text: The header. A date without a zone is in UTC.

    Returns:
        None where the header is missing, cannot be read, or is out of range.
    """
    if text is None:
        return None
    try:
        return _in_range(parsedate_to_datetime(text))
    except (TypeError, ValueError, OverflowError):
        return None


def parse_api_date(text: Any) -> float | None:
    """Epoch seconds of a date such as `2026-07-24T16:00:00.000+0000` (reference, section 5).

    Returns:
        None where it cannot be read, or is out of range.
    """
    pattern = "%Y-%m-%dT%H:%M:%S.%f%z" if "." in str(text) else "%Y-%m-%dT%H:%M:%S%z"
    try:
        return _in_range(datetime.strptime(str(text), pattern))  # noqa: DTZ007 - both patterns have a zone
    except (ValueError, OverflowError):
        return None


def _in_range(date: datetime) -> float | None:
    seconds = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    return seconds if EARLIEST <= seconds <= LATEST else None
