"""A number is dialed as its owner's, or not at all."""

from __future__ import annotations

import re
from dataclasses import replace

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_engagevoice.errors import ConfigError
from target_engagevoice.model.lead import Rejection, Stage
from target_engagevoice.model.phone import Phone, PhonePolicy, _ten_digits

UNITED_STATES = PhonePolicy()
TEN_DIGITS = "6505550100"

REASONABLE_TEXT = st.text(st.sampled_from("0123456789 +-./()x#,;|"), max_size=24)
ANY_TEXT = st.one_of(st.text(st.characters(exclude_categories=()), max_size=24), REASONABLE_TEXT)
POLICIES = st.builds(
    PhonePolicy,
    st.sampled_from(["US", "CA", "BS", "GB", "DE", "IT", "FR", "AR", "MX", "BR", "KZ", "SG"]),
    st.sampled_from(["national", "e164", "as_is"]),
    st.sampled_from(["valid", "possible", "off"]),
)


def dialed(policy: PhonePolicy, text: str) -> str:
    phone = policy.normalize(text)
    assert isinstance(phone, Phone), phone
    return phone.dialed


def reason(policy: PhonePolicy, text: str) -> str:
    rejection = policy.normalize(text)
    assert isinstance(rejection, Rejection), rejection
    assert rejection.stage is Stage.PHONE
    return rejection.reason


@pytest.mark.parametrize(
    "text",
    [
        "(650) 555-0100",
        "650.555.0100",
        "650 555 01 00",
        "+1 650 555 0100",
        "1-650-555-0100",
        "  6505550100\t",
        "tel:+16505550100",
        "(+1) 650-555-0100",
        "011 1 650 555 0100",
        "650\u00a0555\u20110100",
        "\u202a6505550100\u202c",
        "٦٥٠٥٥٥٠١٠٠",
    ],
)
def test_the_usual_writings_of_a_us_number_are_read(text: str) -> None:
    assert dialed(UNITED_STATES, text) == TEN_DIGITS


@pytest.mark.parametrize("extension", ["x12", " ext. 12", ";ext=12", " extension 123", " #7"])
def test_an_extension_is_dropped(extension: str) -> None:
    assert dialed(UNITED_STATES, f"650-555-0100{extension}") == TEN_DIGITS


@pytest.mark.parametrize(
    "text",
    [
        "6505550100 / 6505550101",
        "6505550100, 6505550101",
        "6505550100;6505550101",
        "6505550100 x 6505550101",
        "6505550100 or 6505550101",
        "6505550100+16505550101",
        "650-555-0100 650-555-0101",
        "650-555-0100\n650-555-0101",
        "5550100/101",
        "555-0100 101",
    ],
)
def test_two_numbers_are_never_glued_into_one(text: str) -> None:
    assert reason(UNITED_STATES, text) in {"not_a_phone", "unclear_phone"}


@pytest.mark.parametrize(
    "text",
    ["030 123456/7", "030 123456 / 654321", "030 123456 - 654321", "030 12345 030 67890", "030 123456;654321"],
)
def test_two_numbers_are_never_glued_where_numbers_have_no_fixed_length(text: str) -> None:
    assert isinstance(PhonePolicy("DE").normalize(text), Rejection)


@pytest.mark.parametrize("text", ["1-800-FLOWERS", "650555010O", "call 6505550100", "n/a", "6.50E+09", "²³⁴"])
def test_letters_are_never_read_as_digits(text: str) -> None:
    assert reason(UNITED_STATES, text) == "not_a_phone"


@pytest.mark.parametrize("text", ["650\x005550100", "650\t5550100", "650\u202e5550100", "6505550100\ud800"])
@pytest.mark.parametrize("format_", ["national", "as_is"])
def test_control_characters_never_part_a_number(text: str, format_: str) -> None:
    assert reason(PhonePolicy("US", format_, "off"), text) == "not_a_phone"


