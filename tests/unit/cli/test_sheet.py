"""Texts are shown as one line without control characters; a cut value shows how much is left out."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.cli.sheet import LONGEST_SHOWN, PIPED_COLUMNS, Sheet, escaped, shown


class Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_width_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs the tests may have a terminal, and say how wide it is."""
    monkeypatch.delenv("COLUMNS", raising=False)


@given(st.text())
def test_a_text_becomes_one_line_without_control_characters(text: str) -> None:
    line = escaped(text)
    assert line.isprintable()
    line.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_a_printable_text_is_not_changed(text: str) -> None:
    assert escaped(text) == text


def test_an_escape_sequence_is_shown_as_text() -> None:
    assert escaped("\x1b[31mred\n\ud800") == "\\x1b[31mred\\n\\ud800"


@pytest.mark.parametrize(
    ("value", "words"), [(None, "(empty)"), ("Zoë", "Zoë"), (1.5, "1.5"), (True, "true"), ({"a": [1]}, '{"a": [1]}')]
)
def test_a_value_is_shown_as_it_was_read(value: object, words: str) -> None:
    assert shown(value) == words


def test_a_value_that_is_cut_shows_how_much_is_left_out() -> None:
    assert shown("x" * (LONGEST_SHOWN + 7)) == "x" * LONGEST_SHOWN + "… (7 more characters)"


def test_without_a_terminal_a_table_is_plain_and_wide() -> None:
    file = io.StringIO()
    Sheet(file).table(("a", "b"), [("[red]x" * 10, "y" * 70)])
    assert file.getvalue().splitlines() == ["A".ljust(62) + "B", "[red]x" * 10 + "  " + "y" * 70]


def test_what_does_not_fit_is_wrapped_and_not_cut() -> None:
    file = io.StringIO()
    Sheet(file).table(("a", "b"), [("x" * 200, "y" * 200)])
    text = file.getvalue()
    assert (text.count("x"), text.count("y")) == (200, 200)
    assert max(map(len, text.splitlines())) <= PIPED_COLUMNS


def test_an_item_is_wrapped_after_its_dash() -> None:
    file = io.StringIO()
    Sheet(file).item("word " * 40)
    first, second = file.getvalue().splitlines()
    assert (first[:6], second[:6]) == ("- word", "  word")


def test_a_terminal_has_its_headings_in_bold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    file = Terminal()
    Sheet(file).heading("Campaigns")
    assert "\x1b[1mCampaigns" in file.getvalue()
