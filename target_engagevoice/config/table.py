"""The table of settings: name, kind, description, default, limits.

A test checks `docs/settings.md`, `meltano.yml` and `--about` against it.
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
        "Base URL of the deployment; the word `sandbox` starts the embedded sandbox instead.",
        "https://ringcx.ringcentral.com/voice",
    ),
    Setting(
        "api_version",
        _O,
        "`v1` (`/api/v1/admin/…/leadLoader/direct`), `legacy` (`/api/admin/…/loader/direct`), or `auto`: `v1`, and "
        "`legacy` for the rest of the run if the server answers 404 for the `v1` route.",
        "auto",
        ("auto", "v1", "legacy"),
    ),
    Setting(
        "account_id",
        _S,
        "Sub-account id; `~` stands for the only account that the user can see, and is an error if there are several.",
        "~",
        or_integer=True,
    ),
    Setting(
        "auth_method",
        _O,
        "The sign-in; if not given, it is inferred from the credentials, which must fit exactly one.",
        None,
        ("jwt", "password", "legacy", "api_token", "access_token"),
    ),
    Setting("client_id", _S, "Client id of the RingCentral app, for the JWT sign-in."),
    Setting("client_secret", _P, "Client secret of the RingCentral app, for the JWT sign-in.", secret=True),
    Setting("jwt", _P, "RingCentral JWT credential, for the JWT sign-in.", secret=True),
    Setting(
        "rc_server_url",
        _S,
        "URL of the RingCentral platform, for the JWT sign-in.",
        "https://platform.ringcentral.com",
    ),
    Setting("username", _S, "User name for the Engage direct login or the legacy portal login."),
    Setting("password", _P, "Password for the Engage direct login or the legacy portal login.", secret=True),
    Setting(
        "platform_id",
        _S,
        "Platform id for the Engage direct login; without it, a user name and password are used for the legacy portal "
        "login.",
    ),
    Setting("api_token", _P, "Permanent API token, sent as `X-Auth-Token`.", secret=True),
    Setting("access_token", _P, "Bearer token, used as given and not renewed.", secret=True),
    Setting(
        "request_timeout_seconds",
        _D,
        "Longest time for one request, from connecting to the last byte of its answer, in seconds.",
        60.0,
        minimum=0.1,
    ),
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
        "Longest time until the lead search finds a newly loaded lead, in seconds; a lead that is not found for this "
        "long after a request with an unknown result counts as not loaded.",
        10.0,
        minimum=0,
    ),
    Setting(
        "rate_limits",
        _A,
        "Sliding windows of the account's rate limit for the loader, as requests/seconds.",
        ["30/10s", "120/60s"],
    ),
    Setting(
        "rate_limit_store",
        _P,
        "URL of a PostgreSQL database, `postgresql://…`, in which several processes share the account's "
        "`rate_limits`; if not given, each process counts only its own requests.",
        secret=True,
    ),
    Setting("max_in_flight", _I, "Most loader requests at the same time.", 8, minimum=1, maximum=64),
    Setting("campaign", _S, "Default campaign: id, exact name, or `Dial group/Campaign`.", or_integer=True),
    Setting(
        "mappings", _M, "Per stream (name or glob pattern): campaign, preset, fields, do-not-call fields, list.", {}
    ),
    Setting(
        "unmapped_fields",
        _O,
        "`drop`, or `extended`: fields that are not mapped are sent in `extendedLeadData` as strings.",
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
        "When several source fields feed `leadPhone`: `first` sends the first usable number, `all` sends all of them, "
        "joined by a vertical bar.",
        "first",
        ("first", "all"),
    ),
    Setting(
        "list_description",
        _S,
        "Template of the list's name; it may contain `{stream}`, `{campaign}`, `{run}`, `{started}`, `{date}`, "
        "`{batch}`.",
        "{stream} {started}",
    ),
    Setting("list_state", _O, "State of the lists that loads create.", "ACTIVE", lists.LIST_STATES),
    Setting("dial_priority", _O, "Priority of the list in the dialer.", "NORMAL", lists.DIAL_PRIORITIES),
    Setting(
        "duplicate_handling",
        _O,
        "What the server does with leads that have the same phone number.",
        "REMOVE_FROM_LIST",
        lists.DUPLICATE_HANDLINGS,
    ),
    Setting(
        "time_zone_option", _O, "How the server determines a lead's time zone.", "NPA_NXX", lists.TIME_ZONE_OPTIONS
    ),
    Setting("dnc_tags", _A, "Do-not-call tags sent with each load.", []),
    Setting("phone_numbers_i18n_enabled", _B, "Sent as `phoneNumbersI18nEnabled` when given."),
    Setting("international_number_format", _B, "Sent as `internationalNumberFormat` when given."),
    Setting("number_origin_country", _S, "Sent as `numberOriginCountry` when given: `e164` or an ISO-3 code."),
    Setting("batch_size_rows", _I, "A campaign's buffer is drained when it holds this many leads.", 500, minimum=1),
    Setting(
        "batch_size_bytes",
        _I,
        "A campaign's buffer is drained when it holds this many bytes of request body.",
        1_000_000,
        minimum=1000,
    ),
    Setting(
        "batch_wait_limit_seconds",
        _D,
        "A campaign's buffer is drained when its oldest lead has waited this long, in seconds.",
        60.0,
        minimum=0.1,
    ),
    Setting("state_dir", _S, "Folder of the ledger, the rejects and the run records.", ".target-engagevoice"),
    Setting(
        "ledger_url",
        _P,
        "SQLAlchemy URL of the ledger, such as PostgreSQL when several workers share an account; if not given, SQLite "
        "in `state_dir`.",
        secret=True,
    ),
    Setting(
        "dedupe",
        _O,
        "`changed`: a lead is not sent again if its content is the same as what its campaign last accepted under its "
        "`externId`; `off`: every lead is sent.",
        "changed",
        ("changed", "off"),
    ),
    Setting(
        "max_rejected_percent",
        _D,
        "Largest share of the records read that may be rejected, in percent; checked from 100 records on, and at the "
        "end.",
        10.0,
        minimum=0,
        maximum=100,
    ),
    Setting(
        "max_retired_percent",
        _D,
        "Largest share of a stream's loaded leads that `load_method: overwrite` may retire when a version is "
        "activated, in percent; if it would be exceeded, the run stops and retires none.",
        25.0,
        minimum=0,
        maximum=100,
    ),
    Setting(
        "load_method",
        _O,
        "`append-only`; `upsert`: a lead that the campaign already has is changed in place; `overwrite`: like "
        "`upsert`, and leads that the new version of the stream no longer contains are retired as `on_delete` says.",
        "append-only",
        ("append-only", "upsert", "overwrite"),
    ),
    Setting(
        "on_delete",
        _O,
        "What happens to the lead of a deleted record, and to the old lead of a record that moved to another "
        "campaign: `ignore`, `cancel`, `pause`, `suppress` or `delete`.",
        "ignore",
        ("ignore", "cancel", "pause", "suppress", "delete"),
    ),
    Setting(
        "do_not_call",
        _O,
        "`skip`: a record flagged do-not-call is never loaded, and its lead is suppressed if it was loaded before; "
        "`dnc_list`: its phone numbers are also put on the account's do-not-call list.",
        "skip",
        ("skip", "dnc_list"),
    ),
    Setting(
        "dnc_list_unscrubbed",
        _O,
        "With `do_not_call: dnc_list`, what happens when a campaign does not scrub leads against the account's "
        "do-not-call list, so that the list has no effect there: `error` stops the run, `warn` logs it.",
        "error",
        ("error", "warn"),
    ),
    Setting(
        "dry_run",
        _B,
        "Do everything except write to the server: no lead is sent, the ledger is not changed, STATE is not emitted.",
        default=False,
    ),
    Setting(
        "report",
        _B,
        "Write the run report, `{state_dir}/reports/{run}.html`, at the end of the run; `engagevoice report` writes "
        "it later.",
        default=False,
    ),
    Setting("stream_maps", _M, "The SDK's stream maps: filter, rename, compute before a record is mapped."),
    Setting("stream_map_config", _M, "Values for stream map expressions."),
    Setting("faker_config", _M, "Seed and locale for `fake` in stream maps; needs the package Faker."),
    Setting("flattening_enabled", _B, "Flatten nested objects before a record is mapped."),
    Setting("flattening_max_depth", _I, "Deepest level that is flattened.", minimum=0),
    Setting("flattening_max_key_length", _I, "Longest name of a flattened field.", minimum=1),
    Setting("flattening_separator", _S, "Text between the parts of a flattened field's name."),
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
    """The JSON schema of the configuration, for `--about` and the SDK."""
    return {
        "type": "object",
        "properties": {name: setting.json_schema() for name, setting in SETTINGS.items()},
        "additionalProperties": False,
    }
