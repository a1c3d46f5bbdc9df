"""The code in the answer of a refused sign-in, which a message may quote."""

from __future__ import annotations

import re
from typing import Any

ERROR_CODE = re.compile(r"[A-Z]{2,5}-\d{2,4}")
OAUTH_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
"""RFC 6749, section 5.2. A message quotes only these, and codes such as OAU-146, from a refusal."""


def refusal_code(body: Any) -> str | None:
    """A code such as `OAU-146`, from where RingCentral puts it; never a description."""
    if not isinstance(body, dict):
        return None
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    candidates = (body.get("errorCode"), first.get("errorCode"), body.get("error_code"), body.get("error"))
    for candidate in candidates:
        if isinstance(candidate, str) and (ERROR_CODE.fullmatch(candidate) or candidate in OAUTH_ERRORS):
            return candidate
    return None
