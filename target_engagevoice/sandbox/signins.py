"""The five sign-ins and their renewal (reference, section 2)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import tokens
from target_engagevoice.sandbox.answers import TEXT, Answer, Refusal, oauth_error, problem, rate_exceeded
from target_engagevoice.sandbox.limits import PENALTY_SECONDS, admit, admit_or_penalize
from target_engagevoice.sandbox.tokens import Kind, Verdict, acceptable, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from sqlite3 import Connection

    from target_engagevoice.sandbox.call import Call

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
STAY_LOGGED_IN_SECONDS = 14 * 86_400.0


def oauth(call: Call) -> Answer:
    """`POST /restapi/oauth/token` of RingCentral's platform: JWT bearer, refresh token, or password.

    Raises:
        Refusal: 401 `OAU-146` for the client, 401 `OAU-140` for the user, 400 for the grant, 429 `CMN-301`.
    """
    client = _basic(call.authorization)
    if client is None or not all(acceptable(part) for part in client):
        raise Refusal(oauth_error(HTTPStatus.UNAUTHORIZED, "invalid_client", "OAU-146", "Invalid client credentials"))
    grant = _GRANTS.get(call.form.get("grant_type", ""))
    if grant is None:
        raise Refusal(
            oauth_error(HTTPStatus.BAD_REQUEST, "unsupported_grant_type", "OAU-250", "Unsupported grant type")
        )
    user = digest("\n".join((client[0], *(call.form.get(name, "") for name in grant.identity))))
    with call.state.store.transaction() as db:
        windows = call.state.config.rate_limits["oauth"]
        admitted = admit_or_penalize(db, f"oauth {user}", windows, call.now)
    if not admitted:
        wait = ("Retry-After", f"{PENALTY_SECONDS:.0f}")
        raise Refusal(
            oauth_error(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", "CMN-301", "Request rate exceeded", wait)
        )
    with call.state.store.transaction() as db:
        owner = grant.owner(db, call, user)
        if owner is None:
            raise Refusal(oauth_error(*grant.refusal))
        access = tokens.issue(db, Kind.RC_ACCESS, owner, call.now + tokens.RC_ACCESS_SECONDS)
        refresh_token = tokens.issue(db, Kind.RC_REFRESH, owner, call.now + tokens.RC_REFRESH_SECONDS)
    return Answer.of(
        {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": int(tokens.RC_ACCESS_SECONDS),
            "refresh_token": refresh_token,
            "refresh_token_expires_in": int(tokens.RC_REFRESH_SECONDS),
            "scope": "ReadAccounts",
            "owner_id": "99990000",
            "endpoint_id": "sandbox",
        }
    )


def revoke_oauth(_call: Call) -> Answer:
    """`POST /restapi/oauth/revoke`: 200; RingCentral's own client calls it to log out."""
    return Answer(content_type="")


def exchange(call: Call) -> Answer:
    """`POST /api/auth/login/rc/accesstoken`: exchanges a token of RingCentral's platform for one of Engage Voice."""
    rc_token = call.form.get("rcAccessToken", "")
    with call.state.store.transaction() as db:
        checked = tokens.check(db, rc_token, frozenset({Kind.RC_ACCESS}), call.now)
        _limit(db, call, "exchange", checked.owner or digest(rc_token))
        if checked.verdict is Verdict.GOOD:
            refreshable = call.form.get("includeRefresh", "").lower() == "true"
            return _engage(db, call, checked.owner, refreshable=refreshable)
    raise _unknown_user(call)


def refresh(call: Call) -> Answer:
    """`POST /api/auth/token/refresh`: new access and refresh tokens; the old refresh token is not valid any more."""
    with call.state.store.transaction() as db:
        owner = tokens.spend(db, call.form.get("refresh_token", ""), Kind.REFRESH, call.now)
        if owner is not None:
            _limit(db, call, "refresh", owner)
            return _engage(db, call, owner, refreshable=True)
    raise Refusal(problem(HTTPStatus.UNAUTHORIZED, "invalid.refresh.token", "The refresh token is not valid", call.now))


def login_admin(call: Call) -> Answer:
    """`POST /api/auth/login/admin?username=…&password=…&platformId=…`: Engage direct login."""
    owner = _named(call, "username", "password", "platformId")
    with call.state.store.transaction() as db:
        _limit(db, call, "login_admin", owner)
        return _engage(db, call, owner, refreshable=True)


