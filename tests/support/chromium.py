"""Debian's Chromium, driven by Playwright: no network, and every page is watched for what must not happen."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Request

WIDE, NARROW = 1280, 360
"""Widths in CSS pixels: a laptop's, and that of a small phone."""

HEIGHT = 800
PATIENCE_MILLISECONDS = 20_000

# `--no-sandbox`: Chromium refuses to be root's with one. Names resolve to nothing, so nothing leaves the machine.
ARGUMENTS = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")

LOCAL_HOSTS = ("", "127.0.0.1", "localhost")


def find() -> str:
    """Where Chromium is.

    Without it the test is skipped on somebody's machine, and fails in CI (`.ci/run` sets `CI`), which installs it.
    """
    path = shutil.which("chromium")
    if path is not None:
        return path
    reason = "there is no chromium, which the browser tests drive: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running() -> Iterator[Browser]:
    """A browser, and the driver that it hangs on; both are gone afterwards."""
    path = find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """The pages of one test, and what they did that no page of ours may do.

    Attributes:
        incidents: Dialogs opened, scripts that failed, things the browser complained of on its console (a
            breach of the Content-Security-Policy is one), and requests to other machines.
    """

    def __init__(self, browser: Browser) -> None:
        self.incidents: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def open(self, url: str = "about:blank", *, width: int = WIDE, **options: Any) -> Page:
        """A page in a fresh context, without cookies or a history.

        Args:
            url: What to show, `http:` on loopback or `file:`.
            width: Of the window, in CSS pixels.
            options: Further ones of Playwright's `Browser.new_context`, such as `java_script_enabled=False`
                or `color_scheme="dark"`.
        """
        context = self._browser.new_context(viewport={"width": width, "height": HEIGHT}, **options)
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.on("request", self._asked)
        context.on("console", lambda message: self._complained(message.type, message.text))
        context.on("weberror", lambda error: self.incidents.append(f"a script failed: {error.error}"))
        page = context.new_page()
        page.on("dialog", self._opened)
        page.goto(url)
        return page

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "about") and (parts.hostname or "") not in LOCAL_HOSTS:
            self.incidents.append(f"a request to another machine: {request.url}")

    def _complained(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.incidents.append(f"on the console: {text}")

    def _opened(self, dialog: Any) -> None:
        self.incidents.append(f"a dialog: {dialog.message}")
        dialog.dismiss()
