"""Every setting: its table, the JSON schema made from it, and the frozen `Settings` read through it.

No other room knows a setting's name (contract, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from target_engagevoice.api.auth.credentials import (
    AccessToken,
    ApiToken,
    Credentials,
    JwtGrant,
    LegacyLogin,
    PasswordLogin,
)
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.config.coerce import converted
from target_engagevoice.config.redact import shown_config
from target_engagevoice.config.table import SETTINGS
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

ENVIRONMENT_PREFIX = "TARGET_ENGAGEVOICE_"
SANDBOX = "sandbox"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

SIGN_INS: Mapping[str, tuple[str, ...]] = {
    "jwt": ("client_id", "client_secret", "jwt"),
    "password": ("username", "password", "platform_id"),
    "legacy": ("username", "password"),
    "api_token": ("api_token",),
    "access_token": ("access_token",),
}
"""What each sign-in needs. The ones named first win: a username, password and platform are `password`, not `legacy`."""

MAPPINGS = "mappings"

CREDENTIALS = frozenset({"auth_method", "rc_server_url"}.union(*SIGN_INS.values()))
"""Settings that are only right or wrong together."""

NOBODY: Mapping[str, Any] = {"base_url": SANDBOX, "api_token": "nobody"}
"""A configuration that says where and who, and nothing else: for when nobody is asked."""

STORES = ("postgresql://", "postgresql+psycopg://")
"""How the URL of a store of rate limits begins."""


@dataclass(frozen=True)
class Settings:
    """A whole, checked configuration. See the table in `setting_table.py` for what each one means.

    Attributes:
        shown: What was given, as it may be shown to anybody.
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
        """Whether the run brings its own Engage Voice."""
        return self.base_url == SANDBOX

    @property
    def stream_rules(self) -> StreamRules:
        """What compiling a stream needs of the configuration."""
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
        """Every campaign the configuration names, with the place where it does."""
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
        base_url = _url("base_url", value["base_url"], word=SANDBOX)
        return cls(
            base_url=base_url,
            credentials=_credentials(given, value),
            rate_limits=_windows(value["rate_limits"]),
            rate_limit_store=_store_url(value["rate_limit_store"]),
            campaign=None if value["campaign"] is None else str(value["campaign"]),
            mappings=Mappings.parse(value["mappings"]),
            extend_unmapped=value["unmapped_fields"] == "extended",
            phones=PhonePolicy.parse(
                region=value["default_region"],
                format_=value["phone_format"],
                validation=value["phone_validation"],
                multiple=value["multiple_phones"],
            ),
            list_options=ListOptions(
                description=check_description(value["list_description"], "list_description"),
                list_state=value["list_state"],
                dial_priority=value["dial_priority"],
                duplicate_handling=value["duplicate_handling"],
                time_zone_option=value["time_zone_option"],
                dnc_tags=tuple(value["dnc_tags"]),
                phone_numbers_i18n_enabled=value["phone_numbers_i18n_enabled"],
                international_number_format=value["international_number_format"],
                number_origin_country=value["number_origin_country"],
            ),
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
    """The configuration without what says where and who, so that it is right without a sign-in."""
    where_and_who = {"base_url", "account_id", *CREDENTIALS}
    return {name: value for name, value in config.items() if name not in where_and_who} | dict(NOBODY)


def json_schema() -> dict[str, Any]:
    """The schema of the configuration, as `--about` shows it and the SDK wants it."""
    return {
        "type": "object",
        "properties": {name: setting.json_schema() for name, setting in SETTINGS.items()},
        "additionalProperties": False,
    }


def state_dir_of(config: Mapping[str, Any]) -> Path:
    """Where runs leave their files; nothing else of the configuration is looked at, nor has to be there.

    Args:
        config: As for `Settings.parse`.

    Raises:
        ConfigError: The setting is no text.
    """
    setting = SETTINGS["state_dir"]
    return Path(converted(setting, config.get(setting.name) or setting.default))


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings given as `TARGET_ENGAGEVOICE_<NAME>`, still as text; an empty variable gives none.

    Args:
        environ: Environment variables.
    """
    names = {ENVIRONMENT_PREFIX + name.upper(): name for name in SETTINGS}
    return {name: environ[variable] for variable, name in names.items() if environ.get(variable)}


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, raw in config.items():
        if name not in SETTINGS:
            msg = f"{name!r} is not a setting; {did_you_mean(name, SETTINGS)}"
            raise ConfigError(msg)
        if raw is None or raw == "":
            continue
        given[name] = converted(SETTINGS[name], raw)
    return given


def _policy(value: Mapping[str, Any]) -> Policy:
    on_delete = value["on_delete"]
    if value["load_method"] == "overwrite" and on_delete == "ignore":
        msg = (
            "load_method: 'overwrite' retires what a new version of a stream no longer holds, as on_delete says, and "
            "that says 'ignore'; set on_delete to 'suppress', 'pause', 'cancel' or 'delete', or choose 'upsert'."
        )
        raise ConfigError(msg)
    return Policy(
        skip_unchanged=value["dedupe"] == "changed",
        change=value["load_method"] != "append-only",
        move=None if on_delete == "ignore" else Retire(on_delete),
        keep_off=value["do_not_call"] == "dnc_list",
    )


def _flags(value: Mapping[str, Any]) -> FlagPolicy:
    deleted = None if value["on_delete"] == "ignore" else Retire(value["on_delete"])
    listing = value["do_not_call"] == "dnc_list"
    return FlagPolicy(deleted, (deleted if listing else None) or Retire.SUPPRESS, listing)


def _url(name: str, url: str, word: str | None = None) -> str:
    if url == word:
        return url
    if "@" in url:
        msg = f"{name}: must not hold a user name or password; use the sign-in settings."
        raise ConfigError(msg)
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets that do not pair, a port that is no number
        complete = False
    if not complete:
        also = f" or the word {word!r}" if word else ""
        msg = f"{name}: must be a URL such as 'https://ringcx.ringcentral.com/voice'{also}, not {url!r}."
        raise ConfigError(msg)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        msg = f"{name}: plain http:// to {parts.hostname} would send leads unencrypted; write https://."
        raise ConfigError(msg)
    return url.rstrip("/")


def _windows(texts: list[str]) -> tuple[Window, ...]:
    if not texts:
        msg = 'rate_limits: names no window; write requests/seconds, such as ["30/10s"], or leave the setting out.'
        raise ConfigError(msg)
    return tuple(map(Window.parse, texts))


def _store_url(url: str | None) -> str | None:
    if url is not None and not url.startswith(STORES):
        msg = (
            "rate_limit_store: must be a PostgreSQL URL such as 'postgresql://user:password@host/database'; no other "
            "store is supported."
        )
        raise ConfigError(msg)
    return url


def _credentials(given: Mapping[str, Any], value: Mapping[str, Any]) -> Credentials:
    method = given.get("auth_method") or _inferred(given)
    missing = [name for name in SIGN_INS[method] if name not in given]
    if missing:
        msg = f"auth_method {method!r} needs {', '.join(SIGN_INS[method])}; missing: {', '.join(missing)}."
        raise ConfigError(msg)
    if method == "jwt":
        server = _url("rc_server_url", value["rc_server_url"])
        return JwtGrant(given["client_id"], given["client_secret"], given["jwt"], server)
    if method == "password":
        return PasswordLogin(given["username"], given["password"], given["platform_id"])
    if method == "legacy":
        return LegacyLogin(given["username"], given["password"])
    return ApiToken(given["api_token"]) if method == "api_token" else AccessToken(given["access_token"])


def _inferred(given: Mapping[str, Any]) -> str:
    """The one sign-in the credentials fit: each credential given must belong to it, and none may be missing."""
    present = {name for names in SIGN_INS.values() for name in names if name in given}
    fitting = [method for method, needs in SIGN_INS.items() if present == set(needs)]
    if len(fitting) == 1:
        return fitting[0]
    recipes = "; ".join(f"{method}: {', '.join(needs)}" for method, needs in SIGN_INS.items())
    if not present:
        msg = f"no credentials are given. Give one sign-in's: {recipes}."
        raise ConfigError(msg)
    complete = [method for method, needs in SIGN_INS.items() if set(needs) <= present]
    problem = "fit several sign-ins" if len(complete) > 1 else "fit no sign-in"
    shown = ", ".join(sorted(present))
    msg = f"the credentials given ({shown}) {problem}. Set auth_method, or give just one sign-in's: {recipes}."
    raise ConfigError(msg)
