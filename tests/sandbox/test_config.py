from __future__ import annotations

from typing import Any

import pytest

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.config import SandboxConfig
from target_engagevoice.sandbox.limits import DEFAULT_LIMITS, Window

GROUP = {"dialGroupId": 1, "dialGroupName": "G"}
CAMPAIGN = {"campaignId": 1, "campaignName": "C"}


def test_an_empty_config_is_the_sandbox_of_the_contract() -> None:
    config = SandboxConfig.read(None)
    assert config == SandboxConfig.read({}) == SandboxConfig()
    assert [account.account_id for account in config.accounts] == ["99990001"]
    assert config.api == ("v1", "legacy")
    assert config.token_seconds == 300


def test_a_setting_replaces_only_its_own_default() -> None:
    config = SandboxConfig.read({"rate_limits": {"load": ["5/1.5s", " 7 / 60 s "]}, "token_seconds": 2})
    assert config.rate_limits["load"] == (Window(5, 1.5), Window(7, 60))
    assert config.rate_limits["search"] == DEFAULT_LIMITS["search"]
    assert config.token_seconds == 2


def test_accounts_are_replaced_as_a_whole() -> None:
    group = {**GROUP, "campaigns": [{**CAMPAIGN, "isActive": 2, "personaLabels": ["Boat"]}]}
    (account,) = SandboxConfig.read({"accounts": [{"accountId": 7, "dialGroups": [group]}]}).accounts
    assert account.account_id == "7"
    (campaign,) = account.campaigns()
    assert (campaign.name, campaign.is_active, campaign.persona_labels) == ("C", 2, ("Boat",))


def account(**group: Any) -> dict[str, Any]:
    return {"accounts": [{"accountId": "1", "dialGroups": [{**GROUP, **group}]}]}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "must be an object with accounts"),
        ({"acounts": []}, "did you mean 'accounts'"),
        ({"zzz": 1}, "use one of accounts, api"),
        ({"accounts": []}, "at least one account"),
        ({"accounts": {}}, r"accounts must be a list"),
        ({"accounts": [{}]}, r"accounts\[0\] lacks 'accountId'"),
        ({"accounts": [{"accountId": "x"}]}, r"accounts\[0\]\.accountId must be an id"),
        ({"accounts": [{"accountId": True}]}, "must be an id"),
        ({"accounts": [{"accountId": 1}, {"accountId": "1"}]}, "accountId 1 is used twice"),
        (account(dialMode="FAST"), "dialMode must be one of PREVIEW"),
        (account(isActive=1), "isActive must be true or false"),
        (account(campaigns=[CAMPAIGN, CAMPAIGN]), "campaignId 1 is used twice"),
        (account(campaigns=[{**CAMPAIGN, "isActive": True}]), "whole number from 0 to 2"),
        (account(campaigns=[{**CAMPAIGN, "isActive": 3}]), "whole number from 0 to 2"),
        (account(campaigns=[{"campaignId": 1, "campaignName": " "}]), "a string that is not empty"),
        ({"api": ["v2"]}, r"api\[0\] must be one of v1, legacy"),
        ({"api": []}, "must name v1, legacy, or both"),
        ({"token_seconds": -1}, "a number of at least 0"),
        ({"token_seconds": "5"}, "a number of at least 0"),
        ({"rate_limits": []}, "must be an object such as"),
        ({"rate_limits": {"loads": []}}, "does not know 'loads': use one of action"),
        ({"rate_limits": {"load": ["30 per 10s"]}}, "must look like 30/10s"),
        ({"rate_limits": {"load": ["30/0s"]}}, "must look like 30/10s"),
        ({"max_body_bytes": 0}, "a whole number of at least 1"),
        ({"e164": "yes"}, "e164 must be true or false"),
        ({"faults": [{"on": "load", "do": "dropp"}]}, r"faults\[0\]\.do must be one of"),
    ],
)
def test_a_mistake_names_its_location_and_what_to_type(typed: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SandboxConfig.read(typed)
