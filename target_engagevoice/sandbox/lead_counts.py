"""The number of leads in each list of a store, as a text table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.directory import DEFAULT_ACCOUNTS
from target_engagevoice.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from target_engagevoice.sandbox.directory import Account

HEADINGS = ("DIAL GROUP", "CAMPAIGN", "LIST", "LEADS", "BY STATE")
NUMERIC = HEADINGS.index("LEADS")

QUERY = """
    SELECT leads.campaign_id, lists.description, leads.state, COUNT(*) AS number, MIN(lists.list_id) AS first
    FROM leads JOIN lists USING (list_id)
    GROUP BY leads.campaign_id, lists.description, leads.state ORDER BY leads.campaign_id, first, leads.state
"""


def table(store: Path, accounts: Sequence[Account] = DEFAULT_ACCOUNTS) -> str:
    """A text table of dial group, campaign, list, number of leads, and number of leads in each state.

    Lists of a campaign that have the same name share a line.

    Args:
        store: The store of a sandbox.
        accounts: Give the names of dial groups and campaigns. A campaign that they do not hold is shown by its id.

    Returns:
        The table, each line ending in a newline.

    Raises:
        ConfigError: The store does not exist.
    """
    if not store.is_file():
        raise ConfigError(f"there is no sandbox store at {store}: run against the sandbox first")
    groups: dict[tuple[int, str], Counter[str]] = {}
    with Store(store).transaction() as db:
        for row in db.execute(QUERY):
            states = groups.setdefault((row["campaign_id"], row["description"]), Counter())
            states[row["state"]] += row["number"]
    lines = [HEADINGS]
    for (campaign_id, description), states in groups.items():
        by_state = ", ".join(f"{state} {number}" for state, number in sorted(states.items()))
        lines.append((*_names(campaign_id, accounts), description, str(states.total()), by_state))
    lines.append(("", "", "total", str(sum(states.total() for states in groups.values())), ""))
    return _aligned(lines)


def _names(campaign_id: int, accounts: Sequence[Account]) -> tuple[str, str]:
    for account in accounts:
        for group in account.dial_groups:
            for campaign in group.campaigns:
                if campaign.campaign_id == campaign_id:
                    return group.name, campaign.name
    return "?", str(campaign_id)


def _aligned(lines: list[tuple[str, str, str, str, str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    out = []
    for line in lines:
        cells = [
            cell.rjust(widths[column]) if column == NUMERIC else cell.ljust(widths[column])
            for column, cell in enumerate(line)
        ]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out) + "\n"
