"""`engagevoice`, the operator's companion: one command a file."""

from __future__ import annotations

from target_engagevoice.cli.command import main

__all__ = ["main"]
