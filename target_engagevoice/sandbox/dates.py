"""Dates as the API writes them: `2026-07-24T16:00:00.000+0000` (reference, section 5)."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import formatdate


def shown(at: float) -> str:
    """Epoch seconds as the API's date, to the millisecond."""
    moment = datetime.fromtimestamp(round_down(at), timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{round(moment.microsecond / 1000):03d}+0000"


def whole_seconds(at: float) -> str:
    """Epoch seconds as the API's date, without milliseconds."""
    return f"{datetime.fromtimestamp(int(at), timezone.utc):%Y-%m-%dT%H:%M:%S}+0000"


def round_down(at: float) -> float:
    """Epoch seconds cut to the millisecond that the API shows, so that dates read back compare equal."""
    return int(at * 1000) / 1000


def read(text: str) -> float:
    """Epoch seconds of a date in the API's form, or in ISO 8601 with `Z`, an offset, or none (UTC).

    Raises:
        ValueError: It has neither form.
    """
    offset = re.sub(r"Z$", "+0000", text)
    offset = re.sub(r"([+-]\d{2}):(\d{2})$", r"\1\2", offset)
    if not re.search(r"[+-]\d{4}$", offset):
        offset += "+0000"
    if "." in offset:
        return datetime.strptime(offset, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    return datetime.strptime(offset, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def read_local(text: str) -> float:
    """Epoch seconds of a date whose offset is ignored, as if its time were UTC.

    Raises:
        ValueError: It is not a date.
    """
    return read(re.sub(r"(Z|[+-]\d{2}:?\d{2})$", "", text))


def header(at: float) -> str:
    """Epoch seconds as the `Date` header writes them."""
    return formatdate(at, usegmt=True)
