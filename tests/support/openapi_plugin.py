"""Checks all requests of the target and all answers of the sandbox in the suite against the OpenAPI facts.

Sandboxes that run in the process of the tests are checked, also when the target runs in a process of its own. Not
checked are answers of a sandbox with a personality or a fault script, as these differ on purpose.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask
import pytest

from target_engagevoice.sandbox import dispatch
from tests.support.openapi import check_answer, check_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_engagevoice.sandbox.answers import Answer
    from target_engagevoice.sandbox.call import Call
    from target_engagevoice.sandbox.routes import Endpoint

DEVIATIONS: list[str] = []
"""What was found since the last test; list.append is safe in the threads of the sandboxes."""

_handle = dispatch.handle


def _checked(endpoint: Endpoint, call: Call, shown_path: str) -> Answer:
    answer = _handle(endpoint, call, shown_path)
    path = flask.request.path
    if flask.request.headers.get("User-Agent", "").startswith("target-engagevoice"):
        parameters = call.query if endpoint.admin else call.form
        DEVIATIONS.extend(check_request(endpoint.method, path, parameters, _parsed(call.body)))
    if call.state.config.personality.name == "reference" and not call.state.faults.rules:
        DEVIATIONS.extend(check_answer(endpoint.method, path, answer.status, _parsed(answer.body)))
    return answer


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


dispatch.handle = _checked


@pytest.fixture(autouse=True)
def openapi_facts() -> Iterator[None]:
    """Fails a test in which a request or an answer deviates from the OpenAPI description."""
    yield
    found = sorted(set(DEVIATIONS))
    DEVIATIONS.clear()
    assert found == []
