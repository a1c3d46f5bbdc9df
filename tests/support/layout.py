"""How a page lies in its window: its width, its colors, and the way through it with the keyboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.chromium import HEIGHT

if TYPE_CHECKING:
    from playwright.sync_api import Page

STOPS_MAX = 300
"""More stops than any page of ours has."""

_WIDER_THAN_THE_WINDOW = """() => {
  const room = document.documentElement.clientWidth;
  const page = document.scrollingElement;
  if (page.scrollWidth <= room) return [];
  const scrolls = (one) => one && one !== page && one !== document.body
    && (getComputedStyle(one).overflowX !== 'visible' || scrolls(one.parentElement));
  const wide = [...document.body.querySelectorAll('*')]
    .filter((one) => one.getBoundingClientRect().right > room + 0.5 && !scrolls(one.parentElement))
    .map((one) => one.outerHTML.slice(0, 120));
  return [`the page is ${page.scrollWidth} wide in a window of ${room}`, ...wide];
}"""

_LUMINANCES = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const luminance = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return alpha ? 0.2126 * red + 0.7152 * green + 0.0722 * blue : null;
  };
  const body = getComputedStyle(document.body), root = getComputedStyle(document.documentElement);
  return [luminance(body.backgroundColor) ?? luminance(root.backgroundColor), luminance(body.color)];
}"""

_FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  if (!one.dataset.walked) one.dataset.walked = String(document.querySelectorAll('[data-walked]').length + 1);
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const text = one.getAttribute('aria-label') || (one.labels && one.labels[0] && one.labels[0].textContent)
    || one.textContent || one.value || '';
  const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  return {
    number: Number(one.dataset.walked),
    tag: one.tagName.toLowerCase(),
    text: text.trim().replace(/\\s+/g, ' '),
    href: one.getAttribute('href') || '',
    visible: (ringed || style.boxShadow !== 'none') && box.width > 1 && box.height > 1
      && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""


@dataclass(frozen=True)
class Stop:
    """What has the focus on the way through a page.

    Attributes:
        number: Counts the elements that were focused on this page.
        tag: `a`, `input`, `summary` …
        text: What it is called: its label or its text.
        href: Where it leads, as written; empty if nowhere.
        visible: It is in the window, and seen to have the focus.
    """

    number: int
    tag: str
    text: str
    href: str
    visible: bool


def assert_no_overflow(page: Page, width: int) -> None:
    """Fail if the page has to be scrolled sideways in a window of that width in CSS pixels."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    wide = page.evaluate(_WIDER_THAN_THE_WINDOW)
    assert not wide, "\n".join(wide)


def assert_dark_and_light(page: Page) -> None:
    """Fail unless the page goes with the color scheme that is asked for; it is left in the dark one."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground, text = page.evaluate(_LUMINANCES)
        assert ground is not None, "the page has no background color of its own"
        assert (ground < text) == (scheme == "dark"), f"asked for {scheme}: ground {ground}, text {text}"


def focused(page: Page) -> Stop | None:
    """What has the focus; none when it is the page itself."""
    found: dict[str, Any] | None = page.evaluate(_FOCUSED)
    return None if found is None else Stop(**found)


def walk(page: Page) -> list[Stop]:
    """Press Tab from where the focus is until it leaves the page, or comes to a stop a second time."""
    stops: list[Stop] = []
    while len(stops) < STOPS_MAX:
        page.keyboard.press("Tab")
        stop = focused(page)
        if stop is None or stop.number in {one.number for one in stops}:
            return stops
        stops.append(stop)
    raise AssertionError(f"the focus never comes round: {stops[-3:]}")


def assert_focus_is_seen(page: Page) -> list[Stop]:
    """Walk, and fail if the focus was anywhere unseen, or nowhere at all.

    Returns:
        The stops.
    """
    stops = walk(page)
    assert stops, "nothing on this page takes the focus"
    unseen = [stop for stop in stops if not stop.visible]
    assert not unseen, f"the focus is not seen on {unseen}"
    return stops


def tab_to(page: Page, text: str) -> Stop:
    """Press Tab until something is focused that is called so; fail if there is none."""
    seen: list[str] = []
    for _ in range(STOPS_MAX):
        page.keyboard.press("Tab")
        stop = focused(page)
        if stop is None and seen:
            break
        if stop is not None and stop.text == text:
            return stop
        seen.append(stop.text if stop else "")
    raise AssertionError(f"Tab does not come to {text!r}, only to {seen}")
