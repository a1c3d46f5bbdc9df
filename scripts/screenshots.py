"""Makes the pictures under `docs/` from a real run: `python3 scripts/screenshots.py`.

A sandbox is started, the sample of `scripts/demo.py` is loaded into it by the real executable, and Debian's
`chromium` takes the pictures. Another picture is another line of `PICTURES`.
"""  # noqa: INP001 - scripts are run by their path, not imported as a package

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo import CONFIG, SAMPLE
from environment import DEVELOPMENT_LOCK, PYTHON, ROOT, prepare, run, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

DOCS = ROOT / "docs"
LARGEST_BYTES = 150_000


@dataclass(frozen=True)
class Scene:
    """What there is to be photographed.

    Attributes:
        origin: Where the sandbox's page is.
        state_dir: Where the run left its record, its rejects and its ledger.
        list_id: The list with the most leads.
        report: The run report.
    """

    origin: str
    state_dir: Path
    list_id: int
    report: Path


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        name: The file's name, without `.png`.
        address: What the browser opens: an `http:` address of the sandbox, or the `file:` one of a page on disk.
        width: Of the window, in CSS pixels.
        height: Of the window; what lies below is cut off. None for the whole page.
        scheme: `light` or `dark`.
    """

    name: str
    address: Callable[[Scene], str]
    width: int = 1100
    height: int | None = None
    scheme: str = "light"


PICTURES = (
    Picture("sandbox-overview", lambda scene: f"{scene.origin}/", height=900),
    Picture("sandbox-list", lambda scene: f"{scene.origin}/page/lists/{scene.list_id}", height=900, scheme="dark"),
    Picture("report", lambda scene: scene.report.as_uri(), height=1000),
    Picture("report-phone", lambda scene: scene.report.as_uri(), width=360, height=740, scheme="dark"),
    Picture("sandbox-phone", lambda scene: f"{scene.origin}/page/lists/{scene.list_id}", width=360, height=740),
)


def main() -> None:
    """Load the sample, then take every picture."""
    if importlib.util.find_spec("playwright") is None:
        prepare(DEVELOPMENT_LOCK)
        os.execv(PYTHON, [str(PYTHON), *sys.argv])  # noqa: S606 - this script again, with what it needs
    # What follows needs the packages of `.venv`.
    from target_engagevoice.sandbox.sandbox import Sandbox  # noqa: PLC0415 - not before the packages are there

    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Sandbox(store=Path(folder) / "sandbox.db") as sandbox:
        config = json.loads((ROOT / CONFIG).read_text(encoding="utf-8"))
        config |= {"base_url": sandbox.base_url, "state_dir": str(Path(folder) / "state"), "report": True}
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        say(f"== target-engagevoice --config {CONFIG} --input {SAMPLE}")
        run(Path(sys.executable).parent / "target-engagevoice", "--config", path, "--input", SAMPLE)
        largest = max(sandbox.lists(), key=lambda made: int(made["leadsInserted"]))
        (report,) = (Path(folder) / "state" / "reports").glob("*.html")
        photograph(Scene(sandbox.origin, Path(folder) / "state", largest["listId"], report))


def photograph(scene: Scene) -> None:
    """Take every picture of a scene."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - see `main`

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no chromium to take the pictures with: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            for picture in PICTURES:
                take(browser, picture, scene)
        finally:
            browser.close()


def take(browser: Browser, picture: Picture, scene: Scene) -> None:
    """Take one picture, and refuse to keep one that is too large for a repository."""
    window = {"width": picture.width, "height": picture.height or 800}
    page = browser.new_page(viewport=window, color_scheme=picture.scheme)  # type: ignore[arg-type]  # a str that is "light" or "dark"
    page.goto(picture.address(scene))
    taken = page.screenshot(full_page=picture.height is None)
    page.close()
    if len(taken) > LARGEST_BYTES:
        raise SystemExit(f"{picture.name}.png would have {len(taken)} bytes: cut it off at some height")
    (DOCS / f"{picture.name}.png").write_bytes(taken)
    say(f"== docs/{picture.name}.png: {len(taken)} bytes")


if __name__ == "__main__":
    main()
