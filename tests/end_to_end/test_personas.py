"""STRATEGIC campaigns and accounts in E.164 mode: what does not fit is told before a record is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.executable import EMBEDDED, against, ids, run_target, serving
from tests.support.messages import SCHEMA, record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.executable import Finished

CALLBACKS = "2001"
PERSONAL = schema(properties={**SCHEMA, "mobile": {"type": ["string", "null"]}, "to": {"type": ["string", "null"]}})
LINES: list[dict[str, Any]] = [PERSONAL, *(record(n, mobile=f"65055501{n:02d}") for n in range(3)), state("all")]


def labeled(label: str, **more: Any) -> dict[str, Any]:
    """Mappings that give the field `mobile` under this label."""
    return {"leads": {"fields": {"leadPhone": "phone", "personaPhoneConfig": {label: "mobile"}}} | more}


def warnings(finished: Finished) -> list[str]:
    """What is said of the mappings; the SDK has warnings of its own on old interpreters."""
    return [line for line in finished.stderr.splitlines() if "WARNING" in line and "mappings." in line]


def test_phones_go_to_a_strategic_campaign_under_their_labels(tmp_path: Path) -> None:
    finished = run_target(tmp_path, EMBEDDED | {"campaign": CALLBACKS, "mappings": labeled("Mobile")}, LINES)
    assert (finished.code, finished.outcomes, warnings(finished)) == (0, {"read": 3, "loaded": 3}, [])
    assert [lead["fields"]["personaPhoneConfig"] for lead in finished.leads(2001)] == [
        {"Mobile": f"65055501{number:02d}"} for number in range(3)
    ]


def test_a_label_the_account_does_not_have_ends_the_run_before_anything_is_read(tmp_path: Path) -> None:
    finished = run_target(tmp_path, EMBEDDED | {"campaign": CALLBACKS, "mappings": labeled("mobile")}, LINES)
    assert (finished.code, finished.stdout, finished.leads()) == (1, "", [])
    assert finished.run_record["totals"]["read"] == 0
    assert "mappings.leads.fields.personaPhoneConfig: 'mobile'" in finished.error
    assert "did you mean 'Mobile'?" in finished.error


def test_labels_of_a_server_that_does_not_tell_are_warned_of_and_sent(tmp_path: Path) -> None:
    silent = {"on": "personas", "do": "status", "status": 404, "times": None}
    with serving(silent) as sandbox:
        finished = run_target(tmp_path, against(sandbox, campaign=CALLBACKS, mappings=labeled("Mobile")), LINES)
        assert ids(sandbox.leads(2001)) == ["L0", "L1", "L2"]
    (warning,) = warnings(finished)
    assert "cannot be checked" in warning


def test_joined_phones_for_a_strategic_campaign_are_a_mistake(tmp_path: Path) -> None:
    mappings = {"leads": {"fields": {"leadPhone": ["mobile", "phone"]}}}
    config = EMBEDDED | {"campaign": CALLBACKS, "multiple_phones": "all", "mappings": mappings}
    finished = run_target(tmp_path, config, LINES)
    assert (finished.code, finished.stdout, finished.leads()) == (1, "", [])
    assert "mappings.leads.fields.leadPhone: a STRATEGIC campaign takes a single number" in finished.error


def test_no_labels_for_a_strategic_campaign_are_warned_of_before_the_first_record(tmp_path: Path) -> None:
    config = EMBEDDED | {"campaign": CALLBACKS, "max_rejected_percent": 100}
    finished = run_target(tmp_path, config, [schema(), *records(3)])
    (warning,) = warnings(finished)
    assert "mappings.leads.fields.personaPhoneConfig" in warning
    assert "'Mobile', 'Home', 'Work'" in warning
    assert {each["stage"] for each in finished.rejects} == {"server"}, "what the sandbox makes of it"


def test_records_that_name_their_campaign_are_rejected_one_by_one(tmp_path: Path) -> None:
    lines = [PERSONAL, *(record(n, mobile=f"65055501{n:02d}", to=to) for n, to in enumerate(("1001", CALLBACKS)))]
    config = EMBEDDED | {"mappings": labeled("Boat", campaign={"field": "to"}), "max_rejected_percent": 100}
    finished = run_target(tmp_path, config, lines)
    assert (finished.code, finished.outcomes) == (0, {"read": 2, "loaded": 1, "rejected": 1})
    assert [(each["extern_id"], each["stage"], each["reason"]) for each in finished.rejects] == [
        ("L1", "map", "unknown_phone_label")
    ]


def test_an_account_in_e164_mode_gets_what_it_needs(tmp_path: Path) -> None:
    with serving(e164=True) as sandbox:
        finished = run_target(tmp_path, against(sandbox, number_origin_country="e164"), [schema(), *records(3)])
        leads = sandbox.leads()
    assert (finished.code, finished.outcomes) == (0, {"read": 3, "loaded": 3})
    assert all(lead["fields"]["leadPhoneE164"] == f"+1{lead['fields']['leadPhone']}" for lead in leads)
