"""What a check of the configuration against the account finds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    """What was found. Owned by the thread that checks.

    Attributes:
        errors: Why a run is refused; each names the settings, and what to do.
        warnings: What a run logs.
        notes: What an operator may want to know; nothing is wrong.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
