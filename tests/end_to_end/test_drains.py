"""When a campaign's buffer is drained, and when STATE is written: by rows, by bytes, by age, while the pipe is open."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.support.executable import against, ids, run_target, running, serving, wait_until
from tests.support.messages import record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 4000


def test_a_buffer_is_drained_at_its_rows_and_at_the_end(tmp_path: Path) -> None:
    with serving() as sandbox:
        finished = run_target(tmp_path, against(sandbox, batch_size_rows=10), [schema(), *records(35), state("end")])
        sizes = sorted(request["leads"] for request in sandbox.requests("load"))
    assert finished.outcomes == {"read": 35, "loaded": 35}
    assert sizes == [5, 10, 10, 10]


def test_no_request_is_larger_than_the_bytes_allowed_and_few_are_needed(tmp_path: Path) -> None:
    # This sandbox answers 413 to a body that is one byte larger.
    lines = [schema(), *(record(number, last_name="Ü" * (1 + number % 90)) for number in range(120)), state("end")]
    with serving(max_body_bytes=LIMIT) as sandbox:
        finished = run_target(tmp_path, against(sandbox, batch_size_bytes=LIMIT), lines)
        requests, leads = sandbox.requests("load"), sandbox.leads()
    assert finished.outcomes == {"read": 120, "loaded": 120}
    assert {request["status"] for request in requests} == {200}
    assert len(ids(leads)) == len(set(ids(leads))) == 120
    sent = sum(len(str(lead["fields"]).encode()) for lead in leads)
    assert len(requests) <= 2 + sent / (LIMIT * 0.6), "requests are filled"


def test_a_buffer_is_drained_by_age_while_the_pipe_is_silent(tmp_path: Path) -> None:
    with serving() as sandbox, running(tmp_path, against(sandbox, batch_wait_limit_seconds=0.5)) as run:
        run.write(schema(), *records(3), state("three"))
        wait_until(lambda: run.states)
        assert ids(sandbox.leads()) == ["L0", "L1", "L2"], "STATE is never ahead of the leads"
        assert run.states == [{"bookmark": "three"}]
        run.write(record(3), state("four"))
        wait_until(lambda: len(run.states) == 2)
        assert not run.is_over
        finished = run.finish()
    assert (finished.code, finished.states) == (0, [{"bookmark": "three"}, {"bookmark": "four"}])


def test_state_follows_as_soon_as_what_is_before_it_is_settled(tmp_path: Path) -> None:
    with serving() as sandbox, running(tmp_path, against(sandbox, batch_size_rows=5)) as run:
        run.write(state("nothing read"))
        wait_until(lambda: run.states == [{"bookmark": "nothing read"}])
        run.write(schema(), *records(5), state("five"), *records(2, 5), state("seven"))
        wait_until(lambda: len(run.states) == 2)
        assert run.states[-1] == {"bookmark": "five"}
        assert ids(sandbox.leads()) == [f"L{number}" for number in range(5)]
        run.write(*records(3, 7), state("ten"))
        wait_until(lambda: run.states[-1] == {"bookmark": "ten"})
        assert not run.is_over
        assert len(sandbox.leads()) == 10
        assert run.finish().code == 0


def test_state_does_not_pass_a_request_that_is_still_on_its_way(tmp_path: Path) -> None:
    slow = {"on": "load", "do": "timeout_before", "campaign_id": "1001", "seconds": 30}
    mappings = {"slow": {"campaign": "1001"}, "swift": {"campaign": "1002"}}
    with serving(slow) as sandbox:
        config = against(sandbox, batch_size_rows=2, mappings=mappings, request_timeout_seconds=60)
        with running(tmp_path, config) as run:
            run.write(schema("slow"), schema("swift"), state("start"))
            run.write(*records(2, 0, "slow"), state("slow"), *records(2, 10, "swift"), state("swift"))
            wait_until(lambda: len(sandbox.leads(1002)) == 2)
            run.write(*records(2, 20, "swift"), state("swifter"))
            wait_until(lambda: len(sandbox.leads(1002)) == 4)
            assert run.states == [{"bookmark": "start"}]
            run.send_signal(signal.SIGKILL)
            assert run.wait().states == [{"bookmark": "start"}]


def test_rejects_are_settled_too_and_let_state_pass(tmp_path: Path) -> None:
    with serving() as sandbox, running(tmp_path, against(sandbox, max_rejected_percent=100)) as run:
        run.write(schema(), record(1, phone="none"), record(2, phone=None), state("bad ones"))
        wait_until(lambda: run.states == [{"bookmark": "bad ones"}])
        (rejects,) = (tmp_path / ".target-engagevoice" / "rejects").glob("*.jsonl")
        assert len(rejects.read_text().splitlines()) == 2, "on disk before STATE says so"
        assert run.finish().code == 0
