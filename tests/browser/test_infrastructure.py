"""The means of the browser tests see what they are there to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import chromium
from tests.support.accessibility import findings
from tests.support.chromium import NARROW, Watched
from tests.support.layout import assert_dark_and_light, assert_focus_is_seen, assert_no_overflow, tab_to, walk

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.thorough, pytest.mark.browser]

SHUT = "default-src 'none'; style-src 'unsafe-inline'"
"""A policy under which no script of the page itself runs; the tests' own have to."""

PAGE = """<!doctype html><html lang="en"><meta http-equiv="Content-Security-Policy" content="{policy}">
<title>A page</title><style>{style}</style><body><main><h1>A page</h1>{body}</main>"""


def show(page: Page, body: str = "", style: str = "", policy: str = SHUT) -> None:
    page.set_content(PAGE.format(body=body, style=style, policy=policy))


@pytest.fixture
def unwatched(browser: Browser) -> Watched:
    return Watched(browser)


def test_axe_runs_under_a_strict_policy_and_finds_a_picture_without_words(page: Page) -> None:
    show(
        page, "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' width=9 height=9>", policy=f"{SHUT}; img-src data:"
    )
    assert [line.split(" ")[0] for line in findings(page)] == ["image-alt"]


def test_a_page_that_is_too_wide_is_told_by_what_is_wide(page: Page) -> None:
    show(page, "<p class='wide'>wide</p>", style=".wide { width: 500px }")
    with pytest.raises(AssertionError, match='<p class="wide">'):
        assert_no_overflow(page, NARROW)


def test_what_scrolls_within_itself_does_not_make_a_page_wide(page: Page) -> None:
    show(page, "<div><p>wide</p></div>", style="div { overflow-x: auto } p { width: 500px }")
    assert_no_overflow(page, NARROW)


def test_a_page_that_stays_light_in_the_dark_is_seen(page: Page) -> None:
    show(page, style="body { background: white; color: black }")
    with pytest.raises(AssertionError, match="asked for dark"):
        assert_dark_and_light(page)


def test_a_page_that_goes_dark_is_seen(page: Page) -> None:
    show(page, style="body { background: Canvas; color: CanvasText } :root { color-scheme: light dark }")
    assert_dark_and_light(page)


def test_a_walk_goes_from_stop_to_stop_in_order(page: Page) -> None:
    show(page, "<a href='#a'>One</a><label>Two <input></label><button>Three</button>")
    assert [(stop.tag, stop.text, stop.href) for stop in walk(page)] == [
        ("a", "One", "#a"),
        ("input", "Two", ""),
        ("button", "Three", ""),
    ]


def test_a_focus_that_is_not_seen_is_found(page: Page) -> None:
    show(page, "<a href='#a'>One</a><button>Two</button>", style="a { outline: none !important }")
    with pytest.raises(AssertionError, match="One"):
        assert_focus_is_seen(page)


def test_what_tab_does_not_come_to_is_told(page: Page) -> None:
    show(page, "<a href='#a'>One</a>")
    assert tab_to(page, "One").href == "#a"
    with pytest.raises(AssertionError, match="does not come to 'Two'"):
        tab_to(page, "Two")


@pytest.mark.parametrize(
    ("body", "incident"),
    [
        ("<script>alert(1)</script>", "a dialog: 1"),
        ("<script>throw new Error('no')</script>", "a script failed: no"),
        ("<script>console.error('oh')</script>", "on the console: oh"),
        ("<img alt='' src='http://198.51.100.1/a.gif'>", "a request to another machine: http://198.51.100.1/a.gif"),
    ],
)
def test_what_a_page_must_not_do_is_an_incident(unwatched: Watched, body: str, incident: str) -> None:
    show(unwatched.open(), body, policy="default-src * 'unsafe-inline'")
    unwatched.close()
    assert incident in unwatched.incidents


def test_a_script_that_the_policy_stops_is_an_incident(unwatched: Watched) -> None:
    show(unwatched.open(), "<script>alert(1)</script>")
    unwatched.close()
    assert "Content Security Policy" in " ".join(unwatched.incidents)


@pytest.mark.parametrize(("setting", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_chromium_is_a_failure_in_ci_and_a_skip_elsewhere(
    monkeypatch: pytest.MonkeyPatch, setting: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setenv("CI", setting)
    with pytest.raises(outcome, match="apt-get install chromium"):
        chromium.find()
