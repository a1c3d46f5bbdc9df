"""Reading the loader's answer: 200 can be a failure, and what is not counted as taken is not called loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.executable import Finished, against, ids, run_target, serving
from tests.support.messages import record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

LINES: list[dict[str, Any]] = [schema(), *records(4), state("end")]
ALL = ["L0", "L1", "L2", "L3"]


def answered(tmp_path: Path, *faults: dict[str, Any], **settings: Any) -> tuple[Finished, list[str]]:
    """A run of four leads against a loader that answers so, and the ids the server then holds."""
    with serving(*faults) as sandbox:
        finished = run_target(tmp_path, against(sandbox, max_rejected_percent=50, **settings), LINES)
        return finished, ids(sandbox.leads())


def reasons(finished: Finished) -> dict[str, tuple[str, str]]:
    """Stage and reason of each reject, by id."""
    return {reject["extern_id"]: (reject["stage"], reject["reason"]) for reject in finished.rejects}


def test_a_general_failure_with_status_200_is_not_success(tmp_path: Path) -> None:
    finished, held = answered(tmp_path, {"on": "load", "do": "general_failure", "times": None})
    assert (finished.code, held) == (3, [])
    assert finished.outcomes == {"read": 4, "rejected": 4}
    assert reasons(finished) == dict.fromkeys(ALL, ("server", "general_failure"))


def test_a_lead_that_spoils_its_whole_batch_is_the_only_one_rejected(tmp_path: Path) -> None:
    poison = {"on": "load", "do": "general_failure", "times": None, "extern_ids": ["L2"]}
    finished, held = answered(tmp_path, poison)
    assert (finished.code, finished.states) == (0, [{"bookmark": "end"}])
    assert held == ["L0", "L1", "L3"]
    assert finished.outcomes == {"read": 4, "loaded": 3, "rejected": 1}
    assert reasons(finished) == {"L2": ("server", "general_failure")}


def test_a_lead_that_breaks_the_server_is_the_only_one_rejected(tmp_path: Path) -> None:
    poison = {"on": "load", "do": "status", "status": 500, "times": None, "extern_ids": ["L1"]}
    finished, held = answered(tmp_path, poison)
    assert held == ["L0", "L2", "L3"]
    assert finished.outcomes == {"read": 4, "loaded": 3, "rejected": 1}
    assert reasons(finished) == {"L1": ("server", "http_500")}


def test_when_every_lead_is_refused_it_is_not_the_leads(tmp_path: Path) -> None:
    with serving({"on": "load", "do": "status", "status": 400, "times": None}) as sandbox:
        finished = run_target(tmp_path, against(sandbox), [schema(), *records(50), state("never")])
        assert len(sandbox.requests("load")) < 50, "it gives up before it has asked for each lead alone"
    assert (finished.code, finished.states, finished.rejects) == (1, [], [])
    assert "http_400" in finished.error


def test_rejected_rows_are_matched_by_extern_id(tmp_path: Path) -> None:
    finished, held = answered(tmp_path, {"on": "load", "do": "reject", "extern_ids": ["L1"], "message": "No good"})
    assert held == ["L0", "L2", "L3"]
    assert finished.outcomes == {"read": 4, "loaded": 3, "rejected": 1}
    (reject,) = finished.rejects
    assert (reject["stage"], reject["reason"], reject["message"]) == ("server", "rejected_row", "No good")
    assert reject["record"] == records(4)[1]["record"]
    assert reject["lead"]["firstName"] == "First1"


def test_rejected_rows_are_matched_by_phone(tmp_path: Path) -> None:
    row = {"message": "No good", "rowData": ["whatever", record(3)["record"]["phone"]]}
    counts = {"leadsSupplied": 4, "leadsAccepted": 3, "leadsInserted": 3, "rejectedRows": [row]}
    finished, _ = answered(
        tmp_path, {"on": "load", "do": "status", "status": 200, "stored": True, "body": json.dumps(counts)}
    )
    assert finished.outcomes == {"read": 4, "loaded": 3, "rejected": 1}
    assert reasons(finished) == {"L3": ("server", "rejected_row")}


def test_a_lead_that_is_missing_without_a_word_is_found_out(tmp_path: Path) -> None:
    finished, held = answered(tmp_path, {"on": "load", "do": "short", "extern_ids": ["L1"]})
    assert held == ["L0", "L2", "L3"]
    assert finished.outcomes == {"read": 4, "loaded": 3, "rejected": 1}
    assert reasons(finished) == {"L1": ("server", "not_accepted")}


def test_a_lead_accepted_and_not_inserted_is_counted_as_such(tmp_path: Path) -> None:
    finished, held = answered(tmp_path, {"on": "load", "do": "not_inserted", "not_inserted": 2})
    assert len(held) == 2
    assert (finished.code, finished.outcomes) == (0, {"read": 4, "loaded": 2, "not_inserted": 2})


def test_an_empty_201_is_success_once_the_leads_are_found(tmp_path: Path) -> None:
    finished, held = answered(tmp_path, {"on": "load", "do": "created_empty"})
    assert (finished.code, held) == (0, ALL)
    assert finished.outcomes == {"read": 4, "loaded": 4}


def test_an_answer_without_any_counts_is_looked_up(tmp_path: Path) -> None:
    finished, held = answered(tmp_path, {"on": "load", "do": "empty_object"})
    assert (finished.code, held) == (0, ALL)
    assert finished.outcomes == {"read": 4, "loaded": 4}


def test_a_request_that_is_too_large_for_the_server_is_made_smaller(tmp_path: Path) -> None:
    with serving(max_leads_per_request=10) as sandbox:
        finished = run_target(tmp_path, against(sandbox), [schema(), *records(40), state("end")])
        assert len(set(ids(sandbox.leads()))) == len(sandbox.leads()) == 40
    assert (finished.code, finished.outcomes) == (0, {"read": 40, "loaded": 40})


def test_a_user_without_permission_ends_the_run(tmp_path: Path) -> None:
    body = json.dumps({"errorCode": "access.denied.exception", "generalMessage": "First1 may not"})
    finished, held = answered(tmp_path, {"on": "load", "do": "status", "status": 403, "body": body, "times": None})
    assert (finished.code, held, finished.states) == (1, [], [])
    assert "access.denied.exception" in finished.error
    assert "First1" not in finished.stderr
