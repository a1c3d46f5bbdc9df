"""The list of a load: its name, and the options that go with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.errors import ConfigError
from target_engagevoice.model.list_options import DESCRIPTION_MAX, PLACEHOLDERS, ListOptions, check_description

NAMES = {name: f"<{name}>" for name in PLACEHOLDERS}


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_each_placeholder_is_filled(placeholder: str) -> None:
    options = ListOptions(description=f"Leads {{{placeholder}}}")
    assert options.envelope(NAMES)["description"] == f"Leads <{placeholder}>"


def test_a_long_description_is_cut_to_what_the_server_holds() -> None:
    assert len(ListOptions(description="x" * 1000).envelope(NAMES)["description"]) == DESCRIPTION_MAX


def test_what_is_not_given_is_not_sent() -> None:
    assert "phoneNumbersI18nEnabled" not in ListOptions().envelope(NAMES)


def test_false_is_given() -> None:
    assert ListOptions(international_number_format=False).envelope(NAMES)["internationalNumberFormat"] is False


def test_the_defaults_are_those_of_the_contract() -> None:
    assert ListOptions().envelope(NAMES) == {
        "description": "<stream> <started>",
        "dialPriority": "NORMAL",
        "duplicateHandling": "REMOVE_FROM_LIST",
        "timeZoneOption": "NPA_NXX",
        "listState": "ACTIVE",
        "dncTags": [],
    }


@pytest.mark.parametrize(
    ("tags", "sent"), [((), ["GLOBAL"]), (("A", "GLOBAL"), ["A", "GLOBAL"]), (("A",), ["A", "GLOBAL"])]
)
def test_the_account_wide_tag_is_sent_once_where_phones_are_listed_under_it(
    tags: tuple[str, ...], sent: list[str]
) -> None:
    assert ListOptions(dnc_tags=tags, scrubs_global=True).envelope(NAMES)["dncTags"] == sent


def test_an_override_of_the_tags_keeps_the_account_wide_one() -> None:
    options = ListOptions(scrubs_global=True).override({"dnc_tags": ["A"]})
    assert options.envelope(NAMES)["dncTags"] == ["A", "GLOBAL"]


def test_an_override_changes_what_it_names() -> None:
    assert ListOptions().override({"dial_priority": "IMMEDIATE"}).dial_priority == "IMMEDIATE"


def test_an_override_keeps_what_it_does_not_name() -> None:
    assert ListOptions(list_state="PAUSED").override({"dial_priority": "IMMEDIATE"}).list_state == "PAUSED"


def test_an_unknown_placeholder_names_the_near_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'stream'"):
        check_description("{steam}", "list_description")


@pytest.mark.parametrize("template", ["{stream", "stream}", "{}", "{0}", "{stream.x}", "{date:%Y}", "{run!r}"])
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="list_description"):
        check_description(template, "list_description")


@given(st.text(st.sampled_from("{}:!.[]") | st.sampled_from("daterunx "), max_size=20))
def test_what_is_not_refused_can_be_filled(template: str) -> None:
    try:
        check_description(template, "list_description")
    except ConfigError:
        return
    assert isinstance(ListOptions(description=template).envelope(NAMES)["description"], str)
