"""The configuration of a sandbox (contract, section 6: "`--config` can replace all of this")."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.config_reader import (
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
from target_engagevoice.sandbox.directory import DEFAULT_ACCOUNTS, Account, read_accounts
from target_engagevoice.sandbox.fault_rules import Rule, read_rules
from target_engagevoice.sandbox.limits import DEFAULT_LIMITS, Windows, read_limits
from target_engagevoice.sandbox.personality import NAMED, REFERENCE, Personality, read_personality

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
        token_seconds: Lifetime of an access token.
        search_delay_seconds: Time after a load during which the search does not find its leads.
        rate_limits: Sliding windows by kind of request.
        retry_after: The `Retry-After` of a 429; None to leave it out.
        max_leads_per_request: A load of more leads is answered with 400.
        max_body_bytes: A larger body is answered with 413.
        e164: The accounts are in E.164 mode.
        html_for_unknown_paths: Unknown paths are answered with 200 and HTML, as by the real web application.
        strict_leads: Fields of a lead must have the documented types and must not be empty. If false, scalars of other
            types, nulls and empty strings are accepted, as the real server most likely does (reference, section 5).
        personality: What the sandbox does where the reference does not know what the server does.
        faults: The fault script at the start.
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
    strict_leads: bool = False
    personality: Personality = NAMED[REFERENCE]
    faults: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> SandboxConfig:
        """Check a configuration as it was typed. Settings that it leaves out keep their defaults.

        Raises:
            ConfigError: A setting is not valid. The message says what to type instead.
        """
        values = read_object({} if raw is None else raw, _FIELDS, "the sandbox config")
        if not values["api"]:
            raise ConfigError("the sandbox config.api must name v1, legacy, or both")
        ignored = {
            point: False
            for point, name in (("extern_ids_heeded", "extern_ids_ignored"), ("lead_ids_heeded", "lead_ids_ignored"))
            if values.pop(name)
        }
        return cls(**{**values, "personality": replace(values["personality"], **ignored)})

    def account(self, account_id: str) -> Account | None:
        """The account with that id, or None. The server does not accept `~` as an id (reference, section 2)."""
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
    "strict_leads": Field(flag, False),
    "personality": Field(read_personality, NAMED[REFERENCE]),
    # Two points of the personality that also have a name of their own.
    "extern_ids_ignored": Field(flag, False),
    "lead_ids_ignored": Field(flag, False),
    "faults": Field(read_rules, ()),
}
