"""Each source's stream into the sandbox, mapped by the preset alone: no `fields` of the user's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import EMBEDDED, OUTCOMES, Finished, ids, run_target
from tests.support.messages import SCHEMA, record, sample, schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.messages import Line

SALESFORCE_CONFIG = {
    **EMBEDDED,
    "mappings": {
        "Lead": {
            "preset": "salesforce",
            "campaign": {
                "field": "Campaign__c",
                "map": {"Spring": "Outbound/Renewals", "Winback": "Winback"},
                "default": 1001,
            },
        }
    },
}
FORBIDDEN = {"Grünwald", "Tanaka", "Hale"}
DELETED = {"Lindqvist", "Chandra"}


def read_records(name: str) -> dict[str, dict[str, Any]]:
    """The records of a sample, by key."""
    messages = [json.loads(line) for line in sample(name)]
    return {
        str(message["record"].get("Id") or message["record"]["id"]): message["record"]
        for message in messages
        if message["type"] == "RECORD"
    }


@pytest.fixture(scope="module")
def salesforce(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return run_target(tmp_path_factory.mktemp("salesforce"), SALESFORCE_CONFIG, sample("salesforce_leads"))


@pytest.fixture(scope="module")
def hubspot(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    config = {**EMBEDDED, "mappings": {"contacts": {"preset": "hubspot"}}}
    return run_target(tmp_path_factory.mktemp("hubspot"), config, sample("hubspot_contacts"))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return run_target(tmp_path_factory.mktemp("postgres"), EMBEDDED, sample("postgres_leads"))


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return run_target(tmp_path_factory.mktemp("csv"), EMBEDDED, sample("csv_leads"))


@pytest.fixture(params=["salesforce", "hubspot", "postgres", "csv"])
def source(request: pytest.FixtureRequest) -> Finished:
    finished: Finished = request.getfixturevalue(request.param)
    return finished


def fields(finished: Finished, extern_id: str) -> Mapping[str, Any]:
    """The one lead with that id, as it was sent."""
    (lead,) = [lead for lead in finished.leads() if lead["externId"] == extern_id]
    sent: Mapping[str, Any] = lead["fields"]
    return sent


def test_a_source_is_loaded_without_any_complaint(source: Finished) -> None:
    assert (source.code, source.errors) == (0, []), source.stderr
    assert source.run_record["status"] == "ok"


def test_read_is_the_sum_of_the_eight_outcomes_everywhere(source: Finished) -> None:
    rows = [row for stream in source.run_record["streams"] for row in stream["campaigns"]]
    for row in [source.run_record["totals"], *rows]:
        assert row["read"] == sum(row[name] for name in OUTCOMES)


def test_the_totals_add_up_over_streams_and_campaigns(source: Finished) -> None:
    rows = [row for stream in source.run_record["streams"] for row in stream["campaigns"]]
    totals = source.run_record["totals"]
    assert totals == {name: sum(row[name] for row in rows) for name in totals}
    assert totals["requests"] > 0


def test_the_server_holds_as_many_leads_as_the_run_record_says(source: Finished) -> None:
    assert len(source.leads()) == source.outcomes["loaded"]


def test_every_record_of_salesforce_has_its_outcome(salesforce: Finished) -> None:
    assert salesforce.outcomes == {
        "read": 40,
        "loaded": 32,
        "not_inserted": 1,
        "rejected": 2,
        "do_not_call": 3,
        "deleted": 2,
    }


def test_salesforce_leads_go_where_their_own_field_says(salesforce: Finished) -> None:
    campaigns = {"Spring": 1001, "Winback": 1002, None: 1001}
    known = read_records("salesforce_leads")
    assert salesforce.leads()
    for lead in salesforce.leads():
        assert lead["campaignId"] == campaigns[known[lead["externId"]]["Campaign__c"]]


def test_salesforce_fields_arrive_under_the_apis_names(salesforce: Finished) -> None:
    assert fields(salesforce, "00Q5e00000d5AU5EAA") == {
        "externId": "00Q5e00000d5AU5EAA",
        "leadPhone": "6505550100",
        "title": "VP Sales",
        "firstName": "Ada",
        "lastName": "Abbott",
        "address1": "445 Station Rd",
        "city": "Palo Alto",
        "state": "CA",
        "zip": "94301",
        "email": "ada.abbott@example.com",
    }


def test_salesforce_mobile_phones_come_before_the_others(salesforce: Finished) -> None:
    assert fields(salesforce, "00Q5e00000b241MEAA")["leadPhone"] == "4155550151"


def test_salesforce_people_who_must_not_be_called_never_reach_the_server(salesforce: Finished) -> None:
    names = {lead["fields"]["lastName"] for lead in salesforce.leads()}
    assert names.isdisjoint(FORBIDDEN | DELETED)


def test_of_two_leads_with_one_phone_the_second_is_not_inserted(salesforce: Finished) -> None:
    # Yamada and Keller share a number; the server keeps the first of a list (`REMOVE_FROM_LIST`).
    assert "00Q5e00000Q6gqBEAA" in ids(salesforce.leads(1001))
    assert "00Q5e00000mv8zSEAA" not in ids(salesforce.leads())
    assert salesforce.per_campaign["Lead", "1001"]["not_inserted"] == 1


def test_the_rejects_hold_the_records_as_read(salesforce: Finished) -> None:
    known = read_records("salesforce_leads")
    rejects = {reject["record"]["Id"]: reject for reject in salesforce.rejects}
    assert set(rejects) == {"00Q5e000004kQa4EAA", "00Q5e00000cZyDTEAA"}
    for key, reject in rejects.items():
        assert reject["record"] == known[key]
        assert (reject["run"], reject["stream"]) == (salesforce.run_record["run"], "Lead")
        assert (reject["stage"], reject["lead"]) == ("phone", None)
        assert reject["message"]
    assert rejects["00Q5e000004kQa4EAA"]["reason"] == "missing_phone"
    assert rejects["00Q5e00000cZyDTEAA"]["reason"] == "not_a_phone"
    assert {reject["campaign_id"] for reject in salesforce.rejects} == {"1001", "1002"}


def test_salesforce_states_are_passed_on_in_order_and_the_last_one_ends_the_run(salesforce: Finished) -> None:
    states = [message["value"] for message in map(json.loads, sample("salesforce_leads")) if message["type"] == "STATE"]
    assert salesforce.states[-1] == states[-1]
    assert [value for value in states if value in salesforce.states] == salesforce.states


def test_every_record_of_hubspot_has_its_outcome(hubspot: Finished) -> None:
    assert hubspot.outcomes == {"read": 10, "loaded": 8, "rejected": 1, "deleted": 1}


def test_hubspot_fields_arrive_out_of_its_properties(hubspot: Finished) -> None:
    assert fields(hubspot, "51001") == {
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


def test_hubspot_archived_contacts_never_reach_the_server(hubspot: Finished) -> None:
    assert "51005" not in ids(hubspot.leads())
    assert [reject["record"]["id"] for reject in hubspot.rejects] == ["51008"]


def test_every_record_of_postgres_has_its_outcome(postgres: Finished) -> None:
    assert postgres.outcomes == {"read": 10, "loaded": 9, "rejected": 1}


def test_postgres_nulls_are_left_out_and_numbers_become_text(postgres: Finished) -> None:
    assert fields(postgres, "9001") == {
        "externId": "9001",
        "leadPhone": "6505550190",
        "firstName": "Zoë",
        "lastName": "Fontaine",
        "address1": "300 Cedar St",
        "city": "Palo Alto",
        "state": "CA",
        "zip": "94301",
    }
    assert fields(postgres, "9003")["leadPhone"] == "2125550142"


def test_every_record_of_a_csv_has_its_outcome(csv: Finished) -> None:
    assert csv.outcomes == {"read": 12, "loaded": 11, "rejected": 1}


def test_empty_fields_of_a_csv_are_left_out(csv: Finished) -> None:
    sent = fields(csv, "7005")
    assert (sent["leadPhone"], sent["lastName"]) == ("2065550184", "Whitfield")
    assert "email" not in sent
    assert all(value != "" for lead in csv.leads() for value in lead["fields"].values())


def test_what_postgres_sends_besides_arrives_as_text_when_asked_for(tmp_path: Path) -> None:
    columns = {
        "id": {"type": "integer"},
        "phone": {"type": "string"},
        "amount": {"type": ["number", "null"], "multipleOf": 1e-38},
        "tiny": {"type": ["number", "null"]},
        "opted_in": {"type": ["boolean", "null"]},
        "born_on": {"type": ["string", "null"], "format": "date"},
        "updated_at": {"type": ["string", "null"], "format": "date-time"},
        "nothing": {"type": ["string", "null"]},
    }
    # Written out by hand: what Python makes of the numbers is not what a tap sends.
    row = (
        '{"type": "RECORD", "stream": "public-leads", "record": {"id": 12, "phone": "(650) 555-0100",'
        ' "amount": 12345678901234567890.12, "tiny": 1E-7, "opted_in": false, "born_on": "1990-02-28",'
        ' "updated_at": "2026-03-10T08:00:00.500000+00:00", "nothing": null}}'
    )
    lines: list[Line] = [schema("public-leads", columns), row]
    finished = run_target(tmp_path, {**EMBEDDED, "unmapped_fields": "extended"}, lines)
    assert fields(finished, "12")["extendedLeadData"] == {
        "amount": "12345678901234567890.12",
        "tiny": "0.0000001",
        "opted_in": "false",
        "born_on": "1990-02-28",
        "updated_at": "2026-03-10T08:00:00.500000+00:00",
    }


def test_rows_deleted_at_the_source_never_reach_the_server(tmp_path: Path) -> None:
    marks = {"_sdc_deleted_at": {"type": ["string", "null"]}, "do_not_call": {"type": ["boolean", "null"]}}
    lines = [
        schema(properties={**SCHEMA, **marks}),
        record(1, _sdc_deleted_at=None, do_not_call=None),
        record(2, _sdc_deleted_at="2026-03-10T08:00:00Z", do_not_call=False),
        record(3, _sdc_deleted_at=None, do_not_call=True),
    ]
    finished = run_target(tmp_path, EMBEDDED, lines)
    assert finished.outcomes == {"read": 3, "loaded": 1, "deleted": 1, "do_not_call": 1}
    assert ids(finished.leads()) == ["L1"]
