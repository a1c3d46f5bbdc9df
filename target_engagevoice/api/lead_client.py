"""Loaded leads: find them, change them, act on them, put phones on the do-not-call list (reference, section 5).

Each request is repeated until the server answers it (`lead_requests`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from target_engagevoice.api import answers
from target_engagevoice.api.lead_requests import Changed, LeadRequest, LeadRequests
from target_engagevoice.api.lead_search import EVERY_LEAD, FoundLead, LeadSearch, numbers
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.api.request_journal import ACTION, CHANGE, DO_NOT_CALL
from target_engagevoice.errors import ServerError
from target_engagevoice.model.list_options import GLOBAL_TAG_ID

__all__ = ["Changed", "FoundLead", "Gone", "LeadClient"]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_engagevoice.api.client import Client
    from target_engagevoice.clock import Clock
    from target_engagevoice.halt import Halt

CHANGE_WINDOWS = (Window(12, 3), Window(150, 60))
ACTION_WINDOWS = (Window(30, 10), Window(120, 60))
"""Rate limits of changes and of actions (reference, section 5)."""

LIST_WINDOWS = ACTION_WINDOWS
"""No limit is documented for the do-not-call list, so that of actions is kept."""

MOST_ACTED_ON = 1000
"""How many leads one action may name."""


CHANGE_TIMEZONE_OPTIONS = frozenset({"NPA_NXX", "ZIPCODE", "EXPLICIT", "NOT_APPLICABLE"})
"""`timezoneOption` of a change, from RingCentral's OpenAPI description. A load also takes `COUNTRY`."""


@dataclass(frozen=True)
class Gone:
    """The lead to change is no longer there; `what` is the server's answer, such as `HTTP 404`."""

    what: str


