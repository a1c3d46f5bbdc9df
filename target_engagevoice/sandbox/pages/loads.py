"""The pages of the loads: the counts of each campaign, and of each load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_engagevoice.sandbox.pages import journal
from target_engagevoice.sandbox.pages.page_request import PageNotFound
from target_engagevoice.sandbox.store import row_id

if TYPE_CHECKING:
    from sqlite3 import Row

    from target_engagevoice.sandbox.pages.page_request import PageRequest, Paging, Values

NEWEST = 8
"""The number of loads and of requests on the overview."""

SUMS = (
    "COUNT(list_id) AS lists, SUM(supplied) AS supplied, SUM(inserted) AS inserted, SUM(rejected) AS rejected,"
    " SUM(duplicates) AS duplicates, SUM(dnc) AS dnc"
)
BY_CAMPAIGN = f"SELECT campaign_id, {SUMS} FROM loads GROUP BY campaign_id"  # noqa: S608 - the query is made of the constant above
TOTAL = f"SELECT {SUMS} FROM loads"  # noqa: S608 - the query is made of the constant above
LEADS_BY_CAMPAIGN = "SELECT campaign_id, COUNT(*) AS leads FROM leads GROUP BY campaign_id"

ONE_BY_ONE = (
    "SELECT loads.*, lists.description, lists.state FROM loads LEFT JOIN lists USING (list_id)"
    " WHERE ?1 IS NULL OR loads.campaign_id = ?1 ORDER BY load_id DESC LIMIT ?2 OFFSET ?3"
)


def overview(asked: PageRequest) -> Values:
    """The overview: accounts, dial groups and campaigns with their counts, and the newest loads and requests."""
    sums = {row["campaign_id"]: row for row in asked.db.execute(BY_CAMPAIGN)}
    leads = {row["campaign_id"]: row["leads"] for row in asked.db.execute(LEADS_BY_CAMPAIGN)}
    served = {campaign.campaign_id for account in asked.config.accounts for campaign in account.campaigns()}
    return {
        "config": asked.config,
        "sums": sums,
        "leads": leads,
        "total": asked.db.execute(TOTAL).fetchone(),
        "lead_count": sum(leads.values()),
        "request_count": asked.number("SELECT COUNT(*) FROM requests"),
        "dnc_count": asked.number("SELECT COUNT(*) FROM dnc"),
        "foreign": sorted((sums.keys() | leads.keys()) - served),
        "loads": _rows(asked, None, (NEWEST, 0)),
        "requests": journal.rows(asked, None, (NEWEST, 0)),
    }


def loads(asked: PageRequest) -> Values:
    """All loads, or those of one campaign, with the newest first."""
    given = asked.text("campaign")
    campaign_id = row_id(given)
    if given and campaign_id is None:
        raise PageNotFound(f"campaign {given}")
    total = asked.number("SELECT COUNT(*) FROM loads WHERE ?1 IS NULL OR campaign_id = ?1", (campaign_id,))
    paging: Paging = asked.paging(total)
    return {"campaign_id": campaign_id, "loads": _rows(asked, campaign_id, paging.window), "paging": paging}


def _rows(asked: PageRequest, campaign_id: int | None, window: tuple[int, int]) -> list[Row]:
    return asked.db.execute(ONE_BY_ONE, (campaign_id, *window)).fetchall()
