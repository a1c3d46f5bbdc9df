"""What a reject's reason means, in words that quote no record: its own message may."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "missing_key_property": (
            "The record lacks a key that its SCHEMA message names.",
            "Correct the tap, or name other keys with stream_maps and __key_properties__.",
        ),
        "invalid_record": (
            "The record does not fit its stream's schema.",
            "Correct the source or the tap's catalog, or set validate_records to false.",
        ),
        "no_campaign": (
            "The field that says the campaign is empty.",
            "Fill it at the source, or give the mapping's campaign a default.",
        ),
        "unknown_campaign": (
            "The record names a campaign that can not be seen.",
            "Add the value to the mapping's campaign map, or give it a default; `engagevoice campaigns` lists them.",
        ),
        "ambiguous_campaign": (
            "The record names a campaign that exists several times.",
            "Write the id, or `Dial group/Campaign`.",
        ),
        "stream_map": ("A stream map fails on the record.", "Make its expression stand missing and odd values."),
        "missing_extern_id": ("The record has no value for externId.", "Map a field that is never empty."),
        "extern_id_too_long": ("The value for externId is longer than 180 characters.", "Map another field."),
        "bad_extern_id": (
            "The value for externId holds control characters or broken Unicode.",
            "Correct it at the source, or map another field.",
        ),
        "bad_number": ("A number has more digits than can be sent.", "Map another field."),
        "bad_integer": ("A value is not a whole number of 32 bits.", "Correct it at the source, or map another field."),
        "bad_value": ("A value is nested too deep to be sent as text.", "Map a field inside it."),
        "unknown_phone_label": (
            "The account has no persona phone label of this name.",
            "Correct personaPhoneConfig; labels match exactly, case and all.",
        ),
        "several_phones": (
            "A STRATEGIC campaign takes one number in leadPhone, and the mapping joins several.",
            "Set multiple_phones to first, and map the others to personaPhoneConfig.",
        ),
        "missing_phone": ("The record has no phone number.", "Fill it at the source, or map a field that has one."),
        "not_a_phone": ("The text is not a phone number.", "Correct it at the source."),
        "unclear_phone": (
            "It can not be told which phone number is meant, or whether it is only one.",
            "Write one number, with + and the country code.",
        ),
        "impossible_phone": (
            "The phone number is too short or too long, or lacks its area code.",
            "Correct it at the source; look at default_region.",
        ),
        "invalid_phone": (
            "No subscriber can have this phone number.",
            "Correct it at the source, or set phone_validation to possible.",
        ),
        "foreign_number": (
            "The phone number belongs to another country than default_region.",
            "Set phone_format to e164 to load it.",
        ),
        "rejected_row": (
            "The server named this lead among the rows it rejects.",
            "See the server's words in the rejects file.",
        ),
        "not_accepted": (
            "The server accepted fewer leads than it was sent, named none, and does not hold this one.",
            "Look at the lead in the rejects file and at the campaign's settings.",
        ),
    },
)

_SERVER = (
    "The server refused to load this lead, to change it, or to take it out of the dialer ({reason}).",
    "See the server's words in the rejects file.",
)
_UNKNOWN = ("{reason}", "See the message in the rejects file.")


def meaning(stage: str, reason: str) -> tuple[str, str]:
    """What happened, and what to do.

    Args:
        stage: Where the record was rejected.
        reason: The code.
    """
    if reason in REASONS:
        return REASONS[reason]
    what, advice = _SERVER if stage == "server" else _UNKNOWN
    return what.format(reason=reason), advice