@pytest.mark.parametrize("text", ["1650555010.0", "6505550100.0", "-6505550100"])
def test_a_fraction_or_a_sign_is_no_digit_of_a_phone(text: str) -> None:
    assert reason(UNITED_STATES, text) == "not_a_phone"


@pytest.mark.parametrize("text", ["45 12 34 56 78", "65 6123 4567"])
def test_a_foreign_number_without_its_plus_is_not_read_as_one_of_ten_digits(text: str) -> None:
    assert reason(UNITED_STATES, text) == "unclear_phone"


@pytest.mark.parametrize("text", ["+44 20 7946 0958", "011 44 20 7946 0958"])
def test_a_foreign_number_is_rejected_not_cut(text: str) -> None:
    assert reason(UNITED_STATES, text) == "foreign_number"


def test_a_foreign_number_is_rejected_without_validation_too() -> None:
    assert reason(PhonePolicy("US", "national", "off"), "+44 20 7946 0958") == "foreign_number"


def test_seven_digits_are_not_possible() -> None:
    assert reason(UNITED_STATES, "555-0100") == "impossible_phone"


@pytest.mark.parametrize("format_", ["national", "e164"])
def test_seven_digits_are_not_possible_without_validation_either(format_: str) -> None:
    assert reason(PhonePolicy("US", format_, "off"), "555-0100") == "impossible_phone"


def test_a_number_no_subscriber_can_have_is_possible() -> None:
    assert dialed(UNITED_STATES, "(555) 055-0100") == "5550550100"


def test_a_number_no_subscriber_can_have_is_not_valid() -> None:
    assert reason(PhonePolicy("US", "national", "valid"), "(555) 055-0100") == "invalid_phone"


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_a_blank_text_is_a_missing_phone(text: str) -> None:
    assert reason(UNITED_STATES, text) == "missing_phone"


@pytest.mark.parametrize(
    ("region", "text", "expected"),
    [
        ("GB", "+44 (0)20 7946 0958", "02079460958"),
        ("DE", "030/123456-78", "03012345678"),
        ("DE", "0170/1234567", "01701234567"),
        ("FR", "+33 6 12 34 56 78", "0612345678"),
        ("IT", "06 6982 0001", "0669820001"),
        ("AR", "+54 9 11 2345-6789", "0111523456789"),
        ("CA", "(416) 555-0100", "4165550100"),
    ],
)
def test_national_is_what_is_dialed_inside_the_country(region: str, text: str, expected: str) -> None:
    assert dialed(PhonePolicy(region), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(650) 555-0100", "+16505550100"), ("+44 (0)20 7946 0958", "+442079460958")],
)
def test_e164_takes_any_country(text: str, expected: str) -> None:
    assert PhonePolicy("US", "e164").normalize(text) == Phone(expected, expected)


def test_national_has_no_e164() -> None:
    assert UNITED_STATES.normalize("(650) 555-0100") == Phone(TEN_DIGITS, None)


@settings(max_examples=500)
@given(
    POLICIES, st.one_of(ANY_TEXT, st.sampled_from([TEN_DIGITS, "(650) 555-0100", "+49 30 123456", "650-555-0100 x7"]))
)
def test_e164_beside_the_format_is_that_of_the_same_number(policy: PhonePolicy, text: str) -> None:
    plain, beside = policy.normalize(text), replace(policy, with_e164=True).normalize(text)
    if isinstance(plain, Rejection):
        assert beside == plain
        return
    assert isinstance(beside, Phone)
    assert beside.dialed == plain.dialed
    e164 = replace(policy, format="e164").normalize(text)
    unchecked = policy.format == "as_is" and policy.validation == "off"
    assert beside.e164 == (e164.dialed if isinstance(e164, Phone) else None)
    assert beside.e164 is not None or unchecked


