"""The fifteen fields that every contender maps."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAD_PHONE = ("MobilePhone", "Phone")
"""The first that is not empty."""

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "externId": "Id",
        "auxPhone": "Phone",
        "title": "Title",
        "firstName": "FirstName",
        "lastName": "LastName",
        "address1": "Street",
        "city": "City",
        "state": "State",
        "zip": "PostalCode",
        "email": "Email",
        "auxData1": "Company",
        "auxData2": "AnnualRevenue",
        "auxData3": "LeadSource",
        "auxData4": "SystemModstamp",
    },
)
"""Lead field to record field; `leadPhone` is the fifteenth."""


def target_mapping(campaign: Any) -> dict[str, Any]:
    """The same as the target's `mappings` of a stream."""
    fields: dict[str, Any] = {"leadPhone": list(LEAD_PHONE), **FIELDS}
    return {"preset": "none", "campaign": campaign, "fields": fields, "do_not_call": ["DoNotCall"]}


def plain_lead(record: Mapping[str, Any]) -> dict[str, str]:
    """The same in plain Python, without checks: the lead lacks empty fields, and a phone is its digits."""
    lead = {name: str(value) for name, source in FIELDS.items() if (value := record.get(source)) not in (None, "")}
    phone = record.get("MobilePhone") or record.get("Phone")
    if phone:
        lead["leadPhone"] = _digits(phone)
    if "auxPhone" in lead:
        lead["auxPhone"] = _digits(lead["auxPhone"])
    return lead


def _digits(phone: str) -> str:
    return "".join(character for character in phone if character.isdigit())
