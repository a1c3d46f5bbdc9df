"""The list that a load makes: its name, and the options of every request (reference, section 4)."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDERS = ("stream", "campaign", "run", "started", "date", "batch")

LIST_STATES = ("ACTIVE", "PAUSED")
DIAL_PRIORITIES = ("IMMEDIATE", "NORMAL")
RETAIN_ALL = "RETAIN_ALL"
DUPLICATE_HANDLINGS = (RETAIN_ALL, "REMOVE_ALL_EXISTING", "REMOVE_FROM_LIST")
GLOBAL_TAG = "GLOBAL"
GLOBAL_TAG_ID = 0
"""The account-wide do-not-call tag, which every account has (RingCentral's guide to the do-not-call list)."""

TIME_ZONE_OPTIONS = ("NPA_NXX", "ZIPCODE", "EXPLICIT", "COUNTRY", "NOT_APPLICABLE")

DESCRIPTION_MAX = 400
"""Width of the list description in the reporting warehouse (reference, section 4)."""


@dataclass(frozen=True)
class ListOptions:
    """The options of each load.

    Attributes:
        description: Template of the list's name; see `PLACEHOLDERS`.
        dnc_tags: Do-not-call tags whose numbers are left out.
        phone_numbers_i18n_enabled: Not sent when None; so are the two after it.
        scrubs_global: Whether `GLOBAL_TAG` is sent in any case, since this target lists phones under it.
    """

    description: str = "{stream} {started}"
    list_state: str = "ACTIVE"
    dial_priority: str = "NORMAL"
    duplicate_handling: str = "REMOVE_FROM_LIST"
    time_zone_option: str = "NPA_NXX"
    dnc_tags: tuple[str, ...] = ()
    phone_numbers_i18n_enabled: bool | None = None
    international_number_format: bool | None = None
    number_origin_country: str | None = None
    scrubs_global: bool = False

    @property
    def needs_e164(self) -> bool:
        """Whether the account is in E.164 mode, and so needs `leadPhoneE164` (reference, section 4)."""
        return (self.number_origin_country or "").strip().casefold() == "e164"

    def envelope(self, names: Mapping[str, str]) -> dict[str, Any]:
        """The request body without its leads.

        Args:
            names: A value for each placeholder of the description.
        """
        body: dict[str, Any] = {
            "description": self.description.format_map(names)[:DESCRIPTION_MAX],
            "dialPriority": self.dial_priority,
            "duplicateHandling": self.duplicate_handling,
            "timeZoneOption": self.time_zone_option,
            "listState": self.list_state,
            "dncTags": list(dict.fromkeys((*self.dnc_tags, *((GLOBAL_TAG,) if self.scrubs_global else ())))),
        }
        optional = {
            "phoneNumbersI18nEnabled": self.phone_numbers_i18n_enabled,
            "internationalNumberFormat": self.international_number_format,
            "numberOriginCountry": self.number_origin_country,
        }
        return body | {name: value for name, value in optional.items() if value is not None}

    def override(self, values: Mapping[str, Any]) -> ListOptions:
        """These options with some of them replaced, as a mapping's `list` object does."""
        return replace(self, **values)


def check_description(template: str, where: str) -> str:
    """Check that every placeholder of a template is known.

    Returns:
        The template.

    Raises:
        ConfigError: A placeholder is unknown or the braces do not pair.
    """
    try:
        parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError:
        msg = f"{where}: the braces of {template!r} do not pair; write {{{{ for a literal brace."
        raise ConfigError(msg) from None
    for _, name, form, conversion in parts:
        if form or conversion:
            msg = f"{where}: {{{name}}} takes neither a format nor a conversion; write {{{name}}} alone."
            raise ConfigError(msg)
        if name not in PLACEHOLDERS:
            msg = f"{where}: {{{name}}} is not a placeholder; {did_you_mean(name or '', PLACEHOLDERS)}"
            raise ConfigError(msg)
    return template
