"""Rate limits: sliding windows, kept in the store so that all processes on it count together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.config_reader import many

if TYPE_CHECKING:
    from sqlite3 import Connection

PENALTY_SECONDS = 60.0
"""How long RingCentral's OAuth endpoint refuses requests after the limit. Each further request restarts the time
(reference, section 2)."""


@dataclass(frozen=True)
class Window:
    """At most `requests` within any `seconds`."""

    requests: int
    seconds: float


Windows = tuple[Window, ...]

DEFAULT_LIMITS: Mapping[str, Windows] = MappingProxyType(
    {
        "load": (Window(30, 10), Window(120, 60)),  # reference, section 4
        "search": (Window(15, 10), Window(60, 30)),  # reference, section 5
        "count": (Window(90, 10), Window(180, 30)),  # reference, section 5
        "phone_search": (Window(30, 10), Window(120, 60)),  # reference, section 5
        "action": (Window(30, 10), Window(120, 60)),  # reference, section 5
        "patch": (Window(12, 3), Window(150, 60)),  # reference, section 5
        "dnc": (Window(30, 10), Window(120, 60)),  # a guess: like the actions
        "oauth": (Window(5, 60),),  # reference, section 2
        "exchange": (Window(5, 60),),  # reference, section 2
        "login_admin": (Window(5, 60),),  # a guess: like the exchange
        "login_legacy": (Window(5, 60),),  # a guess: like the exchange
        "refresh": (Window(30, 60),),  # a guess: enough for clients, but not for one that renews in a loop
    },
)
"""The windows of each kind of request. Other kinds are not limited."""


def read_limits(raw: Any, where: str) -> Mapping[str, Windows]:
    """Check the rate limits of a configuration and merge them into the defaults. An empty list turns a limit off.

    Raises:
        ConfigError: A kind is unknown, or a window does not look like `30/10s`.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f'{where} must be an object such as {{"load": ["30/10s", "120/60s"]}}')
    limits = dict(DEFAULT_LIMITS)
    for kind, windows in raw.items():
        if kind not in DEFAULT_LIMITS:
            raise ConfigError(f"{where} does not know {kind!r}: use one of {', '.join(sorted(DEFAULT_LIMITS))}")
        limits[kind] = many(_read_window)(windows, f"{where}.{kind}")
    return MappingProxyType(limits)


def _read_window(raw: Any, where: str) -> Window:
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)\s*s\s*", raw) if isinstance(raw, str) else None
    if match is None or float(match[2]) <= 0:
        raise ConfigError(f"{where} must look like 30/10s: requests, a slash, seconds")
    return Window(int(match[1]), float(match[2]))


def admit(db: Connection, subject: str, windows: Windows, now: float) -> bool:
    """Count a request of `subject` if every window allows it.

    A refused request is not counted: the windows limit the requests that are served.

    Args:
        db: The store, inside a transaction.
        subject: What is counted for whom, such as `load 99990001`.
        windows: The limits.
        now: Epoch seconds.

    Returns:
        Whether the request is admitted.
    """
    if not windows:
        return True
    longest = max(window.seconds for window in windows)
    db.execute("DELETE FROM hits WHERE subject = ? AND at <= ?", (subject, now - longest))
    for window in windows:
        query = "SELECT COUNT(*) FROM hits WHERE subject = ? AND at > ?"
        (served,) = db.execute(query, (subject, now - window.seconds)).fetchone()
        if served >= window.requests:
            return False
    db.execute("INSERT INTO hits (subject, at) VALUES (?, ?)", (subject, now))
    return True


def admit_or_penalize(db: Connection, subject: str, windows: Windows, now: float) -> bool:
    """As `admit`, but after a refusal all requests are refused for `PENALTY_SECONDS`, which each request restarts."""
    row = db.execute("SELECT until FROM penalties WHERE subject = ?", (subject,)).fetchone()
    penalized = row is not None and now < row[0]
    if not penalized and admit(db, subject, windows, now):
        return True
    if windows:
        db.execute("REPLACE INTO penalties (subject, until) VALUES (?, ?)", (subject, now + PENALTY_SECONDS))
    return not windows