def test_as_is_keeps_the_text() -> None:
    assert dialed(PhonePolicy("US", "as_is"), " (650) 555-0100 x12 ") == "(650) 555-0100 x12"


def test_as_is_is_validated() -> None:
    assert reason(PhonePolicy("US", "as_is"), "555-0100") == "impossible_phone"


def test_as_is_without_validation_takes_anything() -> None:
    assert dialed(PhonePolicy("US", "as_is", "off"), "ask Bob") == "ask Bob"


def test_a_very_long_text_is_not_a_phone() -> None:
    assert reason(UNITED_STATES, "6 " * 1_000_000) == "not_a_phone"


def test_a_region_is_read_without_regard_to_case() -> None:
    policy = PhonePolicy.parse(region="gb", format_="national", validation="possible", multiple="first")
    assert policy.region == "GB"


@pytest.mark.parametrize(("region", "near"), [("UK", "GB"), ("USA", "US"), ("XGB", "GB")])
def test_an_unknown_region_names_the_near_one(region: str, near: str) -> None:
    with pytest.raises(ConfigError, match=rf"default_region: .*{near}"):
        PhonePolicy.parse(region=region, format_="national", validation="possible", multiple="first")


@settings(deadline=None)
@given(POLICIES, ANY_TEXT)
def test_no_text_makes_it_raise(policy: PhonePolicy, text: str) -> None:
    assert isinstance(policy.normalize(text), (Phone, Rejection))


@settings(deadline=None)
@given(POLICIES, ANY_TEXT)
def test_a_message_never_holds_the_number(policy: PhonePolicy, text: str) -> None:
    result = policy.normalize(text)
    assert not isinstance(result, Rejection) or not re.search(r"\d{3,}", result.message.replace("e164", ""))


@settings(deadline=None)
@given(
    st.sampled_from(["US", "CA", "BS", "GB", "DE", "FR", "IT", "SG"]),
    st.sampled_from(["valid", "possible", "off"]),
    st.one_of(REASONABLE_TEXT, st.from_regex(r"\+?[0-9]{1,3}[ -]?\(?[0-9]{2,4}\)?[ -/][0-9]{3,8}", fullmatch=True)),
)
def test_a_national_number_ends_in_the_digits_of_the_text(region: str, validation: str, text: str) -> None:
    phone = PhonePolicy(region, "national", validation).normalize(text)
    if isinstance(phone, Phone):
        written = re.sub(r"\D", "", re.split(r"[x#;,]", text)[0]).lstrip("0")
        assert written.endswith(phone.dialed.lstrip("0")) or phone.dialed.lstrip("0").endswith(written)


# The fast path and the library's own

NANP_REGIONS = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])
WRITTEN = st.from_regex(r"(\+?1[ .-]?)?(\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-]?)[0-9]{3}[ .-]?[0-9]{4}", fullmatch=True)
AREA_CODES = ("201", "264", "416", "472", "505", "523", "650", "730", "787", "800", "900", "911", "983", "555", "710")
SEPARATORS = st.sampled_from(["", " ", "-", ".", ") ", ")", " - ", "/", "\u00a0", "\t"])


@st.composite
def realistic(draw: st.DrawFn) -> str:
    """Numbers much as people write them, some of them wrongly."""
    start = draw(st.sampled_from(["", "+1", "1", "+1 ", "1-", "(", "+1 (", "011 1 ", " ", "tel:+1", "+44 ", "0"]))
    area = draw(st.one_of(st.sampled_from(AREA_CODES), st.from_regex(r"[0-9]{3}", fullmatch=True)))
    exchange = draw(st.from_regex(r"[0-9]{2,4}|555|911|[2-9]11", fullmatch=True))
    line = draw(st.from_regex(r"[0-9]{4}|[0-9]{3,5}", fullmatch=True))
    end = draw(st.sampled_from(["", "", "", " ", "x12", "\n", "\u0665"]))
    return f"{start}{area}{draw(SEPARATORS)}{exchange}{draw(SEPARATORS)}{line}{end}"


