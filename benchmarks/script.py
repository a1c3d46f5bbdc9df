"""The behavior of the benchmark's server: its rate windows, its latency, its campaigns."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

FIRST_CAMPAIGN = 1001


@dataclass(frozen=True)
class Window:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Script:
    """How the server behaves.

    Attributes:
        windows: Limits of the loader; none by default.
        latency: The least and the most seconds that a load takes; drawn evenly in order of arrival.
        seed: Of those draws.
        campaigns: How many there are, numbered from 1001.
        keep_ids: Whether the journal names each load's leads.
    """

    windows: tuple[Window, ...] = ()
    latency: tuple[float, float] = (0.0, 0.0)
    seed: int = 4
    campaigns: int = 1
    keep_ids: bool = False

    @property
    def campaign_ids(self) -> tuple[str, ...]:
        """As the API writes them: digits as text."""
        return tuple(str(FIRST_CAMPAIGN + number) for number in range(self.campaigns))

    def written(self) -> str:
        """As an argument for the server's process."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Script:
        """The script that was `written`."""
        fields = json.loads(text)
        fields["windows"] = tuple(Window(**window) for window in fields["windows"])
        fields["latency"] = tuple(fields["latency"])
        return cls(**fields)
