"""A campaign is found by what a user calls it, or the message says what to write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from target_engagevoice.model.campaign import Campaign, Directory, NotFound

RENEWALS = Campaign("1001", "Renewals", "501", "Outbound")
WINBACK = Campaign("1002", "Winback", "501", "Outbound")
CALLBACKS = Campaign("2001", "Callbacks", "502", "Inbound callbacks", configuration="STRATEGIC")
NAMESAKE = Campaign("3001", "Renewals", "503", "West")
DIRECTORY = Directory([RENEWALS, WINBACK, CALLBACKS, NAMESAKE])


def not_found(directory: Directory, reference: str) -> NotFound:
    found = directory.find(reference)
    assert isinstance(found, NotFound)
    return found


@pytest.mark.parametrize("reference", ["1002", "Winback", "Outbound/Winback", " Winback "])
def test_an_id_a_name_and_a_path_find_the_campaign(reference: str) -> None:
    assert DIRECTORY.find(reference) == WINBACK


def test_a_path_names_one_of_several_campaigns_of_the_same_name() -> None:
    assert DIRECTORY.find("West/Renewals") == NAMESAKE


def test_an_id_wins_over_a_name_that_looks_like_one() -> None:
    impostor = Campaign("4001", "1002", "501", "Outbound")
    assert Directory([impostor, WINBACK]).find("1002") == WINBACK


def test_a_name_of_several_campaigns_is_ambiguous() -> None:
    assert not_found(DIRECTORY, "Renewals").reason == "ambiguous_campaign"


def test_the_message_about_an_ambiguous_name_has_the_ids() -> None:
    message = not_found(DIRECTORY, "Renewals").message
    assert "1001" in message
    assert "3001" in message


def test_an_unknown_name_is_unknown() -> None:
    assert not_found(DIRECTORY, "Spring").reason == "unknown_campaign"


def test_the_message_about_an_unknown_name_has_the_near_one() -> None:
    assert "Winback" in not_found(DIRECTORY, "winbak").message


def test_the_message_says_when_no_campaign_is_visible() -> None:
    assert "sees no campaign" in not_found(Directory([]), "Renewals").message


def test_a_strategic_campaign_takes_a_single_phone() -> None:
    assert [campaign.single_phone for campaign in (RENEWALS, CALLBACKS)] == [False, True]


NOW = 1_767_225_600.0  # 2026-01-01
WEEK = ("0900",) * 5 + ("", "")


@pytest.mark.parametrize(
    ("campaign", "text"),
    [
        (replace(RENEWALS, active=0), "is inactive"),
        (replace(RENEWALS, active=2), "makes callbacks only"),
        (replace(RENEWALS, ends=NOW - 1), "ended on 2025-12-31"),
        (replace(RENEWALS, starts=NOW + 1), "starts on 2026-01-01"),
        (replace(RENEWALS, schedule=("",) * 7), "has no schedule"),
    ],
)
def test_a_campaign_that_will_not_dial_says_why(campaign: Campaign, text: str) -> None:
    (warning,) = campaign.warnings(NOW)
    assert warning.startswith("Campaign Outbound/Renewals (1001) ")
    assert text in warning


@pytest.mark.parametrize("campaign", [RENEWALS, replace(RENEWALS, starts=NOW - 1, ends=NOW + 1, schedule=WEEK)])
def test_a_campaign_that_dials_or_does_not_say_causes_no_warning(campaign: Campaign) -> None:
    assert campaign.warnings(NOW) == []
