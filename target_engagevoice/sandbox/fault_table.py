"""The faults, as a table: what each does to a request, and the options it takes.

`fault_rules.py` decides which requests a fault applies to. This module does not know the rules: a fault gets the
options of its rule, `extern_ids` included, and the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from target_engagevoice.sandbox.answers import EXPIRED, HTML, JSON, WEB_APPLICATION, Answer, Delivery
from target_engagevoice.sandbox.config_reader import Field, any_text, flag, maybe, number, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable

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
class FaultEffect:
    """How a fault changes a load or an action while it is done.

    Attributes:
        drop: This many leads at the end of the upload are neither stored nor counted, and no message says so.
        drop_ids: The leads with these `externId`s are dropped in the same way.
        not_inserted: This many leads are accepted and not inserted.
        reject_ids: The leads with these `externId`s are rejected.
        message: The message of the rejected rows, or of a failed action.
        widen: The action ignores which leads it names and changes all leads of their campaigns.
        fail: The action changes nothing and answers with `success` false.
    """

    drop: int = 0
    drop_ids: frozenset[str] = frozenset()
    not_inserted: int = 0
    reject_ids: frozenset[str] = frozenset()
    message: str = ""
    widen: bool = False
    fail: bool = False


NO_EFFECT = FaultEffect()


class FaultedRequest(Protocol):
    """A request that a fault applies to, as far as the fault has to know it."""

    def perform(self, effect: FaultEffect) -> Answer:
        """Do what the request asks for, with that effect, and return the answer it would get."""

    def expire_token(self) -> None:
        """Expire the token of the request."""


Options = Mapping[str, Any]
"""The options of a rule by their names, with `extern_ids`, the `externId`s the rule names, beside them."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault that a request can meet.

    Attributes:
        about: What happens, in one line.
        apply: Returns the answer to the request, after doing as much of the request as the fault lets through.
        options: The options a rule may set.
    """

    about: str
    apply: Callable[[Options, FaultedRequest], Answer]
    options: Mapping[str, Field] = field(default_factory=dict)


def _perform(request: FaultedRequest) -> Answer:
    return request.perform(NO_EFFECT)


def _hang_up(how: str, *, stored: bool) -> Callable[[Options, FaultedRequest], Answer]:
    def apply(options: Options, request: FaultedRequest) -> Answer:
        answer = _perform(request) if stored else Answer()
        return answer.delivered(Delivery(delay=options.get("seconds", 0.0), hang_up=how))

    return apply


def _status(options: Options, request: FaultedRequest) -> Answer:
    if options["stored"]:
        _perform(request)
    retry_after = options["retry_after"]
    headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()
    return Answer(options["status"], options["body"].encode(), options["content_type"], headers)


def _truncate(_options: Options, request: FaultedRequest) -> Answer:
    answer = _perform(request)
    return answer.delivered(Delivery(send_only=len(answer.body) // 2))


def _answer(options: Options, request: FaultedRequest) -> Answer:
    """Do the request unless `stored` is false; then the answer is a failure."""
    return _perform(request) if options["stored"] else Answer.of(GENERAL_FAILURE)


def _trickle(options: Options, request: FaultedRequest) -> Answer:
    return _answer(options, request).delivered(Delivery(seconds_per_byte=options["seconds"]))


def _giant(*, gzip: bool) -> Callable[[Options, FaultedRequest], Answer]:
    def apply(options: Options, request: FaultedRequest) -> Answer:
        return _answer(options, request).delivered(Delivery(padding_megabytes=options["megabytes"], gzip=gzip))

    return apply


def _headers(options: Options, request: FaultedRequest) -> Answer:
    answer = _answer(options, request)
    if options["retry_after"] is not None:
        answer = replace(answer, headers=(*answer.headers, ("Retry-After", options["retry_after"])))
    return answer.delivered(Delivery(date=options["date"]))


def _garbage(options: Options, request: FaultedRequest) -> Answer:
    complete = _perform(request) if options["stored"] else Answer.of({**GENERAL_FAILURE, "message": ""})
    return Answer(body=complete.body[: max(1, len(complete.body) // 2)])


def _instead(answer: Answer) -> Callable[[Options, FaultedRequest], Answer]:
    """Give another answer, after doing the request unless `stored` is false."""

    def apply(options: Options, request: FaultedRequest) -> Answer:
        if options.get("stored", True):
            _perform(request)
        return answer

    return apply


def _expire_token(_options: Options, request: FaultedRequest) -> Answer:
    request.expire_token()
    return EXPIRED


def _general_failure(_options: Options, _request: FaultedRequest) -> Answer:
    return Answer.of(GENERAL_FAILURE)


def _with_effect(effect_of: Callable[[Options], FaultEffect]) -> Callable[[Options, FaultedRequest], Answer]:
    return lambda options, request: request.perform(effect_of(options))


def _dropped(options: Options) -> int:
    drop: int | None = options["drop"]
    return drop if drop is not None else int(not options["extern_ids"])


def _delay(options: Options, request: FaultedRequest) -> Answer:
    return _perform(request).delivered(Delivery(delay=options["seconds"]))


_SECONDS = {"seconds": Field(number(0, 86_400), HANG_SECONDS)}
_STORED = {"stored": Field(flag, True)}
_MEGABYTES = {"megabytes": Field(whole(1, 100_000), 1000), **_STORED}
_STATUS = {
    "status": Field(whole(200, 599)),
    "retry_after": Field(maybe(lambda raw, where: text(str(raw), where)), None),
    "body": Field(any_text, ""),
    "content_type": Field(any_text, JSON),
    "stored": Field(flag, False),
}

FAULTS: Mapping[str, Fault] = {
    "drop_before": Fault("the request is not done, and the connection is reset", _hang_up("reset", stored=False)),
    "drop_after": Fault(
        "the request is done, and the connection is reset before the answer", _hang_up("reset", stored=True)
    ),
    "timeout_before": Fault(
        "the request is not done, and the connection hangs for `seconds`, then closes",
        _hang_up("close", stored=False),
        _SECONDS,
    ),
    "timeout_after": Fault(
        "the request is done, and the connection hangs for `seconds`, then closes",
        _hang_up("close", stored=True),
        _SECONDS,
    ),
    "status": Fault(
        "the answer is `status` with `body`, `content_type` and `retry_after`; the request is done if `stored`",
        _status,
        _STATUS,
    ),
    "truncate": Fault("the request is done, and the answer ends before its `Content-Length`", _truncate),
    "garbage": Fault(
        "200 with JSON cut in the middle; the request is done unless `stored` is false", _garbage, _STORED
    ),
    "html": Fault(
        "200 with the web application's HTML; the request is done if `stored`",
        _instead(Answer(HTTPStatus.OK, WEB_APPLICATION, HTML)),
        {"stored": Field(flag, False)},
    ),
    "expire_token": Fault("401 `Jwt is expired`, and the token is not valid from now on", _expire_token),
    "general_failure": Fault("200 with `GENERAL_FAILURE`, and the request is not done", _general_failure),
    "short": Fault(
        "`drop` leads, or those of `extern_ids`, are lost: not stored, not accepted, no rejected rows",
        _with_effect(lambda options: FaultEffect(drop=_dropped(options), drop_ids=options["extern_ids"])),
        {"drop": Field(whole(0), None)},
    ),
    "not_inserted": Fault(
        "`not_inserted` leads are accepted and not inserted",
        _with_effect(lambda options: FaultEffect(not_inserted=options["not_inserted"])),
        {"not_inserted": Field(whole(0), 1)},
    ),
    "no_content": Fault(
        "the request is done unless `stored` is false, and answered by 204",
        _instead(Answer(HTTPStatus.NO_CONTENT, content_type="")),
        _STORED,
    ),
    "trickle": Fault(
        "the answer comes byte by byte, one every `seconds`; the request is done unless `stored` is false",
        _trickle,
        {"seconds": Field(number(0, 86_400), 1.0), **_STORED},
    ),
    "giant": Fault(
        "the answer is followed by `megabytes` of spaces; the request is done unless `stored` is false",
        _giant(gzip=False),
        _MEGABYTES,
    ),
    "gzip_bomb": Fault("as `giant`, compressed with gzip to a thousandth", _giant(gzip=True), _MEGABYTES),
    "headers": Fault(
        "the answer has `date` and `retry_after` as its headers; the request is done unless `stored` is false",
        _headers,
        {"date": Field(maybe(text), None), "retry_after": Field(maybe(text), None), **_STORED},
    ),
    "created_empty": Fault(
        "the request is done unless `stored` is false, and answered by 201 without a body",
        _instead(Answer(HTTPStatus.CREATED, content_type="")),
        _STORED,
    ),
    "empty_object": Fault(
        "the request is done unless `stored` is false, and answered by 200 with `{}`", _instead(Answer.of({})), _STORED
    ),
    "reject": Fault(
        "the leads of `extern_ids` come back as rejected rows with `message`",
        _with_effect(lambda options: FaultEffect(reject_ids=options["extern_ids"], message=options["message"])),
        {"message": Field(any_text, "Lead was rejected")},
    ),
    "widen": Fault(
        "an action ignores `leadIds` and `externIds`, and changes all leads of its campaigns",
        _with_effect(lambda _options: FaultEffect(widen=True)),
    ),
    "action_failed": Fault(
        "an action is not done: 200 with `success` false and `message`",
        _with_effect(lambda options: FaultEffect(fail=True, message=options["message"])),
        {"message": Field(text, "The action failed")},
    ),
    "delay": Fault("the request is done, and the answer comes `seconds` later", _delay, _SECONDS),
}
"""Every fault by its name."""
