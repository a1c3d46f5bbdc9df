"""Each record goes to the campaign the user meant, or is rejected; never somewhere else."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import Mappings
from target_engagevoice.mapping.router import Router
from target_engagevoice.model.campaign import Campaign, Directory
from target_engagevoice.model.lead import Rejection, Stage
from tests.support.source_records import records

RENEWALS = Campaign("1001", "Renewals", "501", "Outbound")
WINBACK = Campaign("1002", "Winback", "501", "Outbound")
TWIN_EAST = Campaign("3001", "Twin", "502", "East")
TWIN_WEST = Campaign("3002", "Twin", "503", "West")
DIRECTORY = Directory([RENEWALS, WINBACK, TWIN_EAST, TWIN_WEST])


def router(campaign: Any = None, default: str | None = None, pattern: str = "Lead") -> Router:
    raw = {} if campaign is None else {"campaign": campaign}
    mapping = Mappings.parse({pattern: raw}).find("Lead")
    return Router.compile(stream="Lead", mapping=mapping, default_campaign=default, directory=DIRECTORY)


def reason(campaign: Any, record: dict[str, Any]) -> str:
    rejection = router(campaign).route(record)
    assert isinstance(rejection, Rejection)
    assert rejection.stage is Stage.ROUTE
    return rejection.reason


def test_a_stream_goes_to_its_mappings_campaign() -> None:
    assert router("Outbound/Winback", default="Renewals").route({}) == WINBACK


def test_a_mapping_without_a_campaign_goes_to_the_default() -> None:
    assert router(default="1001").route({}) == RENEWALS


def test_a_stream_without_a_mapping_goes_to_the_default() -> None:
    compiled = Router.compile(stream="Lead", mapping=None, default_campaign="Renewals", directory=DIRECTORY)
    assert compiled.route({}) == RENEWALS


@pytest.mark.parametrize(
    ("campaign", "named"),
    [
        ("Winback", [WINBACK]),
        ({"field": "c"}, []),
        ({"field": "c", "default": "Winback"}, [WINBACK]),
        ({"field": "c", "map": {"r": "1001", "w": "Winback", "x": "Renewals"}, "default": "1002"}, [RENEWALS, WINBACK]),
    ],
)
def test_the_campaigns_that_are_named_are_known_before_any_record(campaign: Any, named: list[Campaign]) -> None:
    assert router(campaign).named == named


def test_no_campaign_at_all_names_the_two_settings_that_fix_it() -> None:
    with pytest.raises(ConfigError, match=r"'campaign'.*'mappings\.Lead\.campaign'"):
        Router.compile(stream="Lead", mapping=None, default_campaign=None, directory=DIRECTORY)


@pytest.mark.parametrize(
    ("campaign", "message"),
    [
        ("Renewls", r"mappings\.Lead\.campaign: .*did you mean 'Renewals'"),
        ("Twin", r"mappings\.Lead\.campaign: .*several.*3001.*3002"),
        ({"field": "C", "map": {"a": "Renewls"}}, r"mappings\.Lead\.campaign\.map: .*did you mean 'Renewals'"),
        ({"field": "C", "default": "9"}, r"mappings\.Lead\.campaign\.default: no campaign '9'"),
    ],
)
def test_a_campaign_that_cannot_be_found_is_a_config_error_with_its_place(campaign: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        router(campaign)


def test_an_unknown_default_campaign_is_an_error_of_that_setting() -> None:
    with pytest.raises(ConfigError, match=r"^campaign: no campaign 'Renewls'"):
        router(default="Renewls")


@pytest.mark.parametrize("value", ["Winback", " Winback ", "Outbound/Winback", "1002", 1002, Decimal("1002.0"), 1002.0])
def test_without_a_map_the_value_is_an_id_or_a_name(value: Any) -> None:
    assert router({"field": "C"}).route({"C": value}) == WINBACK


@pytest.mark.parametrize(("key", "value"), [("Spring", "Spring"), ("true", True), ("7", 7), ("7", Decimal("7.0"))])
def test_with_a_map_the_value_is_looked_up_as_text(key: str, value: Any) -> None:
    assert router({"field": "C", "map": {key: "Winback"}}).route({"C": value}) == WINBACK


def test_with_a_map_a_value_is_no_name() -> None:
    assert reason({"field": "C", "map": {"Spring": "Winback"}}, {"C": "Renewals"}) == "unknown_campaign"


def test_the_campaign_may_stand_in_a_nested_object() -> None:
    assert router({"field": "properties.c"}).route({"properties": {"c": "Winback"}}) == WINBACK


@pytest.mark.parametrize("record", [{}, {"C": None}, {"C": " "}])
def test_an_empty_field_is_no_campaign(record: dict[str, Any]) -> None:
    assert reason({"field": "C"}, record) == "no_campaign"


def test_a_value_that_names_nothing_is_unknown() -> None:
    assert reason({"field": "C"}, {"C": "Spring"}) == "unknown_campaign"


def test_a_value_that_names_several_is_ambiguous() -> None:
    assert reason({"field": "C", "default": 1001}, {"C": "Twin"}) == "ambiguous_campaign"


@pytest.mark.parametrize("record", [{}, {"C": ""}, {"C": "Spring"}])
@pytest.mark.parametrize("names", [None, {"Summer": 1001}])
def test_the_default_takes_what_names_no_campaign(record: dict[str, Any], names: dict[str, int] | None) -> None:
    assert router({"field": "C", "map": names, "default": 1002}).route(record) == WINBACK


def test_the_setting_campaign_is_no_default_of_a_campaign_by_record() -> None:
    assert isinstance(router({"field": "C"}, default="1001").route({}), Rejection)


def test_a_rejection_does_not_show_the_value_of_the_record() -> None:
    rejection = router({"field": "C"}).route({"C": "ada@example.com"})
    assert isinstance(rejection, Rejection)
    assert "ada" not in rejection.message


def test_the_message_names_the_glob_that_decides() -> None:
    with pytest.raises(ConfigError, match=r"'mappings\.L\*\.campaign'"):
        router(pattern="L*")


@settings(deadline=None)
@given(records("C"))
def test_any_record_is_routed_or_rejected(record: dict[str, Any]) -> None:
    assert isinstance(router({"field": "C"}).route(record), (Campaign, Rejection))


def scrubbing_router(campaign: Any) -> Router:
    mapping = Mappings.parse({"Lead": {"campaign": campaign}}).find("Lead")
    directory = Directory(
        [replace(RENEWALS, dnc_scrub="DO_NOT_SCRUB"), replace(WINBACK, dnc_scrub="INTERNAL_ONLY"), TWIN_EAST]
    )
    return Router.compile(stream="Lead", mapping=mapping, default_campaign=None, directory=directory, needs_scrub=True)


@pytest.mark.parametrize(("value", "goes"), [("Winback", True), ("Renewals", False), ("1001", False), ("Twin", False)])
def test_a_record_may_choose_only_a_campaign_that_is_scrubbed_where_that_is_needed(value: str, goes: bool) -> None:
    chosen = scrubbing_router({"field": "C"}).route({"C": value})
    if goes:
        assert isinstance(chosen, Campaign)
    else:
        assert isinstance(chosen, Rejection)
        assert (chosen.stage, chosen.reason) == (Stage.ROUTE, "dnc_list_unscrubbed")


def test_a_default_does_not_take_records_that_choose_such_a_campaign() -> None:
    chosen = scrubbing_router({"field": "C", "default": "Winback"}).route({"C": "Renewals"})
    assert isinstance(chosen, Rejection)
