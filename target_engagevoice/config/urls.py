"""URLs in settings: those of servers, and that of the store of rate limits."""

from __future__ import annotations

from urllib.parse import urlsplit

from target_engagevoice.errors import ConfigError

SANDBOX = "sandbox"
"""The word that stands for the embedded sandbox where a URL is expected."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that plain HTTP is accepted for: the request does not leave the machine."""

STORES = ("postgresql://", "postgresql+psycopg://")
"""The allowed beginnings of `rate_limit_store`."""


def parse_url(name: str, url: str, word: str | None = None) -> str:
    """The URL of a server, without a slash at its end.

    Args:
        name: The setting it is the value of, for the message.
        url: As configured.
        word: A word that is accepted in place of a URL, and returned unchanged.

    Raises:
        ConfigError: It is not an HTTP URL, holds a user name, or would send leads unencrypted.
    """
    if url == word:
        return url
    if "@" in url:
        msg = f"{name}: must not hold a user name or password; use the sign-in settings."
        raise ConfigError(msg)
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # unpaired brackets, or a port that is not a number
        complete = False
    if not complete:
        also = f" or the word {word!r}" if word else ""
        msg = f"{name}: must be a URL such as 'https://ringcx.ringcentral.com/voice'{also}, not {url!r}."
        raise ConfigError(msg)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        msg = f"{name}: plain http:// to {parts.hostname} would send leads unencrypted; write https://."
        raise ConfigError(msg)
    return url.rstrip("/")


def parse_store_url(url: str | None) -> str | None:
    """The URL of the database in which several processes share their rate limits.

    Raises:
        ConfigError: It names another kind of store.
    """
    if url is not None and not url.startswith(STORES):
        msg = (
            "rate_limit_store: must be a PostgreSQL URL such as 'postgresql://user:password@host/database'; no other "
            "store is supported."
        )
        raise ConfigError(msg)
    return url
