"""A run whose leads the account would not dial is refused, where the account shows its mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.mapping.account_mode import check_account_mode
from target_engagevoice.model.account import Account
from tests.unit.config.test_settings import parse

if TYPE_CHECKING:
    from target_engagevoice.model.findings import Findings

INTERNATIONAL = Account("7", intl_outbound=True, phone_numbers_i18n=True)
NATIONAL = Account("7", intl_outbound=False, phone_numbers_i18n=False)
SILENT = Account("7")
OF_TWO_MINDS = Account("7", intl_outbound=True, phone_numbers_i18n=False)


def found(account: Account, **settings: Any) -> Findings:
    return check_account_mode(parse(**({"campaign": "1001"} | settings)).stream_rules, account)


@pytest.mark.parametrize(
    ("account", "mode"),
    [
        (INTERNATIONAL, True),
        (NATIONAL, False),
        (SILENT, None),
        (OF_TWO_MINDS, None),
        (Account("7", intl_outbound=True), True),
        (Account("7", phone_numbers_i18n=False), False),
    ],
)
def test_the_mode_is_known_where_what_is_said_agrees(account: Account, mode: bool | None) -> None:
    assert account.is_e164 is mode


FITTING: list[dict[str, Any]] = [
    {"phone_format": "e164", "number_origin_country": "e164"},
    {"number_origin_country": "e164"},
    {"phone_format": "as_is", "number_origin_country": "e164"},
    {"phone_format": "e164", "number_origin_country": "AUS"},
]


@pytest.mark.parametrize("settings", FITTING)
def test_settings_that_fill_lead_phone_e164_fit_an_account_in_e164_mode(settings: dict[str, Any]) -> None:
    findings = found(INTERNATIONAL, **settings)
    assert (findings.errors, findings.warnings) == ([], [])
    assert "fits" in findings.notes[0]


@pytest.mark.parametrize("settings", [{}, {"phone_format": "as_is"}, {"number_origin_country": "USA"}])
def test_leads_without_lead_phone_e164_are_refused_in_e164_mode(settings: dict[str, Any]) -> None:
    (error,) = found(INTERNATIONAL, **settings).errors
    assert error.startswith("campaign: account 7 is in E.164 mode (enableIntlOutbound is true and")
    assert "Set phone_format to 'e164'" in error


def test_the_mappings_whose_leads_would_not_be_loaded_are_named() -> None:
    mappings = {
        "mapped": {"fields": {"leadPhoneE164": "Phone"}},
        "listed": {"list": {"number_origin_country": "e164"}},
        "skipped": {"skip": True},
        "plain": {},
    }
    (error,) = found(INTERNATIONAL, mappings=mappings, campaign=None).errors
    assert error.startswith("mappings.plain: ")
    assert not any(name in error for name in ("mapped:", "listed", "skipped"))


def test_many_mappings_are_not_all_named() -> None:
    (error,) = found(INTERNATIONAL, mappings={f"s{number}": {} for number in range(100)}).errors
    assert "and 96 more: account 7" in error


def test_a_missing_number_origin_country_is_a_warning_in_e164_mode() -> None:
    findings = found(INTERNATIONAL, phone_format="e164")
    assert findings.errors == []
    assert "number_origin_country is not set" in findings.warnings[0]


def test_numbers_with_a_plus_sign_are_refused_where_the_account_is_not_in_e164_mode() -> None:
    (error,) = found(NATIONAL, phone_format="e164").errors
    assert error.startswith("phone_format is 'e164', but account 7 is not in E.164 mode")
    assert "Set phone_format to 'national'." in error


@pytest.mark.parametrize("format_", ["national", "as_is"])
def test_national_numbers_fit_an_account_that_is_not_in_e164_mode(format_: str) -> None:
    findings = found(NATIONAL, phone_format=format_)
    assert (findings.errors, findings.warnings) == ([], [])
    assert "phone_format 'national' fits" in findings.notes[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"number_origin_country": "e164"},
        {"phone_format": "e164", "phone_numbers_i18n_enabled": True},
        {"phone_format": "e164", "international_number_format": True},
    ],
)
def test_flags_of_the_other_mode_are_a_warning(settings: dict[str, Any]) -> None:
    findings = found(NATIONAL, **settings)
    assert findings.errors == []
    assert "is set as for an account in E.164 mode" in findings.warnings[0]


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({}, "takes such leads and does not load them"),
    ({"phone_format": "e164"}, "rejects such numbers"),
    ({"number_origin_country": "e164"}, "Both kinds of account take the leads"),
]


@pytest.mark.parametrize(("settings", "text"), UNKNOWN)
@pytest.mark.parametrize("account", [SILENT, OF_TWO_MINDS])
def test_where_the_mode_is_not_known_a_note_says_so(account: Account, settings: dict[str, Any], text: str) -> None:
    findings = found(account, **settings)
    assert (findings.errors, findings.warnings) == ([], [])
    (note,) = findings.notes
    assert "it cannot be known whether account 7 is in E.164 mode" in note
    assert text in note
