"""Phone numbers, as far as the server cares: their shape, and whether two of them ring the same telephone."""

from __future__ import annotations

import re

NATIONAL = re.compile(r"[0-9]{10}")
"""Ten digits: what US accounts want (reference, section 4, "Phones")."""

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
INTERNATIONAL = re.compile(r"\+?[0-9]{7,15}")
SEPARATOR = "|"


def split(joined: str) -> list[str]:
    """The numbers of a `leadPhone`: SIMPLE campaigns take several, joined by a bar (reference, section 4)."""
    return joined.split(SEPARATOR)


def key(number: str) -> str:
    """What duplicates and do-not-call entries are compared by: the digits, without North America's 1."""
    digits = re.sub(r"[^0-9]", "", number)
    eleven = 11
    return digits[1:] if len(digits) == eleven and digits.startswith("1") else digits
