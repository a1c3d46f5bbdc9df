"""What a counted answer of the loader means for each lead of the batch (reference, section 4, "Answer")."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_engagevoice.api.answers import Counted, RejectedRow
    from target_engagevoice.model.lead import Lead


@dataclass(frozen=True)
class BatchAnswer:
    """What an answer means for each lead of the batch.

    Attributes:
        rejected: Position in the batch to the server's message.
        accepted: Positions of the leads that the server accepted for certain.
        not_inserted: How many of `accepted` it dropped as duplicates or do-not-call. It does not say which.
        uncertain: Positions of leads that must be looked up, since the counts do not cover them.
        short: How many of `uncertain` the server says it did not accept; None when it did not say.
    """

    rejected: Mapping[int, str] = field(default_factory=dict)
    accepted: tuple[int, ...] = ()
    not_inserted: int = 0
    uncertain: tuple[int, ...] = ()
    short: int | None = 0


def divide_batch(leads: Sequence[Lead], counted: Counted) -> BatchAnswer:
    """Divide a batch by what the server counted.

    A rejected row belongs to the lead whose `externId`, else whose phone, is among its cells. Where several fit, it
    belongs to the one that shares the most cells with it. A row that fits no lead, or two equally well, is not matched:
    its lead then shows as a count that comes up short.

    Example: of three leads the server accepted two, and its one rejected row holds the `externId` of the second. Then
    the second is rejected, the others are accepted. Had the row matched no lead, all three would be uncertain, with one
    short.

    Args:
        leads: The batch in the order sent.
        counted: The answer.
    """
    rejected, unmatched = _match(leads, counted.rejected_rows)
    every = range(len(leads))
    others = tuple([position for position in every if position not in rejected] if rejected else every)
    if counted.accepted is None and counted.inserted is None:
        if not others:
            return BatchAnswer(rejected)
        return BatchAnswer(rejected, uncertain=others, short=min(unmatched, len(others)) or None)
    accepted = max(counted.accepted or 0, counted.inserted or 0)
    short = max(0, len(others) - accepted)
    if short:
        return BatchAnswer(rejected, uncertain=others, short=short)
    inserted = len(others) if counted.inserted is None else counted.inserted
    return BatchAnswer(rejected, others, not_inserted=max(0, len(others) - inserted))


def _match(leads: Sequence[Lead], rows: Sequence[RejectedRow]) -> tuple[dict[int, str], int]:
    """Position to the server's message, and how many rows match no lead."""
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
    unmatched = 0
    for row in rows:
        best = None
        for index in (by_extern_id, by_phone):
            candidates = {position for cell in row.cells for position in index.get(cell, ())}
            if candidates:
                best = _best(sent, candidates, Counter(row.cells))
                break
        if best is None:
            unmatched += 1
        else:
            matched.setdefault(best, row.message)
    return matched, unmatched


def _best(sent: Sequence[Mapping[str, Any]], candidates: set[int], cells: Counter[str]) -> int | None:
    """The candidate that shares the most cells, each counted once: no lead can share more than the row's own."""
    scored = sorted(((_shared(sent[p], cells), p) for p in candidates), reverse=True)
    return scored[0][1] if len(scored) == 1 or scored[0][0] > scored[1][0] else None


def _shared(fields: Mapping[str, Any], cells: Counter[str]) -> int:
    return sum((Counter(map(str, fields.values())) & cells).values())
