"""Every mistake of a configuration is found, and the valid parts are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.config.mistakes import read_in_parts
from target_engagevoice.config.settings import Settings, offline
from target_engagevoice.errors import ConfigError

SOUND: dict[str, Any] = {
    "base_url": "sandbox",
    "username": "somebody",
    "password": "sesame",
    "platform_id": "x",
    "campaign": 1001,
    "mappings": {"Lead": {"preset": "salesforce", "fields": {"email": "Email"}}, "internal_*": {"skip": True}},
}

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": ({"campain": "x"}, "'campaign'"),
    "an enum": ({"phone_format": "nationale"}, "phone_format"),
    "a number": ({"batch_size_rows": "many"}, "batch_size_rows"),
    "a window": ({"rate_limits": ["often"]}, "often"),
    "half a sign-in": ({"platform_id": None, "username": None}, "username"),
    "a template": ({"list_description": "{strem}"}, "{strem}"),
}
WRONG_IN_MAPPING: dict[str, tuple[dict[str, Any], str]] = {
    "a lead field": ({"fields": {"firstname": "FirstName"}}, "'firstName'"),
    "a preset": ({"preset": "salesfroce"}, "'salesforce'"),
    "an unknown key": ({"feilds": {"email": "Email"}}, "'fields'"),
    "a list option": ({"list": {"dial_priority": "NOW"}}, "dial_priority"),
    "a campaign": ({"campaign": []}, "campaign"),
}


def mistakes(config: dict[str, Any]) -> tuple[str, ...]:
    return read_in_parts(config, Settings.parse).mistakes


def test_a_configuration_without_mistakes_stays_unchanged() -> None:
    reading = read_in_parts(SOUND, Settings.parse)
    assert (reading.mistakes, reading.can_connect) == ((), True)
    assert Settings.parse(reading.valid) == Settings.parse(SOUND)


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_a_setting_is_found_once(name: str) -> None:
    wrong, words = WRONG[name]
    (mistake,) = mistakes(SOUND | wrong)
    assert words in mistake


@pytest.mark.parametrize("name", WRONG_IN_MAPPING)
def test_a_mistake_in_a_mapping_is_found_once(name: str) -> None:
    wrong, words = WRONG_IN_MAPPING[name]
    (mistake,) = mistakes(SOUND | {"mappings": {"Lead": {"preset": "auto"} | wrong}})
    assert mistake.startswith("mappings.Lead")
    assert words in mistake


def test_several_mistakes_are_all_found() -> None:
    mapping = {"preset": "salesfroce", "fields": {"firstname": "A", "phone1": "B"}}
    config = SOUND | {"campain": 1, "phone_format": "x", "mappings": {"Lead": mapping, "Task": {"skip": "yes"}}}
    assert len(mistakes(config)) == 6


def test_mappings_given_as_text_are_taken_apart_too() -> None:
    text = json.dumps({"Lead": {"fields": {"firstname": "A", "phone1": "B"}}})
    assert len(mistakes(SOUND | {"mappings": text})) == 2


def test_what_is_right_is_kept_and_what_is_wrong_is_left_out() -> None:
    mappings = {"Lead": {"preset": "hubspot", "fields": {"phone1": "B", "email": "Email"}}}
    reading = read_in_parts(SOUND | {"mappings": mappings, "phone_format": "x"}, Settings.parse)
    assert reading.valid == SOUND | {"mappings": {"Lead": {"preset": "hubspot", "fields": {"email": "Email"}}}}


@pytest.mark.parametrize("wrong", [{"password": None}, {"base_url": "ftp://somewhere"}, {"base_url": 7}])
def test_with_a_mistake_in_server_or_sign_in_no_server_is_contacted(wrong: dict[str, Any]) -> None:
    reading = read_in_parts(SOUND | wrong, Settings.parse)
    assert not reading.can_connect
    assert reading.valid["campaign"] == SOUND["campaign"]


parts = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from([value, value, "?"]) for name, value in {**SOUND, "phone_format": "e164"}.items()},
)


def ending(config: dict[str, Any]) -> str | None:
    """The mistake that ends a run; None for none."""
    try:
        Settings.parse(config)
    except ConfigError as error:
        return str(error)
    return None


@settings(deadline=None)
@given(parts)
def test_the_mistake_that_ends_a_run_is_always_among_those_found(config: dict[str, Any]) -> None:
    reading = read_in_parts(config, Settings.parse)
    assert ending(config) in (reading.mistakes or (None,))
    if reading.can_connect:
        Settings.parse(reading.valid)
    Settings.parse(offline(reading.valid))
