"""Phone numbers as the server checks them: their form, and whether two of them are the same number."""

from __future__ import annotations

import re

NATIONAL = re.compile(r"[0-9]{10}")
"""Ten digits: the form of US accounts (reference, section 4, "Phones")."""

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
INTERNATIONAL = re.compile(r"\+?[0-9]{7,15}")
SEPARATOR = "|"


def split(joined: str) -> list[str]:
    """The numbers of a `leadPhone`: SIMPLE campaigns accept several, joined by `|` (reference, section 4)."""
    return joined.split(SEPARATOR)


def key(number: str) -> str:
    """The key that duplicates and do-not-call entries are compared by: the digits without the 1 of North America."""
    digits = re.sub(r"[^0-9]", "", number)
    eleven = 11
    return digits[1:] if len(digits) == eleven and digits.startswith("1") else digits