def in_full(policy: PhonePolicy, text: str) -> Phone | Rejection:
    """A number, read without the fast path."""
    slow = PhonePolicy(policy.region, policy.format, policy.validation)
    vars(slow)["plain"] = lambda _text: None
    return slow.normalize(text)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(NANP_REGIONS), st.sampled_from(["national", "e164"]), WRITTEN)
def test_the_fast_path_reads_a_number_as_the_library_does(region: str, format_: str, text: str) -> None:
    number = phonenumbers.parse(text, region)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert phonenumbers.is_possible_number(number)
    assert dialed(PhonePolicy(region, format_), text) == (e164 if format_ == "e164" else e164.removeprefix("+1"))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["US", "CA", "BS"]), WRITTEN)
def test_the_fast_path_calls_valid_what_the_library_does(region: str, text: str) -> None:
    valid = phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    assert isinstance(PhonePolicy(region, "national", "valid").normalize(text), Phone) == valid


@settings(deadline=None, max_examples=500)
@given(
    st.builds(
        PhonePolicy,
        st.sampled_from(["US", "CA", "GB"]),
        st.sampled_from(["national", "e164", "as_is"]),
        st.sampled_from(["valid", "possible", "off"]),
    ),
    st.one_of(realistic(), WRITTEN, ANY_TEXT),
)
def test_the_fast_and_the_plain_path_give_the_same_number(policy: PhonePolicy, text: str) -> None:
    assert policy.normalize(text) == in_full(policy, text)


COMMONEST = ("6505550100", "+16505550100", "650-555-0100", "(650) 555-0100")
ODD_SIGNS = "012 ()-.+x\u00b2\u0665"


def one_sign_off(text: str) -> set[str]:
    """The text with a sign more, less or other, or with two signs swapped."""
    parted = [(text[:at], text[at:]) for at in range(len(text) + 1)]
    return {
        *(left + sign + right for left, right in parted for sign in ODD_SIGNS),
        *(left + right[1:] for left, right in parted),
        *(left + sign + right[1:] for left, right in parted for sign in ODD_SIGNS),
        *(
            text[:at] + text[to] + text[at + 1 : to] + text[at] + text[to + 1 :]
            for to in range(len(text))
            for at in range(to)
        ),
    }


@pytest.mark.parametrize("text", [*COMMONEST, "(6505) 55-0100", "6505-55-0100", "650-5550-100"])
def test_what_is_matched_two_signs_off_the_commonest_writings_is_what_the_library_reads(text: str) -> None:
    for written in {again for once in one_sign_off(text) for again in one_sign_off(once)}:
        digits = _ten_digits(written)
        assert digits is None or in_full(UNITED_STATES, written) == Phone(digits), written


@pytest.mark.parametrize("text", COMMONEST)
def test_the_commonest_writings_are_read(text: str) -> None:
    assert _ten_digits(text) == TEN_DIGITS


def test_valid_lines_of_every_area_code_are_those_of_the_library() -> None:
    for policy in (PhonePolicy("US", "national", "valid"), PhonePolicy("CA", "national", "valid")):
        for area in range(200, 1000):
            for text in (f"{area}5550100", f"{area}2345678", f"{area}1345678", f"{area}9110100"):
                assert policy.normalize(text) == in_full(policy, text)


@settings(deadline=None)
@given(
    st.sampled_from(["US", "GB", "DE", "FR", "IT", "ES", "BR", "JP", "IN", "AU"]),
    st.sampled_from(["US", "GB", "DE", "FR", "IT", "ES", "BR", "JP", "IN", "AU"]),
)
def test_the_example_number_of_a_country_is_dialed_there_and_nowhere_else(home: str, country: str) -> None:
    number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    assert number is not None
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert isinstance(PhonePolicy(home, "national", "valid").normalize(text), Phone) == (home == country)
