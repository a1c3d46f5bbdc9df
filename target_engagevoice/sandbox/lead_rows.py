"""Leads as the API returns them: rows of the search in the shapes of a personality, and a lead after a change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from target_engagevoice.model.lead import EXTENDED
from target_engagevoice.sandbox import dates
from target_engagevoice.sandbox.personality import NESTED, VIEW, Personality

if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Row

HOUR = 3600.0

LEAD_FIELDS = frozenset(
    [
        "address1",
        "address2",
        "auxData1",
        "auxData2",
        "auxData3",
        "auxData4",
        "auxData5",
        "auxExternalUrl",
        "auxGreeting",
        "auxPhone",
        "callerId",
        "city",
        "dupeKeyOverride",
        "email",
        "extendedLeadData",
        "externId",
        "firstName",
        "gateKeeper",
        "lastName",
        "leadId",
        "leadPasses",
        "leadPhone",
        "leadPhoneE164",
        "leadPriority",
        "leadState",
        "leadTimezone",
        "liveAnswerMessage",
        "loadedDts",
        "machAnswerMessage",
        "maxPasses",
        "midName",
        "personaPhoneConfig",
        "state",
        "stateDts",
        "suffix",
        "suppressed",
        "title",
        "zip",
    ]
)
"""The fields of `CampaignLead` in the OpenAPI description that a lead has. A nested row has them in `campaignLead`."""

NOT_IN_VIEW = frozenset({"leadPhoneE164", EXTENDED, "personaPhoneConfig", "leadPriority", "reserveAgent"})
"""Lead fields that the view of the search lacks (reference, section 5)."""

VIEW_ONLY: Mapping[str, Any] = {
    "agentDispostion": None,  # spelled so in the API
    "lastPassDisposition": None,
    "lastPassDts": None,
    "nextDialTime": None,
    "speedToLeadFirstPass": None,
}
"""Fields of the view that are empty until the first call."""


def stored(row: Row) -> dict[str, Any]:
    """A lead as `Sandbox.leads` returns it: a flat row, with its account, and `fields` as they are stored."""
    return {**_flat(row, Personality()), "accountId": row["account_id"], "fields": json.loads(row["fields"])}


def shown(row: Row, personality: Personality) -> dict[str, Any]:
    """A lead as a search returns it.

    Args:
        row: The lead with the description of its list.
        personality: Says which shape the row has.
    """
    flat = _flat(row, personality)
    if not personality.suppressed_shown:
        del flat["suppressed"]
    if personality.rows == VIEW:
        extra = json.dumps(flat[EXTENDED]) if EXTENDED in flat else None
        flat = {name: value for name, value in flat.items() if name not in NOT_IN_VIEW}
        return {**VIEW_ONLY, **flat, "stateDts": flat["loadedDts"], "extraData": extra}
    if personality.rows == NESTED:
        outer = {name: value for name, value in flat.items() if name not in LEAD_FIELDS or name == "leadId"}
        return {**outer, "campaignLead": {name: value for name, value in flat.items() if name in LEAD_FIELDS}}
    return flat


def changed(row: Row, personality: Personality) -> dict[str, Any]:
    """A lead as the answer to its change shows it: `CampaignLead`, with the campaign as an object."""
    flat = _flat(row, personality)
    lead = {name: value for name, value in flat.items() if name in LEAD_FIELDS}
    return {**lead, "campaign": {"campaignId": row["campaign_id"]}}


def _flat(row: Row, personality: Personality) -> dict[str, Any]:
    loaded = row["loaded"] + personality.written_hours * HOUR
    return {
        **json.loads(row["fields"]),
        "leadId": row["lead_id"],
        "externId": row["extern_id"],
        "leadPhone": row["phone"],
        "campaignId": row["campaign_id"],
        "listId": row["list_id"],
        "listDesc": row["description"],
        "leadState": row["state"],
        "leadPasses": row["passes"],
        "suppressed": bool(row["suppressed"]),
        "loadedDts": dates.whole_seconds(loaded) if personality.whole_seconds else dates.shown(loaded),
    }
