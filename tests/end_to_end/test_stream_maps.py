"""What the SDK brings: stream maps, flattening, record metadata, validation. Honoured, and safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.executable import (
    EMBEDDED,
    SCHEMA,
    Finished,
    ids,
    record,
    records,
    run_target,
    sample,
    schema,
    state,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """tap-salesforce's date-times are an `anyOf`; a map copies one, and computes from others."""
    config = {
        **EMBEDDED,
        "max_rejected_percent": 50,
        "stream_maps": {
            "Lead": {
                "SystemModstamp2": "SystemModstamp",
                "Full": "FirstName + ' ' + LastName",
                "__filter__": "LastName != 'Abbott'",
            }
        },
        "mappings": {
            "Lead": {"preset": "salesforce", "fields": {"auxData1": "SystemModstamp2", "auxData2": "Full"}},
        },
    }
    return run_target(tmp_path_factory.mktemp("copied"), config, sample("salesforce_leads"))


def test_a_copied_date_time_of_salesforce_survives(copied: Finished) -> None:
    assert copied.code == 0, copied.stderr
    (lead,) = [lead for lead in copied.leads() if lead["lastName"] == "Castillo"]
    assert lead["auxData1"] == "2026-03-01T10:40:50.000000Z"


def test_a_computed_field_can_be_mapped(copied: Finished) -> None:
    (lead,) = [lead for lead in copied.leads() if lead["lastName"] == "Castillo"]
    assert lead["auxData2"] == "Carla Castillo"


def test_a_record_that_the_filter_leaves_out_is_skipped(copied: Finished) -> None:
    assert copied.outcomes["skipped"] == 1
    assert copied.outcomes["read"] == 40
    assert not [lead for lead in copied.leads() if lead["lastName"] == "Abbott"]


def test_a_record_whose_expression_fails_is_rejected_alone(tmp_path: Path) -> None:
    config = {
        **EMBEDDED,
        "max_rejected_percent": 50,
        "stream_maps": {"leads": {"score": "int(note) + 1"}},
        "mappings": {"leads": {"fields": {"auxData1": "score"}}},
    }
    lines = [schema(), record(1, note="41"), record(2, note="many"), record(3, note="6"), state("end")]
    finished = run_target(tmp_path, config, lines)
    assert (finished.code, finished.outcomes) == (0, {"read": 3, "loaded": 2, "rejected": 1})
    assert [lead["auxData1"] for lead in finished.leads()] == ["42", "7"]
    (reject,) = finished.rejects
    assert (reject["stage"], reject["reason"], reject["record"]["note"]) == ("map", "stream_map", "many")
    assert "many" not in finished.stderr
    assert finished.states == [{"bookmark": "end"}]


def test_the_rejects_hold_the_record_from_before_the_stream_maps(tmp_path: Path) -> None:
    config = {
        **EMBEDDED,
        "max_rejected_percent": 100,
        "stream_maps": {"leads": {"phone": "'none'", "email": "__NULL__"}},
    }
    finished = run_target(tmp_path, config, [schema(), record(1)])
    assert finished.rejects[0]["record"] == record(1)["record"]


def test_a_stream_that_is_mapped_to_nothing_is_skipped(tmp_path: Path) -> None:
    config = {**EMBEDDED, "stream_maps": {"secrets": None}}
    lines = [schema(), schema("secrets"), record(1), *records(2, 10, "secrets"), state("end")]
    finished = run_target(tmp_path, config, lines)
    assert (finished.code, finished.outcomes) == (0, {"read": 3, "loaded": 1, "skipped": 2})
    assert finished.states == [{"bookmark": "end"}]


def test_a_renamed_stream_is_mapped_under_its_new_name(tmp_path: Path) -> None:
    config = {
        **EMBEDDED,
        "campaign": None,
        "stream_maps": {"leads": {"__alias__": "people", "__key_properties__": ["email"]}},
        "mappings": {"people": {"campaign": "Winback"}},
    }
    finished = run_target(tmp_path, config, [schema(), *records(2), state("end")])
    assert (finished.code, ids(finished.leads(1002))) == (0, ["person0@example.com", "person1@example.com"])
    assert list(finished.per_campaign) == [("people", "1002")]


def test_hubspot_is_mapped_the_same_when_flattened(tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "nested").mkdir()
    config = {**EMBEDDED, "mappings": {"contacts": {"preset": "hubspot"}}}
    flattening = {"flattening_enabled": True, "flattening_max_depth": 1}
    flat = run_target(tmp_path / "flat", config | flattening, sample("hubspot_contacts"))
    nested = run_target(tmp_path / "nested", config, sample("hubspot_contacts"))
    assert (flat.code, flat.outcomes) == (0, nested.outcomes)
    assert [lead["fields"] for lead in flat.leads()] == [lead["fields"] for lead in nested.leads()]


@pytest.mark.parametrize("added", [True, False])
def test_record_metadata_is_there_when_asked_for_and_only_then(added: bool, tmp_path: Path) -> None:
    config = {
        **EMBEDDED,
        "add_record_metadata": added,
        "mappings": {"leads": {"fields": {"auxData1": "_sdc_extracted_at", "auxData2": "_sdc_batched_at"}}},
    }
    line = {**record(1), "time_extracted": "2026-03-14T09:00:00.000000Z"}
    finished = run_target(tmp_path, config, [schema(), line, state("end")])
    assert (finished.code, finished.outcomes) == (0, {"read": 1, "loaded": 1}), finished.stderr
    (lead,) = finished.leads()
    assert ("auxData1" in lead, "auxData2" in lead) == (added, added)
    if added:
        assert lead["auxData1"].startswith("2026-03-14T09:00:00")


INVALID: list[Any] = [
    schema(**{**SCHEMA, "note": {"type": "integer"}, "last_name": {"type": "string", "enum": ["Last1", "Last3"]}}),
    record(1, note=1),
    record(2, note=2, last_name="Zaphodsson"),
    record(3, note="Beeblebrox"),
    state("end"),
]


def test_an_invalid_record_is_rejected_without_its_value_in_the_log(tmp_path: Path) -> None:
    finished = run_target(tmp_path, {**EMBEDDED, "max_rejected_percent": 100}, INVALID)
    assert (finished.code, finished.outcomes) == (0, {"read": 3, "loaded": 1, "rejected": 2})
    assert {reject["stage"] for reject in finished.rejects} == {"schema"}
    assert [reject["message"].split(" ")[0] for reject in finished.rejects] == ["last_name", "note"]
    shown = finished.stderr + "".join(reject["message"] for reject in finished.rejects)
    assert not any(value in shown for value in ("Zaphodsson", "Beeblebrox"))


def test_an_invalid_record_is_loaded_when_records_are_not_checked(tmp_path: Path) -> None:
    config = {**EMBEDDED, "validate_records": False, "mappings": {"leads": {"fields": {"auxData1": "note"}}}}
    finished = run_target(tmp_path, config, INVALID)
    assert (finished.code, finished.outcomes) == (0, {"read": 3, "loaded": 3})
    assert [lead["auxData1"] for lead in finished.leads()] == ["1", "2", "Beeblebrox"]


def test_a_field_the_schema_does_not_name_does_not_disturb(tmp_path: Path) -> None:
    finished = run_target(tmp_path, EMBEDDED, [schema(), record(1, surprise="x"), state("end")])
    assert (finished.code, finished.outcomes) == (0, {"read": 1, "loaded": 1})
