"""A mistake in the configuration: found before anything is read, and one line says what to type instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import EMBEDDED, STATE_DIR, against, ids, run_target, serving
from tests.support.messages import record, records, schema, state

if TYPE_CHECKING:
    from pathlib import Path

LINES: list[dict[str, Any]] = [schema(), *records(3), state("never"), record(9, note="x" * 3_000_000)]
"""More than a pipe holds: a target that does not read to the end breaks it."""

SECRET = "sesame-word"
TWINS = [
    {
        "accountId": "7001",
        "dialGroups": [
            {"dialGroupId": n, "dialGroupName": name, "campaigns": [{"campaignId": n * 10, "campaignName": "Twin"}]}
            for n, name in ((1, "North"), (2, "South"))
        ],
    }
]

MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an unknown setting": ({"batch_size": 5}, ("'batch_size'", "'batch_size_rows'")),
    "a value that is none of an enum": ({"phone_format": "nationale"}, ("phone_format", "'national'")),
    "an unknown lead field": (
        {"mappings": {"leads": {"fields": {"firstname": "first_name"}}}},
        ("mappings.leads.fields.firstname", "'firstName'"),
    ),
    "no sign-in": ({"api_token": None}, ("no credentials", "jwt: client_id, client_secret, jwt")),
    "two sign-ins": ({"access_token": SECRET}, ("api_token", "access_token", "auth_method")),
    "half a sign-in": ({"api_token": None, "password": SECRET}, ("username", "password")),
    "plain http to another host": ({"base_url": "http://ringcx.example.com/voice"}, ("base_url", "https://")),
    "nothing said of what is retired": ({"load_method": "overwrite"}, ("load_method", "on_delete", "'suppress'")),
    "an unknown campaign": ({"campaign": "Renewal"}, ("campaign", "'Renewals'")),
    "an unknown campaign in a mapping": (
        {"mappings": {"leads": {"campaign": {"field": "note", "map": {"x": "Winbak"}}}}},
        ("mappings.leads.campaign.map", "'Winback'"),
    ),
    "no rate limit at all": ({"rate_limits": []}, ("rate_limits", "30/10s")),
    "flattening without a depth": ({"flattening_enabled": True}, ("flattening_enabled", "flattening_max_depth")),
    "a stream map that is no expression": ({"stream_maps": {"leads": {"x": "1 +"}}}, ("stream_maps",)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_the_run_with_one_line_that_says_what_to_type(mistake: str, tmp_path: Path) -> None:
    wrong, words = MISTAKES[mistake]
    finished = run_target(tmp_path, EMBEDDED | wrong, LINES)
    assert finished.code == 1
    assert all(word in finished.error for word in words), finished.error
    assert (finished.fed, finished.stdout) == (True, ""), "the tap can write to its end; there is no STATE"
    assert finished.leads() == []
    assert SECRET not in finished.stderr


def test_an_ambiguous_campaign_names_those_it_could_be(tmp_path: Path) -> None:
    with serving(accounts=TWINS) as sandbox:
        finished = run_target(tmp_path, against(sandbox, campaign="Twin"), LINES)
        assert sandbox.requests("load") == []
    assert (finished.code, finished.fed) == (1, True)
    assert "North/Twin" in finished.error
    assert "South/Twin" in finished.error


def test_several_accounts_are_listed(tmp_path: Path) -> None:
    accounts = [*TWINS, {"accountId": "7002", "accountName": "Second", "dialGroups": []}]
    with serving(accounts=accounts) as sandbox:
        finished = run_target(tmp_path, against(sandbox, campaign="North/Twin"), LINES)
        assert sandbox.requests("load") == []
    assert finished.code == 1
    assert all(word in finished.error for word in ("account_id", "7001", "7002 (Second)"))


def test_an_inactive_campaign_is_only_warned_of(tmp_path: Path) -> None:
    finished = run_target(tmp_path, {**EMBEDDED, "campaign": "Dormant"}, [schema(), *records(3)])
    assert (finished.code, ids(finished.leads(1003))) == (0, ["L0", "L1", "L2"])
    (warning,) = [line for line in finished.stderr.splitlines() if "Dormant" in line and " | INFO " not in line]
    assert "WARNING" in warning
    assert "inactive" in warning


def test_a_broken_config_file_is_told_with_its_line_and_not_its_content(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"base_url": "sandbox",\n "api_token": "sesame-word,\n}')
    finished = run_target(tmp_path, {}, LINES, "--config", "broken.json")
    assert (finished.code, finished.fed, finished.stdout) == (1, True, "")
    assert "broken.json is not JSON (line 2)" in finished.error
    assert SECRET not in finished.stderr


def test_a_config_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    finished = run_target(tmp_path, {}, [], "--config", "nowhere.json")
    assert finished.code == 2
    assert "nowhere.json" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_an_unknown_option_is_wrong_usage(tmp_path: Path) -> None:
    finished = run_target(tmp_path, {}, [], "--configure", "config.json")
    assert finished.code == 2
    assert "--config" in finished.stderr


def test_later_config_files_and_the_environment_win(tmp_path: Path) -> None:
    (tmp_path / "later.json").write_text(json.dumps({"campaign": "1001", "batch_size_rows": 1}))
    finished = run_target(
        tmp_path,
        {**EMBEDDED, "campaign": "nobody"},
        [schema(), *records(3)],
        *("--config", "config.json", "--config", "later.json", "--config", "ENV"),
        TARGET_ENGAGEVOICE_CAMPAIGN="Winback",
        TARGET_ENGAGEVOICE_UNMAPPED_FIELDS="",
    )
    assert (finished.code, ids(finished.leads(1002))) == (0, ["L0", "L1", "L2"])
    assert finished.run_record["totals"]["requests"] == 3


def test_a_state_dir_that_can_not_be_made_is_a_mistake_too(tmp_path: Path) -> None:
    (tmp_path / "a_file").touch()
    finished = run_target(tmp_path, {**EMBEDDED, "state_dir": "a_file/inside"}, LINES)
    assert (finished.code, finished.fed, finished.stdout) == (1, True, "")
    assert "state_dir" in finished.error
    assert not (tmp_path / STATE_DIR).exists()


def test_a_proxy_of_the_machine_is_not_asked_for_what_is_on_it(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    finished = run_target(
        tmp_path, {**EMBEDDED, "retry_max_seconds": 1}, [schema(), *records(3)], HTTP_PROXY=nobody, http_proxy=nobody
    )
    assert (finished.code, ids(finished.leads())) == (0, ["L0", "L1", "L2"]), finished.stderr


def test_where_the_run_record_could_not_be_written_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / STATE_DIR).mkdir()
    (tmp_path / STATE_DIR / "runs").touch()
    finished = run_target(tmp_path, EMBEDDED, LINES)
    assert (finished.code, finished.stdout) == (1, "")
    assert "state_dir" in finished.error
    assert finished.leads() == []
