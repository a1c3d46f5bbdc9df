"""The journal of requests: a line for each, for the owner only, bounded; its failure never ends a run."""

from __future__ import annotations

import json
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from target_engagevoice.api.answers import NotSent, Unknown
from target_engagevoice.api.request_journal import Exchange, RequestJournal
from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.reporting.read_requests import read_requests
from tests.support.factories import desk, lead
from tests.support.fake_clock import FakeClock

OK = HttpAnswer(200, b'{"leadsAccepted": 2, "leadsInserted": 1}')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requests" / "run.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_when_what_and_what_came_of_it(path: Path) -> None:
    clock = FakeClock()
    with closing(RequestJournal(path, clock)) as journal:
        clock.advance(1.5)
        request = journal.begin("load", campaign_id="1001", stream="people", batch=3, list="People", leads=2)
        clock.advance(0.25)
        request.end(OK)
    assert lines(path) == [
        {
            "time": "2026-01-01T00:00:01.500000+00:00",
            "kind": "load",
            "seconds": 0.25,
            "campaign_id": "1001",
            "stream": "people",
            "batch": 3,
            "list": "People",
            "leads": 2,
            "status": 200,
            "counts": {"leadsAccepted": 2, "leadsInserted": 1},
        }
    ]


@pytest.mark.parametrize("reply", [NotSent("Connection refused"), Unknown("no answer in time")])
def test_what_happened_instead_of_an_answer_is_recorded(path: Path, reply: NotSent | Unknown) -> None:
    with closing(RequestJournal(path, FakeClock())) as journal:
        journal.begin("load").end(reply)
    (line,) = lines(path)
    assert (line["trouble"], "status" in line) == (reply.what, False)


def test_rows_of_leads_are_not_looked_at(path: Path) -> None:
    with closing(RequestJournal(path, FakeClock())) as journal:
        journal.begin("search").end(HttpAnswer(200, b'{"message": "Smith"}'))
    assert "message" not in lines(path)[0]


def test_a_refused_listing_says_why(path: Path) -> None:
    with closing(RequestJournal(path, FakeClock())) as journal:
        journal.begin("list").end(HttpAnswer(403, b'{"errorCode": "access.denied.exception"}'))
    assert lines(path)[0]["code"] == "access.denied.exception"


def test_a_line_is_there_at_once_and_for_its_owner_only(path: Path) -> None:
    with closing(RequestJournal(path, FakeClock())) as journal:
        journal.begin("load").end(OK)
        assert len(lines(path)) == 1
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_journal_that_is_full_ends_with_a_line_that_says_so(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(RequestJournal(path, FakeClock(), most_bytes=1000)) as journal:
        for _ in range(50):
            journal.begin("load").end(OK)
    assert path.stat().st_size <= 1000
    kept = read_requests(path)
    assert kept.full
    assert [exchange.kind for exchange in kept.exchanges] == ["load"] * (len(lines(path)) - 1)
    assert [message for message in caplog.messages if "is full" in message] == caplog.messages


def test_a_journal_that_cannot_be_written_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "requests").write_text("a file where the folder should be")
    with closing(RequestJournal(tmp_path / "requests" / "run.jsonl", FakeClock())) as journal:
        for _ in range(3):
            journal.begin("load").end(OK)
    assert len(caplog.messages) == 1
    assert "The run continues" in caplog.messages[0]


def test_a_disk_that_gets_full_is_reported_once(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - the journal closes it
    monkeypatch.setattr("target_engagevoice.api.request_journal.open_private", lambda _: full)
    with closing(RequestJournal(path, FakeClock())) as journal:
        for _ in range(3):
            journal.begin("load").end(OK)
    assert [message.partition("written: ")[2][:23] for message in caplog.messages] == ["No space left on device"]


def test_nothing_is_written_after_the_end(path: Path) -> None:
    journal = RequestJournal(path, FakeClock())
    request = journal.begin("load")
    journal.close()
    request.end(OK)
    assert not path.exists()


def test_lines_of_many_threads_do_not_mix(path: Path) -> None:
    with closing(RequestJournal(path, FakeClock())) as journal:

        def send() -> None:
            for _ in range(50):
                journal.begin("load", list="x" * 400).end(OK)

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(lines(path)) == 200


def test_the_clients_requests_are_noted(path: Path) -> None:
    with desk() as api, closing(RequestJournal(path, api.clock)) as journal:
        api.client._journal = api.client.admin._journal = journal
        api.sandbox.faults([{"on": "load", "do": "status", "status": 502}])
        api.load([lead(number) for number in range(3)])
    kept = [(one.kind, one.campaign_id, one.leads, one.status, one.retry) for one in read_requests(path).exchanges]
    loads = [one for one in kept if one[0] == "load"]
    assert loads == [("load", "1001", 3, 502, False), ("load", "1001", 3, 200, True)]
    assert {one for one in kept if one not in loads} == {("search", "1001", 3, 200, False)}


def test_a_journal_is_read_in_the_order_of_sending_without_a_line_that_broke_off(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"time": "2026-02", "kind": "load"}\n{"time": "2026-01", "kind": "list"}\n{"time": "20')
    kept = read_requests(path)
    assert kept.exchanges == (Exchange(time="2026-01", kind="list"), Exchange(time="2026-02", kind="load"))
    assert not kept.full
