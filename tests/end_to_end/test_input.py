"""What may come over the pipe: lines that are odd and fine, and lines that end the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import EMBEDDED, TARGET, Finished, against, ids, run_program, run_target, serving
from tests.support.messages import encoded, record, records, schema, state

if TYPE_CHECKING:
    from tests.support.messages import Line

pytestmark = pytest.mark.usefixtures("real_starts")

HUGE = 10 * 1024 * 1024
SECRET = "Rumpelstiltskin"
BEFORE: list[Line] = [schema(), *records(3), state("good")]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    lines: list[Line] = [
        b"",
        schema(),
        b"   ",
        {"type": "NOISE", "stream": "leads", "record": {"id": SECRET}},
        record(1, last_name="half \ud83d of a pair"),
        record(2, last_name="nul \x00 inside"),
        record(3, last_name="Grün", note="x" * HUGE),
        encoded(record(4)).decode().replace('"First4"', "NaN").encode(),
        {"type": "NOISE", "stream": "leads"},
        encoded(record(5, last_name="Gr?n")).replace(b"?", b"\xc3\xbc"),
        b"\t\r\n",
        state("end"),
        b"",
    ]
    return run_target(tmp_path_factory.mktemp("odd"), {**EMBEDDED, "max_rejected_percent": 50}, lines)


def last_names(finished: Finished) -> dict[str, str]:
    return {lead["externId"]: lead["lastName"] for lead in finished.leads()}


def test_blank_lines_and_unknown_messages_are_passed_over(odd: Finished) -> None:
    assert (odd.code, odd.errors, odd.states) == (0, [], [{"bookmark": "end"}])
    assert odd.outcomes["read"] == 5


def test_an_unknown_type_is_warned_of_once_without_its_content(odd: Finished) -> None:
    warnings = [line for line in odd.stderr.splitlines() if "NOISE" in line]
    assert len(warnings) == 1
    assert SECRET not in odd.stderr


def test_half_a_surrogate_pair_is_replaced(odd: Finished) -> None:
    assert last_names(odd)["L1"] == "half \ufffd of a pair"


def test_nul_is_removed(odd: Finished) -> None:
    assert last_names(odd)["L2"] == "nul  inside"


def test_a_record_of_ten_megabytes_is_loaded(odd: Finished) -> None:
    assert last_names(odd)["L3"] == "Grün"


def test_text_arrives_the_same_escaped_or_in_utf_8(odd: Finished) -> None:
    assert last_names(odd)["L5"] == last_names(odd)["L3"]


def test_nan_counts_as_what_it_is_not(odd: Finished) -> None:
    # A number that is none in a field of text: the schema does not allow it.
    assert [(reject["extern_id"] or reject["record"]["id"], reject["stage"]) for reject in odd.rejects] == [
        ("L4", "schema")
    ]


def test_half_a_surrogate_pair_and_nul_in_a_key_are_rejected(tmp_path: Path) -> None:
    lines = [schema(), record(1, id="a\ud83d"), record(2, id="a\x00"), record(3), state("end")]
    finished = run_target(tmp_path, {**EMBEDDED, "max_rejected_percent": 100}, lines)
    assert finished.outcomes == {"read": 3, "loaded": 1, "rejected": 2}
    assert [reject["record"]["id"] for reject in finished.rejects] == ["a\ud83d", "a\x00"]


def test_a_lead_larger_than_a_request_is_sent_alone(tmp_path: Path) -> None:
    lines = [schema(), record(1), record(2, note="x" * HUGE), record(3)]
    with serving() as sandbox:
        finished = run_target(tmp_path, against(sandbox, mappings={"leads": {"fields": {"auxData1": "note"}}}), lines)
        leads = sandbox.leads()
        sizes = sorted(request["leads"] for request in sandbox.requests("load"))
    assert finished.code == 0
    assert ids(leads) == ["L1", "L2", "L3"]
    assert len({lead["externId"]: lead for lead in leads}["L2"]["auxData1"]) == HUGE
    assert sizes == [1, 1, 1]


BAD_LINES: dict[str, Line] = {
    "cut off": f'{{"type": "RECORD", "stream": "leads", "record": {{"id": "{SECRET}", "pho',
    "not UTF-8": b'{"type": "RECORD", "stream": "leads", "record": {"id": "Rumpelstiltskin", "last_name": "\xff"}}',
    "no object": f'["{SECRET}"]',
    "a record that is no object": {"type": "RECORD", "stream": "leads", "record": [SECRET]},
    "a record before its schema": {"type": "RECORD", "stream": "later", "record": {"id": SECRET}},
    "a schema that is no schema": schema("later", {"id": {"type": SECRET}}),
    "keys that are no names": {**schema("later"), "key_properties": [[SECRET]]},
    "a batch": {"type": "BATCH", "stream": "leads", "encoding": {"format": "jsonl"}, "manifest": [SECRET]},
    "nested too deep": b'{"type": "STATE", "value": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.fixture(scope="module", params=list(BAD_LINES))
def ended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run with three good records, a STATE, a bad line, and a megabyte of lines after it."""
    after: list[Any] = [*records(3000, 100), state("never")]
    return run_target(tmp_path_factory.mktemp("ended"), EMBEDDED, [*BEFORE, BAD_LINES[request.param], *after])


def test_a_line_that_is_no_singer_ends_the_run_with_the_good_part_loaded(ended: Finished) -> None:
    assert ended.code == 1
    assert ids(ended.leads()) == ["L0", "L1", "L2"], "what came before is loaded, what came after is not"
    assert ended.states == [{"bookmark": "good"}]
    assert ended.outcomes == {"read": 3, "loaded": 3}
    assert (ended.run_record["status"], ended.run_record["error"]["code"]) == ("failed", "input")
    assert ended.fed, "the tap can write to its end"
    assert ended.error, "one line says it, the last one"
    assert SECRET not in ended.stderr, "nothing of the line is shown"


def test_an_empty_input_is_a_good_run(tmp_path: Path) -> None:
    finished = run_target(tmp_path, EMBEDDED, [])
    assert (finished.code, finished.states, finished.outcomes) == (0, [], {})
    assert finished.run_record["status"] == "ok"


def test_input_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "leads.singer").write_bytes(b"".join(map(encoded, [*BEFORE, record(9, last_name="Zoë")])))
    finished = run_target(tmp_path, EMBEDDED, [], "--config", "config.json", "--input", "leads.singer")
    assert finished.outcomes == {"read": 4, "loaded": 4}
    assert finished.states == [{"bookmark": "good"}]


def test_a_standard_input_that_is_closed_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(EMBEDDED))
    done = run_program(Path("/bin/sh"), "-c", f"exec {TARGET} --config config.json <&-", folder=tmp_path)
    errors = [line for line in done.stderr.decode().splitlines() if " | INFO " not in line and "WARN" not in line]
    assert done.returncode == 1
    assert len([line for line in errors if "standard input is closed" in line]) == 1
    assert b"Traceback" not in done.stderr
