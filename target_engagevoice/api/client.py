"""The account's endpoints: its campaigns, its loader, the search of its leads (reference, sections 1, 3, 4, 5)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from math import floor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice.api import answers
from target_engagevoice.api.admin import FORMS, AdminApi, AdminRequest
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.api.request_journal import LOAD, SEARCH, RequestJournal
from target_engagevoice.api.rows import account_of, campaign_of, loaded_lead_of, rows_of
from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.errors import ConfigError, ServerError
from target_engagevoice.logger import logger
from target_engagevoice.model.account import Account
from target_engagevoice.model.campaign import Directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_engagevoice.api.admin import Reply
    from target_engagevoice.api.rows import LoadedLead
    from target_engagevoice.api.transport import Transport
    from target_engagevoice.clock import Clock
    from target_engagevoice.halt import Halt


SEARCH_WINDOWS = (Window(15, 10), Window(60, 30))
"""Rate limit of the lead search (reference, section 5)."""

SEARCH_PAGE_ROWS = 1000
READ_WINDOWS = (Window(20, 10),)
"""No limit is documented for listing dial groups and campaigns; this is far above what a run needs."""

LEAD_PHONE_ID = "1"
"""The `phoneId` of `leadPhone` itself; other phones cannot be loaded under its label."""

OPTIONAL_SECONDS = 30.0
"""How long a run waits for what it can do without: the phones' labels, the account's mode, the do-not-call tags."""

NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


class Client:
    """Sends the requests of one account. Any thread may call it; the form that answers is learned once, then only read.

    Args:
        advice: What the user can do when the server keeps answering 401.
        ready: Renews a token that is due; called before a slot in a rate limit's window is taken, so that the
            renewal does not come between the slot and the request.
        journal: Records each request; None for no journal.

    Attributes:
        admin: The server's admin API, which all but loads go through.
    """

    def __init__(  # noqa: PLR0913 - the composition root passes parts, not a bag of them
        self,
        *,
        base_url: str,
        api_version: str,
        transport: Transport,
        clock: Clock,
        halt: Halt,
        retry_max_seconds: float,
        advice: str,
        ready: Callable[[], None],
        journal: RequestJournal | None = None,
    ) -> None:
        self._base_url = base_url
        self._transport = transport
        self._halt = halt
        self.ready = ready
        self._journal = journal or RequestJournal(None, clock)
        forms = tuple(FORMS.values()) if api_version == "auto" else (FORMS[api_version],)
        self._loaders = forms
        self.admin = AdminApi(
            base_url=base_url,
            forms=forms,
            transport=transport,
            clock=clock,
            halt=halt,
            retry_max_seconds=retry_max_seconds,
            advice=advice,
            journal=self._journal,
        )
        self._search_pace = Pace(SEARCH_WINDOWS, clock)
        self._read_pace = Pace(READ_WINDOWS, clock)
        self.account_id = "~"

    def resolve_account(self, account_id: str) -> Account:
        """Use this account, or for `~` the only one that the user can see.

        Returns:
            What the server shows of it. It is not asked about an account that is named, see `shown_account`.

        Raises:
            ConfigError: The user can see none, or several.
            ServerError: The server does not list them.
        """
        account = self._only_account() if account_id == "~" else Account(account_id)
        self.account_id = account.account_id
        return account

    def _only_account(self) -> Account:
        rows = rows_of(self._get("/accounts"), "accountId")
        if len(rows) != 1:
            shown = ", ".join(f"{row['accountId']} ({row.get('accountName', '')})" for row in rows) or "none"
            msg = f"account_id: set it; the accounts this user can see are: {shown}."
            raise ConfigError(msg)
        return account_of(rows[0])

    def shown_account(self) -> Account:
        """What the server shows of the account that is used: no more than its id where it does not list it.

        This waits no longer than `OPTIONAL_SECONDS` for the answer: a run can do without it.
        """
        try:
            rows = rows_of(self._get("/accounts", OPTIONAL_SECONDS), "accountId")
        except ServerError as error:
            logger.debug("The mode of account %s: %s", self.account_id, error)
            rows = []
        known = (account_of(row) for row in rows if str(row["accountId"]) == self.account_id)
        return next(known, Account(self.account_id))

    def directory(self) -> Directory:
        """All campaigns of the account: its dial groups, then the campaigns of each.

        Raises:
            ServerError: The server does not list them.
        """
        campaigns = []
        for group in rows_of(self._get(f"/accounts/{self.account_id}/dialGroups"), "dialGroupId"):
            path = f"/accounts/{self.account_id}/dialGroups/{group['dialGroupId']}/campaigns"
            campaigns += [campaign_of(group, row) for row in rows_of(self._get(path), "campaignId")]
        return Directory(campaigns)

    def phone_labels(self) -> list[str]:
        """The account's labels for the phones that a lead may have besides `leadPhone`, in the server's order.

        `GET …/persona-phone-config`, as RingCentral's guide to lead phone personas documents it. This
        waits no longer than `OPTIONAL_SECONDS` for its answer: a run can do without it.

        Raises:
            ServerError: The server does not list them.
        """
        path = f"/accounts/{self.account_id}/persona-phone-config"
        rows = rows_of(self._get(path, OPTIONAL_SECONDS), "phoneLabel")
        return [str(row["phoneLabel"]) for row in rows if str(row.get("phoneId")) != LEAD_PHONE_ID]

    def dnc_tags(self) -> list[str]:
        """The names of the account's do-not-call tags, in the server's order (reference, section 5).

        This waits no longer than `OPTIONAL_SECONDS` for its answer: a run can do without it.

        Raises:
            ServerError: The server does not list them.
        """
        rows = rows_of(self._get(f"/accounts/{self.account_id}/dncTags", OPTIONAL_SECONDS), "dncTagLabel")
        return [str(row["dncTagLabel"]) for row in rows]

    def load(
        self,
        campaign_id: str,
        envelope: Mapping[str, Any],
        leads: Sequence[bytes],
        on_sent: Callable[[], None] | None = None,
        about: Mapping[str, Any] = NO_ATTRIBUTES,
    ) -> answers.LoadAnswer:
        """Send one batch, once (reference, section 4).

        Args:
            campaign_id: The campaign to load into.
            envelope: The request without its leads.
            leads: Each as JSON.
            on_sent: Called when the request has been written.
            about: Further attributes of `Exchange`, for the journal of requests.

        Raises:
            SignInError: A token was needed and could not be obtained.
            ServerError: No form of the loader answers.
        """
        body = load_body(envelope, leads)
        attributes = {**about, "campaign_id": campaign_id, "list": envelope.get("description"), "leads": len(leads)}
        known = self.admin.forms
        last: answers.LoadAnswer = answers.NoRoute("no answer")
        for form in sorted(self._loaders, key=lambda form: form not in known):
            url = f"{self._base_url}{form.admin}/accounts/{self.account_id}/campaigns/{campaign_id}/{form.loader}"
            request = self._journal.begin(LOAD, **attributes)
            reply = self._transport.send("POST", url, body=body, on_sent=on_sent)
            request.end(reply)
            if not isinstance(reply, HttpAnswer):
                return reply
            last = answers.classify(reply.status, reply.content_type, reply.body, reply.headers.get("retry-after"))
            if isinstance(last, (answers.Counted, answers.Refused)):
                self._loaders = (form,)
            if not isinstance(last, answers.NoRoute):
                return last
            if known == (form,) and reply.is_success:
                return answers.Unknown(last.what)  # this form answers elsewhere, so the page is from a proxy
        return last

    def search(self, campaign_id: str, extern_ids: Sequence[str], since: float) -> list[LoadedLead]:
        """Leads of the campaign with these ids, loaded at or after `since` (reference, section 5).

        The rows are filtered again here: one integration found `externIds` ignored. Pages are requested until an
        empty one comes, since the server may cap a page below the requested size.

        Args:
            campaign_id: Where to look.
            extern_ids: What to look for.
            since: Epoch seconds on the server's clock; rows that do not say when they were loaded are kept.

        Raises:
            ServerError: The search keeps failing, or its answer cannot be read.
        """
        wanted = set(extern_ids)
        start = datetime.fromtimestamp(floor(since), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        criteria = {"campaignIds": [int(campaign_id)], "externIds": list(extern_ids), "loadedDtsStart": start}
        held: list[LoadedLead] = []
        seen: set[str] = set()
        for rows in self.search_pages(criteria):
            for row in rows_of(rows, "leadId"):
                lead = loaded_lead_of(row)
                seen_before = lead.lead_id in seen
                seen.add(lead.lead_id)
                fits = lead.campaign_id in ("", campaign_id) and lead.extern_id in wanted
                if fits and not seen_before and (lead.loaded_at is None or lead.loaded_at >= since):
                    held.append(lead)
            if {lead.extern_id for lead in held} >= wanted:
                break
        return held

    def search_pages(self, criteria: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """The rows that fit these criteria, as the server gives them, page by page, at the pace of the search.

        Raises:
            ServerError: The search keeps failing, or its answer cannot be read.
        """
        path = f"/accounts/{self.account_id}/campaignLeads/leadSearch"
        body = json.dumps(criteria).encode()
        sought = criteria.get("externIds") or criteria.get("leadIds") or ()
        about = {"campaign_id": str(criteria["campaignIds"][0]), "leads": len(sought)}
        previous: list[dict[str, Any]] = []
        page = 1
        while True:
            self._search_pace.wait(self._halt.sleep)
            params = {"page": page, "maxRows": SEARCH_PAGE_ROWS}
            rows = rows_of(self.admin.ask(AdminRequest("POST", path, params, body, SEARCH, about)))
            if not rows or rows == previous:
                return
            yield rows
            previous = rows
            page += 1

    def send(self, request: AdminRequest, on_sent: Callable[[], None] | None = None) -> Reply:
        """Send a request to this account, once.

        Args:
            request: What to send; its path continues that of the account.
            on_sent: Called when it has been written.

        Raises:
            SignInError: A token was needed and could not be obtained.
        """
        return self.admin.send(replace(request, path=f"/accounts/{self.account_id}{request.path}"), on_sent)

    def no_loader(self, problem: str) -> ServerError:
        """The error for a deployment where no form of the loader answers."""
        return self.admin.no_route("lead loader", problem)

    def _get(self, path: str, seconds: float | None = None) -> Any:
        self._read_pace.wait(self._halt.sleep)
        return self.admin.ask(AdminRequest("GET", path), seconds)


def load_body(envelope: Mapping[str, Any], leads: Sequence[bytes]) -> bytes:
    """The request body of a load, UTF-8."""
    head = json.dumps(dict(envelope), ensure_ascii=False, separators=(",", ":")).encode()
    return head[:-1] + b',"uploadLeads":[' + b",".join(leads) + b"]}"
