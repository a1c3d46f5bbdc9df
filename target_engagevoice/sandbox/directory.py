"""Accounts, dial groups and campaigns: read from the configuration, and shown as the API shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.config_reader import (
    Field,
    any_text,
    choice,
    flag,
    identifier,
    many,
    read_object,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SIMPLE = "SIMPLE"
STRATEGIC = "STRATEGIC"
DIAL_MODES = ("PREVIEW", "CLICK_TO_TALK", "PREDICTIVE", "POWER", "TCPA_SAFE_MODE")
SCRUB_OPTIONS = ("DO_NOT_SCRUB", "INTERNAL_AND_NATIONAL", "INTERNAL_ONLY", "CELLULAR_AND_INTERNAL", "CELLULAR_ONLY")
INTERNAL_SCRUBS = frozenset({"INTERNAL_AND_NATIONAL", "INTERNAL_ONLY", "CELLULAR_AND_INTERNAL"})
"""The scrub options under which the account's own do-not-call list counts (reference, section 5)."""

PERSONA_LABELS = ("Mobile", "Home", "Work")


@dataclass(frozen=True)
class Campaign:
    """A campaign (reference, section 3).

    Attributes:
        campaign_id: Its id.
        name: Its name.
        is_active: 0 inactive, 1 active, 2 callbacks only.
        calling: SIMPLE or STRATEGIC.
        description: `campaignDesc`.
        persona_labels: The labels `personaPhoneConfig` may use.
        start_date: `startDate`, as typed.
        end_date: `endDate`, as typed.
        dnc_scrub_option: `dncScrubOption`: which do-not-call lists a load is scrubbed against.
    """

    campaign_id: int
    name: str
    is_active: int = 1
    calling: str = SIMPLE
    description: str = ""
    persona_labels: tuple[str, ...] = PERSONA_LABELS
    start_date: str = "2026-01-01T00:00:00.000+0000"
    end_date: str = "2099-12-31T00:00:00.000+0000"
    dnc_scrub_option: str = "INTERNAL_AND_NATIONAL"

    def shown(self, group: DialGroup) -> dict[str, Any]:
        """The campaign as `GET …/campaigns` returns it."""
        days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        return {
            "campaignId": self.campaign_id,
            "campaignName": self.name,
            "campaignDesc": self.description,
            "isActive": self.is_active,
            "startDate": self.start_date,
            "endDate": self.end_date,
            "callerId": "6505550100",
            "countryId": "USA",
            "dncScrubOption": self.dnc_scrub_option,
            "maxPasses": 0,
            **{f"{day}Sched": "08002100" for day in days},
            **{f"aux{position}Label": f"Aux {position}" for position in range(1, 6)},
            "callingConfiguration": self.calling,
            "dialGroup": {"id": group.dial_group_id, "description": group.name},
            "permissions": [],
        }


@dataclass(frozen=True)
class DialGroup:
    """A dial group and its campaigns (reference, section 3)."""

    dial_group_id: int
    name: str
    dial_mode: str = "PREDICTIVE"
    is_active: bool = True
    campaigns: tuple[Campaign, ...] = ()

    def shown(self, *, with_children: bool = False) -> dict[str, Any]:
        """The dial group as `GET …/dialGroups` returns it, or `…/dialGroups/withChildren`."""
        row: dict[str, Any] = {
            "dialGroupId": self.dial_group_id,
            "dialGroupName": self.name,
            "dialGroupDesc": "",
            "dialMode": self.dial_mode,
            "isActive": self.is_active,
            "permissions": [],
        }
        if with_children:
            row["campaigns"] = [campaign.shown(self) for campaign in self.campaigns]
        return row


@dataclass(frozen=True)
class DncTag:
    """A tag of the do-not-call list, which groups its entries."""

    tag_id: int
    label: str


GLOBAL_TAG = DncTag(0, "GLOBAL")
"""The tag of the whole account, which every account has. An entry without a tag has this one."""


