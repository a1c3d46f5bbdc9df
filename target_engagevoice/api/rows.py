"""Parse the rows that the server lists: campaigns (reference, section 3) and leads (section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.dates import parse_api_date
from target_engagevoice.errors import ServerError
from target_engagevoice.model.account import Account
from target_engagevoice.model.campaign import DAYS, Campaign
from target_engagevoice.model.lead import LEAD_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class LoadedLead:
    """A lead the server holds, as its search shows it.

    Attributes:
        loaded_at: Epoch seconds on the server's clock; None when the row does not say.
        fields: Names of the lead's fields that are not empty.
    """

    extern_id: str
    campaign_id: str
    lead_id: str
    loaded_at: float | None
    fields: frozenset[str] = frozenset()


def rows_of(content: Any, key: str | None = None) -> list[dict[str, Any]]:
    """Check that an answer is a list of objects, each with this key, and return it.

    Raises:
        ServerError: It is something else.
    """
    if not isinstance(content, list) or not all(
        isinstance(row, dict) and (key is None or key in row) for row in content
    ):
        expected = "a list of objects" if key is None else f"a list of objects with {key}"
        msg = f"the server's answer is not {expected}; check base_url."
        raise ServerError(msg)
    return content


def account_of(row: Mapping[str, Any]) -> Account:
    """The account of a row. Its fields may be missing, and a main account too."""
    main = row.get("mainAccount")
    i18n = main.get("enablePhoneNumbersI18n") if isinstance(main, dict) else None
    intl = row.get("enableIntlOutbound")
    return Account(
        account_id=str(row["accountId"]),
        intl_outbound=intl if isinstance(intl, bool) else None,
        phone_numbers_i18n=i18n if isinstance(i18n, bool) else None,
    )


def campaign_of(group: Mapping[str, Any], row: Mapping[str, Any]) -> Campaign:
    """The campaign of a row, in this dial group."""
    active = row.get("isActive", 1)
    days = [f"{day}Sched" for day in DAYS]
    return Campaign(
        campaign_id=str(row["campaignId"]),
        name=str(row.get("campaignName") or row["campaignId"]),
        dial_group_id=str(group["dialGroupId"]),
        dial_group=str(group.get("dialGroupName") or group["dialGroupId"]),
        dial_mode=str(group.get("dialMode") or ""),
        active=int(active) if isinstance(active, (bool, int)) else 1,
        configuration=str(row.get("callingConfiguration") or "SIMPLE"),
        starts=parse_api_date(row.get("startDate")),
        ends=parse_api_date(row.get("endDate")),
        dnc_scrub=str(row.get("dncScrubOption") or ""),
        schedule=tuple(str(row.get(day) or "").strip() for day in days) if not row.keys().isdisjoint(days) else (),
    )


def loaded_lead_of(row: Mapping[str, Any]) -> LoadedLead:
    """The lead of a row that has a `leadId`."""
    return LoadedLead(
        extern_id=str(row.get("externId") or ""),
        campaign_id=str(row.get("campaignId") or ""),
        lead_id=str(row["leadId"]),
        loaded_at=parse_api_date(row.get("loadedDts")),
        fields=frozenset(name for name, value in row.items() if name in LEAD_FIELDS and value not in (None, "", {})),
    )
