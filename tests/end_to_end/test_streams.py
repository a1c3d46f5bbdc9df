"""Streams and campaigns: one into many, many into one, and streams that change on the way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import EMBEDDED, Finished, against, ids, run_target, serving
from tests.support.messages import SCHEMA, record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

CAMPAIGNS = 50
ACCOUNTS = [
    {
        "accountId": "7001",
        "dialGroups": [
            {
                "dialGroupId": 1,
                "dialGroupName": "Regions",
                "campaigns": [
                    {"campaignId": 100 + number, "campaignName": f"Region {number}"} for number in range(CAMPAIGNS)
                ],
            }
        ],
    }
]


def routed(number: int, region: str | None) -> dict[str, Any]:
    """A record that names its campaign."""
    return record(number, region=region)


def test_one_stream_reaches_fifty_campaigns(tmp_path: Path) -> None:
    lines = [
        schema(properties={**SCHEMA, "region": {"type": ["string", "null"]}}),
        *(routed(number, f"Region {number % CAMPAIGNS}") for number in range(4 * CAMPAIGNS)),
        state("all"),
    ]
    mappings = {"leads": {"campaign": {"field": "region"}}}
    with serving(accounts=ACCOUNTS) as sandbox:
        finished = run_target(tmp_path, against(sandbox, campaign=None, mappings=mappings), lines)
        leads = sandbox.leads()
    assert (finished.code, finished.states) == (0, [{"bookmark": "all"}])
    assert Counter(lead["campaignId"] for lead in leads) == {100 + number: 4 for number in range(CAMPAIGNS)}
    assert all(int(lead["externId"][1:]) % CAMPAIGNS == lead["campaignId"] - 100 for lead in leads)
    assert {key: counts["loaded"] for key, counts in finished.per_campaign.items()} == {
        ("leads", str(100 + number)): 4 for number in range(CAMPAIGNS)
    }


@pytest.fixture(scope="module")
def by_record(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    lines = [
        schema(properties={**SCHEMA, "region": {"type": ["string", "null"]}}),
        routed(1, "Winback"),
        routed(2, "1001"),
        routed(3, "Outbound/Renewals"),
        routed(4, "Nowhere"),
        routed(5, None),
        state("end"),
    ]
    config = {**EMBEDDED, "mappings": {"leads": {"campaign": {"field": "region"}}}, "max_rejected_percent": 100}
    return run_target(tmp_path_factory.mktemp("by_record"), config, lines)


def test_a_record_may_name_its_campaign_by_name_path_or_id(by_record: Finished) -> None:
    assert ids(by_record.leads(1002)) == ["L1"]
    assert ids(by_record.leads(1001)) == ["L2", "L3"]


def test_a_record_without_a_campaign_is_rejected_at_the_routing(by_record: Finished) -> None:
    rejects = {reject["record"]["id"]: reject for reject in by_record.rejects}
    assert {key: (reject["stage"], reject["reason"]) for key, reject in rejects.items()} == {
        "L4": ("route", "unknown_campaign"),
        "L5": ("route", "no_campaign"),
    }
    assert all(reject["campaign_id"] is None for reject in by_record.rejects)
    assert by_record.per_campaign["leads", None] == {"read": 2, "rejected": 2}


def test_two_streams_reach_one_campaign_each_with_its_own_list(tmp_path: Path) -> None:
    lines = [
        schema("east"),
        schema("west"),
        *(line for number in range(10) for line in (record(number, "east"), record(100 + number, "west"))),
    ]
    with serving() as sandbox:
        finished = run_target(tmp_path, against(sandbox, list_description="{stream} {date}"), lines)
        leads, lists = sandbox.leads(), sandbox.lists()
    assert finished.code == 0
    assert ids(leads) == sorted(f"L{number}" for start in (0, 100) for number in range(start, start + 10))
    assert {row["listDesc"].split(" ")[0] for row in lists} == {"east", "west"}
    assert {key: row["loaded"] for key, row in finished.per_campaign.items()} == {
        ("east", "1001"): 10,
        ("west", "1001"): 10,
    }


def test_of_one_id_in_two_streams_of_one_campaign_both_are_settled(tmp_path: Path) -> None:
    lines = [schema("east"), schema("west"), record(1, "east"), record(1, "west", last_name="Other"), state("end")]
    with serving() as sandbox:
        finished = run_target(tmp_path, against(sandbox), lines)
        leads = sandbox.leads()
    assert (finished.code, finished.states) == (0, [{"bookmark": "end"}])
    assert [lead["lastName"] for lead in leads] == ["Last1", "Other"]


def test_a_field_that_comes_with_a_later_schema_is_mapped_from_then_on(tmp_path: Path) -> None:
    lines = [
        schema(),
        *records(3),
        state("one"),
        schema(properties={**SCHEMA, "city": {"type": "string"}, "id": {"type": "integer"}}),
        *(record(number, id=number, city="Springfield") for number in range(3, 6)),
        state("two"),
    ]
    finished = run_target(tmp_path, EMBEDDED, lines)
    assert (finished.code, finished.outcomes) == (0, {"read": 6, "loaded": 6})
    cities = {lead["externId"]: lead.get("city") for lead in finished.leads()}
    assert cities == dict.fromkeys(("L0", "L1", "L2")) | dict.fromkeys(("3", "4", "5"), "Springfield")
    assert finished.states[-1] == {"bookmark": "two"}


def test_a_later_schema_is_the_one_that_records_are_checked_against(tmp_path: Path) -> None:
    strict = schema(properties={**SCHEMA, "note": {"type": "string", "maxLength": 3}})
    lines = [schema(), record(1, note="long enough"), strict, record(2, note="long enough"), record(3, note="ok")]
    finished = run_target(tmp_path, {**EMBEDDED, "max_rejected_percent": 50}, lines)
    assert finished.outcomes == {"read": 3, "loaded": 2, "rejected": 1}
    assert [(reject["record"]["id"], reject["stage"]) for reject in finished.rejects] == [("L2", "schema")]


def test_activate_version_changes_nothing_and_stops_nothing(tmp_path: Path) -> None:
    activate = {"type": "ACTIVATE_VERSION", "stream": "leads", "version": 1}
    lines = [schema(), activate, *({**line, "version": 1} for line in records(3)), activate, state("end")]
    finished = run_target(tmp_path, EMBEDDED, lines)
    assert (finished.code, finished.outcomes, finished.states) == (
        0,
        {"read": 3, "loaded": 3},
        [{"bookmark": "end"}],
    )


def test_a_skipped_stream_is_counted_and_not_loaded(tmp_path: Path) -> None:
    lines = [schema(), schema("internal_notes"), record(1), record(2, "internal_notes"), state("end")]
    finished = run_target(tmp_path, {**EMBEDDED, "mappings": {"internal_*": {"skip": True}}}, lines)
    assert finished.outcomes == {"read": 2, "loaded": 1, "skipped": 1}
    assert ids(finished.leads()) == ["L1"]
    assert finished.states == [{"bookmark": "end"}]


def test_a_stream_without_a_campaign_ends_the_run_and_says_which_settings_help(tmp_path: Path) -> None:
    config = {**EMBEDDED, "campaign": None, "mappings": {"leads": {"campaign": "1001"}}}
    lines = [schema(), *records(3), state("before"), schema("other"), record(9, "other"), *records(3, 10)]
    finished = run_target(tmp_path, config, lines)
    assert (finished.code, finished.fed) == (1, True)
    assert "'campaign'" in finished.error
    assert "mappings.other.campaign" in finished.error
