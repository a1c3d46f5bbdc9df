"""The endpoints of the sandbox, as a table: the API of the reference, sections 1 to 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.sandbox import changes, dnc, listing, loader, search, signins
from target_engagevoice.sandbox.config import LEGACY, V1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_engagevoice.sandbox.answers import Answer
    from target_engagevoice.sandbox.call import Call

PREFIXES: Mapping[str, tuple[str, ...]] = {
    V1: ("/voice/api/v1/admin", "/api/v1/admin"),
    LEGACY: ("/voice/api/admin", "/api/admin"),
}
"""The admin prefixes of each form; legacy portals have no `/voice` (reference, section 1)."""


@dataclass(frozen=True)
class Endpoint:
    """One operation.

    Attributes:
        kind: Its name in the journal and the fault script.
        method: HTTP method.
        path: Its path. Paths of the admin API follow the admin prefix.
        answer: Does the operation and returns the answer. May raise `Refusal`.
        admin: Whether it needs a token of the admin API.
        forms: The forms of the admin API that have it.
        limit: The rate limit that it counts for. The sign-ins check their limits themselves.
    """

    kind: str
    method: str
    path: str
    answer: Callable[[Call], Answer]
    admin: bool = True
    forms: tuple[str, ...] = (V1, LEGACY)
    limit: Callable[[Call], str] | None = None

    def rules(self, api: tuple[str, ...]) -> Iterator[str]:
        """The full paths of the endpoint, when the given forms of the API are on."""
        if not self.admin:
            yield self.path
            return
        for form in self.forms:
            if form in api:
                yield from (prefix + self.path for prefix in PREFIXES[form])


def _search_limit(call: Call) -> str:
    return "count" if search.counts(call) else "search"


ACCOUNT = "/accounts/<account_id>"
CAMPAIGNS = f"{ACCOUNT}/dialGroups/<dial_group_id>/campaigns"
LOADER = f"{ACCOUNT}/campaigns/<campaign_id>"
LEADS = f"{ACCOUNT}/campaignLeads"

ENDPOINTS = (
    # Signing in: reference, section 2.
    Endpoint("oauth", "POST", "/restapi/oauth/token", signins.oauth, admin=False),
    Endpoint("oauth", "POST", "/restapi/oauth/revoke", signins.revoke_oauth, admin=False),
    Endpoint("exchange", "POST", "/api/auth/login/rc/accesstoken", signins.exchange, admin=False),
    Endpoint("refresh", "POST", "/api/auth/token/refresh", signins.refresh, admin=False),
    Endpoint("login_admin", "POST", "/api/auth/login/admin", signins.login_admin, admin=False),
    Endpoint("login_legacy", "POST", "/api/v1/auth/login", signins.login_legacy, admin=False),
    Endpoint("login_legacy", "POST", "/voice/api/v1/auth/login", signins.login_legacy, admin=False),
    Endpoint("api_token", "POST", "/token", signins.make_api_token),
    Endpoint("api_token", "GET", "/token", signins.list_api_tokens),
    Endpoint("api_token", "DELETE", "/token/<api_token>", signins.revoke_api_token),
    # Enumerating: sections 2 and 3.
    Endpoint("accounts", "GET", "/accounts", listing.accounts),
    Endpoint("accounts", "GET", ACCOUNT, listing.account),
    Endpoint("dial_groups", "GET", f"{ACCOUNT}/dialGroups", listing.dial_groups),
    Endpoint("dial_groups", "GET", f"{ACCOUNT}/dialGroups/withChildren", listing.with_children),
    Endpoint("campaigns", "GET", CAMPAIGNS, listing.campaigns),
    Endpoint("campaigns", "GET", f"{CAMPAIGNS}/<campaign_id>", listing.campaign),
    Endpoint("lists", "GET", f"{CAMPAIGNS}/<campaign_id>/lists", listing.lists),
    Endpoint("personas", "GET", f"{ACCOUNT}/persona-phone-config", listing.personas),
    # Loading: sections 1 and 4. The crossed combinations answer 404.
    Endpoint("load", "POST", f"{LOADER}/leadLoader/direct", loader.load, forms=(V1,), limit=lambda _call: "load"),
    Endpoint("load", "POST", f"{LOADER}/loader/direct", loader.load, forms=(LEGACY,), limit=lambda _call: "load"),
    # Looking up and changing: section 5.
    Endpoint("search", "POST", f"{LEADS}/leadSearch", search.search, limit=_search_limit),
    Endpoint(
        "phone_search",
        "POST",
        f"{LEADS}/leadSearchByPhoneList",
        search.search_by_phones,
        limit=lambda _call: "phone_search",
    ),
    Endpoint("lead_states", "GET", f"{LEADS}/leadStates", listing.lead_states),
    Endpoint("dispositions", "GET", f"{LEADS}/systemDispositions", listing.system_dispositions),
    Endpoint("action", "PUT", f"{LEADS}/actions", changes.act, limit=lambda _call: "action"),
    Endpoint("patch", "PATCH", f"{LEADS}/<lead_id>", changes.patch, limit=lambda _call: "patch"),
    Endpoint("patch", "PUT", f"{LEADS}/<lead_id>", changes.put, limit=lambda _call: "patch"),
    Endpoint("dnc", "POST", f"{ACCOUNT}/dncLists", dnc.add, limit=lambda _call: "dnc"),
    Endpoint("dnc_tags", "GET", f"{ACCOUNT}/dncTags", listing.dnc_tags),
    Endpoint("dnc", "GET", f"{ACCOUNT}/dncLists", dnc.show),
)
