"""The Flask application: turns HTTP requests into calls, and answers into HTTP responses.

Besides the API it serves `/sandbox/…` for tests and the page at `/`.
"""

from __future__ import annotations

import logging
import re
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox import dispatch, dnc, journal, lead_rows, listing, search
from target_engagevoice.sandbox.answers import (
    HTML,
    NORMAL_DELIVERY,
    WEB_APPLICATION,
    Answer,
    Refusal,
    bad_request,
    missing,
    problem,
)
from target_engagevoice.sandbox.call import Call, SandboxState
from target_engagevoice.sandbox.fault_rules import read_rules
from target_engagevoice.sandbox.pages.site import add_pages
from target_engagevoice.sandbox.routes import ENDPOINTS, Endpoint
from target_engagevoice.sandbox.store import row_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection

DELIVERY = "sandbox.delivery"
"""Key of a list in the WSGI environment. An application adds to it how the answer is sent, unless normally."""

LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)
"""The `Host` of a request to this machine. A web site whose name resolves to this machine (DNS rebinding) sends its
own name, and could otherwise read the leads."""

FOREIGN_HOST = Answer(
    HTTPStatus.FORBIDDEN,
    b"The sandbox is served under loopback names only: use http://127.0.0.1 with its port.\n",
    "text/plain; charset=utf-8",
)

NODE_OFFSET = "sandbox.node_offset"
"""Key in the WSGI environment: seconds that the clock of the node that serves the request is ahead."""

CONTROL = "/sandbox"

_ONE_AT_A_TIME = threading.Lock()
"""Held while an application is made. werkzeug makes its rules with `ast.parse`, and CPython 3.11 before the fix of
gh-106905 may raise SystemError when two threads are in `ast.parse`."""

logger = logging.getLogger(__name__)


def create(state: SandboxState) -> Flask:
    """The application that serves `state`. May be called in several threads at the same time."""
    with _ONE_AT_A_TIME:
        return _application(state)


def _application(state: SandboxState) -> Flask:
    app = Flask("target_engagevoice.sandbox", static_folder=None)
    app.url_map.strict_slashes = False
    app.before_request(_refuse_foreign_hosts)
    for endpoint in ENDPOINTS:
        for rule in endpoint.rules(state.config.api):
            _add(app, endpoint.method, rule, _api_view(state, endpoint))
    _add(app, "POST", f"{CONTROL}/faults", lambda **_path: _response(_set_faults(state)))
    for name, read in _READS.items():
        _add(app, "GET", f"{CONTROL}/{name}", _read_view(state, read))
    add_pages(app, state)
    app.register_error_handler(Exception, lambda error: _response(_failure(state, error)))
    return app


def _refuse_foreign_hosts() -> Response | None:
    """Refuse a request whose `Host` is not a loopback name. A client without the header is no browser."""
    host = request.headers.get("Host")
    return None if host is None or LOOPBACK.fullmatch(host) else _response(FOREIGN_HOST)


def all_leads(db: Connection, campaign_id: str | None) -> list[dict[str, Any]]:
    """All leads of the store, or of one campaign, as the search shows them, with `fields` as sent."""
    values = [] if campaign_id is None else [row_id(campaign_id)]
    where = "leads.campaign_id = ?" if values else "1"
    return [lead_rows.stored(row) for row in search.select(db, f"{where} ORDER BY leads.lead_id", values)]


_READS: dict[str, Callable[[Connection], list[dict[str, Any]]]] = {
    "requests": lambda db: journal.read(db, request.args.get("kind")),
    "leads": lambda db: all_leads(db, request.args.get("campaignId")),
    "lists": listing.every_list,
    "dnc": dnc.every,
}


def _add(app: Flask, method: str, rule: str, view: Callable[..., Response]) -> None:
    app.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)


def _api_view(state: SandboxState, endpoint: Endpoint) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        # The path of a revocation holds the token. The journal then shows the rule instead of the path.
        shown = str(request.url_rule) if "api_token" in path else request.path
        return _response(dispatch.handle(endpoint, _call(state, path), shown))

    return view


def _read_view(state: SandboxState, read: Callable[[Connection], list[dict[str, Any]]]) -> Callable[..., Response]:
    def view() -> Response:
        with state.store.transaction() as db:
            return _response(Answer.of(read(db)))

    return view


def _call(state: SandboxState, path: dict[str, str]) -> Call:
    body = request.get_data(cache=True)
    authorization = request.headers.get("Authorization", "")
    scheme, _, bearer = authorization.partition(" ")
    token = request.headers.get("X-Auth-Token") or (bearer.strip() if scheme.lower() == "bearer" else "")
    return Call(
        state=state,
        now=state.clock(),
        path=path,
        query=request.args.to_dict(),
        form=request.values.to_dict(),
        body=body,
        authorization=authorization,
        token=token,
        files={name: file.read() for name, file in request.files.items()},
        node_offset=request.environ.get(NODE_OFFSET, 0.0),
    )


def _set_faults(state: SandboxState) -> Answer:
    call = _call(state, {})
    try:
        rules = read_rules(call.json, "faults")
    except Refusal as refusal:
        return refusal.answer
    except ConfigError as error:
        return bad_request(str(error), call.now)
    state.faults.replace(rules)
    return Answer.of({"rules": len(rules)})


def _failure(state: SandboxState, error: Exception) -> Answer:
    """The answer to a request that matches no endpoint, or whose endpoint raised an unexpected error."""
    now = state.clock()
    if not isinstance(error, HTTPException):
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "nowhere"
        # Neither the traceback nor the message of the error is logged: both can hold values of the request.
        logger.error("the sandbox failed: %s at %s", type(error).__name__, where)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal.error", "The sandbox failed; see its log", now)
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status != HTTPStatus.NOT_FOUND:
        answer = problem(status, "request.error", error.name, now)
    elif state.config.html_for_unknown_paths:
        answer = Answer(HTTPStatus.OK, WEB_APPLICATION, HTML)
    else:
        answer = missing("route", now)
    entry = journal.Entry(
        kind="unknown",
        at=now,
        status=answer.status,
        campaign_id=None,
        leads=None,
        path=request.path,
        method=request.method,
        received=len(request.get_data(cache=True)),
        answered=len(answer.body),
    )
    with state.store.transaction() as db:
        journal.write(db, entry)
    return answer


def _response(answer: Answer) -> Response:
    if answer.delivery != NORMAL_DELIVERY:
        request.environ[DELIVERY].append(answer.delivery)
    response = Response(answer.body, answer.status, list(answer.headers), content_type=answer.content_type or None)
    if not answer.content_type:
        del response.headers["Content-Type"]
    return response
