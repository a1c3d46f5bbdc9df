"""What a sandbox can be told to be (contract, section 6: "`--config` can replace all of this")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.directory import DEFAULT_ACCOUNTS, Account, read_accounts
from target_engagevoice.sandbox.faults import Rule, read_rules
from target_engagevoice.sandbox.limits import DEFAULT_LIMITS, Windows, read_limits
from target_engagevoice.sandbox.shapes import (
    Field,
    choice,
    flag,
    many,
    maybe,
    number,
    read_object,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

V1 = "v1"
LEGACY = "legacy"


@dataclass(frozen=True)
class SandboxConfig:
    """A sandbox's configuration, checked.

    Attributes:
        accounts: The sub-accounts the user can see.
        api: The admin forms that answer: `v1` (`/api/v1/admin`, `leadLoader/direct`), `legacy` (`/api/admin`,
            `loader/direct`).
        token_seconds: How long an access token lives.
        search_delay_seconds: How long a fresh lead is not found.
        rate_limits: Sliding windows by kind of request.
        retry_after: The `Retry-After` of a 429; none to leave it out.
        max_leads_per_request: More leads in a load answer 400.
        max_body_bytes: A larger body answers 413.
        e164: The accounts are in E.164 mode.
        html_for_unknown_paths: Unknown paths answer 200 with HTML, as the real web application does.
        extern_ids_ignored: The search ignores `externIds`, as one integration claims of the real one.
        lead_ids_ignored: The search and the actions ignore `leadIds`: an action by them hits all of the campaign.
        faults: The fault script to begin with.
    """

    accounts: tuple[Account, ...] = DEFAULT_ACCOUNTS
    api: tuple[str, ...] = (V1, LEGACY)
    token_seconds: float = 300.0
    search_delay_seconds: float = 2.0
    rate_limits: Mapping[str, Windows] = field(default_factory=lambda: DEFAULT_LIMITS)
    retry_after: str | None = "1"
    max_leads_per_request: int | None = None
    max_body_bytes: int | None = None
    e164: bool = False
    html_for_unknown_paths: bool = False
    extern_ids_ignored: bool = False
    lead_ids_ignored: bool = False
    faults: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> SandboxConfig:
        """Check a configuration as it was typed; what it leaves out stays as it is by default.

        Raises:
            ConfigError: Something does not fit; the message says what to type instead.
        """
        values = read_object({} if raw is None else raw, _FIELDS, "the sandbox config")
        if not values["api"]:
            raise ConfigError("the sandbox config.api must name v1, legacy, or both")
        return cls(**values)

    def account(self, account_id: str) -> Account | None:
        """The account of that id, or none; `~` is no id the server knows (reference, section 2)."""
        return next((one for one in self.accounts if one.account_id == account_id), None)


_FIELDS = {
    "accounts": Field(read_accounts, DEFAULT_ACCOUNTS),
    "api": Field(many(choice(V1, LEGACY)), (V1, LEGACY)),
    "token_seconds": Field(number(0), SandboxConfig.token_seconds),
    "search_delay_seconds": Field(number(0), SandboxConfig.search_delay_seconds),
    "rate_limits": Field(read_limits, DEFAULT_LIMITS),
    "retry_after": Field(maybe(text), SandboxConfig.retry_after),
    "max_leads_per_request": Field(maybe(whole(1)), None),
    "max_body_bytes": Field(maybe(whole(1)), None),
    "e164": Field(flag, False),
    "html_for_unknown_paths": Field(flag, False),
    "extern_ids_ignored": Field(flag, False),
    "lead_ids_ignored": Field(flag, False),
    "faults": Field(read_rules, ()),
}
