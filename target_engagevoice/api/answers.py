"""What an answer of the loader means for the request as a whole (reference, section 4, "Answer").

Everything here is pure: bytes in, values out. What a counted answer means for each lead: `batch_answer`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_MAX = 500
"""So many characters of a server's message are kept."""


@dataclass(frozen=True)
class RejectedRow:
    """One of `rejectedRows`: the server's message and the cells of the lead, in no documented order."""

    message: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """The server accepted the request and gives counts. Every field of its answer is optional.

    Attributes:
        accepted: `leadsAccepted`; None when it does not say.
        inserted: `leadsInserted`; None when it does not say.
        rejected_rows: The rows that it rejected.
        message: Its message for the whole request.
    """

    accepted: int | None = None
    inserted: int | None = None
    rejected_rows: tuple[RejectedRow, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class Refused:
    """The server refused the request as a whole: nothing is stored.

    Attributes:
        reason: A short stable code.
        message: The server's message, for the rejects file only: it may quote the lead.
        shrink: Whether the request is too large for the server.
    """

    reason: str
    message: str
    shrink: bool = False

    def is_like(self, other: Refused) -> bool:
        """Whether the other refusal is the same but for numbers, such as a timestamp or a row number."""
        mine, others = (re.sub(r"\d+", "", refusal.message) for refusal in (self, other))
        return self.reason == other.reason and mine == others


@dataclass(frozen=True)
class Throttled:
    """429: nothing is stored; `retry_after` is the header as it came."""

    retry_after: str | None = None


@dataclass(frozen=True)
class NotSent:
    """The request certainly never reached the server."""

    what: str


@dataclass(frozen=True)
class Unknown:
    """The answer does not show whether the request was stored.

    Attributes:
        what: What came instead of an answer.
        repeatable: Whether the server itself answered that it failed (500), which a poison lead can do every time.
        retry_after: The header as it came, when the server said how long to wait.
    """

    what: str
    repeatable: bool = False
    retry_after: str | None = None


@dataclass(frozen=True)
class Oversized(Unknown):
    """The answer is larger than the limit, and was not read to its end. Another try would bring the same."""

    what: str = "an answer of more than 64 MB"


@dataclass(frozen=True)
class NoRoute:
    """No part of the API answers at this address: 404, or a page of the web application. Nothing is stored."""

    what: str


@dataclass(frozen=True)
class Denied:
    """The server denies the request, and another try would not change that: the run cannot continue."""

    what: str


Failure: TypeAlias = Refused | Throttled | Unknown | NoRoute | Denied
LoadAnswer: TypeAlias = Counted | NotSent | Failure

_STATUS: Mapping[int, type[Refused | Throttled | NoRoute | Denied]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: Denied,
        HTTPStatus.FORBIDDEN: Denied,
        HTTPStatus.NOT_FOUND: NoRoute,
        HTTPStatus.METHOD_NOT_ALLOWED: NoRoute,
        HTTPStatus.TOO_MANY_REQUESTS: Throttled,
    },
)
"""Statuses with a meaning of their own.

Of the others, 2xx is parsed, 408 and 5xx are unknown, 3xx is denied, 4xx refused."""

_PROCESSING: Mapping[str, type[Refused | Counted | Denied]] = MappingProxyType(
    {
        "GENERAL_FAILURE": Refused,
        "NO_LEADS_PASSED_VALIDATION": Counted,
        "DNC_ACCOUNT_SETTINGS": Denied,
        "DNC_UPLOAD_FAILED": Denied,
        "DNC_GREATER_ONE_DAY": Denied,
    },
)
"""What the `processingStatus` of an answer that is not a success means."""

_TOO_MUCH = re.compile(r"too (many|large|big|long)|exceed|maximum (number|size)|limit of \d+", re.IGNORECASE)


def classify(status: int, content_type: str, body: bytes, retry_after: str | None = None) -> LoadAnswer:
    """What an HTTP answer to a load means.

    Args:
        status: The HTTP status.
        content_type: The header, empty when missing.
        body: As received, complete.
        retry_after: The header.
    """
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        return classify_failure(status, content_type, body, retry_after)
    if not body.strip():
        return Counted()
    if "html" in content_type.casefold():
        return NoRoute(f"HTTP {status} with an HTML page: is base_url right?")
    return _parse(status, body)


def classify_failure(status: int, content_type: str, body: bytes, retry_after: str | None = None) -> Failure:
    """What an HTTP answer with a status of 300 or more means, to a load or to another request.

    Args:
        status: The HTTP status.
        content_type: The header, empty when missing.
        body: As received, complete.
        retry_after: The header.
    """
    meaning = _STATUS.get(status)
    if meaning is Throttled:
        return Throttled(retry_after)
    if meaning is NoRoute:
        return NoRoute(f"HTTP {status}")
    if meaning is Denied or status < HTTPStatus.BAD_REQUEST:
        return Denied(f"HTTP {status} {_error_code(body)}".strip())
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Unknown(f"HTTP {status}", status == HTTPStatus.INTERNAL_SERVER_ERROR, retry_after)
    message = _message(body, content_type)
    shrink = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or bool(_TOO_MUCH.search(message))
    return Refused(f"http_{status}", message or f"HTTP {status}", shrink)


def _parse(status: int, body: bytes) -> LoadAnswer:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return Unknown(f"HTTP {status} with a body that is not JSON")
    if not isinstance(fields, dict):
        return Unknown(f"HTTP {status} with a body that is not an object")
    counted = Counted(
        accepted=_count(fields.get("leadsAccepted")),
        inserted=_count(fields.get("leadsInserted")),
        rejected_rows=_rejected_rows(fields.get("rejectedRows")),
        message=str(fields.get("message") or "")[:MESSAGE_MAX],
    )
    state = _code(fields.get("processingStatus"))
    if state == "NO_LEADS_PASSED_VALIDATION" and counted.accepted is None:
        counted = replace(counted, accepted=0)
    failed = str(fields.get("processingResult") or "").casefold() == "failed"
    meaning = _PROCESSING.get(state) or (Refused if failed else Counted)
    if meaning is Denied:
        return Denied(f"HTTP {status}, processingStatus {state}")
    if meaning is Counted:
        return counted
    if counted.accepted or counted.inserted:
        return Unknown(f"HTTP {status}, {state or 'Failed'}, and yet some leads accepted")
    reason = (state or "failed").lower()
    return Refused(reason, counted.message or reason, bool(_TOO_MUCH.search(counted.message)))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _rejected_rows(value: Any) -> tuple[RejectedRow, ...]:
    rows = []
    for row in value if isinstance(value, list) else []:
        if isinstance(row, dict):
            cells = row.get("rowData")
            texts = tuple(str(cell) for cell in cells if cell is not None) if isinstance(cells, list) else ()
            rows.append(RejectedRow(str(row.get("message") or "rejected")[:MESSAGE_MAX], texts))
    return tuple(rows)


def _message(body: bytes, content_type: str) -> str:
    if "html" in content_type.casefold():
        return ""
    return body.decode("utf-8", "replace").strip()[:MESSAGE_MAX]


def _error_code(body: bytes) -> str:
    """The `errorCode` of the documented error family."""
    try:
        return _code(json.loads(body).get("errorCode"))
    except (ValueError, RecursionError, AttributeError):
        return ""


def _code(value: Any) -> str:
    """A code of the server, which may be logged; empty for a text, which could quote a lead."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.\-]{0,79}", value) else ""
