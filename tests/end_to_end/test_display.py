"""The live display, on a real terminal: what a person sees while a run goes, and what is left of it afterwards."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import OUTCOMES, against, run_target, serving, wait_until
from tests.support.messages import encoded, record, schema, state
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.terminal import OnTerminal, Screen

PEOPLE = 60
SLOWLY = {"on": "load", "do": "delay", "seconds": 0.4, "times": None}
"""So that a run lasts for several pictures: twelve loads, two at a time."""

CONFIG = {"batch_size_rows": 5, "max_in_flight": 2, "mappings": {"win": {"campaign": "1002"}}, "rate_limits": ["9/2s"]}


@dataclass(frozen=True)
class Ended:
    """A run that came to its end."""

    run: OnTerminal
    code: int
    states: list[Any]

    @property
    def screen(self) -> Screen:
        """What came to the terminal."""
        return self.run.screen


def people() -> Iterator[bytes]:
    """Leads of two campaigns, some without a phone that could be dialed."""
    yield from (encoded(schema()), encoded(schema("win")))
    for number in range(PEOPLE):
        stream = "win" if number % 3 == 0 else "leads"
        yield encoded(record(number, stream, **({"phone": "none"} if number % 20 == 0 else {})))
    yield encoded(state("end"))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """A run that came to its end, whose standard input was a file."""
    folder = tmp_path_factory.mktemp("display")
    (folder / "people.singer").write_bytes(b"".join(people()))
    with (
        serving(SLOWLY) as sandbox,
        (folder / "people.singer").open("rb") as stdin,
        on_terminal(folder, against(sandbox, **CONFIG), stdin) as run,
    ):
        code, states = run.finish()
        yield Ended(run, code, states)


def test_the_display_shows_counts_rates_quota_and_how_much_is_done(ended: Ended) -> None:
    pictures = ended.screen.pictures
    assert len(pictures) >= 2
    assert "60 records read" in pictures[-1]
    for words in (
        "leads loaded",
        "rejected",
        "leads/s loaded",
        " under way",
        "of 9 requests in 2 s",
        "done",
        "total",
    ):
        assert words in pictures[-1]
    assert all(len(line) <= 100 for picture in pictures for line in picture.splitlines())


def test_the_last_numbers_are_those_of_the_run_record(ended: Ended) -> None:
    told, record = ended.screen.table(), ended.run.record
    rows = {row["campaign"]: row for stream in record["streams"] for row in stream["campaigns"]}
    assert told.keys() == {*rows, "total"}
    for campaign, counts in {**rows, "total": record["totals"]}.items():
        done = told[campaign].pop("done")
        assert told[campaign] == {name: counts[name] for name in told[campaign]}
        assert done == counts["read"] == sum(told[campaign].get(name, 0) for name in OUTCOMES)


def test_standard_output_holds_state_alone(ended: Ended) -> None:
    assert (ended.code, ended.states) == (0, [{"bookmark": "end"}])


def test_log_lines_stand_whole_above_the_display(ended: Ended) -> None:
    lines = ended.screen.lines
    logged = [line for line in lines if " | INFO " in line]
    assert len(logged) > 3
    assert all(line.startswith("20") for line in logged)
    assert "Run " in lines[-1], "the run's last words come when the display has ended"


def test_the_metrics_for_programs_are_not_for_people(ended: Ended) -> None:
    assert "METRIC" not in ended.screen.written


def test_the_terminal_is_left_as_it_was(ended: Ended) -> None:
    assert ended.run.modes_after == ended.run.modes
    written = ended.screen.written
    assert "\x1b[?" not in written, "no mode is changed: the cursor stays visible, the screen is the same one"
    assert written.endswith("\r\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_has_the_last_word_on_a_sane_terminal(number: signal.Signals, tmp_path: Path) -> None:
    with serving(SLOWLY) as sandbox, on_terminal(tmp_path, against(sandbox, **CONFIG)) as run:
        run.write(people())
        wait_until(lambda: run.screen.pictures)
        run.process.send_signal(number)
        code, _ = run.finish(ended=False)
        assert code == 1
        assert f"stopped by {number.name}" in run.screen.lines[-1]
        assert run.screen.table()["total"]["loaded"] == run.record["totals"]["loaded"] > 0
        assert run.modes_after == run.modes
        assert "\x1b[?" not in run.screen.written


def test_what_the_tap_says_on_the_same_terminal_stays_whole(tmp_path: Path) -> None:
    with serving(SLOWLY) as sandbox, on_terminal(tmp_path, against(sandbox, **CONFIG)) as run:
        run.write(people())
        for count in range(1, 4):
            before = len(run.screen.pictures)
            wait_until(lambda before=before: len(run.screen.pictures) > before)  # type: ignore[misc]  # bound now
            os.write(run.terminal, f"the tap's line {count}\n".encode())
        assert run.finish()[0] == 0
        told = [line for line in run.screen.lines if "the tap's line" in line]
        assert told == [f"the tap's line {count}" for count in range(1, 4)]


def test_a_narrow_terminal_without_colors_gets_what_fits(tmp_path: Path) -> None:
    with serving() as sandbox:
        with on_terminal(tmp_path, against(sandbox, **CONFIG), width=40, NO_COLOR="1") as run:
            run.write(people())
            assert run.finish()[0] == 0
        assert run.screen.table()["total"]["done"] == PEOPLE
        assert not any(f"\x1b[{color}m" in run.screen.written for color in (31, 32, 36))


def test_a_terminal_whose_cursor_can_not_be_moved_gets_the_log_alone(tmp_path: Path) -> None:
    with serving() as sandbox, on_terminal(tmp_path, against(sandbox, **CONFIG), TERM="dumb") as run:
        run.write(people())
        assert run.finish()[0] == 0
        assert "\x1b" not in run.screen.written
        assert "records read" not in run.screen.written


def test_without_a_terminal_the_sdks_metrics_are_logged(tmp_path: Path) -> None:
    with serving() as sandbox:
        finished = run_target(tmp_path, against(sandbox, **CONFIG), people())
    metrics = [line.split("METRIC: ")[1] for line in finished.stderr.splitlines() if "METRIC: " in line]
    assert (
        sum('"metric":"batch_processing_time"' in line for line in metrics) == finished.run_record["totals"]["requests"]
    )
    for stream, count in {"leads": 40, "win": 20}.items():
        told = [line for line in metrics if '"metric":"record_count"' in line and f'"stream":"{stream}"' in line]
        assert len(told) == 1
        assert f'"value":{count},' in told[0]
