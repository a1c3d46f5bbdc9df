"""The ways a request can go wrong, as a table: what each takes, and what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from target_engagevoice.sandbox.answers import EXPIRED, HTML, JSON, WEB_APPLICATION, Answer, Delivery
from target_engagevoice.sandbox.shapes import Field, any_text, flag, maybe, number, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.sandbox.faults import Rule

HANG_SECONDS = 3600.0

GENERAL_FAILURE = {
    "leadsSupplied": 0,
    "leadsConverted": 0,
    "leadsAccepted": 0,
    "leadsInserted": 0,
    "processingResult": "Failed",
    "processingStatus": "GENERAL_FAILURE",
    "message": "missing.required.param",
    "rejectedRows": [],
}
"""HTTP 200, yet a total failure (reference, section 4, "Answer")."""


@dataclass(frozen=True)
class Meddling:
    """How a load or an action is bent while it is done.

    Attributes:
        drop: This many leads are not stored and not counted as accepted, without a word.
        drop_ids: So are these.
        not_inserted: This many are accepted and not inserted.
        reject_ids: These are rejected.
        message: What their rejection says, or the failure.
        widen: The action forgets which leads it was for, and is done to all of their campaigns.
        fail: The action is not done, and says so.
    """

    drop: int = 0
    drop_ids: frozenset[str] = frozenset()
    not_inserted: int = 0
    reject_ids: frozenset[str] = frozenset()
    message: str = ""
    widen: bool = False
    fail: bool = False


NO_MEDDLING = Meddling()


class Visit(Protocol):
    """The request a rule strikes, as far as a fault has to know it."""

    def perform(self, meddling: Meddling) -> Answer:
        """Do what was asked, and return the answer it would get."""

    def expire_token(self) -> None:
        """End the life of the token the request came with."""


@dataclass(frozen=True)
class Fault:
    """A way to go wrong.

    Attributes:
        about: What happens, in a line.
        strike: Makes it happen.
        options: What a rule may say about it.
    """

    about: str
    strike: Callable[[Rule, Visit], Answer]
    options: Mapping[str, Field] = field(default_factory=dict)


def _ordinary(visit: Visit) -> Answer:
    return visit.perform(NO_MEDDLING)


def _hang_up(how: str, *, stored: bool) -> Callable[[Rule, Visit], Answer]:
    def strike(rule: Rule, visit: Visit) -> Answer:
        answer = _ordinary(visit) if stored else Answer()
        return answer.delivered(Delivery(delay=rule.options.get("seconds", 0.0), hang_up=how))

    return strike


def _status(rule: Rule, visit: Visit) -> Answer:
    if rule.options["stored"]:
        _ordinary(visit)
    retry_after = rule.options["retry_after"]
    headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()
    body = rule.options["body"].encode()
    return Answer(rule.options["status"], body, rule.options["content_type"], headers)


def _truncate(_rule: Rule, visit: Visit) -> Answer:
    answer = _ordinary(visit)
    return answer.delivered(Delivery(send_only=len(answer.body) // 2))


def _garbage(rule: Rule, visit: Visit) -> Answer:
    whole_answer = _ordinary(visit) if rule.options["stored"] else Answer.of({**GENERAL_FAILURE, "message": ""})
    return Answer(200, whole_answer.body[: max(1, len(whole_answer.body) // 2)])


def _instead(answer: Answer) -> Callable[[Rule, Visit], Answer]:
    """Answer with something else, after doing what was asked unless `stored` is false."""

    def strike(rule: Rule, visit: Visit) -> Answer:
        if rule.options.get("stored", True):
            _ordinary(visit)
        return answer

    return strike


def _expire_token(_rule: Rule, visit: Visit) -> Answer:
    visit.expire_token()
    return EXPIRED


def _general_failure(_rule: Rule, _visit: Visit) -> Answer:
    return Answer.of(GENERAL_FAILURE)


def _meddle(make: Callable[[Rule], Meddling]) -> Callable[[Rule, Visit], Answer]:
    return lambda rule, visit: visit.perform(make(rule))


def _dropped(rule: Rule) -> int:
    drop: int | None = rule.options["drop"]
    return drop if drop is not None else int(not rule.extern_ids)


def _delay(rule: Rule, visit: Visit) -> Answer:
    return _ordinary(visit).delivered(Delivery(delay=rule.options["seconds"]))


_SECONDS = {"seconds": Field(number(0, 86_400), HANG_SECONDS)}
_STORED = {"stored": Field(flag, True)}
_STATUS = {
    "status": Field(whole(200, 599)),
    "retry_after": Field(maybe(lambda raw, where: text(str(raw), where)), None),
    "body": Field(any_text, ""),
    "content_type": Field(any_text, JSON),
    "stored": Field(flag, False),
}

FAULTS: Mapping[str, Fault] = {
    "drop_before": Fault("nothing is done, and the connection is reset", _hang_up("reset", stored=False)),
    "drop_after": Fault("it is done, and the connection is reset instead of an answer", _hang_up("reset", stored=True)),
    "timeout_before": Fault(
        "nothing is done, and the connection hangs for `seconds`, then closes",
        _hang_up("close", stored=False),
        _SECONDS,
    ),
    "timeout_after": Fault(
        "it is done, and the connection hangs for `seconds`, then closes", _hang_up("close", stored=True), _SECONDS
    ),
    "status": Fault(
        "`status` is answered with `body`, `content_type` and `retry_after`; it is done if `stored`", _status, _STATUS
    ),
    "truncate": Fault("it is done, and the answer breaks off before its `Content-Length`", _truncate),
    "garbage": Fault("200 with JSON cut in the middle; it is done unless `stored` is false", _garbage, _STORED),
    "html": Fault(
        "200 with the web application's HTML; it is done if `stored`",
        _instead(Answer(200, WEB_APPLICATION, HTML)),
        {"stored": Field(flag, False)},
    ),
    "expire_token": Fault("401 `Jwt is expired`, and the token is worth nothing from now on", _expire_token),
    "general_failure": Fault("200 with `GENERAL_FAILURE`, and nothing is done", _general_failure),
    "short": Fault(
        "`drop` leads, or those of `extern_ids`, get lost: not stored, not accepted, no rejected rows",
        _meddle(lambda rule: Meddling(drop=_dropped(rule), drop_ids=rule.extern_ids)),
        {"drop": Field(whole(0), None)},
    ),
    "not_inserted": Fault(
        "that many leads are accepted and not inserted",
        _meddle(lambda rule: Meddling(not_inserted=rule.options["not_inserted"])),
        {"not_inserted": Field(whole(0), 1)},
    ),
    "created_empty": Fault("it is done, and answered by 201 without a body", _instead(Answer(201, content_type=""))),
    "empty_object": Fault("it is done, and answered by 200 with `{}`", _instead(Answer.of({}))),
    "reject": Fault(
        "the leads of `extern_ids` come back as rejected rows with `message`",
        _meddle(lambda rule: Meddling(reject_ids=rule.extern_ids, message=rule.options["message"])),
        {"message": Field(any_text, "Lead was rejected")},
    ),
    "widen": Fault(
        "an action forgets `leadIds` and `externIds`, and is done to all leads of its campaigns",
        _meddle(lambda _rule: Meddling(widen=True)),
    ),
    "action_failed": Fault(
        "an action is not done: 200 with `success` false and `message`",
        _meddle(lambda rule: Meddling(fail=True, message=rule.options["message"])),
        {"message": Field(text, "The action failed")},
    ),
    "delay": Fault("it is done, and the answer comes `seconds` later", _delay, _SECONDS),
}
"""Every fault there is."""
