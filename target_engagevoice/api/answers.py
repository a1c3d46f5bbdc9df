"""What an answer of the loader means: for the request as a whole, then for each lead (reference, section 4, "Answer").

Everything here is pure: bytes in, values out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_engagevoice.model.lead import Lead

WORDS_MAX = 500
"""So much of the server's own words is kept; an HTML page is not a message."""


@dataclass(frozen=True)
class RejectedRow:
    """One of `rejectedRows`: the server's words and the cells of the lead, in no documented order."""

    message: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """The server took the request and says how it went. Every field of its answer is optional.

    Attributes:
        accepted: `leadsAccepted`; None when it does not say.
        inserted: `leadsInserted`; None when it does not say.
        rejected_rows: Those it names.
        message: Its words for all of it.
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
        words: What it said, for the rejects file only: it may quote the lead.
        shrink: Whether it is the size that it does not like.
    """

    reason: str
    words: str
    shrink: bool = False

    def is_like(self, other: Refused) -> bool:
        """Whether it is the same complaint, but for numbers: a timestamp, a row."""
        mine, others = (re.sub(r"\d+", "", refusal.words) for refusal in (self, other))
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
    """Whether the request was stored can not be told from the answer.

    Attributes:
        what: What came instead of an answer.
        repeatable: Whether the server itself answered that it failed (500), which a poison lead can do every time.
        retry_after: The header as it came, when the server said how long it is unwell.
    """

    what: str
    repeatable: bool = False
    retry_after: str | None = None


@dataclass(frozen=True)
class NoRoute:
    """Nothing of the API answers here: 404 or a page of the web application. Nothing is stored."""

    what: str


@dataclass(frozen=True)
class Denied:
    """The server will not do this for us, however often we ask: the run can not go on."""

    what: str


Answer: TypeAlias = Counted | Refused | Throttled | NotSent | Unknown | NoRoute | Denied

_STATUS: Mapping[int, type[Refused | Throttled | NoRoute | Denied]] = MappingProxyType(
    {401: Denied, 403: Denied, 404: NoRoute, 405: NoRoute, 429: Throttled},
)
"""Statuses with a meaning of their own. Of the others, 2xx is read, 408 and 5xx unknown, 3xx denied, 4xx refused."""

_PROCESSING: Mapping[str, type[Refused | Counted | Denied]] = MappingProxyType(
    {
        "GENERAL_FAILURE": Refused,
        "NO_LEADS_PASSED_VALIDATION": Counted,
        "DNC_ACCOUNT_SETTINGS": Denied,
        "DNC_UPLOAD_FAILED": Denied,
        "DNC_GREATER_ONE_DAY": Denied,
    },
)
"""`processingStatus` of an answer that is not a success, and what it means."""

_TOO_MUCH = re.compile(r"too (many|large|big|long)|exceed|maximum (number|size)|limit of \d+", re.IGNORECASE)


def classify(status: int, content_type: str, body: bytes, retry_after: str | None = None) -> Answer:
    """What an HTTP answer to a load means.

    Args:
        status: HTTP status.
        content_type: Header, empty when missing.
        body: As received, whole.
        retry_after: Header.
    """
    meaning = _STATUS.get(status)
    if meaning is Throttled:
        return Throttled(retry_after)
    if meaning is NoRoute:
        return NoRoute(f"HTTP {status}")
    if meaning is Denied or 300 <= status < 400:  # noqa: PLR2004 - redirects
        return Denied(f"HTTP {status} {_error_code(body)}".strip())
    if status >= 500 or status == 408:  # noqa: PLR2004 - server errors and the server's own time-out
        return Unknown(f"HTTP {status}", status == 500, retry_after)  # noqa: PLR2004
    if status >= 400:  # noqa: PLR2004 - the other client errors
        words = _words(body, content_type)
        shrink = status == 413 or bool(_TOO_MUCH.search(words))  # noqa: PLR2004
        return Refused(f"http_{status}", words or f"HTTP {status}", shrink)
    if not body.strip():
        return Counted()
    if "html" in content_type.casefold():
        return NoRoute(f"HTTP {status} with an HTML page: is base_url right?")
    return _read(status, body)


