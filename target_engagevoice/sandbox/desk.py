"""The desk every request of the API passes: size, token, rate, faults, the endpoint itself, the journal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import journal, tokens
from target_engagevoice.sandbox.answers import EXPIRED, HTML, Answer, Refusal, rate_exceeded, unauthorized
from target_engagevoice.sandbox.limits import admit
from target_engagevoice.sandbox.store import row_id
from target_engagevoice.sandbox.tokens import ADMIN_KINDS, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.sandbox.call import Call
    from target_engagevoice.sandbox.faults import Rule
    from target_engagevoice.sandbox.mishaps import Meddling
    from target_engagevoice.sandbox.routes import Endpoint

_LEADS: Mapping[str, Callable[[Call], int]] = {
    "load": lambda call: len(call.upload),
    "action": lambda call: len(call.lead_ids),
}
"""How many leads a request of a kind carries, for the journal."""

TOO_LARGE = Answer(413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", HTML)
"""What the proxy in front says to a body that is too large (a guess: no limit is documented)."""


@dataclass(frozen=True)
class Visit:
    """A call and where it is going; what a fault gets to see of it."""

    endpoint: Endpoint
    call: Call

    def perform(self, meddling: Meddling) -> Answer:
        """Do what was asked, bent as `meddling` says."""
        bent = self.call if meddling == self.call.meddling else replace(self.call, meddling=meddling)
        return self.endpoint.answer(bent)

    def expire_token(self) -> None:
        """End the life of the token the call carries, if it carries one."""
        if self.call.token:
            with self.call.world.store.transaction() as db:
                tokens.expire(db, self.call.token)


def receive(endpoint: Endpoint, call: Call, shown_path: str) -> Answer:
    """Serve a call and enter it in the journal.

    Args:
        endpoint: Where it goes.
        call: The call.
        shown_path: Its path, fit for the journal.

    Returns:
        The answer; nothing is raised for a call that is refused.
    """
    struck: Rule | None = None
    try:
        call = _admitted(endpoint, call)
        struck = call.world.faults.pick(endpoint.kind, _campaign_id(call), lambda: call.extern_ids)
        visit = Visit(endpoint, call)
        answer = struck.strike(visit) if struck else endpoint.answer(call)
    except Refusal as refusal:
        answer = refusal.answer
    entry = journal.Entry(
        kind=endpoint.kind,
        at=call.now,
        status=None if answer.delivery.hang_up else answer.status,
        campaign_id=row_id(_campaign_id(call)),
        leads=_LEADS[endpoint.kind](call) if endpoint.kind in _LEADS else None,
        path=shown_path,
        fault=struck.do if struck else None,
        method=endpoint.method,
        received=len(call.body),
        answered=None if answer.delivery.hang_up else len(answer.body),
    )
    with call.world.store.transaction() as db:
        journal.write(db, entry)
    return answer


def _admitted(endpoint: Endpoint, call: Call) -> Call:
    """The call with its owner, once it may go on.

    Raises:
        Refusal: 413 for its size, 401 for its token, 429 for its rate.
    """
    config = call.world.config
    if config.max_body_bytes is not None and len(call.body) > config.max_body_bytes:
        raise Refusal(TOO_LARGE)
    if not endpoint.admin:
        return call
    with call.world.store.transaction() as db:
        checked = tokens.check(db, call.token, ADMIN_KINDS, call.now)
        if checked.verdict is not Verdict.GOOD:
            raise Refusal(EXPIRED if checked.verdict is Verdict.EXPIRED else unauthorized(call.now))
        if endpoint.limit is not None:
            # Limits are per sub-account (reference, section 4), whoever asks.
            limit = endpoint.limit(call)
            subject = f"{limit} {call.path.get('account_id')}"
            if not admit(db, subject, config.rate_limits[limit], call.now):
                raise Refusal(rate_exceeded(config.retry_after))
    return replace(call, owner=checked.owner)


def _campaign_id(call: Call) -> str | None:
    """The campaign a call is about, named in the path, the query, or as the only one of its criteria."""
    named = call.path.get("campaign_id") or call.query.get("campaignId")
    if named is not None:
        return named
    try:
        body: Any = call.json
    except Refusal:
        return None
    criteria = body.get("campaignLeadSearchCriteria", body) if isinstance(body, dict) else None
    campaign_ids = criteria.get("campaignIds") if isinstance(criteria, dict) else None
    return str(campaign_ids[0]) if isinstance(campaign_ids, list) and len(campaign_ids) == 1 else None
