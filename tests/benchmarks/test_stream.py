from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import jsonschema
import pytest

from benchmarks import stream
from benchmarks.lead_mapping import FIELDS, LEAD_PHONE, target_mapping

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 1_500
CAMPAIGNS = ("1001", "1002", "1003")


def messages(count: int) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.lines(count, campaigns=CAMPAIGNS)]


def test_the_same_seed_makes_the_same_stream_and_another_seed_another() -> None:
    same, again, other = (list(stream.lines(50, seed=seed)) for seed in (1, 1, 2))

    assert same == again
    assert same != other


def test_every_record_fits_its_own_schema_and_has_all_its_fields() -> None:
    validator = jsonschema.Draft7Validator(stream.SCHEMA)
    draw = random.Random(1)  # noqa: S311 - nothing secret is drawn

    for number in range(300):
        record = stream.record(number, draw, CAMPAIGNS)
        assert list(validator.iter_errors(record)) == []
        assert record.keys() == stream.SCHEMA["properties"].keys()


def test_a_record_is_as_wide_and_as_long_as_the_issue_says(tmp_path: Path) -> None:
    size = stream.write(tmp_path / "stream", 1_000)

    assert len(stream.SCHEMA["properties"]) == 26
    assert size == pytest.approx(940, rel=0.02)


def test_state_follows_every_thousand_records_and_the_last_one() -> None:
    read, positions = 0, []
    for message in messages(COUNT):
        if message["type"] == "STATE":
            value = message["value"]
            assert isinstance(value, dict)
            positions.append((read, value["bookmarks"][stream.STREAM]["position"]))
        read += message["type"] == "RECORD"

    assert positions == [(1_000, 1_000), (COUNT, COUNT)]


def test_campaigns_take_turns_and_ids_do_not_repeat() -> None:
    records = [message["record"] for message in messages(30) if message["type"] == "RECORD"]

    assert [record["Campaign__c"] for record in records] == [*CAMPAIGNS] * 10  # type: ignore[index]  # JSON
    assert len({record["Id"] for record in records}) == 30  # type: ignore[index]  # JSON


def test_fifteen_fields_are_mapped_and_all_of_them_exist() -> None:
    assert len(target_mapping("1001")["fields"]) == 15
    assert {*FIELDS.values(), *LEAD_PHONE} <= stream.SCHEMA["properties"].keys()
