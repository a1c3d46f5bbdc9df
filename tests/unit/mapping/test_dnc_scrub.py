"""A do-not-call list without effect is found before the first record."""

from __future__ import annotations

from typing import Any

import pytest

from target_engagevoice.mapping.dnc_scrub import check_dnc_scrub
from target_engagevoice.model.campaign import INTERNAL_SCRUBS, OTHER_SCRUBS, Campaign, Directory
from target_engagevoice.model.findings import Findings
from tests.unit.config.test_settings import parse

LISTING: dict[str, Any] = {"do_not_call": "dnc_list"}
WAIVED: dict[str, Any] = {"do_not_call": "dnc_list", "dnc_list_unscrubbed": "warn"}
UNSCRUBBED = ["DO_NOT_SCRUB", "CELLULAR_ONLY", "SOMETHING_NEW", ""]


def campaign(dnc_scrub: str, campaign_id: str = "1001") -> Campaign:
    return Campaign(campaign_id, f"C{campaign_id}", "501", "Outbound", dnc_scrub=dnc_scrub)


def found(dnc_scrub: str, tags: list[str] | None = None, /, **settings: Any) -> Findings:
    named = campaign(dnc_scrub)
    rules = parse(**({"campaign": "1001"} | settings)).stream_rules
    return check_dnc_scrub(rules, [named], Directory([named]), tags)


@pytest.mark.parametrize("dnc_scrub", [*sorted(INTERNAL_SCRUBS), *sorted(OTHER_SCRUBS), ""])
def test_a_run_that_uses_no_list_finds_nothing(dnc_scrub: str) -> None:
    assert found(dnc_scrub) == Findings()


@pytest.mark.parametrize("dnc_scrub", sorted(INTERNAL_SCRUBS))
@pytest.mark.parametrize("settings", [LISTING, WAIVED, {"dnc_tags": ["GLOBAL"]}])
def test_a_campaign_that_scrubs_against_the_list_is_noted(dnc_scrub: str, settings: dict[str, Any]) -> None:
    findings = found(dnc_scrub, ["GLOBAL"], **settings)
    assert (findings.errors, findings.warnings) == ([], [])
    assert dnc_scrub in findings.notes[0]


@pytest.mark.parametrize("dnc_scrub", UNSCRUBBED)
def test_a_campaign_that_does_not_is_an_error_of_dnc_list(dnc_scrub: str) -> None:
    findings = found(dnc_scrub, **LISTING)
    (error,) = findings.errors
    assert error.startswith("do_not_call: dnc_list: Campaign Outbound/C1001 (1001): ")
    assert dnc_scrub in error
    assert "dnc_list_unscrubbed" in error
    assert findings.warnings == []


@pytest.mark.parametrize("dnc_scrub", UNSCRUBBED)
@pytest.mark.parametrize("settings", [WAIVED, {"dnc_tags": ["GLOBAL"]}])
def test_elsewhere_it_is_a_warning(dnc_scrub: str, settings: dict[str, Any]) -> None:
    findings = found(dnc_scrub, ["GLOBAL"], **settings)
    assert findings.errors == []
    assert len(findings.warnings) == 1


def test_an_unknown_tag_names_the_near_one() -> None:
    mappings = {"Lead": {"list": {"dnc_tags": ["Sumer"]}}}
    findings = found("INTERNAL_ONLY", ["GLOBAL", "Spring", "Summer"], dnc_tags=["Sprng", "GLOBAL"], mappings=mappings)
    assert findings.errors == [
        "dnc_tags: 'Sprng' is not a do-not-call tag of the account; did you mean 'Spring'?",
        "mappings.Lead.list.dnc_tags: 'Sumer' is not a do-not-call tag of the account; did you mean 'Summer'?",
    ]


def test_the_account_wide_tag_is_known_though_it_is_not_listed() -> None:
    assert found("INTERNAL_ONLY", [], dnc_tags=["GLOBAL"]).errors == []


def test_tags_that_the_server_does_not_list_are_a_warning() -> None:
    findings = found("INTERNAL_ONLY", None, dnc_tags=["Spring"])
    assert findings.errors == []
    assert findings.warnings[0].startswith("dnc_tags: the server does not list the account's do-not-call tags")


@pytest.mark.parametrize(
    ("settings", "fate"), [(LISTING, "rejected (dnc_list_unscrubbed)"), (WAIVED, "loaded, though the list")]
)
def test_what_happens_to_records_that_choose_such_a_campaign_is_said(settings: dict[str, Any], fate: str) -> None:
    campaigns = [campaign("INTERNAL_ONLY"), *(campaign("DO_NOT_SCRUB", str(number)) for number in range(2, 9))]
    rules = parse(mappings={"Lead": {"campaign": {"field": "c"}}}, **settings).stream_rules
    findings = check_dnc_scrub(rules, [], Directory(campaigns), None)
    assert findings.errors == []
    (warning,) = findings.warnings
    assert fate in warning
    assert "C2 (2)" in warning
    assert "and 2 more" in warning
    assert "C1001" not in warning


def test_records_that_choose_from_a_map_can_choose_no_other_campaign() -> None:
    mappings = {"Lead": {"campaign": {"field": "c", "map": {"a": "1001"}}}}
    rules = parse(mappings=mappings, **LISTING).stream_rules
    named, other = campaign("INTERNAL_ONLY"), campaign("DO_NOT_SCRUB", "2")
    assert check_dnc_scrub(rules, [named], Directory([named, other]), None).warnings == []