@dataclass(frozen=True)
class Account:
    """A sub-account, which the operations name (reference, section 2, "Account id")."""

    account_id: str
    name: str
    main_account_id: str
    dial_groups: tuple[DialGroup, ...] = ()
    own_dnc_tags: tuple[DncTag, ...] = ()

    def shown(self, *, e164: bool | None = None) -> dict[str, Any]:
        """The account as `GET …/accounts` returns it: ids are strings.

        Args:
            e164: Whether the account is in E.164 mode; None when the answer does not say so.
        """
        row: dict[str, Any] = {
            "accountId": self.account_id,
            "accountName": self.name,
            "mainAccountId": self.main_account_id,
        }
        if e164 is not None:
            row["enableIntlOutbound"] = e164
            row["mainAccount"] = {"mainAccountId": self.main_account_id, "enablePhoneNumbersI18n": e164}
        return row

    @property
    def dnc_tags(self) -> tuple[DncTag, ...]:
        """The tags of its do-not-call list."""
        return (GLOBAL_TAG, *self.own_dnc_tags)

    def campaigns(self) -> Iterator[Campaign]:
        """Every campaign of every dial group."""
        for group in self.dial_groups:
            yield from group.campaigns

    def campaign(self, campaign_id: str | int) -> Campaign | None:
        """The campaign with that id, or None."""
        return next((one for one in self.campaigns() if str(one.campaign_id) == str(campaign_id)), None)

    def dial_group(self, dial_group_id: str) -> DialGroup | None:
        """The dial group with that id, or None."""
        return next((one for one in self.dial_groups if str(one.dial_group_id) == dial_group_id), None)


DEFAULT_ACCOUNTS = (
    Account(
        "99990001",
        "Sandbox",
        "99990000",
        (
            DialGroup(
                501,
                "Outbound",
                "PREDICTIVE",
                campaigns=(
                    Campaign(1001, "Renewals"),
                    Campaign(1002, "Winback"),
                    Campaign(1003, "Dormant", is_active=0),
                ),
            ),
            DialGroup(
                502,
                "Inbound callbacks",
                "PREVIEW",
                campaigns=(Campaign(2001, "Callbacks", calling=STRATEGIC),),
            ),
        ),
    ),
)
"""The account of the contract, section 6."""


def read_accounts(raw: Any, where: str) -> tuple[Account, ...]:
    """Check the accounts of a configuration.

    Raises:
        ConfigError: A value is not valid, or an id is used twice.
    """
    accounts: tuple[Account, ...] = many(_read_account)(raw, where)
    if not accounts:
        raise ConfigError(f"{where} must name at least one account, or be left out for the default one")
    groups = [group for account in accounts for group in account.dial_groups]
    for kind, ids in (
        ("accountId", [account.account_id for account in accounts]),
        ("dialGroupId", [str(group.dial_group_id) for group in groups]),
        ("campaignId", [str(campaign.campaign_id) for group in groups for campaign in group.campaigns]),
    ):
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ConfigError(f"{where}: {kind} {twice[0]} is used twice; give each its own")
    return accounts


def _read_account(raw: Any, where: str) -> Account:
    values = read_object(raw, _ACCOUNT, where)
    account_id = values["accountId"]
    return Account(
        account_id,
        values["accountName"] or f"Account {account_id}",
        values["mainAccountId"] or account_id,
        values["dialGroups"],
        values["dncTags"],
    )


def _read_group(raw: Any, where: str) -> DialGroup:
    values = read_object(raw, _GROUP, where)
    return DialGroup(
        int(values["dialGroupId"]),
        values["dialGroupName"],
        values["dialMode"],
        values["isActive"],
        values["campaigns"],
    )


def _read_campaign(raw: Any, where: str) -> Campaign:
    values = read_object(raw, _CAMPAIGN, where)
    return Campaign(
        int(values["campaignId"]),
        values["campaignName"],
        values["isActive"],
        values["callingConfiguration"],
        values["campaignDesc"],
        values["personaLabels"],
        values["startDate"],
        values["endDate"],
        values["dncScrubOption"],
    )


def _read_tag(raw: Any, where: str) -> DncTag:
    values = read_object(raw, {"dncTagId": Field(whole(1)), "dncTagLabel": Field(text)}, where)
    return DncTag(values["dncTagId"], values["dncTagLabel"])


_CAMPAIGN = {
    "campaignId": Field(identifier),
    "campaignName": Field(text),
    "campaignDesc": Field(any_text, ""),
    "isActive": Field(whole(0, 2), 1),
    "callingConfiguration": Field(choice(SIMPLE, STRATEGIC), SIMPLE),
    "personaLabels": Field(many(text), PERSONA_LABELS),
    "startDate": Field(text, Campaign.start_date),
    "endDate": Field(text, Campaign.end_date),
    "dncScrubOption": Field(choice(*SCRUB_OPTIONS), Campaign.dnc_scrub_option),
}
_GROUP = {
    "dialGroupId": Field(identifier),
    "dialGroupName": Field(text),
    "dialMode": Field(choice(*DIAL_MODES), "PREDICTIVE"),
    "isActive": Field(flag, True),
    "campaigns": Field(many(_read_campaign), ()),
}
_ACCOUNT = {
    "accountId": Field(identifier),
    "accountName": Field(text, None),
    "mainAccountId": Field(identifier, None),
    "dialGroups": Field(many(_read_group), ()),
    "dncTags": Field(many(_read_tag), ()),
}