def _read(status: int, body: bytes) -> Answer:
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
        message=str(fields.get("message") or "")[:WORDS_MAX],
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
            rows.append(RejectedRow(str(row.get("message") or "rejected")[:WORDS_MAX], texts))
    return tuple(rows)


def _words(body: bytes, content_type: str) -> str:
    if "html" in content_type.casefold():
        return ""
    return body.decode("utf-8", "replace").strip()[:WORDS_MAX]


def _error_code(body: bytes) -> str:
    """The `errorCode` of the documented error family."""
    try:
        return _code(json.loads(body).get("errorCode"))
    except (ValueError, RecursionError, AttributeError):
        return ""


def _code(value: Any) -> str:
    """A code of the server's, fit for logs; empty for a text, which could quote somebody."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.\-]{0,79}", value) else ""


@dataclass(frozen=True)
class BatchAnswer:
    """An answer, lead by lead.

    Attributes:
        rejected: Position in the batch to the server's words.
        accepted: Positions of the leads the server certainly accepted; empty when that can not be told.
        not_inserted: How many of `accepted` it dropped as duplicates or do-not-call; which, it does not say.
        doubtful: Positions that must be looked up, since the counts do not cover them.
        short: How many of `doubtful` the server says it did not accept; None when it did not say.
    """

    rejected: Mapping[int, str] = field(default_factory=dict)
    accepted: tuple[int, ...] = ()
    not_inserted: int = 0
    doubtful: tuple[int, ...] = ()
    short: int | None = 0


def read(leads: Sequence[Lead], counted: Counted) -> BatchAnswer:
    """Divide a batch by what the server counted.

    A rejected row belongs to the lead whose `externId`, else whose phone, is among its cells; where several fit, to
    the one that shares the most cells with it. A row that fits none, or two equally well, names nobody: its lead
    then shows as a count that comes up short.

    Args:
        leads: The batch in the order sent.
        counted: The answer.
    """
    rejected, nameless = _match(leads, counted.rejected_rows)
    every = range(len(leads))
    others = tuple([position for position in every if position not in rejected] if rejected else every)
    if counted.accepted is None and counted.inserted is None:
        if not others:
            return BatchAnswer(rejected)
        return BatchAnswer(rejected, doubtful=others, short=min(nameless, len(others)) or None)
    accepted = max(counted.accepted or 0, counted.inserted or 0)
    short = max(0, len(others) - accepted)
    if short:
        return BatchAnswer(rejected, doubtful=others, short=short)
    inserted = len(others) if counted.inserted is None else counted.inserted
    return BatchAnswer(rejected, others, not_inserted=max(0, len(others) - inserted))


def _match(leads: Sequence[Lead], rows: Sequence[RejectedRow]) -> tuple[dict[int, str], int]:
    """Position to the server's words, and how many rows name nobody."""
    if not rows:
        return {}, 0
    sent = [lead.fields for lead in leads]
    by_extern_id = {lead.extern_id: [position] for position, lead in enumerate(leads)}
    by_phone: dict[str, list[int]] = {}
    for position, fields in enumerate(sent):
        for phone in (fields.get("leadPhone"), fields.get("leadPhoneE164")):
            if phone:
                by_phone.setdefault(str(phone), []).append(position)
    matched: dict[int, str] = {}
    nameless = 0
    for row in rows:
        best = None
        for index in (by_extern_id, by_phone):
            candidates = {position for cell in row.cells for position in index.get(cell, ())}
            if candidates:
                best = _best(sent, candidates, Counter(row.cells))
                break
        if best is None:
            nameless += 1
        else:
            matched.setdefault(best, row.message)
    return matched, nameless


def _best(sent: Sequence[Mapping[str, Any]], candidates: set[int], cells: Counter[str]) -> int | None:
    """The candidate that shares the most cells, each counted once: no lead can share more than the row's own."""
    scored = sorted(((_shared(sent[p], cells), p) for p in candidates), reverse=True)
    return scored[0][1] if len(scored) == 1 or scored[0][0] > scored[1][0] else None


def _shared(fields: Mapping[str, Any], cells: Counter[str]) -> int:
    return sum((Counter(map(str, fields.values())) & cells).values())
