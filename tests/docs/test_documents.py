"""The documents cannot drift: what they name exists, what they link to is there, and their examples are accepted."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import yaml

from target_engagevoice.__main__ import main as target_command
from target_engagevoice.cli.command import COMMANDS
from target_engagevoice.config.settings import Settings
from target_engagevoice.mapping.config import PRESETS
from target_engagevoice.model.lead import Outcome

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "target_engagevoice"
DOCS = ROOT / "docs"
ARCHITECTURE = DOCS / "architecture.md"
PAGES = sorted([*DOCS.glob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))])
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])

MOST_README_LINES = 250
WRITTEN_BY_RUNS = ("dist/", ".venv", ".target-engagevoice")
"""Named in documents, and in no checkout."""

NOT_PLAIN = re.compile(
    r"\b(?:nobody|somebody|whoever|by our doing|lets? out|see out|put aside|mend(?:ed)?|can not|for want of)\b",
    re.IGNORECASE,
)
"""Some of the wording that the team has agreed to avoid (CONTRIBUTING.md, "Plain words")."""


@cache
def text(page: Path) -> str:
    """A page."""
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), flags=re.MULTILINE | re.DOTALL)


def in_backticks(page: Path) -> list[str]:
    """What a page shows as code within its sentences."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown renderer gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def exists(name: str) -> bool:
    """Whether a path is there: in the checkout, in the package, or for a bare file name anywhere among the tests."""
    if name.startswith(WRITTEN_BY_RUNS):
        return True
    if (ROOT / name).exists() or (PACKAGE / name).exists():
        return True
    return "/" not in name and any((ROOT / "tests").rglob(name))


def options(words: list[str]) -> set[str] | None:
    """The options of the command that a line starts with; None where it is not a program of this package."""
    if words[0] == "target-engagevoice":
        command: click.Command = target_command
    elif words[0] == "engagevoice":
        command = getattr(import_module(f"target_engagevoice.cli.{words[1]}"), words[1])
    else:
        return None
    return {"--help"}.union(*(parameter.opts for parameter in command.params))


def layers() -> list[set[str]]:
    """Import-linter's layers, the highest first."""
    contract = re.search(r"^layers = \[\n(.*?)^\]", text(ROOT / "pyproject.toml"), flags=re.MULTILINE | re.DOTALL)
    assert contract is not None
    rows = re.findall(r'"(.+)"', contract[1])
    return [{name.strip() for name in row.split("|")} for row in rows]


@EVERY_PAGE
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@EVERY_PAGE
def test_the_files_and_folders_that_a_page_names_exist(page: Path) -> None:
    named = [name for name in in_backticks(page) if re.fullmatch(r"[\w./-]+(?:\.\w+|/)", name)]
    files = [name for name in named if re.search(r"(?:\.(?:py|md|yml|toml|lock|json|singer|css|html)|/)$", name)]
    written = {"config.json", "mappings.json"}  # by the reader
    assert [name for name in files if name not in written and not exists(name)] == []


@EVERY_PAGE
def test_the_commands_that_a_page_shows_exist(page: Path) -> None:
    shown = [line for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    named = re.findall(r"(?<![\w./-])engagevoice ([a-z]+)", "\n".join([*shown, *in_backticks(page)]))
    assert [name for name in named if name not in COMMANDS] == []


@EVERY_PAGE
def test_the_options_that_a_page_shows_exist(page: Path) -> None:
    for line in (line for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")):
        for part in re.split(r" \| |    #", line.removeprefix("$ ")):
            words = part.split()
            known = options(words) if words else None
            assert known is None or {word for word in words if word.startswith("--")} <= known, part


@EVERY_PAGE
def test_a_page_uses_plain_words(page: Path) -> None:
    assert NOT_PLAIN.findall(prose(page)) == []


def test_the_readme_is_short_and_links_to_every_page() -> None:
    readme = text(ROOT / "README.md")
    assert len(readme.splitlines()) <= MOST_README_LINES
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"(docs/{name})" not in readme} == set()
    assert {name for name in pages if f"({name})" not in text(DOCS / "README.md")} == set()


def test_the_readme_names_every_command() -> None:
    assert {name for name in COMMANDS if f"| `engagevoice {name}" not in text(ROOT / "README.md")} == set()


def test_every_outcome_is_described() -> None:
    page = text(DOCS / "outcomes-and-rejects.md")
    names = re.findall(r"^\| `([a-z_]+)` \|", page, flags=re.MULTILINE)
    assert names == [outcome.value for outcome in Outcome]


def test_every_preset_is_described() -> None:
    named = re.findall(r"^- `(\w+)` ", text(DOCS / "mappings.md").split("\n## Presets\n")[1], flags=re.MULTILINE)
    assert tuple(named[: len(PRESETS)]) == PRESETS


@pytest.mark.parametrize("example", blocks(DOCS / "mappings.md", "json"))
def test_an_example_of_mappings_is_accepted(example: str) -> None:
    Settings.parse({"base_url": "sandbox", "api_token": "any", "mappings": json.loads(example)})  # raises ConfigError


def test_the_readmes_first_configuration_is_accepted() -> None:
    (example,) = blocks(ROOT / "README.md", "json")
    assert Settings.parse(json.loads(example)).embedded_sandbox


@pytest.mark.parametrize("example", [*blocks(DOCS / "meltano.md", "yaml"), *blocks(ROOT / "README.md", "yaml")])
def test_an_example_of_a_meltano_project_is_accepted(example: str) -> None:
    project: dict[str, Any] = yaml.safe_load(example)
    (loader,) = project["plugins"]["loaders"]
    Settings.parse({"api_token": "any", **loader["config"]})  # raises ConfigError
    taps = {tap["name"] for tap in project["plugins"].get("extractors", ())}
    assert all(task.split() == [*taps, loader["name"]] for job in project.get("jobs", ()) for task in job["tasks"])


def test_the_architecture_shows_the_layers_of_the_linter() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", text(ARCHITECTURE), flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 11))
    assert [set(re.findall(r"`(\w+)`", names)) for _, names in rows] == layers()


def test_the_architecture_has_a_line_for_every_package_and_top_level_module() -> None:
    section = text(ARCHITECTURE).split("\n## The packages\n")[1].split("\n## ")[0]
    first_cells = re.findall(r"^\| `([\w/.]+)` \|", section, flags=re.MULTILINE)
    packages = {
        f"{path.parent.relative_to(PACKAGE).as_posix()}/"
        for path in PACKAGE.rglob("__init__.py")
        if path.parent not in (PACKAGE, PACKAGE / "sandbox" / "pages")
    }
    modules = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert sorted(first_cells) == sorted(packages | modules)


def test_the_names_that_the_architecture_places_in_a_module_are_defined_there() -> None:
    placed = re.findall(r"`(\w+)` in `([\w/]+\.py)`", " ".join(text(ARCHITECTURE).split()))
    assert len(placed) >= 5
    for name, module in placed:
        assert re.search(rf"^(?:class )?{name}\b", text(PACKAGE / module), flags=re.MULTILINE), (name, module)
