"""Dispatch of API requests: checks size, token and rate, applies faults, calls the endpoint, writes the journal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import journal, tokens
from target_engagevoice.sandbox.answers import EXPIRED, HTML, Answer, Refusal, rate_exceeded, unauthorized
from target_engagevoice.sandbox.limits import admit
from target_engagevoice.sandbox.store import row_id
from target_engagevoice.sandbox.tokens import ADMIN_KINDS, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.sandbox.call import Call
    from target_engagevoice.sandbox.fault_rules import Rule
    from target_engagevoice.sandbox.fault_table import FaultEffect
    from target_engagevoice.sandbox.routes import Endpoint

_LEADS: Mapping[str, Callable[[Call], int]] = {
    "load": lambda call: len(call.upload),
    "action": lambda call: len(call.lead_ids),
}
"""How many leads a request names, by its kind; for the journal."""

TOO_LARGE = Answer(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"<html><head><title>413 Request Entity Too Large</title></head></html>", HTML
)
"""The answer of the proxy in front to a body that is too large (a guess: no limit is documented)."""


@dataclass(frozen=True)
class DispatchedCall:
    """A call and its endpoint, as `FaultedRequest` describes them."""

    endpoint: Endpoint
    call: Call

    def perform(self, effect: FaultEffect) -> Answer:
        """Do what the call asks for, with that effect."""
        return self.endpoint.answer(replace(self.call, effect=effect))

    def expire_token(self) -> None:
        """Expire the token of the call, if it has one."""
        if self.call.token:
            with self.call.state.store.transaction() as db:
                tokens.expire(db, self.call.token)


def handle(endpoint: Endpoint, call: Call, shown_path: str) -> Answer:
    """Serve a call and write it to the journal.

    Args:
        endpoint: Its endpoint.
        call: The call.
        shown_path: Its path as the journal shows it, without secrets.

    Returns:
        The answer, also to a call that is refused.
    """
    rule: Rule | None = None
    try:
        call = _admitted(endpoint, call)
        rule = call.state.faults.pick(endpoint.kind, _campaign_id(call), lambda: call.extern_ids)
        answer = rule.apply(DispatchedCall(endpoint, call)) if rule else endpoint.answer(call)
    except Refusal as refusal:
        answer = refusal.answer
    entry = journal.Entry(
        kind=endpoint.kind,
        at=call.now,
        status=None if answer.delivery.hang_up else answer.status,
        campaign_id=row_id(_campaign_id(call)),
        leads=_LEADS[endpoint.kind](call) if endpoint.kind in _LEADS else None,
        path=shown_path,
        fault=rule.do if rule else None,
        method=endpoint.method,
        received=len(call.body),
        answered=None if answer.delivery.hang_up else len(answer.body),
    )
    with call.state.store.transaction() as db:
        journal.write(db, entry)
    return answer


def _admitted(endpoint: Endpoint, call: Call) -> Call:
    """The call with its owner, after all checks.

    Raises:
        Refusal: 413 for its size, 401 for its token, 429 for its rate.
    """
    config = call.state.config
    if config.max_body_bytes is not None and len(call.body) > config.max_body_bytes:
        raise Refusal(TOO_LARGE)
    if not endpoint.admin:
        return call
    with call.state.store.transaction() as db:
        checked = tokens.check(db, call.token, ADMIN_KINDS, call.now)
        if checked.verdict is not Verdict.GOOD:
            raise Refusal(EXPIRED if checked.verdict is Verdict.EXPIRED else unauthorized(call.now))
        if endpoint.limit is not None:
            # Limits are per sub-account, not per user (reference, section 4).
            limit = endpoint.limit(call)
            subject = f"{limit} {call.path.get('account_id')}"
            if not admit(db, subject, config.rate_limits[limit], call.now):
                raise Refusal(rate_exceeded(config.retry_after))
    return replace(call, owner=checked.owner)


def _campaign_id(call: Call) -> str | None:
    """The campaign that a call names in its path, its query, or as the only one in its criteria."""
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
