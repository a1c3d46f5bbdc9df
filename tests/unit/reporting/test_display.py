"""The live display: it fits the terminal with any counts, and nothing in it steers the terminal."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_engagevoice.api.ratelimit.windows import InUse, Window
from target_engagevoice.outcomes.counts import EFFORTS, OUTCOMES, CampaignCounts
from target_engagevoice.reporting.display import ERASE_BELOW, Display
from target_engagevoice.reporting.progress import History, Position, Progress, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOWS = (InUse(Window(30, 10), 30), InUse(Window(120, 60), 45))


def progress(campaigns: list[tuple[str, dict[str, int]]]) -> Progress:
    """How far a run is, with these outcomes by campaign."""
    efforts = dict.fromkeys(EFFORTS, 1)
    standings = tuple(
        CampaignCounts(str(number), name, dict.fromkeys(OUTCOMES, 0) | outcomes, efforts)
        for number, (name, outcomes) in enumerate(campaigns)
    )
    read = sum(sum(each.outcomes.values()) for each in standings)
    return History(0.0).add(Snapshot(20.0, read, standings, WINDOWS, 8, 3, Position(100, 200)))


def shown(terminal: io.StringIO) -> str:
    """What was written since the last time."""
    text = terminal.getvalue()
    terminal.seek(0)
    terminal.truncate()
    return text


NAMES = st.text(min_size=1, max_size=40)
COUNTS = st.dictionaries(st.sampled_from(OUTCOMES), st.integers(0, 10**9))


@given(st.lists(st.tuples(NAMES, COUNTS), max_size=30), st.integers(12, 60), st.integers(30, 200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_picture_fits_any_terminal_of_some_size(
    monkeypatch: pytest.MonkeyPatch, campaigns: list[tuple[str, dict[str, int]]], height: int, width: int
) -> None:
    monkeypatch.setenv("LINES", str(height))
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = io.StringIO()
    Display(terminal).end(progress(campaigns))
    lines = shown(terminal).removeprefix(ERASE_BELOW).split("\n")
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    assert not any("\x1b" in line for line in lines), "a campaign's name does not steer the terminal"


def test_a_thousand_campaigns_are_shown_as_the_busiest_and_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("COLUMNS", "80")
    terminal = io.StringIO()
    Display(terminal).end(progress([(f"Outbound/{number}", {"loaded": number}) for number in range(1000)]))
    lines = [line.strip() for line in shown(terminal).splitlines()]
    assert len(lines) == 23
    assert lines[-1].split() == ["total", "499,500", "499,500", "0"]
    assert lines[-2].startswith("(9")
    assert any(line.startswith("Outbound/999 ") for line in lines)


def test_a_narrow_terminal_shows_all_lines_above_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("COLUMNS", "40")
    terminal = io.StringIO()
    Display(terminal).end(progress([("Outbound/Renewals", {"loaded": 123_456, "rejected": 7_890})]))
    told = " ".join(shown(terminal).split())
    assert "131,346 records read, 123,456 leads loaded, 7,890 rejected" in told
    assert told.endswith("131,346 123,456 7,890 total 131,346 123,456 7,890")


def test_a_count_of_one_is_singular(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    terminal = io.StringIO()
    Display(terminal).end(progress([("Outbound/Renewals", {"loaded": 1})]))
    told = shown(terminal)
    assert "1 record read, 1 lead loaded" in told
    assert "1 request, 1 retry" in told


@pytest.fixture
def log() -> Iterator[tuple[io.StringIO, logging.Logger]]:
    """A logger whose lines go to a terminal."""
    terminal = io.StringIO()
    logger, handler = logging.getLogger("a logger on a terminal"), logging.StreamHandler(terminal)
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield terminal, logger
    logger.removeHandler(handler)


def test_a_log_line_goes_above_the_picture_which_is_drawn_again(log: Any) -> None:
    terminal, logger = log
    display = Display(terminal)
    display.begin()
    display.show(progress([("Outbound/Renewals", {"loaded": 3})]))
    picture = shown(terminal)
    logger.info("signed in")
    assert shown(terminal) == f"{ERASE_BELOW}signed in\n{picture}"
    display.end(None)


def test_the_log_has_the_terminal_back_at_the_end(log: Any) -> None:
    terminal, logger = log
    display = Display(terminal)
    display.begin()
    display.show(progress([("Outbound/Renewals", {"loaded": 3})]))
    display.end(progress([("Outbound/Renewals", {"loaded": 4})]))
    shown(terminal)
    logger.info("done")
    assert shown(terminal) == "done\n"
    assert logger.handlers[0].filters == []


def test_a_terminal_that_is_gone_gives_the_log_back_its_stream(log: Any) -> None:
    terminal, logger = log
    display = Display(terminal)
    display.begin()
    terminal.close()
    with pytest.raises(ValueError, match="closed"):
        display.end(progress([]))
    assert logger.handlers[0].stream is terminal
