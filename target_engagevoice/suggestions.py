"""Names close to a mistyped one, for messages that say what to type instead."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_SHOWN = 40
"""A Salesforce object has hundreds of fields; a message that lists them all is not read."""


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names closest to `name`, best first, compared without regard to case and underscores."""
    folded = {_fold(candidate): candidate for candidate in known}
    return [folded[key] for key in difflib.get_close_matches(_fold(name), list(folded), n=most, cutoff=0.5)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence fragment that ends an error message: the near names, or all of them where none is near."""
    names = list(known)
    near = nearest(name, names)
    if near:
        return "did you mean " + " or ".join(repr(candidate) for candidate in near) + "?"
    shown = ", ".join(repr(candidate) for candidate in sorted(names)[:_MOST_SHOWN])
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return f"known are {shown}{more}."


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()
