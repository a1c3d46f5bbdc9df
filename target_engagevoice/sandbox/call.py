"""A call of the API, as an endpoint sees it, and the world it happens in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox.answers import Refusal, bad_request, denied, missing
from target_engagevoice.sandbox.mishaps import NO_MEDDLING, Meddling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_engagevoice.sandbox.config import SandboxConfig
    from target_engagevoice.sandbox.directory import Account, Campaign
    from target_engagevoice.sandbox.faults import Faults
    from target_engagevoice.sandbox.store import Store


@dataclass(frozen=True)
class World:
    """What all calls share.

    Attributes:
        store: The memory.
        config: What the sandbox was told to be.
        faults: The fault script in force.
        clock: Epoch seconds.
    """

    store: Store
    config: SandboxConfig
    faults: Faults
    clock: Callable[[], float]


@dataclass(frozen=True)
class Call:
    """One request, taken apart.

    Attributes:
        world: What all calls share.
        now: When it came, epoch seconds.
        path: The variable parts of the path: `account_id`, `campaign_id` and the like.
        query: The query string.
        form: Query and form fields together, for the sign-ins, which take either.
        body: The body as it came.
        authorization: The `Authorization` header.
        token: The token of the admin API it carries; empty if it carries none.
        owner: Whose token it is, once that is known.
        meddling: How a fault bends it.
    """

    world: World
    now: float
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes
    authorization: str = ""
    token: str = ""
    owner: str = ""
    meddling: Meddling = field(default=NO_MEDDLING)

    @cached_property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Refusal: It is none: 400.
        """
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refusal(bad_request("The request body is not readable JSON", self.now)) from None

    @property
    def account(self) -> Account:
        """The account the path names.

        Raises:
            Refusal: The caller can not see it: 403.
        """
        account = self.world.config.account(self.path["account_id"])
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
        """The `externId`s of the leads in the body, whatever shape it is in; for the fault script."""
        return frozenset(str(row["externId"]) for row in self.upload if isinstance(row, dict) and "externId" in row)

    @property
    def upload(self) -> list[Any]:
        """The `uploadLeads` of the body, or nothing."""
        try:
            body = self.json
        except Refusal:
            return []
        rows = body.get("uploadLeads") if isinstance(body, dict) else None
        return rows if isinstance(rows, list) else []

    def paged(self, rows: list[Any]) -> list[Any]:
        """The page of `rows` that `page` and `maxRows` ask for; all of them when `maxRows` is not given.

        Raises:
            Refusal: One of them is no positive number: 400.
        """
        page, size = self.positive("page", 1), self.positive("maxRows", None)
        if page is None or size is None:
            return rows
        return rows[(page - 1) * size : page * size]

    def positive(self, name: str, default: int | None) -> int | None:
        """A positive whole number of the query string.

        Raises:
            Refusal: It is something else: 400.
        """
        raw = self.query.get(name)
        if raw is None:
            return default
        if not raw.isdecimal() or int(raw) < 1:
            fault = {"attributeName": name, "message": "must be a positive number"}
            raise Refusal(bad_request(f"Invalid parameter: {name}", self.now, fault))
        return int(raw)


def _no_constant(name: str) -> None:
    # Python would read NaN and Infinity; no JSON parser of the real server does.
    raise ValueError(name)
