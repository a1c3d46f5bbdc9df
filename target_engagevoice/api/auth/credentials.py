"""What the five sign-ins need (reference, section 2), as frozen values. Secrets never show in a `repr`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class JwtGrant:
    """RingCentral JWT sign-in, then the RingCX token exchange."""

    client_id: str
    client_secret: str = field(repr=False)
    jwt: str = field(repr=False)
    rc_server_url: str


@dataclass(frozen=True)
class PasswordLogin:
    """Engage direct login: user, password and platform."""

    username: str
    password: str = field(repr=False)
    platform_id: str


@dataclass(frozen=True)
class LegacyLogin:
    """Legacy portal login: user and password, answered with an `X-Auth-Token`."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class ApiToken:
    """A permanent token, sent as `X-Auth-Token`."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class AccessToken:
    """A ready bearer token; it cannot be renewed."""

    token: str = field(repr=False)


Credentials: TypeAlias = JwtGrant | PasswordLogin | LegacyLogin | ApiToken | AccessToken
