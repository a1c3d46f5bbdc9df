"""A call of the API as an endpoint gets it, and the state that all calls share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import dates
from target_engagevoice.sandbox.answers import Refusal, bad_request, denied, missing
from target_engagevoice.sandbox.fault_table import NO_EFFECT, FaultEffect
from target_engagevoice.sandbox.store import row_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.sandbox.config import SandboxConfig
    from target_engagevoice.sandbox.directory import Account, Campaign
    from target_engagevoice.sandbox.fault_rules import FaultScript
    from target_engagevoice.sandbox.store import Store


@dataclass(frozen=True)
class SandboxState:
    """The state that all calls share.

    Attributes:
        store: The SQLite store.
        config: The configuration.
        faults: The fault script in force.
        clock: Returns epoch seconds.
    """

    store: Store
    config: SandboxConfig
    faults: FaultScript
    clock: Callable[[], float]


@dataclass(frozen=True)
class Call:
    """One parsed request.

    Attributes:
        state: The state that all calls share.
        now: When it arrived, in epoch seconds.
        path: The variable parts of the path: `account_id`, `campaign_id` and the like.
        query: The query string.
        form: Query and form fields together, for the sign-ins, which take either.
        body: The bytes of the body.
        authorization: The `Authorization` header.
        token: Its token of the admin API; empty without one.
        owner: The owner of the token; empty until `dispatch.py` has checked the token.
        effect: The effect of a fault on the call.
        files: The uploaded files of a multipart body.
        node_offset: Seconds that the clock of the node that serves the call is ahead.
    """

    state: SandboxState
    now: float
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes
    authorization: str = ""
    token: str = ""
    owner: str = ""
    effect: FaultEffect = field(default=NO_EFFECT)
    files: Mapping[str, bytes] = field(default_factory=dict)
    node_offset: float = 0.0

    @cached_property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Refusal: It is not JSON: 400.
        """
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refusal(bad_request("The request body is not readable JSON", self.now)) from None

    @property
    def loaded_at(self) -> float:
        """The `loadedDts` that this call writes, in epoch seconds, by the clock of its node."""
        at = self.now + self.node_offset
        return float(int(at)) if self.state.config.personality.whole_seconds else dates.round_down(at)

    @property
    def account(self) -> Account:
        """The account the path names.

        Raises:
            Refusal: The caller has no access to it: 403.
        """
        account = self.state.config.account(self.path["account_id"])
        if account is None:
            raise Refusal(denied(self.now))
        return account

    @property
    def campaign(self) -> Campaign:
        """The campaign the path names.

        Raises:
            Refusal: 403 for the account, 404 for the campaign.
        """
        campaign = self.account.campaign(self.path["campaign_id"])
        if campaign is None:
            raise Refusal(missing("campaign", self.now))
        return campaign

    @property
    def extern_ids(self) -> frozenset[str]:
        """The `externId`s that the call names, in its body or by lead ids; the fault script matches on them."""
        body = self._object
        criteria = body.get("campaignLeadSearchCriteria")
        named: list[Any] = [row.get("externId") for row in self.upload if isinstance(row, dict)]
        named.append(body.get("externId"))
        named += _list(criteria.get("externIds")) if isinstance(criteria, dict) else []
        lead_ids = [row_id(str(one)) for one in (*self.lead_ids, self.path.get("lead_id"))]
        if any(lead_ids):
            query = "SELECT extern_id FROM leads WHERE lead_id IN (SELECT value FROM json_each(?))"
            with self.state.store.transaction() as db:
                named += [row["extern_id"] for row in db.execute(query, (json.dumps(lead_ids),))]
        return frozenset(str(one) for one in named if one is not None)

    @property
    def upload(self) -> list[Any]:
        """The `uploadLeads` of the body; empty without them."""
        return _list(self._object.get("uploadLeads"))

    @property
    def lead_ids(self) -> list[Any]:
        """The `leadIds` of an action's criteria; empty without them."""
        criteria = self._object.get("campaignLeadSearchCriteria")
        return _list(criteria.get("leadIds")) if isinstance(criteria, dict) else []

    @property
    def _object(self) -> dict[str, Any]:
        """The body as an object; empty if it is something else."""
        try:
            body = self.json
        except Refusal:
            return {}
        return body if isinstance(body, dict) else {}

    def paged(self, rows: list[Any]) -> list[Any]:
        """The page of `rows` that `page` and `maxRows` ask for; all of them when `maxRows` is not given.

        Raises:
            Refusal: One of them is not a positive number: 400.
        """
        page, size = self.number("page", 1, least=1), self.number("maxRows", len(rows) or 1, least=1)
        return rows[(page - 1) * size : page * size] if "maxRows" in self.query else rows

    def number(self, name: str, default: int, *, least: int) -> int:
        """A whole number of the query string, or the default if it is missing.

        Raises:
            Refusal: It is not a whole number of at least `least`: 400.
        """
        raw = self.query.get(name)
        if raw is None:
            return default
        if not raw.isdecimal() or int(raw) < least:
            fault = {"attributeName": name, "message": f"must be a whole number of at least {least}"}
            raise Refusal(bad_request(f"Invalid parameter: {name}", self.now, fault))
        return int(raw)


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _no_constant(name: str) -> None:
    # Python reads NaN and Infinity, which are not JSON.
    raise ValueError(name)
