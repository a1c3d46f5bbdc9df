"""A configuration is valid, or it is refused in one line that says what to type instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.auth.credentials import AccessToken, ApiToken, JwtGrant, LegacyLogin, PasswordLogin
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.config.environment import ENVIRONMENT_PREFIX, from_environment
from target_engagevoice.config.files import read_config
from target_engagevoice.config.setting import Kind, Setting
from target_engagevoice.config.settings import Settings
from target_engagevoice.config.sign_in import SIGN_INS
from target_engagevoice.config.table import SETTINGS, json_schema
from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SIGN_IN = {"access_token": "s3cret-token"}
CREDENTIALS = frozenset({"auth_method"} | {name for names in SIGN_INS.values() for name in names})
FREE = [setting for name, setting in SETTINGS.items() if name not in CREDENTIALS]
SECRETS = [name for name, setting in SETTINGS.items() if setting.secret]
URLS = ("ledger_url", "rate_limit_store")
EVERY_SETTING = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


def parse(**config: Any) -> Settings:
    return Settings.parse(SIGN_IN | config)


def refusal(**config: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(**config)
    return str(caught.value)


def complaint(config: dict[str, Any]) -> str | None:
    """What is said against a configuration; None for nothing."""
    try:
        Settings.parse(config)
    except ConfigError as error:
        return str(error)
    return None


# Values that fit

LIMITED = {
    "base_url": st.sampled_from(["https://ringcx.ringcentral.com/voice", "http://127.0.0.1:8000/voice", "sandbox"]),
    "rc_server_url": st.sampled_from(["https://platform.ringcentral.com", "http://localhost:1"]),
    "default_region": st.sampled_from(["US", "GB", "DE"]),
    "list_description": st.sampled_from(["{stream}", "a {date} {{b}}", "plain"]),
    "rate_limits": st.lists(st.sampled_from(["30/10s", "1/0.5s"]), min_size=1),
    "rate_limit_store": st.sampled_from(["postgresql://me@host/db", "postgresql+psycopg://me:pw@host:5432/db"]),
    "mappings": st.dictionaries(st.sampled_from(["Lead", "x_*"]), st.just({"campaign": 1002, "preset": "none"})),
    "stream_maps": st.just({"Lead": {"a": "b"}}),
    "account_id": st.sampled_from(["~", "99990001", 99990001]),
    "campaign": st.sampled_from(["Outbound/Renewals", "1001", 1001]),
}


def fitting(setting: Setting) -> st.SearchStrategy[Any]:
    if setting.name in LIMITED:
        return LIMITED[setting.name]
    if setting.options:
        return st.sampled_from(setting.options)
    low = setting.minimum
    kinds: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.STRING: st.text(min_size=1, max_size=9),
        Kind.PASSWORD: st.text(min_size=1, max_size=9),
        Kind.INTEGER: st.integers(int(low or 0), int(setting.maximum or 10**9)),
        Kind.DECIMAL: st.floats(low, setting.maximum or 1e9) | st.integers(int((low or 0) + 1), 100),
        Kind.BOOLEAN: st.booleans(),
        Kind.ARRAY: st.lists(st.text(max_size=5), max_size=3),
        Kind.OBJECT: st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=2),
    }
    return kinds[setting.kind]


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def consistent(config: dict[str, Any]) -> dict[str, Any]:
    """Settings that fit each other: who overwrites must say how leads are retired."""
    if config.get("load_method") == "overwrite" and config.get("on_delete", "ignore") == "ignore":
        return config | {"on_delete": "suppress"}
    return config


configs = (
    st.lists(st.sampled_from(FREE), max_size=6, unique_by=lambda setting: setting.name)
    .flatmap(lambda chosen: st.fixed_dictionaries({setting.name: fitting(setting) for setting in chosen}))
    .map(consistent)
)


@given(configs)
def test_a_valid_configuration_is_accepted(config: dict[str, Any]) -> None:
    parse(**config)


@given(configs)
def test_every_setting_means_the_same_as_text(config: dict[str, Any]) -> None:
    assert parse(**{name: as_text(value) for name, value in config.items()}) == parse(**config)


@given(configs)
def test_every_setting_means_the_same_in_the_environment(config: dict[str, Any]) -> None:
    environ = {ENVIRONMENT_PREFIX + name.upper(): as_text(value) for name, value in config.items()}
    assert parse(**from_environment(environ)) == parse(**config)


@given(configs)
def test_what_fits_fits_the_schema_that_is_shown(config: dict[str, Any]) -> None:
    jsonschema.validate(config, json_schema())


@EVERY_SETTING
@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_value_counts_as_not_given(setting: Setting, empty: str | None) -> None:
    assert Settings.parse({setting.name: empty} | SIGN_IN) == parse()


@EVERY_SETTING
def test_a_default_fits_itself(setting: Setting) -> None:
    if setting.name not in CREDENTIALS and setting.default is not None:
        assert parse(**{setting.name: setting.default}) == parse()


@pytest.mark.parametrize("word", ["true", "True", " TRUE ", "1", "yes", "on"])
def test_words_for_true(word: str) -> None:
    assert parse(dry_run=word).dry_run is True


@pytest.mark.parametrize("word", ["false", "False", "0", "no", "off"])
def test_words_for_false(word: str) -> None:
    assert parse(validate_records=word).validate_records is False


def test_rate_limits_without_a_window_are_refused() -> None:
    assert "rate_limits: names no window" in refusal(rate_limits=[])


def test_ids_may_be_numbers() -> None:
    made = parse(account_id=99990001, campaign=1002)
    assert (made.account_id, made.campaign) == ("99990001", "1002")


def test_a_trailing_slash_of_the_url_is_dropped() -> None:
    assert parse(base_url="https://host/voice/").base_url == "https://host/voice"


def test_rate_limits_are_read() -> None:
    assert parse().rate_limits == (Window(30, 10), Window(120, 60))


# The environment


def test_the_environment_gives_what_is_set() -> None:
    assert from_environment({"TARGET_ENGAGEVOICE_CAMPAIGN": "1001", "PATH": "/bin", "CAMPAIGN": "x"}) == {
        "campaign": "1001"
    }


@EVERY_SETTING
def test_every_setting_has_its_variable(setting: Setting) -> None:
    assert from_environment({f"TARGET_ENGAGEVOICE_{setting.name.upper()}": "x"}) == {setting.name: "x"}


def test_an_empty_variable_does_not_hide_the_value_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"campaign": "1001"}', "utf-8")
    config = read_config([str(file), "ENV"], lambda: from_environment({"TARGET_ENGAGEVOICE_CAMPAIGN": ""}))
    assert config == {"campaign": "1001"}


# Values that do not fit

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**400) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(SETTINGS)) | st.text(max_size=9), ANY_JSON, max_size=4))
def test_anything_else_is_a_config_error_of_one_line(config: dict[str, Any]) -> None:
    message = complaint(SIGN_IN | config)
    assert message is None or message.isprintable()


@given(st.sampled_from(FREE), st.text(max_size=30))
def test_any_text_is_accepted_or_refused(setting: Setting, text: str) -> None:
    message = complaint(SIGN_IN | {setting.name: text})
    assert message is None or message.startswith(setting.name)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"campain": "x"}, "'campain' is not a setting; did you mean 'campaign'"),
        ({"batchSizeRows": 3}, "did you mean 'batch_size_rows'"),
        ({"dedupe": "change"}, "dedupe: 'change' is not one of its values; did you mean 'changed'?"),
        ({"batch_size_rows": "many"}, "batch_size_rows: must be a whole number, not 'many'."),
        ({"batch_size_rows": 2.5}, "batch_size_rows: must be a whole number, not 2.5."),
        ({"batch_size_rows": 0}, "batch_size_rows: must be at least 1, not 0."),
        ({"max_in_flight": 65}, "max_in_flight: must be at most 64, not 65."),
        ({"max_in_flight": True}, "max_in_flight: must be a whole number, not True."),
        ({"max_rejected_percent": 101}, "max_rejected_percent: must be at most 100, not 101"),
        ({"max_rejected_percent": "NaN"}, "max_rejected_percent: must be a number, not 'NaN'."),
        ({"retry_max_seconds": float("inf")}, "retry_max_seconds: must be a number, not inf."),
        ({"request_timeout_seconds": "inf"}, "request_timeout_seconds: must be a number, not 'inf'."),
        ({"request_timeout_seconds": 10**400}, "request_timeout_seconds: must be a number"),
        ({"dry_run": "maybe"}, "dry_run: must be true or false, not 'maybe'."),
        ({"dry_run": 1}, "dry_run: must be true or false, not 1."),
        ({"rate_limits": "30/10s"}, "rate_limits: must be an array, not '30/10s'."),
        ({"rate_limits": ["fast"]}, "rate_limits: 'fast' is not a window; write requests/seconds"),
        ({"rate_limits": [30]}, "rate_limits: must be an array of strings."),
        ({"mappings": "[]"}, "mappings: must be an object, not '[]'."),
        ({"list_description": "{strem}"}, "list_description: {strem} is not a placeholder; did you mean 'stream'"),
        ({"default_region": "USA"}, "default_region: 'USA' is not a region"),
        ({"load_method": "overwrite"}, "as on_delete says, but on_delete is 'ignore'; set it to 'suppress'"),
        ({"load_method": "upserts"}, "load_method: 'upserts' is not one of its values; did you mean 'upsert'"),
        ({"do_not_call": "dnc_lists"}, "do_not_call: 'dnc_lists' is not one of its values; did you mean 'dnc_list'"),
        ({"on_delete": "canceled"}, "on_delete: 'canceled' is not one of its values; did you mean 'cancel'"),
        ({"base_url": "ringcx"}, "base_url: must be a URL such as 'https://ringcx.ringcentral.com/voice' or the word"),
        ({"base_url": "ftp://host"}, "base_url: must be a URL"),
        ({"base_url": "https://"}, "base_url: must be a URL"),
        ({"base_url": "http://[::1"}, "base_url: must be a URL"),
        ({"base_url": "https://host:port/voice"}, "base_url: must be a URL"),
        (
            {"base_url": "http://host/voice"},
            "base_url: plain http:// to host would send leads unencrypted; write https",
        ),
        ({"base_url": "http://127.0.0.1.evil.com"}, "base_url: plain http:// to 127.0.0.1.evil.com"),
    ],
)
def test_a_mistake_says_what_to_type(config: dict[str, Any], words: str) -> None:
    assert words in refusal(**config)


@pytest.mark.parametrize("url", ["http://localhost:1/voice", "http://127.0.0.1", "http://[::1]:8000/voice"])
def test_plain_http_to_this_machine_is_accepted(url: str) -> None:
    assert parse(base_url=url).base_url == url


# Sign-ins

GIVEN = {
    "client_id": "id",
    "client_secret": "s3cret-client",
    "jwt": "s3cret-jwt",
    "username": "ann",
    "password": "s3cret-password",
    "platform_id": "platform",
    "api_token": "s3cret-api",
    "access_token": "s3cret-token",
}


def chosen(*names: str) -> dict[str, str]:
    return {name: GIVEN[name] for name in names}


@pytest.mark.parametrize(
    ("method", "credentials"),
    [
        ("jwt", JwtGrant("id", "s3cret-client", "s3cret-jwt", "https://platform.ringcentral.com")),
        ("password", PasswordLogin("ann", "s3cret-password", "platform")),
        ("legacy", LegacyLogin("ann", "s3cret-password")),
        ("api_token", ApiToken("s3cret-api")),
        ("access_token", AccessToken("s3cret-token")),
    ],
)
def test_the_sign_in_is_inferred(method: str, credentials: Any) -> None:
    assert Settings.parse(chosen(*SIGN_INS[method])).credentials == credentials


@given(st.sets(st.sampled_from(sorted(GIVEN))))
def test_credentials_fit_exactly_one_sign_in_or_are_refused(names: set[str]) -> None:
    fits = [method for method, needs in SIGN_INS.items() if set(needs) == names]
    message = complaint(chosen(*names))
    assert (message is None) is (len(fits) == 1)
    assert message is None or "jwt: client_id, client_secret, jwt" in message


@given(st.sets(st.sampled_from(sorted(GIVEN))), st.sampled_from(sorted(SIGN_INS)))
def test_a_sign_in_that_is_named_needs_just_its_own(names: set[str], method: str) -> None:
    missing = [name for name in SIGN_INS[method] if name not in names]
    message = complaint(chosen(*names) | {"auth_method": method})
    assert (message is None) is (not missing)
    assert message is None or message.endswith(f"missing: {', '.join(missing)}.")


def test_missing_credentials_are_described() -> None:
    with pytest.raises(ConfigError, match=r"^no credentials are given\. Give one sign-in's: jwt: client_id"):
        Settings.parse({})


def test_credentials_of_two_sign_ins_are_described() -> None:
    with pytest.raises(ConfigError, match=r"\(access_token, api_token\) fit several sign-ins\. Set auth_method"):
        Settings.parse(chosen("api_token", "access_token"))


# Secrets


def test_no_secret_is_in_the_repr() -> None:
    for names in SIGN_INS.values():
        made = Settings.parse(chosen(*names) | dict.fromkeys(URLS, "postgresql://me:s3cret-db@host/db"))
        assert "s3cret" not in repr(made)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [["s3cret"], {"a": "s3cret"}])
def test_no_secret_of_a_wrong_kind_is_in_the_message(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name}: must be a string") as caught:
        Settings.parse({name: value})
    assert "s3cret" not in str(caught.value)


@given(st.sets(st.sampled_from(sorted(GIVEN))), st.sampled_from([None, *sorted(SIGN_INS)]))
def test_no_secret_is_in_the_message_about_credentials(names: set[str], method: str | None) -> None:
    assert "s3cret" not in (complaint(chosen(*names) | {"auth_method": method}) or "")


@pytest.mark.parametrize("name", ["base_url", "rc_server_url"])
@pytest.mark.parametrize("url", ["https://me:s3cret@host/", "htps://me:s3cret@host/", "me:s3cret@host", "//s3cret@h:x"])
def test_no_password_in_a_url_is_in_the_message(name: str, url: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: must not hold a user name or password") as caught:
        Settings.parse(chosen("client_id", "client_secret", "jwt") | {name: url})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://:s3cret@host/0", "sqlite:///s3cret.db", "me:s3cret@host", "postgres"])
def test_a_store_of_rate_limits_is_a_postgresql(url: str) -> None:
    message = refusal(rate_limit_store=url)
    assert message.startswith("rate_limit_store: must be a PostgreSQL URL such as 'postgresql://")
    assert "s3cret" not in message


def test_secrets_are_marked_in_the_schema() -> None:
    marked = {name for name, row in json_schema()["properties"].items() if row.get("secret")}
    assert marked == {"client_secret", "jwt", "password", "api_token", "access_token", "rate_limit_store", "ledger_url"}


# Files


def nothing() -> dict[str, str]:
    return {}


def written(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_later_files_win(tmp_path: Path) -> None:
    files = [written(tmp_path, "a", b'{"x": 1, "y": 1}'), written(tmp_path, "b", b'{"y": 2}')]
    assert read_config(files, nothing) == {"x": 1, "y": 2}


@pytest.mark.parametrize("first", [True, False])
def test_the_environment_wins_wherever_it_is_named(tmp_path: Path, first: bool) -> None:
    file = written(tmp_path, "a", b'{"x": 1}')
    sources = ["ENV", file] if first else [file, "ENV"]
    assert read_config(sources, lambda: {"x": "2"}) == {"x": "2"}


def test_the_environment_is_not_read_unless_named(tmp_path: Path) -> None:
    assert read_config([written(tmp_path, "a", b'{"x": 1}')], lambda: {"x": "2"}) == {"x": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"jwt": "s3cret",\n oops}', r"is not JSON \(line 2\)"),
        (b"\xff s3cret", "is not JSON"),
        (b'["s3cret"]', "does not hold a JSON object"),
        (b"", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
    ],
    ids=["broken", "no UTF-8", "array", "empty", "nested"],
)
def test_a_file_that_is_not_a_configuration_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"--config: .*/config\.json {words}") as caught:
        read_config([written(tmp_path, "config.json", content)], nothing)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--config: .*/none\.json cannot be read: No such file or directory"):
        read_config([str(tmp_path / "none.json")], nothing)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_config([str(tmp_path)], nothing)
