"""The Flask application: HTTP comes in, calls go to the desk, answers go out.

`/sandbox/…` is for tests, `/` for people.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox import desk, dnc, journal, listing, search
from target_engagevoice.sandbox.answers import (
    HTML,
    PROMPT,
    WEB_APPLICATION,
    Answer,
    Refusal,
    bad_request,
    missing,
    problem,
)
from target_engagevoice.sandbox.call import Call, World
from target_engagevoice.sandbox.faults import read_rules
from target_engagevoice.sandbox.pages import add_pages
from target_engagevoice.sandbox.routes import ENDPOINTS, Endpoint
from target_engagevoice.sandbox.store import row_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection

DELIVERY = "sandbox.delivery"
"""A list in the WSGI environment: how the answer is to be sent, if not promptly and whole."""

CONTROL = "/sandbox"

_ONE_AT_A_TIME = threading.Lock()
"""Held while an application is made: werkzeug makes its rules with `ast.parse`, which CPython 3.11 (until gh-106905 was
mended) may end with a SystemError when another thread is in it too."""

logger = logging.getLogger(__name__)


def create(world: World) -> Flask:
    """The application that serves `world`. Several threads may ask for theirs at the same time."""
    with _ONE_AT_A_TIME:
        return _application(world)


def _application(world: World) -> Flask:
    app = Flask("target_engagevoice.sandbox", static_folder=None)
    app.url_map.strict_slashes = False
    for endpoint in ENDPOINTS:
        for rule in endpoint.rules(world.config.api):
            _add(app, endpoint.method, rule, _api_view(world, endpoint))
    _add(app, "POST", f"{CONTROL}/faults", lambda **_path: _response(_set_faults(world)))
    for name, read in _READS.items():
        _add(app, "GET", f"{CONTROL}/{name}", _read_view(world, read))
    add_pages(app, world)
    app.register_error_handler(Exception, lambda error: _response(_failure(world, error)))
    return app


def all_leads(db: Connection, campaign_id: str | None) -> list[dict[str, Any]]:
    """All leads of the store, or of one campaign, as the search shows them, with `fields` as sent."""
    values = [] if campaign_id is None else [row_id(campaign_id)]
    where = "leads.campaign_id = ?" if values else "1"
    return [search.stored(row) for row in search.select(db, f"{where} ORDER BY leads.lead_id", values)]


_READS: dict[str, Callable[[Connection], list[dict[str, Any]]]] = {
    "requests": lambda db: journal.read(db, request.args.get("kind")),
    "leads": lambda db: all_leads(db, request.args.get("campaignId")),
    "lists": listing.every_list,
    "dnc": dnc.every,
}


def _add(app: Flask, method: str, rule: str, view: Callable[..., Response]) -> None:
    app.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)


def _api_view(world: World, endpoint: Endpoint) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        # A token may stand in the path of its own revocation; the journal then shows the rule, not the path.
        shown = str(request.url_rule) if "api_token" in path else request.path
        return _response(desk.receive(endpoint, _call(world, path), shown))

    return view


def _read_view(world: World, read: Callable[[Connection], list[dict[str, Any]]]) -> Callable[..., Response]:
    def view() -> Response:
        with world.store.transaction() as db:
            return _response(Answer.of(read(db)))

    return view


def _call(world: World, path: dict[str, str]) -> Call:
    body = request.get_data(cache=True)
    authorization = request.headers.get("Authorization", "")
    scheme, _, bearer = authorization.partition(" ")
    token = request.headers.get("X-Auth-Token") or (bearer.strip() if scheme.lower() == "bearer" else "")
    return Call(
        world=world,
        now=world.clock(),
        path=path,
        query=request.args.to_dict(),
        form=request.values.to_dict(),
        body=body,
        authorization=authorization,
        token=token,
    )


def _set_faults(world: World) -> Answer:
    call = _call(world, {})
    try:
        rules = read_rules(call.json, "faults")
    except Refusal as refusal:
        return refusal.answer
    except ConfigError as error:
        return bad_request(str(error), call.now)
    world.faults.replace(rules)
    return Answer.of({"rules": len(rules)})


def _failure(world: World, error: Exception) -> Answer:
    """An answer for a request that reached no endpoint, or broke one."""
    now = world.clock()
    if not isinstance(error, HTTPException):
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "nowhere"
        # No traceback and no message of the error: both can hold values of a request.
        logger.error("the sandbox itself broke: %s at %s", type(error).__name__, where)
        return problem(500, "internal.error", "The sandbox itself broke; see its log", now)
    status = error.code or 500
    answer = missing("route", now) if status == 404 else problem(status, "request.error", error.name, now)  # noqa: PLR2004
    if status == 404 and world.config.html_for_unknown_paths:  # noqa: PLR2004
        answer = Answer(200, WEB_APPLICATION, HTML)
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
    with world.store.transaction() as db:
        journal.write(db, entry)
    return answer


def _response(answer: Answer) -> Response:
    if answer.delivery != PROMPT:
        request.environ[DELIVERY].append(answer.delivery)
    response = Response(answer.body, answer.status, list(answer.headers), content_type=answer.content_type or None)
    if not answer.content_type:
        del response.headers["Content-Type"]
    return response