class LeadClient:
    """Changes the leads of one account. Any thread may call it; its lock guards what it has learned about the server.

    Args:
        client: Sends the requests of the account.
        clock: Time.
        halt: Ends all waiting when the run stops.
        retry_max_seconds: How long one request is repeated before the run fails.
    """

    def __init__(self, client: Client, clock: Clock, halt: Halt, retry_max_seconds: float) -> None:
        self._client = client
        self._search = LeadSearch(client)
        self._requests = LeadRequests(client, clock, halt, retry_max_seconds)
        self._change_pace = Pace(CHANGE_WINDOWS, clock)
        self._action_pace = Pace(ACTION_WINDOWS, clock)
        self._list_pace = Pace(LIST_WINDOWS, clock)
        self._lock = threading.Lock()
        self._honors_lead_ids = False
        self._has_change_route = False

    def find(self, campaign_ids: Sequence[str], extern_ids: Sequence[str]) -> list[FoundLead]:
        """The leads of these campaigns with these ids, see `LeadSearch.find`.

        Raises:
            ServerError: The search keeps failing, or its answer cannot be read.
        """
        return self._search.find(campaign_ids, extern_ids)

    def change(
        self,
        campaign_id: str,
        lead_id: str,
        fields: Mapping[str, Any],
        options: Mapping[str, str],
        effort: Callable[[str], None],
    ) -> Changed | Gone | answers.Refused:
        """Change some fields of one lead.

        Args:
            campaign_id: The lead's campaign.
            lead_id: The lead.
            fields: Lead field to its new value; `""` and None blank it.
            options: Further query parameters, such as `timezoneOption`; a value that only loads take is left out.
            effort: Called with `requests`, `retries` or `throttled` each time one is to be counted.

        Raises:
            ServerError: The server does not answer, denies the request, or has the lead but not the route.
            SignInError: A token was needed and could not be obtained.
        """
        answer = self._requests.ask(
            LeadRequest(
                what="the change of a lead",
                undone=f"campaign {campaign_id}: a lead could not be changed",
                pace=self._change_pace,
                method="PATCH",
                path=f"/campaignLeads/{quote(lead_id, safe='')}",
                params={"campaignId": campaign_id, **_change_options(options)},
                content=fields,
                read=_done,
                kind=CHANGE,
                about={"campaign_id": campaign_id, "leads": 1},
            ),
            effort,
        )
        if not isinstance(answer, answers.NoRoute):
            with self._lock:
                self._has_change_route = True
            return answer
        self._check_gone(campaign_id, lead_id, answer)
        return Gone(answer.what)

    def act(
        self, action: str, campaign_ids: Sequence[str], lead_ids: Sequence[str], effort: Callable[[str], None]
    ) -> Changed | answers.Refused:
        """Apply an action to leads: `CANCEL_LEADS`, `DELETE_LEADS` and the like.

        Before the first action of a run its criteria are searched. Rows of other leads mean that the server ignores
        `leadIds` and would apply the action to all leads of the campaigns.

        Args:
            action: The `leadAction`.
            campaign_ids: The campaigns of the leads; at least one.
            lead_ids: The leads, from 1 to `MOST_ACTED_ON`.
            effort: Called with `requests`, `retries` or `throttled` each time one is to be counted.

        Raises:
            ValueError: The action names no leads or campaigns, or too many leads: a mistake in this program.
            ServerError: The server ignores `leadIds`, changed more leads than it was given, does not answer or
                denies the request.
            SignInError: A token was needed and could not be obtained.
        """
        if not campaign_ids or not 0 < len(lead_ids) <= MOST_ACTED_ON:
            msg = f"an action on {len(lead_ids)} leads of {len(campaign_ids)} campaigns"
            raise ValueError(msg)
        criteria = {**EVERY_LEAD, "campaignIds": numbers(campaign_ids), "leadIds": numbers(lead_ids)}
        self._check_lead_ids(criteria, lead_ids)
        answer = self._requests.ask(
            LeadRequest(
                what=f"the action {action}",
                undone=f"campaign {', '.join(campaign_ids)}: {action} of {len(lead_ids)} leads could not be done",
                pace=self._action_pace,
                method="PUT",
                path="/campaignLeads/actions",
                params={"leadAction": action},
                content={"campaignLeadSearchCriteria": criteria, "leadActionParams": {"paramMap": {}}},
                read=_acted,
                kind=ACTION,
                about={"campaign_id": campaign_ids[0], "leads": len(lead_ids)},
            ),
            effort,
        )
        if isinstance(answer, answers.NoRoute):
            raise self._client.admin.no_route("lead action", answer.what)
        if isinstance(answer, Changed) and max(answer.updated, answer.deleted) > len(lead_ids):
            msg = (
                f"{action} was asked for {len(lead_ids)} leads of campaign {', '.join(campaign_ids)}, and the server "
                f"says it changed {max(answer.updated, answer.deleted)}: it ignores 'leadIds'. The run stops. "
                "Check these campaigns, and set on_delete to 'ignore' and do_not_call to 'skip' before the next run."
            )
            raise ServerError(msg)
        return answer

    def list_phone(
        self, phone: str, country: str, extern_id: str, effort: Callable[[str], None]
    ) -> Changed | answers.Refused:
        """Put a phone on the account's do-not-call list. A phone that is already on it counts as success.

        Args:
            phone: The number.
            country: Its country as ISO 3166 alpha-3, such as `USA`.
            extern_id: The `externId` of its lead.
            effort: Called with `requests`, `retries` or `throttled` each time one is to be counted.

        Raises:
            ServerError: The server does not answer, or denies the request.
            SignInError: A token was needed and could not be obtained.
        """
        answer = self._requests.ask(
            LeadRequest(
                what="the do-not-call list",
                undone="a phone could not be put on the do-not-call list",
                pace=self._list_pace,
                method="POST",
                path="/dncLists",
                content={
                    "phone": phone,
                    "countryId": country,
                    "dncTagId": GLOBAL_TAG_ID,
                    "externId": extern_id,
                },
                read=_done,
                kind=DO_NOT_CALL,
                about={},
            ),
            effort,
        )
        if isinstance(answer, answers.NoRoute):
            raise self._client.admin.no_route("do-not-call list", answer.what)
        return Changed() if isinstance(answer, answers.Refused) and answer.reason == "http_409" else answer

    def _check_gone(self, campaign_id: str, lead_id: str, answer: answers.NoRoute) -> None:
        """Make sure that a 404 means that the lead is gone, and not that the deployment lacks the route.

        Without the route every lead would seem gone and would be loaded a second time. Once a change has been
        answered the route exists, and nothing is searched.

        Raises:
            ServerError: The lead is there.
        """
        with self._lock:
            if self._has_change_route:
                return
        criteria = {**EVERY_LEAD, "campaignIds": numbers([campaign_id]), "leadIds": numbers([lead_id])}
        if any(lead_id in page for page in self._search.lead_ids(criteria)):
            raise self._client.admin.no_route("change of leads", f"{answer.what}, of a lead that is there")

    def _check_lead_ids(self, criteria: Mapping[str, Any], lead_ids: Sequence[str]) -> None:
        """Search by the criteria of an action, until one search of the run has found leads.

        Raises:
            ServerError: The search also returns other leads.
        """
        with self._lock:
            if self._honors_lead_ids:
                return
            seen: set[str] = set()
            for page in self._search.lead_ids(criteria):
                seen |= page
                if not seen <= set(lead_ids):
                    msg = (
                        f"the search for {len(lead_ids)} leads by 'leadIds' also returns other leads: the action "
                        "would change those too. Nothing was changed. Set on_delete to 'ignore' and "
                        "do_not_call to 'skip', and ask RingCentral why 'leadIds' is ignored."
                    )
                    raise ServerError(msg)
            self._honors_lead_ids = bool(seen)


def _change_options(options: Mapping[str, str]) -> dict[str, str]:
    """The options that a change takes, without values that only a load takes."""
    return {
        name: value for name, value in options.items() if name != "timezoneOption" or value in CHANGE_TIMEZONE_OPTIONS
    }


def _done(content: Any) -> Changed:
    """The meaning of an answer of which only the status counts."""
    del content
    return Changed()


def _acted(content: Any) -> Changed | answers.Refused | answers.Unknown:
    """The meaning of an answer to an action; each of its fields is optional."""
    if not isinstance(content, dict):
        return answers.Unknown("HTTP 200 with a body that is not an object")
    message = str(content.get("errorMessage") or "")[: answers.MESSAGE_MAX]
    success = content.get("success", not message)
    if success is False or str(success).casefold() == "false":
        return answers.Refused("action_failed", message or "success is false")
    return Changed(_count(content.get("leadUpdateCount")), _count(content.get("leadDeleteCount")))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
