"""What the sandbox says: an answer, how it is delivered, and the shapes of the documented errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"
TEXT = "text/plain;charset=UTF-8"

WEB_APPLICATION = (
    b"<!doctype html>\n<html><head><title>RingCX</title></head>"
    b'<body><div id="root"></div><script src="/main.js"></script></body></html>\n'
)
"""Stands for the web application that a wrong admin path answers with, status 200 (reference, section 1)."""


@dataclass(frozen=True)
class Delivery:
    """How an answer reaches the client, or does not.

    Attributes:
        delay: Seconds to wait before the first byte (or before hanging up).
        hang_up: Nothing is sent: `"reset"` closes with a TCP reset, `"close"` in an orderly way.
        send_only: Send just this many bytes of the body under the full `Content-Length`, then close.
    """

    delay: float = 0.0
    hang_up: str | None = None
    send_only: int | None = None


PROMPT = Delivery()


@dataclass(frozen=True)
class Answer:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        body: The bytes of the body.
        content_type: Its content type; empty for none.
        headers: Further headers.
        delivery: How it is sent.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = PROMPT

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answer:
        """An answer that carries `value` as JSON."""
        return cls(status, json.dumps(value, separators=(",", ":")).encode())

    def delivered(self, delivery: Delivery) -> Answer:
        """The same answer, delivered otherwise."""
        return replace(self, delivery=delivery)


class Refusal(Exception):  # noqa: N818 - it is an answer, raised where going on makes no sense
    """Raised by an endpoint to answer with an error at once.

    Args:
        answer: What the client gets.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def problem(status: int, code: str, message: str, now: float, **more: Any) -> Answer:
    """An error of the `errorCode`, `generalMessage`, `timestamp` family (reference, section 4, "Errors").

    Args:
        status: HTTP status.
        code: The `errorCode`.
        message: The `generalMessage`.
        now: Epoch seconds.
        more: Further fields of the family: `developerMessage`, `details`, `validationErrors`.
    """
    return Answer.of({"errorCode": code, "generalMessage": message, "timestamp": int(now * 1000), **more}, status)


def denied(now: float) -> Answer:
    """403: the caller may not see the account (reference, section 4)."""
    return problem(403, "access.denied.exception", "You do not have permission to access this resource", now)


def missing(what: str, now: float) -> Answer:
    """404 for a thing that is not there: `what` is `campaign`, `lead`, `route` and the like."""
    return problem(404, f"{what}.not.found", f"The {what} does not exist", now)


def bad_request(message: str, now: float, *faults: Mapping[str, Any]) -> Answer:
    """400 with `validationErrors` (reference, section 4; the shape is a guess there)."""
    return problem(400, "bad.request", message, now, validationErrors=[dict(fault) for fault in faults])


def unauthorized(now: float) -> Answer:
    """401 for a token that is missing or was never any good."""
    return problem(401, "unauthorized", "Full authentication is required to access this resource", now)


EXPIRED = Answer(401, b"Jwt is expired", TEXT)
"""401 for a token whose time is over (reference, section 2, "Expired")."""


def rate_exceeded(retry_after: str | None) -> Answer:
    """429 with the body `rate`; `Retry-After` comes sometimes (reference, section 4, "Errors")."""
    headers = (("Retry-After", retry_after),) if retry_after else ()
    return Answer(429, b"rate", TEXT, headers)


def oauth_error(status: int, error: str, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    """An error of RingCentral's platform, as its OAuth endpoint gives it (reference, section 2, step 1)."""
    body = {
        "error": error,
        "error_description": message,
        "errorCode": code,
        "message": message,
        "errors": [{"errorCode": code, "message": message}],
    }
    return replace(Answer.of(body, status), headers=headers)
