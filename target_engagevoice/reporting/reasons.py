"""What the reason of a reject means. Unlike a reject's own message, these texts never quote a record."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "missing_key_property": (
            "The record lacks a key that its SCHEMA message names.",
            "Fix the tap, or name other keys with stream_maps and __key_properties__.",
        ),
        "invalid_record": (
            "The record does not fit its stream's schema.",
            "Fix the source or the tap's catalog, or set validate_records to false.",
        ),
        "no_campaign": (
            "The field that names the campaign is empty.",
            "Fill the field at the source, or give the mapping's campaign a default.",
        ),
        "unknown_campaign": (
            "The record names a campaign that the user cannot see, or that does not exist.",
            "Add the value to the mapping's campaign map, or set its default; `engagevoice campaigns` lists them all.",
        ),
        "ambiguous_campaign": (
            "The record names a campaign that exists more than once.",
            "Use the campaign's id, or `Dial group/Campaign`.",
        ),
        "dnc_list_unscrubbed": (
            "The record chooses a campaign that is not scrubbed against the account's do-not-call list.",
            "Let the campaign scrub against the internal list, or set dnc_list_unscrubbed to warn.",
        ),
        "stream_map": (
            "A stream map fails on the record.",
            "Change its expression to handle missing and odd values.",
        ),
        "missing_extern_id": ("The record has no value for externId.", "Map a field that is never empty."),
        "extern_id_too_long": ("The value for externId is longer than 180 characters.", "Map another field."),
        "bad_extern_id": (
            "The value for externId contains control characters or broken Unicode.",
            "Fix it at the source, or map another field.",
        ),
        "bad_number": ("A number has too many digits to be sent.", "Map another field."),
        "bad_integer": ("A value is not a 32-bit whole number.", "Fix it at the source, or map another field."),
        "bad_value": ("A value is nested too deeply to be sent as text.", "Map a field inside the value."),
        "unknown_phone_label": (
            "The account has no persona phone label of this name.",
            "Correct personaPhoneConfig; labels must match exactly, including upper and lower case.",
        ),
        "several_phones": (
            "A STRATEGIC campaign takes one number in leadPhone, but the mapping joins several.",
            "Set multiple_phones to first, and map the others to personaPhoneConfig.",
        ),
        "missing_phone": (
            "The record has no phone number.",
            "Fill it at the source, or map a field that has one.",
        ),
        "not_a_phone": ("The text is not a phone number.", "Fix it at the source."),
        "unclear_phone": (
            "It is ambiguous which phone number is meant, or whether there is only one.",
            "Write a single number, with + and the country code.",
        ),
        "impossible_phone": (
            "The phone number is too short or too long, or lacks its area code.",
            "Fix it at the source, and check default_region.",
        ),
        "invalid_phone": (
            "This phone number cannot be assigned to a subscriber.",
            "Fix it at the source, or set phone_validation to possible.",
        ),
        "foreign_number": (
            "The phone number belongs to another country than default_region.",
            "Set phone_format to e164 to load it.",
        ),
        "rejected_row": (
            "The server listed this lead among the rejected rows.",
            "See the server's message in the rejects file.",
        ),
        "not_accepted": (
            "The server accepted fewer leads than were sent, did not name the others, and does not have this one.",
            "Check the lead in the rejects file and the campaign's settings.",
        ),
    },
)

_SERVER = (
    "The server refused to load this lead, to change it, or to take it out of the dialer ({reason}).",
    "See the server's message in the rejects file.",
)
_UNKNOWN = ("{reason}", "See the message in the rejects file.")


def explain_reason(stage: str, reason: str) -> tuple[str, str]:
    """What happened, and what to do.

    Args:
        stage: The stage that rejected the record.
        reason: The code of the reason.
    """
    if reason in REASONS:
        return REASONS[reason]
    what, advice = _SERVER if stage == "server" else _UNKNOWN
    return what.format(reason=reason), advice
