"""The configuration as it may be shown: no secret, no login."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.config.redact import HIDDEN, shown_config
from target_engagevoice.config.settings import Settings
from target_engagevoice.config.table import SETTINGS

SECRET = st.sampled_from([name for name, setting in SETTINGS.items() if setting.secret])


@given(st.dictionaries(SECRET, st.text("xyz", min_size=5), min_size=1))
def test_a_secret_is_shown_as_given_but_not_what_it_is(secrets: dict[str, str]) -> None:
    assert shown_config(secrets) == dict.fromkeys([name for name in SETTINGS if name in secrets], HIDDEN)


def test_a_users_name_and_the_values_for_stream_maps_are_hidden() -> None:
    shown = shown_config({"username": "ann@example.com", "stream_map_config": {"hash_seed": "pepper"}})
    assert set(shown.values()) == {HIDDEN}


@pytest.mark.parametrize("url", ["postgresql://ann:sesame@host/db", "https://sesame@host", "x://a:b/c@sesame@host"])
def test_a_login_in_an_address_is_hidden_wherever_it_stands(url: str) -> None:
    shown = shown_config({"mappings": {url: {"fields": [{"value": url}]}}})
    assert "sesame" not in json.dumps(shown)
    assert "host" in json.dumps(shown)


def test_what_is_as_by_default_is_left_out() -> None:
    assert shown_config({"batch_size_rows": 500, "max_in_flight": 4}) == {"max_in_flight": 4}


def test_the_settings_know_what_was_given() -> None:
    settings = Settings.parse({"base_url": "sandbox", "api_token": "sesame", "batch_size_rows": "20"})
    assert settings.shown == {"base_url": "sandbox", "api_token": HIDDEN, "batch_size_rows": 20}
