"""Trouble on the way to the server: everything is loaded, and exactly once."""

from __future__ import annotations

import time
from email.utils import formatdate
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.executable import STATE_DIR, against, ids, run_target, running, serving, wait_until
from tests.support.messages import records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

LINES: list[dict[str, Any]] = [schema(), *records(4), state("end")]
ALL = ["L0", "L1", "L2", "L3"]


def refusing(status: int, **more: Any) -> dict[str, Any]:
    """A fault: the first request is answered with this status, nothing is stored."""
    return {"on": "load", "do": "status", "status": status, **more}


TROUBLE: dict[str, dict[str, Any]] = {
    "429 without Retry-After": refusing(429),
    "503": refusing(503, times=2),
    "502 after storing": refusing(502, stored=True),
    "the connection drops before storing": {"on": "load", "do": "drop_before"},
    "the connection drops after storing": {"on": "load", "do": "drop_after", "times": 2},
    "no answer in time after storing": {"on": "load", "do": "timeout_after", "seconds": 20},
    "an answer cut off": {"on": "load", "do": "truncate"},
    "a page in between": {"on": "load", "do": "html", "after": 1},
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_all_leads_arrive_exactly_once_in_spite_of(trouble: str, tmp_path: Path) -> None:
    with serving(TROUBLE[trouble]) as sandbox:
        # A server that is merely busy must not be taken for one that does not answer.
        timeout = 2 if "in time" in trouble else 30
        config = against(sandbox, request_timeout_seconds=timeout, batch_size_rows=2, max_in_flight=1)
        finished = run_target(tmp_path, config, LINES)
        assert ids(sandbox.leads()) == ALL
        assert any(request["fault"] for request in sandbox.requests("load"))
    assert (finished.code, finished.outcomes) == (0, {"read": 4, "loaded": 4}), finished.stderr
    assert finished.states == [{"bookmark": "end"}]


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after_is_honored_in(how: str, tmp_path: Path) -> None:
    with serving() as sandbox, running(tmp_path, against(sandbox)) as run:
        wait_until(lambda: sandbox.requests("campaigns"))
        date = int(time.time()) + 3
        sandbox.faults([refusing(429, retry_after="1" if how == "seconds" else formatdate(date, usegmt=True))])
        run.write(*LINES)
        finished = run.finish()
        refused, taken = sandbox.requests("load")
        assert ids(sandbox.leads()) == ALL
    assert (refused["status"], taken["status"]) == (429, 200)
    assert taken["at"] >= (refused["at"] + 0.95 if how == "seconds" else date - 0.05)
    totals = finished.run_record["totals"]
    assert (totals["requests"], totals["retries"], totals["throttled"]) == (2, 1, 1)


@pytest.mark.parametrize(
    "retry_after", ["Thu, 01 Jan 99999999999999999999 00:00:09 GMT", "Thu, 01 Jan 2026 00:00:99999999999999999999 GMT"]
)
def test_a_retry_after_out_of_range_is_none(retry_after: str, tmp_path: Path) -> None:
    with serving(refusing(429, retry_after=retry_after)) as sandbox:
        finished = run_target(tmp_path, against(sandbox), LINES)
        assert ids(sandbox.leads()) == ALL
    assert (finished.code, finished.outcomes) == (0, {"read": 4, "loaded": 4}), finished.stderr


def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with serving() as sandbox:
        config = against(sandbox, max_in_flight=1)
        port = int(sandbox.origin.rsplit(":", 1)[1])
    with running(tmp_path, config) as run:
        run.write(*LINES)
        wait_until(lambda: f"v{version('target-engagevoice')}" in run.stderr and (tmp_path / STATE_DIR).exists())
        with Sandbox(port=port, config={"search_delay_seconds": 0}) as late:
            finished = run.finish()
            assert ids(late.leads()) == ALL
    assert (finished.code, finished.states) == (0, [{"bookmark": "end"}])


def test_trouble_that_outlasts_the_retries_ends_the_run_and_state_stays_behind(tmp_path: Path) -> None:
    with serving(refusing(503, after=1, times=None)) as sandbox:
        config = against(sandbox, retry_max_seconds=1, batch_size_rows=2, max_in_flight=1)
        lines = [schema(), *records(2), state("two"), *records(2, 2), state("four"), *records(3000, 100)]
        finished = run_target(tmp_path, config, lines)
        assert ids(sandbox.leads()) == ["L0", "L1"]
    assert (finished.code, finished.states, finished.fed) == (1, [{"bookmark": "two"}], True)
    assert "HTTP 503" in finished.error
    assert "retry_max_seconds" in finished.error
    assert finished.run_record["status"] == "failed"
    assert finished.outcomes == {"read": 2, "loaded": 2}


def test_what_a_failed_run_left_open_is_looked_up_by_the_next_one(tmp_path: Path) -> None:
    mute = {"on": "search", "do": "status", "status": 503, "times": None}
    with serving({"on": "load", "do": "drop_after"}, mute) as sandbox:
        failed = run_target(tmp_path, against(sandbox, retry_max_seconds=0), LINES)
        assert (failed.code, failed.states) == (1, [])
        assert ids(sandbox.leads()) == ALL, "stored, and not known to be"
        sandbox.faults([])
        again = run_target(tmp_path, against(sandbox), LINES)
        assert ids(sandbox.leads()) == ALL, "and not sent again"
    assert (again.code, again.states, again.outcomes) == (0, [{"bookmark": "end"}], {"read": 4, "unchanged": 4})
