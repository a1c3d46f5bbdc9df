"""Finds the phones of a record that must not be called, for the account's do-not-call list."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers

from target_engagevoice.model.phone import Phone
from target_engagevoice.model.retirement import DncPhone, phone_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_engagevoice.mapping.plan import Record, Value
    from target_engagevoice.model.phone import PhonePolicy


def phones_to_list(
    sources: Iterable[Value], policy: PhonePolicy, international: PhonePolicy, record: Record
) -> tuple[DncPhone, ...]:
    """Every number of a record that could be dialed, once.

    Args:
        sources: The fields that hold its numbers.
        policy: How leads carry numbers.
        international: The same in E.164, for numbers that this policy rejects, such as foreign ones.
        record: The record.
    """
    found: dict[str, DncPhone] = {}
    for source in sources:
        for written in source.phones(record):
            if not isinstance(written, str):
                continue
            number = policy.normalize(written)
            if not isinstance(number, Phone):
                number = international.normalize(written)
            if isinstance(number, Phone):
                country = country_of(number.dialed, policy.region)
                found.setdefault(number.dialed, DncPhone(number.dialed, country, phone_digest(number.dialed)))
    return tuple(found.values())


@lru_cache(maxsize=10_000)
def country_of(number: str, region: str) -> str:
    """The country of a number as the three letters of ISO 3166: `USA`.

    Args:
        number: National or E.164.
        region: Of national numbers, two letters. Its country is used for a number whose country is unknown.
    """
    try:
        code = phonenumbers.region_code_for_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        code = None
    return _three_letters(code if code and code.isalpha() else region)


@lru_cache(maxsize=300)
def _three_letters(region: str) -> str:
    import pycountry  # noqa: PLC0415 - slow to import, and only the do-not-call list needs it

    country = pycountry.countries.get(alpha_2=region)
    return str(country.alpha_3) if country is not None else region
