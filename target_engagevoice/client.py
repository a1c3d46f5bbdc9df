"""The endpoints of the API, in both its forms (reference, sections 1, 3, 4, 5)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from math import floor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice import answers
from target_engagevoice.campaigns import DAYS, Campaign, Directory
from target_engagevoice.errors import ConfigError, ServerError
from target_engagevoice.exchanges import LOAD
from target_engagevoice.leads import LEAD_FIELDS
from target_engagevoice.pacing import Pace, parse_retry_after, waits
from target_engagevoice.request_journal import RequestJournal
from target_engagevoice.transport import HttpAnswer
from target_engagevoice.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_engagevoice.halt import Halt
    from target_engagevoice.pacing import Clock
    from target_engagevoice.transport import Transport


@dataclass(frozen=True)
class Form:
    """One form of the API: where the admin API and the loader are."""

    admin: str
    loader: str


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "v1": Form("/api/v1/admin", "leadLoader/direct"),
        "legacy": Form("/api/admin", "loader/direct"),
    },
)

SEARCH_WINDOWS = (Window(15, 10), Window(60, 30))
"""Rate limit of the lead search (reference, section 5)."""

SEARCH_PAGE_ROWS = 1000
READ_WINDOWS = (Window(20, 10),)
"""No limit is documented for listing dial groups and campaigns; this is far above what a run needs."""

LEAD_PHONE_ID = "1"
"""The `phoneId` that stands for `leadPhone` itself; its label is none to load other phones under."""

PHONE_LABELS_SECONDS = 30.0
NOTHING_MORE: Mapping[str, Any] = MappingProxyType({})

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_ADMIN, _LOADER = "admin API", "lead loader"


@dataclass(frozen=True)
class LoadedLead:
    """A lead the server holds, as its search shows it.

    Attributes:
        loaded_at: Epoch seconds on the server's clock; None when the row does not say.
        fields: Names of the lead's fields that hold something.
    """

    extern_id: str
    campaign_id: str
    lead_id: str
    loaded_at: float | None
    fields: frozenset[str] = frozenset()


class Client:
    """Speaks to one account. Any thread may call it; which form answers is learned once and then only read.

    Args:
        advice: What to do when the server goes on answering 401.
        ready: Renews a token that is due; called before a place in a rate limit's window is taken, so that the
            renewal does not come between the place and the request.
        journal: Notes each request; None for nobody who does.
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
        self._clock = clock
        self._halt = halt
        self._retry_max_seconds = retry_max_seconds
        self._advice = advice
        self.ready = ready
        self._journal = journal or RequestJournal(None, clock)
        candidates = tuple(FORMS.values()) if api_version == "auto" else (FORMS[api_version],)
        self._forms = {_ADMIN: candidates, _LOADER: candidates}
        self._admin_has_answered = False
        self._search_pace = Pace(SEARCH_WINDOWS, clock)
        self._read_pace = Pace(READ_WINDOWS, clock)
        self.account_id = "~"

    def resolve_account(self, account_id: str) -> str:
        """Take this account, or for `~` the only one the user sees.

        Raises:
            ConfigError: There is none, or several.
            ServerError: The server does not say.
        """
        if account_id == "~":
            rows = _rows(self._get("/accounts"), "accountId")
            if len(rows) != 1:
                shown = ", ".join(f"{row['accountId']} ({row.get('accountName', '')})" for row in rows) or "none"
                msg = f"account_id: set it; the accounts this user can see are: {shown}."
                raise ConfigError(msg)
            account_id = str(rows[0]["accountId"])
        self.account_id = account_id
        return account_id

    def directory(self) -> Directory:
        """All campaigns of the account: its dial groups, then the campaigns of each.

        Raises:
            ServerError: The server does not say.
        """
        campaigns = []
        for group in _rows(self._get(f"/accounts/{self.account_id}/dialGroups"), "dialGroupId"):
            path = f"/accounts/{self.account_id}/dialGroups/{group['dialGroupId']}/campaigns"
            campaigns += [_campaign(group, row) for row in _rows(self._get(path), "campaignId")]
        return Directory(campaigns)

    def phone_labels(self) -> list[str]:
        """What the account calls the phones a lead may have besides `leadPhone`, in the server's order.

        `GET …/persona-phone-config`, as RingCentral's guide to lead phone personas documents it. Its answer is waited
        for no longer than `PHONE_LABELS_SECONDS`: a run can do without it.

        Raises:
            ServerError: The server does not say.
        """
        path = f"/accounts/{self.account_id}/persona-phone-config"
        self._read_pace.wait(self._halt.sleep)
        rows = _rows(self._call("GET", path, seconds=PHONE_LABELS_SECONDS), "phoneLabel")
        return [str(row["phoneLabel"]) for row in rows if str(row.get("phoneId")) != LEAD_PHONE_ID]

    def load(
        self,
        campaign_id: str,
        envelope: Mapping[str, Any],
        leads: Sequence[bytes],
        left: Callable[[], None] | None = None,
        about: Mapping[str, Any] = NOTHING_MORE,
    ) -> answers.Answer:
        """Send one batch, once (reference, section 4).

        Args:
            campaign_id: Where to.
            envelope: The request without its leads.
            leads: Each as JSON.
            left: Called when the request has been written.
            about: What else the journal of requests notes of it; see `Exchange`.

        Raises:
            SignInError: A token was needed and can not be had.
            ServerError: No form of the loader answers.
        """
        body = load_body(envelope, leads)
        noted = {**about, "campaign_id": campaign_id, "list": envelope.get("description"), "leads": len(leads)}
        known = self._forms[_ADMIN]
        last: answers.Answer = answers.NoRoute("no answer")
        for form in sorted(self._forms[_LOADER], key=lambda form: form not in known):
            url = f"{self._base_url}{form.admin}/accounts/{self.account_id}/campaigns/{campaign_id}/{form.loader}"
            request = self._journal.begin(LOAD, **noted)
            reply = self._transport.send("POST", url, body=body, left=left)
            request.end(reply)
            if not isinstance(reply, HttpAnswer):
                return reply
            last = answers.classify(reply.status, reply.content_type, reply.body, reply.headers.get("retry-after"))
            if isinstance(last, (answers.Counted, answers.Refused)):
                self._forms[_LOADER] = (form,)
            if not isinstance(last, answers.NoRoute):
                return last
            if known == (form,) and reply.status < 300:  # noqa: PLR2004
                return answers.Unknown(last.what)  # this form answers elsewhere: a page from something in between
        return last

    def search(self, campaign_id: str, extern_ids: Sequence[str], since: float) -> list[LoadedLead]:
        """Leads of the campaign with these ids, loaded at or after `since` (reference, section 5).

        The rows are filtered again here: one integration found `externIds` ignored. Pages are asked for until an
        empty one comes, since the server may cap a page below what is asked.

        Args:
            campaign_id: Where to look.
            extern_ids: What to look for.
            since: Epoch seconds on the server's clock; rows that do not say when they were loaded are kept.

        Raises:
            ServerError: The search keeps failing, or its answer can not be read.
        """
        wanted = set(extern_ids)
        start = datetime.fromtimestamp(floor(since), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        criteria = {"campaignIds": [int(campaign_id)], "externIds": list(extern_ids), "loadedDtsStart": start}
        held: list[LoadedLead] = []
        seen: set[str] = set()
        for rows in self.search_pages(criteria):
            for row in _rows(rows, "leadId"):
                lead = _held(row)
                seen_before = lead.lead_id in seen
                seen.add(lead.lead_id)
                fits = lead.campaign_id in ("", campaign_id) and lead.extern_id in wanted
                if fits and not seen_before and (lead.loaded_at is None or lead.loaded_at >= since):
                    held.append(lead)
            if {lead.extern_id for lead in held} >= wanted:
                break
        return held

    def search_pages(self, criteria: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """The rows that fit these criteria, as the server gives them, page by page; each waits for the search's pace.

        Raises:
            ServerError: The search keeps failing, or its answer can not be read.
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
            rows = _rows(self._call("POST", path, params=params, body=body, kind="search", about=about))
            if not rows or rows == previous:
                return
            yield rows
            previous = rows
            page += 1

    def send(  # noqa: PLR0913 - what a request is made of
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        left: Callable[[], None] | None = None,
        kind: str,
        about: Mapping[str, Any] = NOTHING_MORE,
    ) -> HttpAnswer | answers.NotSent | answers.Unknown | answers.Denied:
        """Send one request of the account's admin API, once, in the form that has answered so far, else the first.

        Args:
            method: HTTP's.
            path: Behind the account.
            params: The query.
            body: JSON.
            left: Called when the request has been written.
            kind: For the journal of requests; see `Exchange`.
            about: What else it notes of the request.

        Raises:
            SignInError: A token was needed and can not be had.
        """
        url = f"{self._base_url}{self._forms[_ADMIN][0].admin}/accounts/{self.account_id}{path}"
        request = self._journal.begin(kind, **about)
        reply = self._transport.send(method, url, params=params, body=body, left=left)
        request.end(reply)
        return reply

    def _get(self, path: str) -> Any:
        self._read_pace.wait(self._halt.sleep)
        return self._call("GET", path)

    def _call(  # noqa: PLR0913 - what a request is made of
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        *,
        seconds: float | None = None,
        kind: str = "list",
        about: Mapping[str, Any] = NOTHING_MORE,
    ) -> Any:
        """Call something that changes nothing, so that it can be repeated until it answers, in JSON.

        Args:
            method: HTTP's.
            path: Behind the admin API's prefix.
            params: The query.
            body: JSON.
            seconds: How long at most, where that is less than `retry_max_seconds`.
            kind: For the journal of requests; see `Exchange`.
            about: What else it notes of the request.
        """
        longest = self._retry_max_seconds
        end = self._clock.monotonic() + (longest if seconds is None else min(seconds, longest))
        for wait in waits():
            problem, retry_after = "", None
            for form in self._forms[_ADMIN]:
                request = self._journal.begin(kind, **about)
                reply = self._transport.send(method, self._base_url + form.admin + path, params=params, body=body)
                request.end(reply)
                if isinstance(reply, answers.Denied):
                    msg = (
                        f"{self._base_url} can not be talked to: {reply.what}. Check base_url and what certificates "
                        "this machine trusts."
                    )
                    raise ServerError(msg)
                if not isinstance(reply, HttpAnswer):
                    problem = reply.what
                    break
                problem = f"HTTP {reply.status}"
                retry_after = parse_retry_after(reply.headers.get("retry-after"), self._clock.time())
                if reply.status in _TRANSIENT:
                    break
                page = "html" in reply.content_type.casefold()
                if page and reply.status < 300 and self._admin_has_answered:  # noqa: PLR2004
                    problem += " with an HTML page"
                    break  # from something in between
                if page or reply.status in (404, 405):
                    continue
                self._raise_for(reply, path)
                try:
                    content = json.loads(reply.body)
                except (ValueError, RecursionError):
                    problem = f"HTTP {reply.status} with a body that is not JSON"
                    break
                self._forms[_ADMIN] = (form,)
                self._admin_has_answered = True
                return content
            else:
                raise self.no_route(_ADMIN, problem)
            pause = max(wait, retry_after or 0)
            if self._clock.monotonic() + pause > end:
                msg = (
                    f"{path.rsplit('/', 1)[-1]}: no answer within retry_max_seconds; the last was: {problem}. "
                    "Check base_url and the network, or run again later."
                )
                raise ServerError(msg)
            self._halt.sleep(pause)
        raise AssertionError  # `waits` has no end

    def _raise_for(self, reply: HttpAnswer, path: str) -> None:
        if reply.status < 300:  # noqa: PLR2004 - success
            return
        what = path.rsplit("/", 1)[-1]
        answer = answers.classify(reply.status, reply.content_type, reply.body)
        raise self.denied(what, answer.what if isinstance(answer, answers.Denied) else f"HTTP {reply.status}")

    def denied(self, what: str, problem: str) -> ServerError:
        """The error for an answer that no repetition will change."""
        advice = self._advice if problem.startswith("HTTP 401") else "Check the user's permissions and account_id."
        return ServerError(f"the server refuses {what}: {problem}. {advice}")

    def no_route(self, what: str, problem: str) -> ServerError:
        """The error for a deployment where nothing of the API answers."""
        return ServerError(
            f"no {what} answers under {self._base_url} ({problem}). Check base_url (the host of RingCX and of the "
            "older Engage ends in /voice, a legacy portal does not) and api_version.",
        )

    def no_loader(self, problem: str) -> ServerError:
        """The error for a deployment where no form of the loader answers."""
        return self.no_route(_LOADER, problem)


def load_body(envelope: Mapping[str, Any], leads: Sequence[bytes]) -> bytes:
    """The request body of a load, UTF-8."""
    head = json.dumps(dict(envelope), ensure_ascii=False, separators=(",", ":")).encode()
    return head[:-1] + b',"uploadLeads":[' + b",".join(leads) + b"]}"


def _rows(content: Any, key: str | None = None) -> list[dict[str, Any]]:
    """A list of objects, each with this key.

    Raises:
        ServerError: It is something else.
    """
    if not isinstance(content, list) or not all(
        isinstance(row, dict) and (key is None or key in row) for row in content
    ):
        expected = "a list of objects" if key is None else f"a list of objects with {key}"
        msg = f"the server answered something that is not {expected}; check base_url."
        raise ServerError(msg)
    return content


def _campaign(group: Mapping[str, Any], row: Mapping[str, Any]) -> Campaign:
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
        starts=epoch_of(row.get("startDate")),
        ends=epoch_of(row.get("endDate")),
        schedule=tuple(str(row.get(day) or "").strip() for day in days) if not row.keys().isdisjoint(days) else (),
    )


def _held(row: Mapping[str, Any]) -> LoadedLead:
    return LoadedLead(
        extern_id=str(row.get("externId") or ""),
        campaign_id=str(row.get("campaignId") or ""),
        lead_id=str(row["leadId"]),
        loaded_at=epoch_of(row.get("loadedDts")),
        fields=frozenset(name for name, value in row.items() if name in LEAD_FIELDS and value not in (None, "", {})),
    )


def epoch_of(text: Any) -> float | None:
    """Epoch seconds of `2026-07-24T16:00:00.000+0000` (reference, section 5); None where it can not be read."""
    pattern = "%Y-%m-%dT%H:%M:%S.%f%z" if "." in str(text) else "%Y-%m-%dT%H:%M:%S%z"
    try:
        return datetime.strptime(str(text), pattern).timestamp()  # noqa: DTZ007 - both patterns have a zone
    except ValueError:
        return None
