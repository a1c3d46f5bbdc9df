"""The page within the sandbox's application: its addresses, who may see it, and what it may do in a browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Response, redirect, request

from target_engagevoice.sandbox.pages import journal, leads, loads
from target_engagevoice.sandbox.pages.rendering import environment
from target_engagevoice.sandbox.pages.view import Asked, NotThere, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask
    from jinja2 import Environment
    from werkzeug.wrappers import Response as AnyResponse

    from target_engagevoice.sandbox.call import World

PREFIX = "/page"
"""Everything but the overview lies below; the API has nothing there."""

HTML = "text/html; charset=utf-8"

LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)
"""The `Host` of somebody who means this machine. A page elsewhere whose name is made to lead here (DNS rebinding)
sends its own."""

ELSEWHERE = "The sandbox shows its page to this machine only: open it as http://127.0.0.1 and its port.\n"

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

ASSETS: Mapping[str, str] = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Leaf:
    """One kind of page.

    Attributes:
        rule: Its address.
        template: Its template.
        view: Reads what the template shows. May raise `NotThere`.
        live: It is renewed while somebody looks at it.
    """

    rule: str
    template: str
    view: Callable[[Asked], Values]
    live: bool = False


LEAVES = (
    Leaf("/", "overview.html", loads.overview, live=True),
    Leaf(f"{PREFIX}/loads", "loads.html", loads.loads),
    Leaf(f"{PREFIX}/leads", "leads.html", leads.leads),
    Leaf(f"{PREFIX}/lists/<list_id>", "list.html", leads.of_list),
    Leaf(f"{PREFIX}/leads/<lead_id>", "lead.html", leads.lead),
    Leaf(f"{PREFIX}/dnc", "dnc.html", journal.dnc),
    Leaf(f"{PREFIX}/requests", "requests.html", journal.requests, live=True),
)


def add_pages(app: Flask, world: World) -> None:
    """Put the page into the application that serves `world`."""
    templates = environment(world.config)
    for leaf in LEAVES:
        _add(app, leaf.rule, _view(templates, world, leaf))
    for name, content_type in ASSETS.items():
        _add(app, f"{PREFIX}/{name}", _asset(name, content_type))
    _add(app, f"{PREFIX}/<path:_rest>", lambda **_path: _missing(templates, "such page"))
    # Browsers ask for this unasked.
    _add(app, "/favicon.ico", _asset("icon.svg", ASSETS["icon.svg"]))
    # What the sandbox prints is its base URL, and people click on it.
    _add(app, "/voice", lambda **_path: redirect("/"))


def _add(app: Flask, rule: str, view: Callable[..., AnyResponse]) -> None:
    def guarded(**path: str) -> AnyResponse:
        if not LOOPBACK.fullmatch(request.headers.get("Host", "")):
            response: AnyResponse = Response(ELSEWHERE, 403, content_type="text/plain; charset=utf-8")
        else:
            response = view(**path)
        response.headers.update(HEADERS)
        return response

    app.add_url_rule(rule, f"page {rule}", guarded, methods=["GET"], provide_automatic_options=False)


def _view(templates: Environment, world: World, leaf: Leaf) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        query = request.args.to_dict()
        with world.store.snapshot() as db:
            try:
                values = leaf.view(Asked(db, world.config, path, query))
            except NotThere as error:
                return _missing(templates, str(error))
        values["live"] = leaf.live and query.get("page", "1") == "1" and query.get("live") != "off"
        return _rendered(templates, leaf.template, {"follows": leaf.live, **values})

    return view


def _asset(name: str, content_type: str) -> Callable[..., Response]:
    content = (files(__package__) / "assets" / name).read_bytes()
    return lambda **_path: Response(content, content_type=content_type)


def _missing(templates: Environment, what: str) -> Response:
    return _rendered(templates, "missing.html", {"what": what}, 404)


def _rendered(templates: Environment, name: str, values: Values, status: int = 200) -> Response:
    known = {"origin": request.host_url.rstrip("/"), "path": request.path, "live": False, "follows": False}
    text = templates.get_template(name).render({**known, **values})
    return Response(text.encode(errors="replace"), status, content_type=HTML)
