"""The HTTP answers of the sandbox: how they are delivered, and the documented errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from http import HTTPStatus
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
    """How an answer is sent to the client, if it is sent at all.

    Attributes:
        delay: Seconds to wait before the first byte, or before closing the connection.
        hang_up: No answer is sent: `"reset"` closes the connection with a TCP reset, `"close"` without one.
        send_only: Send just this many bytes of the body under the full `Content-Length`, then close.
        seconds_per_byte: Send the body byte by byte, with so many seconds between them.
        padding_megabytes: Send so many megabytes of spaces after the body.
        gzip: Send body and padding compressed.
        date: The `Date` header; None for the time of the server.
    """

    delay: float = 0.0
    hang_up: str | None = None
    send_only: int | None = None
    seconds_per_byte: float = 0.0
    padding_megabytes: int = 0
    gzip: bool = False
    date: str | None = None


NORMAL_DELIVERY = Delivery()


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

    status: int = HTTPStatus.OK
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery = NORMAL_DELIVERY

    @classmethod
    def of(cls, value: Any, status: int = HTTPStatus.OK) -> Answer:
        """An answer that carries `value` as JSON."""
        return cls(status, json.dumps(value, separators=(",", ":")).encode())

    def delivered(self, delivery: Delivery) -> Answer:
        """The same answer with another delivery."""
        return replace(self, delivery=delivery)


class Refusal(Exception):  # noqa: N818 - an answer to the client, not an error of the program
    """Raised by an endpoint to end a request with this answer.

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
    """403: the caller has no access to the account (reference, section 4)."""
    return problem(
        HTTPStatus.FORBIDDEN, "access.denied.exception", "You do not have permission to access this resource", now
    )


def missing(what: str, now: float) -> Answer:
    """404: `what` does not exist, such as `campaign`, `lead` or `route`."""
    return problem(HTTPStatus.NOT_FOUND, f"{what}.not.found", f"The {what} does not exist", now)


def bad_request(message: str, now: float, *faults: Mapping[str, Any]) -> Answer:
    """400 with `validationErrors` (reference, section 4; the shape is a guess there)."""
    return problem(
        HTTPStatus.BAD_REQUEST, "bad.request", message, now, validationErrors=[dict(fault) for fault in faults]
    )


def unauthorized(now: float) -> Answer:
    """401 for a token that is missing or not valid."""
    return problem(
        HTTPStatus.UNAUTHORIZED, "unauthorized", "Full authentication is required to access this resource", now
    )


EXPIRED = Answer(HTTPStatus.UNAUTHORIZED, b"Jwt is expired", TEXT)
"""401 for an expired token (reference, section 2, "Expired")."""


def rate_exceeded(retry_after: str | None) -> Answer:
    """429 with the body `rate`; `Retry-After` is not always sent (reference, section 4, "Errors")."""
    headers = (("Retry-After", retry_after),) if retry_after else ()
    return Answer(HTTPStatus.TOO_MANY_REQUESTS, b"rate", TEXT, headers)


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
