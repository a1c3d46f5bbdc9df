"""A check finds every failure, warns of what will not dial, and passes only what a run would take."""

from __future__ import annotations

import io
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.preflight.check import check
from tests.end_to_end.test_config_mistakes import MISTAKES
from tests.support.executable import EMBEDDED, against, serving
from tests.support.fake_clock import FakeClock
from tests.support.messages import SCHEMA, encoded, records, sample, schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_engagevoice.preflight.check_result import CheckResult
    from target_engagevoice.sandbox.sandbox import Sandbox

ACCOUNTS = [
    {
        "accountId": "7001",
        "dialGroups": [
            {
                "dialGroupId": 1,
                "dialGroupName": "North",
                "campaigns": [
                    {"campaignId": 10, "campaignName": "Spring"},
                    {"campaignId": 11, "campaignName": "Asleep", "isActive": 0},
                    {"campaignId": 12, "campaignName": "Over", "endDate": "2020-01-01T00:00:00.000+0000"},
                    {"campaignId": 13, "campaignName": "Strategy", "callingConfiguration": "STRATEGIC"},
                ],
            }
        ],
    }
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serving(accounts=ACCOUNTS) as serving_sandbox:
        yield serving_sandbox


def checked(sandbox: Sandbox, folder: Path, *lines: Any, **settings: Any) -> CheckResult:
    config = against(sandbox, campaign="Spring", state_dir=str(folder / "state")) | settings
    schemas = io.BytesIO(b"".join(map(encoded, lines))) if lines else None
    return check(config, schemas, FakeClock(), version("target-engagevoice"))


def messages(result: CheckResult) -> str:
    return "\n".join(failure.message for failure in result.failures)


def test_a_sound_configuration_is_accepted_with_its_account_and_campaign(sandbox: Sandbox, tmp_path: Path) -> None:
    result = checked(sandbox, tmp_path)
    assert (result.accepted, result.failures, result.warnings) == (True, [], [])
    assert result.account_id == "7001"
    assert {campaign.path: places for campaign, places in result.campaigns.items()} == {"North/Spring": ["campaign"]}


def test_nothing_is_sent_and_no_ledger_is_made(sandbox: Sandbox, tmp_path: Path) -> None:
    assert checked(sandbox, tmp_path, schema(), *records(3)).accepted
    assert sandbox.requests("load") == []
    assert list((tmp_path / "state").iterdir()) == []


def test_every_failure_is_found_in_one_go(sandbox: Sandbox, tmp_path: Path) -> None:
    mappings = {
        "leads": {"campaign": {"field": "note", "map": {"a": "Sprung", "b": "Asleep"}, "default": "nobody"}},
        "people": {"preset": "none", "fields": {"firstname": "first_name"}},
    }
    result = checked(sandbox, tmp_path, campaign="Spirng", phone_format="nationale", mappings=mappings)
    places = [
        *("phone_format", "mappings.people.fields.firstname", "campaign", "mappings.leads.campaign.map"),
        *("mappings.leads.campaign.default", "mappings.people.fields.externId"),
    ]
    assert sorted(failure.message.split(":")[0] for failure in result.failures) == sorted(places)


def test_a_refused_sign_in_is_a_failure_and_the_mappings_are_checked_all_the_same(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    result = checked(sandbox, tmp_path, api_token="wrong", mappings={"leads": {"preset": "none"}})
    assert [failure.code for failure in result.failures] == ["server", "config"]
    assert "401" in result.failures[0].message


def test_without_a_campaign_nothing_is_accepted(sandbox: Sandbox, tmp_path: Path) -> None:
    assert "set 'campaign'" in messages(checked(sandbox, tmp_path, campaign=None))
    skipped = {"internal_*": {"skip": True}}
    assert "set 'campaign'" in messages(checked(sandbox, tmp_path, campaign=None, mappings={**skipped, "leads": {}}))


@pytest.mark.parametrize(("campaign", "words"), [("Asleep", "inactive"), ("Over", "ended on 2020-01-01")])
def test_a_campaign_that_does_not_dial_is_warned_of(
    campaign: str, words: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    result = checked(sandbox, tmp_path, campaign=campaign)
    assert result.accepted
    (warning,) = result.warnings
    assert words in warning


def test_extended_data_is_warned_of(sandbox: Sandbox, tmp_path: Path) -> None:
    result = checked(sandbox, tmp_path, mappings={"leads": {"fields": {"extendedLeadData": {"note": "note"}}}})
    (warning,) = result.warnings
    assert "custom-field group" in warning


def test_strategic_campaigns_and_e164_are_noted(sandbox: Sandbox, tmp_path: Path) -> None:
    notes = "\n".join(checked(sandbox, tmp_path, campaign="Strategy").notes)
    assert "personaPhoneConfig" in notes
    assert "E.164" in notes
    (note,) = checked(sandbox, tmp_path, schema(), phone_format="e164").notes
    assert "cannot be known whether account 7001 is in E.164 mode" in note


def test_a_state_dir_that_cannot_be_made_is_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "state_dir" in messages(checked(sandbox, tmp_path, state_dir=str(tmp_path / "file" / "inside")))


def test_a_ledger_that_cannot_be_read_is_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "ledger.db").write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    result = checked(sandbox, tmp_path, ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    assert [failure.code for failure in result.failures] == ["ledger"]


def test_a_store_of_rate_limits_that_does_not_answer_is_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    result = checked(sandbox, tmp_path, rate_limit_store="postgresql://nobody:sesame@127.0.0.1:9/none")
    (failure,) = result.failures
    assert failure.code == "quota"
    assert "sesame" not in failure.message


def test_with_the_streams_of_the_tap_the_sources_are_their_fields(sandbox: Sandbox, tmp_path: Path) -> None:
    mappings = {"Lead": {"preset": "salesforce"}, "Task": {"skip": True}}
    result = checked(sandbox, tmp_path, *sample("salesforce_leads"), mappings=mappings)
    (lead,) = result.streams
    assert (lead.name, lead.preset, lead.campaign, lead.forbidding) == (
        "Lead",
        "salesforce",
        "North/Spring",
        ("DoNotCall",),
    )
    assert {origin.lead_field: origin.sources for origin in lead.origins}["leadPhone"] == ("MobilePhone", "Phone")
    assert result.warnings == ["mappings.Task: no stream of the input is named like this."]


def test_every_stream_that_does_not_fit_is_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    mapping = {"do_not_call": ["dnc"]}
    lines = [schema("a"), *records(2, stream="a"), schema("b"), schema("c", {**SCHEMA, "dnc": {"type": "boolean"}})]
    result = checked(sandbox, tmp_path, *lines, mappings={"a": mapping, "b": mapping, "c": mapping})
    assert [failure.message.split(":")[0] for failure in result.failures] == [
        "mappings.a.do_not_call",
        "mappings.b.do_not_call",
    ]
    assert [stream.name for stream in result.streams] == ["c"]


def test_a_stream_without_a_phone_is_warned_of(sandbox: Sandbox, tmp_path: Path) -> None:
    result = checked(sandbox, tmp_path, schema(properties={"id": {"type": "string"}}))
    (warning,) = result.warnings
    assert "leadPhone" in warning


@pytest.mark.parametrize("stream_maps", [{"leads": {"x": "1 +"}}, {"leads": 7}])
def test_stream_maps_are_checked_too(stream_maps: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    assert "stream_maps" in messages(checked(sandbox, tmp_path, schema(), stream_maps=stream_maps))


def test_a_line_that_is_none_is_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    assert "line 2 is not JSON" in messages(checked(sandbox, tmp_path, schema(), "x"))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_ends_a_run_before_it_begins_is_not_accepted(mistake: str, tmp_path: Path) -> None:
    wrong, words = MISTAKES[mistake]
    config = {**EMBEDDED, "state_dir": str(tmp_path / "state"), **wrong}
    result = check(config, io.BytesIO(encoded(schema())), FakeClock(), version("target-engagevoice"))
    (failure,) = result.failures
    assert all(word in failure.message for word in words)


def test_with_a_mistake_in_where_to_sign_in_no_server_is_asked_and_the_mappings_are_checked(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    asked = len(sandbox.requests())
    config = {
        "base_url": sandbox.base_url.removeprefix("http://"),
        "mappings": {"leads": {"preset": "none"}},
        "batch_size": 1,
    }
    result = checked(sandbox, tmp_path, **config)
    assert result.account_id is None
    assert sorted(failure.message.split(":")[0] for failure in result.failures) == [
        "'batch_size' is not a setting; did you mean 'batch_size_rows' or 'batch_size_bytes' or 'base_url'?",
        "base_url",
        "mappings.leads.fields.externId",
    ]
    assert "not asked" in "\n".join(result.notes)
    assert len(sandbox.requests()) == asked
    assert not list(tmp_path.iterdir())


def test_a_campaign_field_that_the_stream_does_not_have_is_warned_of(sandbox: Sandbox, tmp_path: Path) -> None:
    mappings = {"leads": {"campaign": {"field": "campain", "default": "Spring"}}}
    result = checked(sandbox, tmp_path, schema(), mappings=mappings)
    assert any("mappings.leads.campaign.field" in warning and "'campain'" in warning for warning in result.warnings)


def test_fake_values_without_the_package_that_makes_them_are_a_failure(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target_engagevoice.stream_maps.find_spec", lambda _name: None)
    result = checked(sandbox, tmp_path, schema(), faker_config={"seed": 1})
    assert "faker_config: needs the package Faker" in messages(result)


@pytest.mark.parametrize("name", ["runs", "rejects", "schemas"])
def test_a_state_dir_in_which_a_run_could_not_keep_its_files_is_not_accepted(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / name).touch()
    assert f"state_dir: {tmp_path / 'state' / name} cannot be made" in messages(checked(sandbox, tmp_path))


def test_an_input_without_streams_is_warned_of(sandbox: Sandbox, tmp_path: Path) -> None:
    assert "the input has no SCHEMA message" in "\n".join(checked(sandbox, tmp_path, *records(1)).warnings)
