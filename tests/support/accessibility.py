"""What axe-core finds wrong with a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page

GRAVE = ("serious", "critical")
"""The impacts that fail a test."""

_AXE = Axe()


def findings(page: Page) -> list[str]:
    """The serious and critical findings, one line an element: rule, what is wrong, and the element's source."""
    found: list[dict[str, Any]] = _AXE.run(page).response["violations"]
    return [
        f"{finding['id']} ({finding['impact']}): {finding['help']}: {node['html']}"
        for finding in found
        if finding["impact"] in GRAVE
        for node in finding["nodes"]
    ]


def assert_accessible(page: Page) -> None:
    """Fail on any serious or critical finding."""
    found = findings(page)
    assert not found, "\n".join(found)
