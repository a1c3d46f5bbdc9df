from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import chromium
from tests.support.chromium import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


# Not of the session: while Playwright runs, no other test of the same process could use asyncio.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium.running() as ready:
        yield ready


@pytest.fixture
def pages(browser: Browser) -> Iterator[Watched]:
    """Opens pages; the test fails if one of them did what no page of ours may do."""
    watched = Watched(browser)
    yield watched
    watched.close()
    assert watched.incidents == []


@pytest.fixture
def page(pages: Watched) -> Page:
    """One empty page, as wide as a laptop's window."""
    return pages.open()
