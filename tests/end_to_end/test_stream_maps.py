"""What the SDK brings: stream maps, flattening, record metadata, validation. Honored, and safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import EMBEDDED, Finished, ids, run_target
from tests.support.messages import SCHEMA, record, records, sample, schema, state

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
        "stream_maps": {"leads": {"score": "int(note) + 1", "email": "__NULL__"}},
        "mappings": {"leads": {"fields": {"auxData1": "score"}}},
    }
    lines = [schema(), record(1, note="41"), record(2, note="many"), record(3, note="6"), state("end")]
    finished = run_target(tmp_path, config, lines)
    assert (finished.code, finished.outcomes) == (0, {"read": 3, "loaded": 2, "rejected": 1})
    assert [lead["auxData1"] for lead in finished.leads()] == ["42", "7"]
    (reject,) = finished.rejects
    assert (reject["stage"], reject["reason"]) == ("map", "stream_map")
    assert reject["record"] == record(2, note="many")["record"], "as read, before the stream maps"
    assert "many" not in finished.stderr
    assert finished.states == [{"bookmark": "end"}]


def test_streams_can_be_left_out_and_renamed(tmp_path: Path) -> None:
    config = {
        **EMBEDDED,
        "campaign": None,
        "stream_maps": {"secrets": None, "leads": {"__alias__": "people", "__key_properties__": ["email"]}},
        "mappings": {"people": {"campaign": "Winback"}},
    }
    lines = [schema(), schema("secrets"), *records(2), *records(3, 10, "secrets"), state("end")]
    finished = run_target(tmp_path, config, lines)
    assert (finished.code, finished.states) == (0, [{"bookmark": "end"}])
    assert ids(finished.leads(1002)) == ["person0@example.com", "person1@example.com"]
    assert finished.per_campaign == {
        ("people", "1002"): {"read": 2, "loaded": 2},
        ("secrets", None): {"read": 3, "skipped": 3},
    }


def test_hubspot_is_mapped_the_same_when_flattened(tmp_path: Path) -> None:
    config = {
        **EMBEDDED,
        "mappings": {"contacts": {"preset": "hubspot"}},
        "flattening_enabled": True,
        "flattening_max_depth": 1,
    }
    finished = run_target(tmp_path, config, sample("hubspot_contacts"))
    assert (finished.code, finished.outcomes) == (0, {"read": 10, "loaded": 8, "rejected": 1, "deleted": 1})
    assert finished.leads()[0]["fields"] == {
        "externId": "51001",
        "leadPhone": "6505550170",
        "firstName": "Nils",
        "lastName": "Abbott",
        "address1": "100 Cedar St",
        "city": "Palo Alto",
        "state": "CA",
        "zip": "94301",
        "email": "nils.abbott@example.com",
    }
    assert finished.rejects[0]["record"]["properties"]["firstname"], "the record as read is not flattened"


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


def test_record_metadata_fits_a_schema_that_allows_nothing_else(tmp_path: Path) -> None:
    closed = schema()
    closed["schema"] = {**closed["schema"], "additionalProperties": False}
    finished = run_target(tmp_path, {**EMBEDDED, "add_record_metadata": True}, [closed, record(1), state("end")])
    assert (finished.code, finished.outcomes) == (0, {"read": 1, "loaded": 1}), finished.stderr


INVALID: list[Any] = [
    schema(
        properties={
            **SCHEMA,
            "note": {"type": "integer"},
            "last_name": {"type": "string", "enum": ["Last1", "Last3"]},
        }
    ),
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


def test_a_schema_that_refers_to_nothing_ends_the_run_and_says_how_to_load_it(tmp_path: Path) -> None:
    elsewhere = schema(properties={**SCHEMA, "note": {"$ref": "http://127.0.0.1:9/note.json"}})
    lines = [schema(), record(1), state("good"), elsewhere, record(2, note="x"), state("never")]
    finished = run_target(tmp_path, EMBEDDED, lines)
    assert (finished.code, finished.states, ids(finished.leads())) == (1, [{"bookmark": "good"}], ["L1"])
    assert "validate_records" in finished.error
