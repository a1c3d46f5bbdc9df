"""The sign-ins, the settings that each needs, and the credentials read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_engagevoice.api.auth.credentials import (
    AccessToken,
    ApiToken,
    Credentials,
    JwtGrant,
    LegacyLogin,
    PasswordLogin,
)
from target_engagevoice.config.urls import parse_url
from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGN_INS: Mapping[str, tuple[str, ...]] = {
    "jwt": ("client_id", "client_secret", "jwt"),
    "password": ("username", "password", "platform_id"),
    "legacy": ("username", "password"),
    "api_token": ("api_token",),
    "access_token": ("access_token",),
}
"""The credentials that each sign-in needs."""

CREDENTIALS = frozenset({"auth_method", "rc_server_url"}.union(*SIGN_INS.values()))
"""The settings of the sign-in, which can only be checked together."""


def parse_credentials(given: Mapping[str, Any], rc_server_url: str) -> Credentials:
    """The credentials of the one sign-in that is configured.

    Args:
        given: The settings that were given, without defaults.
        rc_server_url: RingCentral platform host, for the JWT sign-in.

    Raises:
        ConfigError: A credential is missing, or they fit no sign-in or several.
    """
    method = given.get("auth_method") or _inferred(given)
    missing = [name for name in SIGN_INS[method] if name not in given]
    if missing:
        msg = f"auth_method {method!r} needs {', '.join(SIGN_INS[method])}; missing: {', '.join(missing)}."
        raise ConfigError(msg)
    if method == "jwt":
        server = parse_url("rc_server_url", rc_server_url)
        return JwtGrant(given["client_id"], given["client_secret"], given["jwt"], server)
    if method == "password":
        return PasswordLogin(given["username"], given["password"], given["platform_id"])
    if method == "legacy":
        return LegacyLogin(given["username"], given["password"])
    return ApiToken(given["api_token"]) if method == "api_token" else AccessToken(given["access_token"])


def _inferred(given: Mapping[str, Any]) -> str:
    """The one sign-in whose credentials are exactly those given."""
    present = {name for names in SIGN_INS.values() for name in names if name in given}
    fitting = [method for method, needs in SIGN_INS.items() if present == set(needs)]
    if len(fitting) == 1:
        return fitting[0]
    recipes = "; ".join(f"{method}: {', '.join(needs)}" for method, needs in SIGN_INS.items())
    if not present:
        msg = f"no credentials are given. Give one sign-in's: {recipes}."
        raise ConfigError(msg)
    complete = [method for method, needs in SIGN_INS.items() if set(needs) <= present]
    problem = "fit several sign-ins" if len(complete) > 1 else "fit no sign-in"
    shown = ", ".join(sorted(present))
    msg = f"the credentials given ({shown}) {problem}. Set auth_method, or give just one sign-in's: {recipes}."
    raise ConfigError(msg)
