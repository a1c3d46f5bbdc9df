"""A token: what goes into the header, when to renew it, with what. Secrets never show in a `repr`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

HEADER_SAFE = re.compile(r"[\x21-\x7e]+")
"""The characters of a token. `http.client` refuses others with an error that quotes the header."""


@dataclass(frozen=True)
class Token:
    """One token of the server.

    Attributes:
        header: The name of its header.
        value: The whole value of that header.
        renew_at: The monotonic time from which it is renewed before it is used again.
        refresh: The rotating refresh token that came with it.
    """

    header: str
    value: str = field(repr=False)
    renew_at: float = math.inf
    refresh: str | None = field(default=None, repr=False)

    @classmethod
    def bearer(cls, token: str, *, renew_at: float = math.inf, refresh: str | None = None) -> Token:
        """A token of RingCX and of the current Engage hosts (reference, section 1)."""
        return cls("Authorization", f"Bearer {token}", renew_at, refresh)

    @classmethod
    def x_auth(cls, token: str, *, renew_at: float = math.inf) -> Token:
        """A token of the legacy portals, or a permanent one (reference, sections 1 and 2)."""
        return cls("X-Auth-Token", token, renew_at)
