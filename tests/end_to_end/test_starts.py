"""Most tests fork a run from a process that has imported the executable: such a run is like one that is started."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import EMBEDDED, STATE_DIR, Finished, against, run_target, running, serving, wait_until
from tests.support.launcher import Moment
from tests.support.messages import encoded, record, records, schema, state
from tests.support.process import KILLED, Process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHANGING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+|\d{8}T\d{6}Z-\w+|\d+\.\d+ seconds|\"(pid|value)\":[\d.e-]+")
"""Times, run ids, process ids and how long something took."""

LINES = [schema(), *records(5), record(6, phone=None), state("all")]


def both(
    folder: Path, monkeypatch: pytest.MonkeyPatch, config: Mapping[str, Any], **environment: str
) -> list[Finished]:
    """The same run, forked and started."""
    finished = []
    for name in ("forked", "started"):
        (folder / name).mkdir()
        finished.append(run_target(folder / name, config, LINES, **environment))
        monkeypatch.setenv("REAL_STARTS", "1")
    return finished


def shown(finished: Finished) -> tuple[int, str, str, list[str]]:
    """All that can be seen of a run, without what is never the same."""
    files = sorted(
        CHANGING.sub("", str(path.relative_to(finished.folder))) + oct(path.stat().st_mode)
        for path in finished.folder.rglob("*")
    )
    return finished.code, finished.stdout, CHANGING.sub("", finished.stderr), files


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({**EMBEDDED, "max_rejected_percent": 50}, 0),
        ({**EMBEDDED, "campaign": "no such campaign"}, 1),
        ({**EMBEDDED, "max_rejected_percent": 0}, 3),
    ],
    ids=["good", "a mistake", "too many rejects"],
)
def test_a_forked_run_is_like_a_started_one(
    config: Mapping[str, Any], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked, started = both(tmp_path, monkeypatch, config)
    assert forked.code == code, forked.stderr
    assert shown(forked) == shown(started)


def test_a_forked_run_has_the_environment_it_is_given_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_ENGAGEVOICE_CAMPAIGN", "1001")
    forked, started = both(tmp_path, monkeypatch, {**EMBEDDED, "campaign": None}, LOGLEVEL="WARNING")
    assert (forked.code, shown(forked)) == (1, shown(started))
    assert " | INFO " not in forked.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signals_reach_a_forked_run_as_a_started_one(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    for name in ("forked", "started"):
        (tmp_path / name).mkdir()
        with serving() as sandbox, running(tmp_path / name, against(sandbox, batch_size_rows=1)) as run:
            run.write(schema(), record(1), state("one"))
            wait_until(lambda run=run: run.states)  # type: ignore[misc]  # bound in the turn it is made in
            run.send_signal(number)
            finished = run.wait()
            ended.append((finished.code, finished.states, finished.error))
        monkeypatch.setenv("REAL_STARTS", "1")
    assert ended[0] == ended[1]
    assert ended[0][0] == 1


def test_a_run_that_kills_itself_leaves_nothing_written_after_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = Moment("target_engagevoice.target:write_to_stdout", "before")
    for name in ("forked", "started"):
        with (
            serving() as sandbox,
            Process(tmp_path / name, against(sandbox), map(encoded, LINES), die_at=moment) as one,
        ):
            assert (one.wait(), one.states) == (KILLED, [])
        assert not list((tmp_path / name / STATE_DIR).glob("runs/*.json"))
        monkeypatch.setenv("REAL_STARTS", "1")
