"""Renders values as text. Templates escape all values, and a missing value is an error."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from target_engagevoice.sandbox.config import SandboxConfig

UNKNOWN = "\u2013"
"""Shown for a value that is not recorded."""

ACTIVE = {0: "inactive", 1: "active", 2: "callbacks only"}
THOUSAND = 1000


class CampaignNames(NamedTuple):
    """The names of a campaign and of its dial group."""

    campaign: str
    dial_group: str


def environment(config: SandboxConfig) -> Environment:
    """The templates for a sandbox with that configuration."""
    names = {
        campaign.campaign_id: CampaignNames(campaign.name, group.name)
        for account in config.accounts
        for group in account.dial_groups
        for campaign in group.campaigns
    }
    templates = Environment(
        loader=PackageLoader("target_engagevoice.sandbox.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(moment=moment, iso=iso, number=number, size=size)
    templates.globals.update(
        link=link,
        active=ACTIVE,
        names=lambda campaign_id: names.get(campaign_id, CampaignNames(f"campaign {campaign_id}", "not served here")),
    )
    return templates


def moment(at: float) -> str:
    """Epoch seconds as `2026-11-24 06:52:56`, UTC."""
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%d %H:%M:%S}"


def iso(at: float) -> str:
    """Epoch seconds for a `datetime` attribute."""
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def number(value: int | None) -> str:
    """A whole number with commas between thousands."""
    return UNKNOWN if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Bytes, as `312 B`, `4.2 kB` or `1.0 MB`."""
    if value is None:
        return UNKNOWN
    if value < THOUSAND:
        return f"{value} B"
    kilo = value / THOUSAND
    return f"{kilo:,.1f} kB" if kilo < THOUSAND else f"{kilo / THOUSAND:,.1f} MB"


def link(path: str, **query: object) -> str:
    """An address with the values of the query string that are not empty."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path
