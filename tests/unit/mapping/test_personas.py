"""STRATEGIC campaigns get one phone and labels of the account. Anything else is an error before the first record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.config.settings import Settings
from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.personas import check_mappings, needs_labels
from target_engagevoice.mapping.stream import Stream, compile_stream
from target_engagevoice.model.campaign import STRATEGIC, Campaign, Directory
from target_engagevoice.model.lead import Lead, Rejection, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

RENEWALS = Campaign("1001", "Renewals", "501", "Outbound")
CALLBACKS = Campaign("2001", "Callbacks", "502", "Inbound callbacks", configuration=STRATEGIC)
LABELS = ("Mobile", "Home", "Work")
SCHEMA = {"properties": {name: {"type": ["string", "null"]} for name in ("id", "mobile", "home", "phone", "campaign")}}
ONE_PHONE: dict[str, Any] = {"fields": {"leadPhone": "phone"}}
LABELED: dict[str, Any] = {"fields": {"leadPhone": "phone", "personaPhoneConfig": {"Mobile": "mobile"}}}
BY_VALUE = {"field": "campaign"}
BY_MAP = {"field": "campaign", "map": {"r": "Renewals", "c": "Callbacks"}}
BY_DEFAULT = {"field": "campaign", "default": "Callbacks"}


def settings_of(mapping: dict[str, Any] | None, **others: Any) -> Settings:
    mappings = {} if mapping is None else {"leads": mapping}
    return Settings.parse({"base_url": "sandbox", "api_token": "x", "mappings": mappings} | others)


def directory(
    labels: Sequence[str] | None = LABELS, campaigns: Sequence[Campaign] = (RENEWALS, CALLBACKS)
) -> Directory:
    return Directory(campaigns, labels)


def stream_of(
    mapping: dict[str, Any] | None, labels: Sequence[str] | None = LABELS, *, schema: Any = None, **others: Any
) -> Stream:
    schema = SCHEMA if schema is None else schema
    stream = compile_stream("leads", schema, ["id"], settings_of(mapping, **others).stream_rules, directory(labels))
    assert stream is not None
    return stream


def outcome(stream: Stream, **record: Any) -> Any:
    record = {"id": "1", "phone": "6505550100"} | record
    return stream.outcome(record, stream.route(record))


def labeled(label: str, campaign: Any = "Callbacks") -> dict[str, Any]:
    return {"campaign": campaign, "fields": {"personaPhoneConfig": {label: "mobile"}}}


# Labels


@pytest.mark.parametrize("campaign", ["Callbacks", "2001", BY_MAP, BY_DEFAULT])
def test_an_unknown_label_names_the_nearest_before_anything_is_read(campaign: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        check_mappings(settings_of(labeled("mobil", campaign)).stream_rules, directory())
    assert str(caught.value) == (
        "mappings.leads.fields.personaPhoneConfig: 'mobil' is no label of the account's phones; did you mean 'Mobile'? "
        "Campaign Inbound callbacks/Callbacks (2001) is STRATEGIC."
    )


def test_the_setting_campaign_counts_as_well() -> None:
    mapping = {"fields": {"personaPhoneConfig": {"Boat": "mobile"}}}
    with pytest.raises(ConfigError, match=r"'Boat' is no label .* known are 'Home', 'Mobile', 'Work'"):
        check_mappings(settings_of(mapping, campaign="Callbacks").stream_rules, directory())


def test_the_error_for_an_account_without_labels_says_where_to_make_them() -> None:
    with pytest.raises(ConfigError, match=r"'Mobile' is no label .*it has none; make them in RingCentral"):
        check_mappings(settings_of(labeled("Mobile")).stream_rules, directory(()))


@given(st.lists(st.text(min_size=1, max_size=4), max_size=4), st.lists(st.text(min_size=1, max_size=4), min_size=1))
def test_labels_match_exactly_or_are_refused(known: list[str], used: list[str]) -> None:
    mapping = {"campaign": "2001", "fields": {"personaPhoneConfig": dict.fromkeys(used, "mobile")}}
    if set(used) <= set(known):
        assert check_mappings(settings_of(mapping).stream_rules, directory(known)) == []
    else:
        with pytest.raises(ConfigError, match="is no label of the account's phones"):
            check_mappings(settings_of(mapping).stream_rules, directory(known))


@pytest.mark.parametrize("campaign", ["Renewals", BY_VALUE])
def test_a_label_is_no_matter_where_no_strategic_campaign_is_named(campaign: Any) -> None:
    assert check_mappings(settings_of(labeled("Boat", campaign)).stream_rules, directory()) == []


@pytest.mark.parametrize("mapping", [labeled("Boat") | {"skip": True}, {"fields": labeled("Boat")["fields"]}])
def test_a_mapping_that_leads_nowhere_is_not_checked(mapping: dict[str, Any]) -> None:
    assert check_mappings(settings_of(mapping).stream_rules, directory()) == []


def test_labels_that_cannot_be_checked_only_cause_a_warning() -> None:
    settings = settings_of(labeled("Boat"))
    (warning,) = check_mappings(settings.stream_rules, directory(None))
    assert warning.startswith("mappings.leads.fields.personaPhoneConfig: the server does not say which labels")
    assert isinstance(outcome(stream_of(labeled("Boat"), None)), Lead)


def test_a_record_that_names_a_strategic_campaign_itself_is_rejected_for_its_label() -> None:
    stream = stream_of(labeled("Boat", BY_VALUE))
    rejection = outcome(stream, campaign="Callbacks")
    assert isinstance(rejection, Rejection)
    assert (rejection.stage, rejection.reason) == (Stage.MAP, "unknown_phone_label")
    assert "'Boat'" in rejection.message
    assert isinstance(outcome(stream, campaign="1001"), Lead)


def test_labels_that_are_known_reach_the_lead() -> None:
    lead = outcome(stream_of(labeled("Mobile", BY_VALUE)), campaign="Callbacks", mobile="(650) 555-0101")
    assert lead.fields["personaPhoneConfig"] == {"Mobile": "6505550101"}


# A single phone


@pytest.mark.parametrize("campaign", ["Callbacks", BY_MAP, BY_DEFAULT])
def test_several_fields_for_one_phone_are_a_mistake_before_anything_is_read(campaign: Any) -> None:
    mapping = {"campaign": campaign, "fields": {"leadPhone": ["mobile", "phone"]}}
    with pytest.raises(ConfigError, match=r"mappings.leads.fields.leadPhone: .*those of 2 fields.*personaPhoneConfig"):
        check_mappings(settings_of(mapping, multiple_phones="all").stream_rules, directory())


@pytest.mark.parametrize("mapping", [None, {"campaign": "Callbacks"}])
def test_several_fields_of_a_preset_are_a_mistake_once_the_schema_is_known(mapping: dict[str, Any] | None) -> None:
    others = {"multiple_phones": "all", "campaign": "2001"}
    schema = {"properties": {name: {"type": "string"} for name in ("id", "phone", "mobile_phone")}}
    assert check_mappings(settings_of(mapping, **others).stream_rules, directory()) == []
    with pytest.raises(ConfigError, match=r"those of 2 fields.*multiple_phones to 'first'.*Callbacks \(2001\)"):
        stream_of(mapping, schema=schema, **others)


def test_a_field_the_stream_does_not_have_is_none_of_several() -> None:
    schema: dict[str, Any] = {"properties": {"id": {}, "phone": {}}}
    stream = stream_of(None, schema=schema, multiple_phones="all", campaign="2001")
    assert outcome(stream).phone == "6505550100"


def test_one_field_or_the_first_of_several_is_no_mistake() -> None:
    several = {"campaign": "Callbacks", "fields": {"leadPhone": ["mobile", "phone"]}}
    assert outcome(stream_of(several)).phone == "6505550100"
    assert outcome(stream_of(LABELED | {"campaign": "Callbacks"}, multiple_phones="all")).phone == "6505550100"


def test_a_record_that_names_a_strategic_campaign_itself_is_rejected_for_its_several_phones() -> None:
    mapping = {"campaign": BY_VALUE, "fields": {"leadPhone": ["mobile", "phone"]}}
    stream = stream_of(mapping, multiple_phones="all")
    rejection = outcome(stream, campaign="2001", mobile="6505550101")
    assert isinstance(rejection, Rejection)
    assert (rejection.stage, rejection.reason) == (Stage.MAP, "several_phones")
    assert outcome(stream, campaign="1001", mobile="6505550101").phone == "6505550101|6505550100"


# No labels at all


@pytest.mark.parametrize(("labels", "shown"), [(LABELS, "'Mobile', 'Home', 'Work'"), (None, "those of the account")])
def test_a_strategic_campaign_that_gets_no_labels_is_warned_of(labels: Any, shown: str) -> None:
    (warning,) = stream_of(ONE_PHONE | {"campaign": "Callbacks"}, labels).warnings
    assert warning.startswith("mappings.leads.fields.personaPhoneConfig: campaign Inbound callbacks/Callbacks (2001)")
    assert shown in warning


@pytest.mark.parametrize(
    "mapping",
    [LABELED | {"campaign": "Callbacks"}, ONE_PHONE | {"campaign": "Renewals"}, ONE_PHONE | {"campaign": BY_VALUE}],
)
def test_no_warning_where_labels_are_given_or_not_needed(mapping: dict[str, Any]) -> None:
    assert stream_of(mapping).warnings == ()


# Who asks for the labels


@pytest.mark.parametrize(
    ("mapping", "others", "asked"),
    [
        (None, {"campaign": "Renewals"}, False),
        (None, {"campaign": "Callbacks"}, True),
        (ONE_PHONE | {"campaign": BY_MAP}, {}, True),
        (ONE_PHONE | {"campaign": BY_VALUE}, {}, False),
        (LABELED | {"campaign": BY_VALUE}, {}, True),
        (LABELED | {"skip": True}, {}, False),
        (ONE_PHONE | {"campaign": "nowhere"}, {}, False),
    ],
)
def test_labels_are_asked_for_where_they_matter(
    mapping: dict[str, Any] | None, others: dict[str, Any], asked: bool
) -> None:
    settings = settings_of(mapping, **others)
    assert needs_labels(settings.stream_rules, directory()) is asked
    assert not needs_labels(settings.stream_rules, directory(campaigns=[RENEWALS]))


# An account in E.164 mode


@pytest.mark.parametrize("written", ["(650) 555-0100", "+1 650 555 0100", "1 650 555.0100 x7"])
@pytest.mark.parametrize("where", ["setting", "list"])
def test_a_lead_of_an_account_in_e164_mode_has_its_phone_in_both_formats(written: str, where: str) -> None:
    mapping = ONE_PHONE | {"campaign": "Renewals"}
    if where == "setting":
        stream = stream_of(mapping, number_origin_country="e164")
    else:
        stream = stream_of(mapping | {"list": {"number_origin_country": "e164"}})
    fields = outcome(stream, phone=written).fields
    assert (fields["leadPhone"], fields["leadPhoneE164"]) == ("6505550100", "+16505550100")


def test_both_formats_hold_the_same_number() -> None:
    mapping = {"campaign": "Renewals", "fields": {"leadPhone": ["mobile", "phone"]}}
    fields = outcome(stream_of(mapping, number_origin_country="E164"), mobile="+49 30 123456").fields
    assert (fields["leadPhone"], fields["leadPhoneE164"]) == ("6505550100", "+16505550100")


def test_other_accounts_get_no_second_format() -> None:
    stream = stream_of(ONE_PHONE | {"campaign": "Renewals"}, number_origin_country="USA")
    assert "leadPhoneE164" not in outcome(stream).fields
