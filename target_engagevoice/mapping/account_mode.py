"""Checks the settings of phone numbers against the account's mode.

An account in E.164 mode takes a lead without `leadPhoneE164` and does not load it (reference, section 4). Another
account rejects a `leadPhone` that begins with a plus sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.mapping.config import StreamMapping
from target_engagevoice.model.findings import Findings
from target_engagevoice.model.lead import LEAD_PHONE_E164

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_engagevoice.mapping.stream_rules import StreamRules
    from target_engagevoice.model.account import Account
    from target_engagevoice.model.list_options import ListOptions

E164 = "e164"
FIELDS = "enableIntlOutbound of the account and enablePhoneNumbersI18n of its main account"


def check_account_mode(rules: StreamRules, account: Account) -> Findings:
    """Find the settings that do not fit the mode of the account, as far as the server shows it."""
    findings = Findings()
    if account.is_e164 is None:
        _unknown(findings, rules, account)
    elif account.is_e164:
        _international(findings, rules, account)
    else:
        _national(findings, rules, account)
    return findings


def _international(findings: Findings, rules: StreamRules, account: Account) -> None:
    findings.notes.append(
        f"Account {account.account_id} is in E.164 mode ({account.said}): phone_format 'e164' with "
        "number_origin_country 'e164' fits, or phone_format 'national' with number_origin_country 'e164'."
    )
    without = [where for where, mapping, options in _streams(rules) if not _fills_e164(rules, mapping, options)]
    if without:
        findings.errors.append(
            f"{_places(without)}: account {account.account_id} is in E.164 mode ({account.said}). It takes leads "
            "without leadPhoneE164 and does not load them. Set phone_format to 'e164', or number_origin_country to "
            "'e164'; both fill leadPhoneE164."
        )
    unsaid = [where for where, _, options in _streams(rules) if options.number_origin_country is None]
    if unsaid and not without:
        findings.warnings.append(
            f"{_places(unsaid)}: number_origin_country is not set. Account {account.account_id} dials internationally "
            f"({account.said}), and RingCentral says that it is needed there. Set it to 'e164'."
        )


def _national(findings: Findings, rules: StreamRules, account: Account) -> None:
    findings.notes.append(
        f"Account {account.account_id} is not in E.164 mode ({account.said}): phone_format 'national' fits, without "
        "number_origin_country, phone_numbers_i18n_enabled and international_number_format."
    )
    flagged = [where for where, _, options in _streams(rules) if _is_flagged(options)]
    plain = [where for where, _, options in _streams(rules) if not _is_flagged(options)]
    if rules.phones.format == E164 and plain:
        findings.errors.append(
            f"phone_format is 'e164', but account {account.account_id} is not in E.164 mode ({account.said}): it "
            f"rejects a leadPhone such as +16505550100 ({_places(plain)}). Set phone_format to 'national'."
        )
    if flagged:
        findings.warnings.append(
            f"{_places(flagged)}: number_origin_country, phone_numbers_i18n_enabled or international_number_format is "
            f"set as for an account in E.164 mode, but account {account.account_id} is not in it ({account.said}). "
            "Look at the first leads in the dialer, or leave these settings out."
        )


def _unknown(findings: Findings, rules: StreamRules, account: Account) -> None:
    shows = f"says that {account.said}, which does not agree" if account.said else f"does not give {FIELDS}"
    reason = f"The server {shows}, so it cannot be known whether account {account.account_id} is in E.164 mode"
    if any(not _fills_e164(rules, mapping, options) for _, mapping, options in _streams(rules)):
        findings.notes.append(
            f"{reason}. phone_format is {rules.phones.format!r}: an account in E.164 mode takes such leads and does "
            "not load them. If yours is in that mode, set phone_format to 'e164'."
        )
    elif rules.phones.format == E164:
        findings.notes.append(
            f"{reason}. phone_format is 'e164': an account that is not in E.164 mode rejects such numbers. If yours is "
            "not, set phone_format to 'national'."
        )
    else:
        findings.notes.append(f"{reason}. Both kinds of account take the leads: leadPhoneE164 is filled.")


def _streams(rules: StreamRules) -> Iterator[tuple[str, StreamMapping, ListOptions]]:
    """Where streams are configured, their mapping, and the options of their lists."""
    if rules.campaign is not None:
        yield "campaign", StreamMapping(pattern="*"), rules.list_options
    for pattern, mapping in rules.mappings.by_pattern.items():
        if not mapping.skip:
            yield f"mappings.{pattern}", mapping, rules.list_options.override(mapping.list_options)


def _fills_e164(rules: StreamRules, mapping: StreamMapping, options: ListOptions) -> bool:
    return rules.phones.format == E164 or options.needs_e164 or LEAD_PHONE_E164 in mapping.fields


def _is_flagged(options: ListOptions) -> bool:
    """Whether the options ask for numbers as an account in E.164 mode takes them."""
    return bool(
        options.needs_e164 or options.phone_numbers_i18n_enabled or options.international_number_format,
    )


def _places(where: list[str]) -> str:
    """The first places, so that a message about a hundred mappings can be read."""
    most = 5
    shown = ", ".join(where[:most])
    return shown if len(where) <= most else f"{shown} and {len(where) - most} more"
