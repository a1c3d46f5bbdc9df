"""The table of settings: name, kind, default, meaning.

A test compares `docs/settings.md`, `meltano.yml` and `--about` with it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice.config.setting import Kind, Setting
from target_engagevoice.model import list_options as lists

if TYPE_CHECKING:
    from collections.abc import Mapping


_S, _P, _O, _I, _D, _B, _A, _M = (
    Kind.STRING,
    Kind.PASSWORD,
    Kind.OPTIONS,
    Kind.INTEGER,
    Kind.DECIMAL,
    Kind.BOOLEAN,
    Kind.ARRAY,
    Kind.OBJECT,
)

_ROWS = (
    Setting(
        "base_url",
        _S,
        "The deployment's base URL; the word `sandbox` starts the embedded sandbox instead.",
        "https://ringcx.ringcentral.com/voice",
    ),
    Setting(
        "api_version",
        _O,
        "`v1` (`/api/v1/admin/…/leadLoader/direct`), `legacy` (`/api/admin/…/loader/direct`), or `auto`: `v1`, "
        "and on a 404 of the route the other, remembered for the run.",
        "auto",
        ("auto", "v1", "legacy"),
    ),
    Setting(
        "account_id",
        _S,
        "Sub-account id; `~` is the only one the user can see, an error that lists them if there are several.",
        "~",
        or_integer=True,
    ),
    Setting(
        "auth_method",
        _O,
        "The sign-in; inferred from the credentials given, an error if they fit none or several.",
        None,
        ("jwt", "password", "legacy", "api_token", "access_token"),
    ),
    Setting("client_id", _S, "RingCentral app's client id, for the JWT sign-in."),
    Setting("client_secret", _P, "RingCentral app's client secret, for the JWT sign-in.", secret=True),
    Setting("jwt", _P, "RingCentral JWT credential, for the JWT sign-in.", secret=True),
    Setting(
        "rc_server_url",
        _S,
        "RingCentral platform host, for the JWT sign-in.",
        "https://platform.ringcentral.com",
    ),
    Setting("username", _S, "User of the Engage direct login or the legacy portal login."),
    Setting("password", _P, "Password of the Engage direct login or the legacy portal login.", secret=True),
    Setting(
        "platform_id",
        _S,
        "Platform of the Engage direct login; without it, a user name and password are the legacy portal login.",
    ),
    Setting("api_token", _P, "Permanent API token, sent as `X-Auth-Token`.", secret=True),
    Setting("access_token", _P, "A ready bearer token; not renewed.", secret=True),
    Setting("request_timeout_seconds", _D, "Longest wait for one answer, in seconds.", 60.0, minimum=0.1),
    Setting(
        "retry_max_seconds",
        _D,
        "How long one request is retried before the run fails, in seconds.",
        600.0,
        minimum=0,
    ),
    Setting(
        "search_delay_seconds",
        _D,
        "How long a freshly loaded lead may take to be found by the lead search, in seconds: a lead not found "
        "for this long after a request of unknown fate counts as not loaded.",
        10.0,
        minimum=0,
    ),
    Setting(
        "rate_limits",
        _A,
        "Sliding windows for the loader, per account, as requests/seconds.",
        ["30/10s", "120/60s"],
    ),
    Setting(
        "rate_limit_store",
        _P,
        "URL of a PostgreSQL database, `postgresql://…`, in which several processes share the account's "
        "`rate_limits`; each counts for itself when not given.",
        secret=True,
    ),
    Setting("max_in_flight", _I, "Loader requests at the same time.", 8, minimum=1, maximum=64),
    Setting("campaign", _S, "Default campaign: id, exact name, or `Dial group/Campaign`.", or_integer=True),
    Setting("mappings", _M, "Per stream (name or glob): campaign, preset, fields, do-not-call fields, list.", {}),
    Setting(
        "unmapped_fields",
        _O,
        "`drop`, or `extended`: the rest of the record goes to `extendedLeadData` as strings.",
        "drop",
        ("drop", "extended"),
    ),
    Setting("default_region", _S, "Region of phone numbers without a country code (ISO 3166, two letters).", "US"),
    Setting(
        "phone_format",
        _O,
        "`national` (10 digits for US; a number of another country is rejected), `e164` (any country; also fills "
        "`leadPhoneE164`), or `as_is`.",
        "national",
        ("national", "e164", "as_is"),
    ),
    Setting(
        "phone_validation",
        _O,
        "How strictly a phone number is checked: `valid`, `possible` or `off`.",
        "possible",
        ("valid", "possible", "off"),
    ),
    Setting(
        "multiple_phones",
        _O,
        "When several source fields feed `leadPhone`: the `first` usable one, or `all`, joined by a vertical bar.",
        "first",
        ("first", "all"),
    ),
    Setting(
        "list_description",
        _S,
        "Template of the list's name: `{stream}`, `{campaign}`, `{run}`, `{started}`, `{date}`, `{batch}`.",
        "{stream} {started}",
    ),
    Setting("list_state", _O, "State of the list that a load makes.", "ACTIVE", lists.LIST_STATES),
    Setting("dial_priority", _O, "Priority of the list in the dialer.", "NORMAL", lists.DIAL_PRIORITIES),
    Setting(
        "duplicate_handling",
        _O,
        "What the server does with leads of the same phone.",
        "REMOVE_FROM_LIST",
        lists.DUPLICATE_HANDLINGS,
    ),
    Setting("time_zone_option", _O, "How the server finds a lead's time zone.", "NPA_NXX", lists.TIME_ZONE_OPTIONS),
    Setting("dnc_tags", _A, "Do-not-call tags sent with each load.", []),
    Setting("phone_numbers_i18n_enabled", _B, "Sent as `phoneNumbersI18nEnabled` when given."),
    Setting("international_number_format", _B, "Sent as `internationalNumberFormat` when given."),
    Setting("number_origin_country", _S, "Sent as `numberOriginCountry` when given: `e164` or an ISO-3 code."),
    Setting("batch_size_rows", _I, "A campaign's buffer is drained at so many leads.", 500, minimum=1),
    Setting(
        "batch_size_bytes",
        _I,
        "A campaign's buffer is drained at so many bytes of request body.",
        1_000_000,
        minimum=1000,
    ),
    Setting(
        "batch_wait_limit_seconds",
        _D,
        "A campaign's buffer is drained when its oldest lead has waited so long, in seconds.",
        60.0,
        minimum=0.1,
    ),
    Setting("state_dir", _S, "Folder of the ledger, the rejects and the run records.", ".target-engagevoice"),
    Setting(
        "ledger_url",
        _P,
        "SQLAlchemy URL of the ledger, e.g. PostgreSQL when several workers share an account; SQLite in "
        "`state_dir` when not given.",
        secret=True,
    ),
    Setting(
        "dedupe",
        _O,
        "`changed`: a lead whose content is the same as what its campaign last accepted under its `externId` is "
        "not sent again; `off`: everything is sent.",
        "changed",
        ("changed", "off"),
    ),
    Setting(
        "max_rejected_percent",
        _D,
        "Most rejects of the records read, in percent; checked from 100 records on, and at the end.",
        10.0,
        minimum=0,
        maximum=100,
    ),
    Setting(
        "max_retired_percent",
        _D,
        "Most leads of a stream that `load_method: overwrite` retires when a version is activated, in percent of those "
        "it loaded; beyond that the run stops and retires none.",
        25.0,
        minimum=0,
        maximum=100,
    ),
    Setting(
        "load_method",
        _O,
        "`append-only`; `upsert`: a lead the campaign already holds is changed in place; `overwrite`: the same, and "
        "leads of the stream that its new version no longer holds are retired as `on_delete` says.",
        "append-only",
        ("append-only", "upsert", "overwrite"),
    ),
    Setting(
        "on_delete",
        _O,
        "What a deleted record does to its lead, and one that moved to the lead it leaves: `ignore`, `cancel`, "
        "`pause`, `suppress` or `delete`.",
        "ignore",
        ("ignore", "cancel", "pause", "suppress", "delete"),
    ),
    Setting(
        "do_not_call",
        _O,
        "`skip`: a record flagged do-not-call is never loaded, and suppressed where it was; `dnc_list`: also puts its "
        "phones on the account's do-not-call list.",
        "skip",
        ("skip", "dnc_list"),
    ),
    Setting(
        "dry_run",
        _B,
        "Everything but writing to the server: no lead sent, ledger untouched, state not emitted.",
        default=False,
    ),
    Setting(
        "report",
        _B,
        "Write the run report, `{state_dir}/reports/{run}.html`, at the end of the run; `engagevoice report` makes it "
        "afterwards.",
        default=False,
    ),
    Setting("stream_maps", _M, "The SDK's stream maps: filter, rename, compute before a record is mapped."),
    Setting("stream_map_config", _M, "Values for stream map expressions."),
    Setting("faker_config", _M, "Seed and locale of `fake` in stream maps; needs the package Faker."),
    Setting("flattening_enabled", _B, "Flatten nested objects before a record is mapped."),
    Setting("flattening_max_depth", _I, "Deepest level that is flattened.", minimum=0),
    Setting("flattening_max_key_length", _I, "Longest name a flattened field gets.", minimum=1),
    Setting("flattening_separator", _S, "Between the parts of a flattened field's name."),
    Setting(
        "validate_records",
        _B,
        "Check each record against its stream's schema; one that fails is rejected.",
        default=True,
    ),
    Setting(
        "add_record_metadata",
        _B,
        "Add the SDK's `_sdc_…` fields to each record, so that mappings can use them.",
        default=False,
    ),
)

SETTINGS: Mapping[str, Setting] = MappingProxyType({row.name: row for row in _ROWS})


def json_schema() -> dict[str, Any]:
    """The schema of the configuration, as `--about` shows it and the SDK wants it."""
    return {
        "type": "object",
        "properties": {name: setting.json_schema() for name, setting in SETTINGS.items()},
        "additionalProperties": False,
    }