def login_legacy(call: Call) -> Answer:
    """`POST {base_url}/api/v1/auth/login`: legacy portal login. The token is valid for an hour after its last use."""
    owner = _named(call, "username", "password")
    lives = STAY_LOGGED_IN_SECONDS if call.form.get("stayLoggedIn", "").lower() == "true" else tokens.LEGACY_SECONDS
    with call.state.store.transaction() as db:
        _limit(db, call, "login_legacy", owner)
        token = tokens.issue(db, Kind.LEGACY, owner, call.now + lives)
    return Answer.of({"authToken": token, "accounts": _accounts(call)})


def make_api_token(call: Call) -> Answer:
    """`POST {base_url}/api/v1/admin/token`: a permanent API token, as plain text."""
    # RingCentral's Python wrapper uses the raw body as the token; its Node.js wrapper accepts text and JSON.
    return Answer(HTTPStatus.OK, _permanent(call).encode(), TEXT)


def list_api_tokens(call: Call) -> Answer:
    """`GET {base_url}/api/v1/admin/token`: an array with a new permanent token: the store keeps digests only."""
    return Answer.of([_permanent(call)])


def revoke_api_token(call: Call) -> Answer:
    """`DELETE {base_url}/api/v1/admin/token/{token}`: the token is not valid any more."""
    with call.state.store.transaction() as db:
        tokens.expire(db, call.path["api_token"])
    return Answer(HTTPStatus.OK, b"true", TEXT)


def _permanent(call: Call) -> str:
    with call.state.store.transaction() as db:
        return tokens.issue(db, Kind.PERMANENT, call.owner, call.now + tokens.PERMANENT_SECONDS)


def _engage(db: Connection, call: Call, owner: str, *, refreshable: bool) -> Answer:
    access = tokens.issue(db, Kind.ACCESS, owner, call.now + call.state.config.token_seconds)
    again: dict[str, Any] = {}
    if refreshable:
        again["refreshToken"] = tokens.issue(db, Kind.REFRESH, owner, call.now + tokens.REFRESH_SECONDS)
    accounts = _accounts(call) if call.state.config.personality.agent_details else []
    return Answer.of(
        {
            "accessToken": access,
            **again,
            "tokenType": "Bearer",
            "platformId": "sandbox",
            "mainAccountId": call.state.config.accounts[0].main_account_id,
            "adminId": 1,
            "isAdminPasswordReset": False,
            "ssoLogin": False,
            "agentDetails": [{"agentId": 1, **account} for account in accounts],
        }
    )


def _accounts(call: Call) -> list[dict[str, str]]:
    return [{"accountId": account.account_id, "accountName": account.name} for account in call.state.config.accounts]


def _limit(db: Connection, call: Call, kind: str, owner: str) -> None:
    # Raising rolls the transaction back, so a refused request does not use up a refresh token.
    if not admit(db, f"{kind} {owner}", call.state.config.rate_limits[kind], call.now):
        raise Refusal(rate_exceeded(call.state.config.retry_after))


def _named(call: Call, *names: str) -> str:
    given = [call.form.get(name, "") for name in names]
    if not all(acceptable(one) for one in given):
        raise _unknown_user(call)
    return digest("\n".join(given))


def _unknown_user(call: Call) -> Refusal:
    return Refusal(problem(HTTPStatus.UNAUTHORIZED, "unauthorized", "The credentials are not valid", call.now))


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


@dataclass(frozen=True)
class _Grant:
    """A grant type: the form fields that identify the user, the check that returns the owner, and the refusal."""

    identity: tuple[str, ...]
    owner: Callable[[Connection, Call, str], str | None]
    refusal: tuple[int, str, str, str]


def _credentials(*names: str) -> Callable[[Connection, Call, str], str | None]:
    return lambda _db, call, user: user if all(acceptable(call.form.get(name)) for name in names) else None


def _rotate(db: Connection, call: Call, _user: str) -> str | None:
    return tokens.spend(db, call.form.get("refresh_token", ""), Kind.RC_REFRESH, call.now)


_NO_USER = (HTTPStatus.UNAUTHORIZED, "invalid_grant", "OAU-140", "Invalid resource owner credentials.")
_GRANTS: Mapping[str, _Grant] = {
    JWT_BEARER: _Grant(("assertion",), _credentials("assertion"), _NO_USER),
    "password": _Grant(("username", "password"), _credentials("username", "password"), _NO_USER),
    "refresh_token": _Grant(
        ("refresh_token",), _rotate, (HTTPStatus.BAD_REQUEST, "invalid_grant", "OAU-210", "Token not found")
    ),
}
