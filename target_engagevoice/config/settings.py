"""The whole configuration, checked and frozen. No module outside this package knows a setting's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.config.coerce import coerce
from target_engagevoice.config.redact import shown_config
from target_engagevoice.config.sign_in import CREDENTIALS, parse_credentials
from target_engagevoice.config.table import SETTINGS
from target_engagevoice.config.urls import SANDBOX, parse_store_url, parse_url
from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import Mappings
from target_engagevoice.mapping.stream_rules import StreamRules
from target_engagevoice.model.list_options import ListOptions, check_description
from target_engagevoice.model.phone import PhonePolicy
from target_engagevoice.model.policy import FlagPolicy, Policy
from target_engagevoice.model.retirement import Retire
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_engagevoice.api.auth.credentials import Credentials

MAPPINGS = "mappings"

OFFLINE: Mapping[str, Any] = {"base_url": SANDBOX, "api_token": "offline"}
"""A server and a sign-in that make a configuration complete; for checks that send no request."""


@dataclass(frozen=True)
class Settings:
    """A whole, checked configuration. `table.py` describes each setting.

    Attributes:
        shown: The settings that were given, with secrets masked.
    """

    base_url: str
    api_version: str
    account_id: str
    credentials: Credentials
    request_timeout_seconds: float
    retry_max_seconds: float
    search_delay_seconds: float
    rate_limits: tuple[Window, ...]
    rate_limit_store: str | None = field(repr=False)  # it may hold a password
    max_in_flight: int
    campaign: str | None
    mappings: Mappings
    extend_unmapped: bool
    phones: PhonePolicy
    list_options: ListOptions
    batch_size_rows: int
    batch_size_bytes: int
    batch_wait_limit_seconds: float
    state_dir: Path
    ledger_url: str | None = field(repr=False)  # it may hold a password
    policy: Policy
    overwrite: bool
    flags: FlagPolicy
    max_retired_percent: float
    max_rejected_percent: float
    dry_run: bool
    report: bool
    validate_records: bool
    add_record_metadata: bool
    shown: Mapping[str, Any]

    @property
    def embedded_sandbox(self) -> bool:
        """Whether the run starts the embedded sandbox instead of using a server."""
        return self.base_url == SANDBOX

    @property
    def stream_rules(self) -> StreamRules:
        """The part of the configuration that compiling a stream needs."""
        return StreamRules(
            mappings=self.mappings,
            campaign=self.campaign,
            phones=self.phones,
            list_options=self.list_options,
            flags=self.flags,
            extend_unmapped=self.extend_unmapped,
            validate_records=self.validate_records,
            add_record_metadata=self.add_record_metadata,
        )

    def campaign_references(self) -> list[tuple[str, str]]:
        """Every campaign that the configuration names, as pairs of setting and campaign."""
        default = [("campaign", self.campaign)] if self.campaign is not None else []
        return default + self.mappings.campaign_references()

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> Settings:
        """Read a configuration as a user wrote it.

        Args:
            config: Setting names to values, as in the config file; an empty string or null counts as not given.

        Raises:
            ConfigError: With one line that says which setting, what is wrong, and what to type instead.
        """
        given = _checked(config)
        value = {name: given.get(name, setting.default) for name, setting in SETTINGS.items()}
        base_url = parse_url("base_url", value["base_url"], word=SANDBOX)
        return cls(
            base_url=base_url,
            credentials=parse_credentials(given, value["rc_server_url"]),
            rate_limits=_windows(value["rate_limits"]),
            rate_limit_store=parse_store_url(value["rate_limit_store"]),
            campaign=None if value["campaign"] is None else str(value["campaign"]),
            mappings=Mappings.parse(value["mappings"]),
            extend_unmapped=value["unmapped_fields"] == "extended",
            phones=_phones(value),
            list_options=_list_options(value),
            state_dir=Path(value["state_dir"]),
            policy=_policy(value),
            overwrite=value["load_method"] == "overwrite",
            flags=_flags(value),
            shown=shown_config(given),
            **{
                name: value[name]
                for name in (
                    "api_version",
                    "account_id",
                    "request_timeout_seconds",
                    "retry_max_seconds",
                    "search_delay_seconds",
                    "max_in_flight",
                    "batch_size_rows",
                    "batch_size_bytes",
                    "batch_wait_limit_seconds",
                    "ledger_url",
                    "max_rejected_percent",
                    "max_retired_percent",
                    "dry_run",
                    "report",
                    "validate_records",
                    "add_record_metadata",
                )
            },
        )


def offline(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with `OFFLINE` in place of its own server and sign-in."""
    replaced = {"base_url", "account_id", *CREDENTIALS}
    return {name: value for name, value in config.items() if name not in replaced} | dict(OFFLINE)


def state_dir_of(config: Mapping[str, Any]) -> Path:
    """The folder in which runs leave their files; no other setting is looked at, or has to be given.

    Args:
        config: As for `Settings.parse`.

    Raises:
        ConfigError: The setting is not text.
    """
    setting = SETTINGS["state_dir"]
    return Path(coerce(setting, config.get(setting.name) or setting.default))


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, raw in config.items():
        if name not in SETTINGS:
            msg = f"{name!r} is not a setting; {did_you_mean(name, SETTINGS)}"
            raise ConfigError(msg)
        if raw is None or raw == "":
            continue
        given[name] = coerce(SETTINGS[name], raw)
    return given


def _phones(value: Mapping[str, Any]) -> PhonePolicy:
    return PhonePolicy.parse(
        region=value["default_region"],
        format_=value["phone_format"],
        validation=value["phone_validation"],
        multiple=value["multiple_phones"],
    )


def _list_options(value: Mapping[str, Any]) -> ListOptions:
    return ListOptions(
        description=check_description(value["list_description"], "list_description"),
        list_state=value["list_state"],
        dial_priority=value["dial_priority"],
        duplicate_handling=value["duplicate_handling"],
        time_zone_option=value["time_zone_option"],
        dnc_tags=tuple(value["dnc_tags"]),
        phone_numbers_i18n_enabled=value["phone_numbers_i18n_enabled"],
        international_number_format=value["international_number_format"],
        number_origin_country=value["number_origin_country"],
        scrubs_global=value["do_not_call"] == "dnc_list",
    )


def _policy(value: Mapping[str, Any]) -> Policy:
    on_delete = value["on_delete"]
    if value["load_method"] == "overwrite" and on_delete == "ignore":
        msg = (
            "load_method: 'overwrite' retires leads that a new version of a stream no longer contains, as on_delete "
            "says, but on_delete is 'ignore'; set it to 'suppress', 'pause', 'cancel' or 'delete', or choose 'upsert'."
        )
        raise ConfigError(msg)
    return Policy(
        skip_unchanged=value["dedupe"] == "changed",
        change=value["load_method"] != "append-only",
        move=None if on_delete == "ignore" else Retire(on_delete),
        list_phones=value["do_not_call"] == "dnc_list",
    )


def _flags(value: Mapping[str, Any]) -> FlagPolicy:
    deleted = None if value["on_delete"] == "ignore" else Retire(value["on_delete"])
    listing = value["do_not_call"] == "dnc_list"
    needs_scrub = listing and value["dnc_list_unscrubbed"] == "error"
    return FlagPolicy(deleted, (deleted if listing else None) or Retire.SUPPRESS, listing, needs_scrub)


def _windows(texts: list[str]) -> tuple[Window, ...]:
    if not texts:
        msg = 'rate_limits: names no window; write requests/seconds, such as ["30/10s"], or leave the setting out.'
        raise ConfigError(msg)
    return tuple(map(Window.parse, texts))
