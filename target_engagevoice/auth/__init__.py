"""The five sign-ins of `reference/ENGAGE_VOICE_API.md`, section 2, as one `requests` authentication.

| file | lives there |
|---|---|
| `authentication.py` | sets the header, renews it ahead of time and on a 401, one renewal at a time |
| `sign_ins.py` | how each of the five gets its token |
| `posting.py` | one POST to a sign-in endpoint: pace, retries, what its answer means |
| `tokens.py` | the token |

`authentication(credentials, ...)` is the door.
"""

from __future__ import annotations

from target_engagevoice.auth.authentication import Authentication, authentication

__all__ = ["Authentication", "authentication"]
