"""Tokens: how they are issued, checked, rotated and expired. The store holds only their digests."""

from __future__ import annotations

import enum
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

RC_ACCESS_SECONDS = 3600.0
RC_REFRESH_SECONDS = 604_800.0
LEGACY_SECONDS = 3600.0
REFRESH_SECONDS = 7 * 86_400.0
PERMANENT_SECONDS = 100 * 365 * 86_400.0
TOUCH_SECONDS = 30.0


class Kind(str, enum.Enum):
    """The kind of a token."""

    RC_ACCESS = "rc_access"
    RC_REFRESH = "rc_refresh"
    ACCESS = "access"
    REFRESH = "refresh"
    LEGACY = "legacy"
    PERMANENT = "permanent"


class Verdict(enum.Enum):
    """The result of checking a token."""

    GOOD = "good"
    EXPIRED = "expired"
    BAD = "bad"


@dataclass(frozen=True)
class Checked:
    """A checked token: the verdict and the owner."""

    verdict: Verdict
    owner: str = ""


ADMIN_KINDS = frozenset({Kind.ACCESS, Kind.LEGACY, Kind.PERMANENT})
"""The kinds that the admin API accepts. A token of RingCentral's platform has to be exchanged first."""


def acceptable(credential: str | None) -> bool:
    """Whether a credential is accepted: it is not empty and does not contain `wrong` (contract, section 6)."""
    return bool(credential and credential.strip()) and "wrong" not in str(credential).lower()


def digest(secret: str) -> str:
    """The digest that the store holds instead of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def issue(db: Connection, kind: Kind, owner: str, expires: float) -> str:
    """Issue a token.

    Args:
        db: The store, inside a transaction.
        kind: Its kind.
        owner: Its owner: the digest of the credentials of a user.
        expires: Epoch seconds.

    Returns:
        The token. A permanent one looks like `aws80:c2353445-…` (reference, section 2).
    """
    raw = secrets.token_hex(16)
    shapes = {Kind.PERMANENT: f"sandbox:{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"}
    token = shapes.get(kind, f"{kind.value}-{raw}")
    db.execute(
        "INSERT INTO tokens (digest, kind, owner, expires) VALUES (?, ?, ?, ?)",
        (digest(token), kind.value, owner, expires),
    )
    return token


def check(db: Connection, token: str, kinds: frozenset[Kind], now: float) -> Checked:
    """Check a token for an endpoint that accepts `kinds`.

    A token that the sandbox did not issue is good if it is acceptable: the sandbox accepts any ready access token and
    any permanent one. The hour of a legacy token restarts with each use (reference, section 2).
    """
    if not acceptable(token):
        return Checked(Verdict.BAD)
    row = db.execute("SELECT kind, owner, expires FROM tokens WHERE digest = ?", (digest(token),)).fetchone()
    if row is None:
        return Checked(Verdict.GOOD, digest(token))
    kind, owner, expires = Kind(row["kind"]), str(row["owner"]), float(row["expires"])
    if kind not in kinds:
        return Checked(Verdict.BAD, owner)
    if expires <= now:
        return Checked(Verdict.EXPIRED, owner)
    if kind is Kind.LEGACY and now + LEGACY_SECONDS - expires > TOUCH_SECONDS:
        db.execute("UPDATE tokens SET expires = ? WHERE digest = ?", (now + LEGACY_SECONDS, digest(token)))
    return Checked(Verdict.GOOD, owner)


def spend(db: Connection, token: str, kind: Kind, now: float) -> str | None:
    """Use up a refresh token, which works once (reference, section 2, "Refresh").

    Returns:
        Its owner, or None if the token is unknown, used or expired.
    """
    changed = db.execute(
        "UPDATE tokens SET used = 1 WHERE digest = ? AND kind = ? AND used = 0 AND expires > ?",
        (digest(token), kind.value, now),
    )
    if changed.rowcount != 1:
        return None
    row = db.execute("SELECT owner FROM tokens WHERE digest = ?", (digest(token),)).fetchone()
    return str(row["owner"])


def expire(db: Connection, token: str) -> None:
    """Expire a token, also one that the sandbox did not issue."""
    db.execute(
        "INSERT INTO tokens (digest, kind, owner, expires) VALUES (?, ?, ?, 0)"
        " ON CONFLICT (digest) DO UPDATE SET expires = 0",
        (digest(token), Kind.ACCESS.value, digest(token)),
    )
