"""The enumerating endpoints: accounts, dial groups, campaigns, and the lists of a campaign (reference, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import dates
from target_engagevoice.sandbox.answers import Answer, Refusal, missing

if TYPE_CHECKING:
    from sqlite3 import Connection

    from target_engagevoice.sandbox.call import Call
    from target_engagevoice.sandbox.directory import DialGroup

LEAD_STATES = (
    "ACTIVE",
    "AGENT-CALLBACK",
    "CALLBACK-CANCELLED",
    "CALLBACK",
    "CANCELLED",
    "COMPLETE",
    "DISCONNECTED",
    "DO-NOT-CALL",
    "INTERCEPT",
    "MAX-DIAL-LIMIT",
    "PAUSED",
    "PENDING-CALLBACK",
    "PENDING-ERR",
    "PENDING-HCI",
    "PENDING",
    "READY",
    "TRANSITIONED",
    "WHITELIST",
)
SYSTEM_DISPOSITIONS = (
    "ANSWER",
    "NOANSWER",
    "BUSY",
    "MACHINE",
    "INTERCEPT",
    "DISCONNECT",
    "ABANDON",
    "CONGESTION",
    "MANUAL_PASS",
    "INBOUND_CALLBACK",
    "APP_DNC",
    "APP_REQUEUE",
    "APP_REQUEUE_COMPLETE",
    "APP_REQUEUE_ABANDON",
    "INBOUND_ABANDON",
    "API_BLOCKED",
    "API_ERROR",
)

LEAD_PHONE_LABEL = "Leadphone"
"""The label of phone 1, which is reserved for `leadPhone`."""


def accounts(call: Call) -> Answer:
    """`GET …/accounts`: the sub-accounts that the user has access to."""
    return Answer.of([account.shown(e164=_mode(call)) for account in call.state.config.accounts])


def account(call: Call) -> Answer:
    """`GET …/accounts/{accountId}`; 403 for one that the user has no access to."""
    return Answer.of(call.account.shown(e164=_mode(call)))


def dial_groups(call: Call) -> Answer:
    """`GET …/dialGroups`."""
    return Answer.of(call.paged([group.shown() for group in call.account.dial_groups]))


def with_children(call: Call) -> Answer:
    """`GET …/dialGroups/withChildren`: dial groups with their campaigns in them."""
    return Answer.of(call.paged([group.shown(with_children=True) for group in call.account.dial_groups]))


def campaigns(call: Call) -> Answer:
    """`GET …/dialGroups/{dialGroupId}/campaigns`; 404 for an unknown dial group."""
    group = _dial_group(call)
    return Answer.of(call.paged([campaign.shown(group) for campaign in group.campaigns]))


def campaign(call: Call) -> Answer:
    """`GET …/dialGroups/{dialGroupId}/campaigns/{campaignId}`."""
    return Answer.of(call.campaign.shown(_dial_group(call)))


def personas(call: Call) -> Answer:
    """`GET …/persona-phone-config`: the labels of phones, of which the first is `leadPhone` itself.

    RingCentral documents it in its guide on lead phone personas. Only in the sandbox does each campaign have its own
    labels.
    """
    labels = dict.fromkeys(label for campaign in call.account.campaigns() for label in campaign.persona_labels)
    return Answer.of(
        [
            {"accountId": call.account.account_id, "phoneId": number, "phoneLabel": label}
            for number, label in enumerate((LEAD_PHONE_LABEL, *labels), start=1)
        ]
    )


def lead_states(call: Call) -> Answer:
    """`GET …/campaignLeads/leadStates`; 403 for an account that the user has no access to."""
    _ = call.account  # raises the refusal
    return Answer.of(LEAD_STATES)


def system_dispositions(call: Call) -> Answer:
    """`GET …/campaignLeads/systemDispositions`; 403 for an account that the user has no access to."""
    _ = call.account  # raises the refusal
    return Answer.of(SYSTEM_DISPOSITIONS)


def dnc_tags(call: Call) -> Answer:
    """`GET …/dncTags`: the tags of the account's do-not-call list (the shape is that of `dncTag` in an entry)."""
    tags = call.account.dnc_tags
    return Answer.of([{"dncTagId": tag.tag_id, "dncTagLabel": tag.label} for tag in tags])


def lists(call: Call) -> Answer:
    """`GET …/dialGroups/{dialGroupId}/campaigns/{campaignId}/lists`, one for each load (a guess)."""
    _dial_group(call)
    campaign_id = call.campaign.campaign_id
    with call.state.store.transaction() as db:
        found = every_list(db)
    return Answer.of(call.paged([row for row in found if row["campaignId"] == campaign_id]))


def every_list(db: Connection) -> list[dict[str, Any]]:
    """All lists of all campaigns, as the API returns them (the reference guesses the shape)."""
    return [
        {
            "listId": row["list_id"],
            "listDesc": row["description"],
            "listState": row["state"],
            "campaignId": row["campaign_id"],
            "duplicateHandling": row["duplicate_handling"],
            "dialPriority": row["dial_priority"],
            "timeZoneOption": row["time_zone_option"],
            "leadsSupplied": row["supplied"],
            "leadsAccepted": row["accepted"],
            "leadsInserted": row["inserted"],
            "uploadDate": dates.shown(row["uploaded"]),
        }
        for row in db.execute("SELECT * FROM lists ORDER BY list_id")
    ]


def _mode(call: Call) -> bool | None:
    config = call.state.config
    return config.e164 if config.personality.account_mode_shown else None


def _dial_group(call: Call) -> DialGroup:
    group = call.account.dial_group(call.path["dial_group_id"])
    if group is None:
        raise Refusal(missing("dialGroup", call.now))
    return group
