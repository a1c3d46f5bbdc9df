"""The page in the application of the sandbox: its addresses, who may see it, and what it may do in a browser.

Each page reads what it shows from a snapshot of the store. The page is not part of the API: it changes nothing, it is
not in the journal, and no rate limit applies to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Response, redirect, request

from target_engagevoice.sandbox.pages import journal, leads, loads
from target_engagevoice.sandbox.pages.page_request import PageNotFound, PageRequest, Values
from target_engagevoice.sandbox.pages.rendering import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask
    from jinja2 import Environment
    from werkzeug.wrappers import Response as AnyResponse

    from target_engagevoice.sandbox.call import SandboxState

PREFIX = "/page"
"""All pages except the overview are below it. The API has no paths there."""

HTML = "text/html; charset=utf-8"

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
class Page:
    """One kind of page.

    Attributes:
        rule: Its address.
        template: Its template.
        view: Reads the values of the template. May raise `PageNotFound`.
        live: A browser reloads it regularly.
    """

    rule: str
    template: str
    view: Callable[[PageRequest], Values]
    live: bool = False


PAGES = (
    Page("/", "overview.html", loads.overview, live=True),
    Page(f"{PREFIX}/loads", "loads.html", loads.loads),
    Page(f"{PREFIX}/leads", "leads.html", leads.leads),
    Page(f"{PREFIX}/lists/<list_id>", "list.html", leads.of_list),
    Page(f"{PREFIX}/leads/<lead_id>", "lead.html", leads.lead),
    Page(f"{PREFIX}/dnc", "dnc.html", journal.dnc),
    Page(f"{PREFIX}/requests", "requests.html", journal.requests, live=True),
)


def add_pages(app: Flask, state: SandboxState) -> None:
    """Add the page to the application that serves `state`."""
    templates = environment(state.config)
    for page in PAGES:
        _add(app, page.rule, _view(templates, state, page))
    for name, content_type in ASSETS.items():
        _add(app, f"{PREFIX}/{name}", _asset(name, content_type))
    _add(app, f"{PREFIX}/<path:_rest>", lambda **_path: _missing(templates, "such page"))
    # Browsers request this by themselves.
    _add(app, "/favicon.ico", _asset("icon.svg", ASSETS["icon.svg"]))
    # The sandbox prints its base URL, and users open it.
    _add(app, "/voice", lambda **_path: redirect("/"))


def _add(app: Flask, rule: str, view: Callable[..., AnyResponse]) -> None:
    def with_headers(**path: str) -> AnyResponse:
        response = view(**path)
        response.headers.update(HEADERS)
        return response

    app.add_url_rule(rule, f"page {rule}", with_headers, methods=["GET"], provide_automatic_options=False)


def _view(templates: Environment, state: SandboxState, page: Page) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        query = request.args.to_dict()
        with state.store.snapshot() as db:
            try:
                values = page.view(PageRequest(db, state.config, path, query))
            except PageNotFound as error:
                return _missing(templates, str(error))
        values["live"] = page.live and query.get("page", "1") == "1" and query.get("live") != "off"
        return _rendered(templates, page.template, {"follows": page.live, **values})

    return view


def _asset(name: str, content_type: str) -> Callable[..., Response]:
    content = (files(__package__) / "assets" / name).read_bytes()
    return lambda **_path: Response(content, content_type=content_type)


def _missing(templates: Environment, what: str) -> Response:
    return _rendered(templates, "missing.html", {"what": what}, HTTPStatus.NOT_FOUND)


def _rendered(templates: Environment, name: str, values: Values, status: int = HTTPStatus.OK) -> Response:
    common = {"origin": request.host_url.rstrip("/"), "path": request.path, "live": False, "follows": False}
    text = templates.get_template(name).render({**common, **values})
    return Response(text.encode(errors="replace"), status, content_type=HTML)
