"""With `do_not_call: dnc_list` no listed number is called, or the run is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import ENGAGEVOICE, against, ids, run_program, run_target, serving
from tests.support.messages import SCHEMA, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

PHONE = "6505550199"


def accounts(first: str, second: str = "INTERNAL_ONLY", *tags: str) -> list[dict[str, Any]]:
    """One account with two campaigns, which are scrubbed as given."""
    campaigns = [
        {"campaignId": 1001, "campaignName": "Renewals", "dncScrubOption": first},
        {"campaignId": 1002, "campaignName": "Winback", "dncScrubOption": second},
    ]
    group = {"dialGroupId": 501, "dialGroupName": "Outbound", "campaigns": campaigns}
    labels = [{"dncTagId": number, "dncTagLabel": label} for number, label in enumerate(tags, 1)]
    return [{"accountId": "99990001", "dialGroups": [group], "dncTags": labels}]


def person(extern_id: str, phone: str, **more: Any) -> dict[str, Any]:
    return record(0, id=extern_id, phone=phone, **more)


PEOPLE = schema(properties={**SCHEMA, "campaign": {"type": "string"}, "do_not_call": {"type": "boolean"}})
LINES = [PEOPLE, person("A", PHONE, do_not_call=True), person("B", "6505550101"), state("end")]


@pytest.mark.parametrize("option", ["DO_NOT_SCRUB", "CELLULAR_ONLY"])
def test_a_campaign_that_does_not_scrub_is_refused_before_the_first_record(option: str, tmp_path: Path) -> None:
    with serving(accounts=accounts(option)) as sandbox:
        finished = run_target(tmp_path, against(sandbox, do_not_call="dnc_list"), LINES)
        assert (sandbox.requests("load"), sandbox.dnc()) == ([], [])
    assert (finished.code, finished.states) == (1, [])
    assert "Campaign Outbound/Renewals (1001)" in finished.error
    assert option in finished.error
    assert "dnc_list_unscrubbed" in finished.error


def test_it_can_be_waived(tmp_path: Path) -> None:
    with serving(accounts=accounts("DO_NOT_SCRUB")) as sandbox:
        config = against(sandbox, do_not_call="dnc_list", dnc_list_unscrubbed="warn")
        finished = run_target(tmp_path, config, LINES)
        assert ids(sandbox.leads()) == ["B"]
    assert finished.code == 0
    assert "Campaign Outbound/Renewals (1001)" in finished.stderr


@pytest.mark.parametrize("personality", ["reference", "untagged_lists_unscrubbed"])
def test_a_new_lead_with_a_listed_phone_is_not_called(personality: str, tmp_path: Path) -> None:
    with serving(personality=personality) as sandbox:
        config = against(sandbox, do_not_call="dnc_list")
        assert run_target(tmp_path, config, LINES).code == 0
        again = run_target(tmp_path, config, [PEOPLE, person("C", PHONE), state("end")])
        assert ids(sandbox.leads()) == ["B"]
        assert [entry["dncTagId"] for entry in sandbox.dnc()] == [0]
    assert (again.code, again.outcomes) == (0, {"read": 1, "not_inserted": 1})


def test_a_record_that_chooses_such_a_campaign_is_rejected(tmp_path: Path) -> None:
    mappings = {"leads": {"campaign": {"field": "campaign"}}}
    lines = [
        PEOPLE,
        person("A", PHONE, campaign="Renewals", do_not_call=True),
        person("B", "6505550101", campaign="Renewals"),
        person("C", "6505550102", campaign="Winback"),
        state("end"),
    ]
    with serving(accounts=accounts("DO_NOT_SCRUB")) as sandbox:
        config = against(
            sandbox, do_not_call="dnc_list", campaign="Winback", mappings=mappings, max_rejected_percent=100
        )
        finished = run_target(tmp_path, config, lines)
        assert ids(sandbox.leads()) == ["C"]
        assert len(sandbox.dnc()) == 1
    assert finished.outcomes == {"read": 3, "loaded": 1, "rejected": 1, "do_not_call": 1}
    (reject,) = finished.rejects
    assert (reject["extern_id"], reject["stage"], reject["reason"]) == (None, "route", "dnc_list_unscrubbed")


def test_tags_are_checked_by_name(tmp_path: Path) -> None:
    with serving(accounts=accounts("INTERNAL_ONLY", "INTERNAL_ONLY", "Spring")) as sandbox:
        finished = run_target(tmp_path, against(sandbox, dnc_tags=["Sprng"]), LINES)
        assert sandbox.requests("load") == []
        finished_well = run_target(tmp_path, against(sandbox, dnc_tags=["Spring"]), LINES)
    assert (finished.code, finished_well.code) == (1, 0)
    assert "did you mean 'Spring'?" in finished.error


def test_tags_that_cannot_be_listed_are_a_warning(tmp_path: Path) -> None:
    fault = {"on": "dnc_tags", "do": "status", "status": 404, "times": 100}
    with serving(fault) as sandbox:
        finished = run_target(tmp_path, against(sandbox, dnc_tags=["Spring"]), LINES)
    assert finished.code == 0
    assert "the server does not list the account's do-not-call tags" in finished.stderr


def test_a_run_without_tags_asks_for_none(tmp_path: Path) -> None:
    with serving() as sandbox:
        assert run_target(tmp_path, against(sandbox, do_not_call="dnc_list"), LINES).code == 0
        assert sandbox.requests("dnc_tags") == []


@pytest.mark.parametrize(("option", "accepted"), [("DO_NOT_SCRUB", False), ("INTERNAL_ONLY", True)])
def test_check_says_whether_the_list_counts(option: str, accepted: bool, tmp_path: Path) -> None:
    with serving(accounts=accounts(option)) as sandbox:
        (tmp_path / "config.json").write_text(json.dumps(against(sandbox, do_not_call="dnc_list")))
        done = run_program(ENGAGEVOICE, "check", "--config", "config.json", "--format", "json", folder=tmp_path)
    result = json.loads(done.stdout)
    assert (result["accepted"], done.returncode) == (accepted, 0 if accepted else 1)
    texts = result["notes"] if accepted else [failure["message"] for failure in result["failures"]]
    assert any(option in text for text in texts)


def test_campaigns_lists_the_tags_and_the_scrub_options(tmp_path: Path) -> None:
    with serving(accounts=accounts("DO_NOT_SCRUB", "INTERNAL_ONLY", "Spring")) as sandbox:
        (tmp_path / "config.json").write_text(json.dumps(against(sandbox)))
        done = run_program(ENGAGEVOICE, "campaigns", "--config", "config.json", folder=tmp_path)
    shown = done.stdout.decode()
    assert "DO_NOT_SCRUB" in shown
    assert "Do-not-call tags: GLOBAL, Spring" in shown
