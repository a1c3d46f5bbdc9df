"""Parses, validates and formats phone numbers. A text that is not certainly one number is rejected, never guessed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat, ValidationResult

from target_engagevoice.errors import ConfigError
from target_engagevoice.model.lead import Rejection, Stage
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NANP = 1
"""Country calling code of the United States, Canada and their neighbors: always ten digits."""

LONGEST_TEXT = 100
"""A longer text is not a phone number, whatever it holds."""

_NO_ISO_CODE = MappingProxyType({"UK": "GB", "EN": "GB", "USA": "US"})

_SHAPE = re.compile(
    r"""
    (?:tel:[ ]*)?
    (?P<number>
        \(? \+? [ ]* \(? \d       # a minus before the first digit is a sign: no phone
        [\d ./()-]*
    )
    (?: [ ;,]* (?: ext(?:n|ension)?[.:=]? | x[.:]? | \# ) [ ]* \d{1,6} )?
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]")
_DECIMAL_FRACTION = re.compile(r"\+?\d{7,}\.\d{0,2}", re.ASCII)

_NANP_PLAIN = re.compile(r"(?:\+?1[ .-]?)?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)[ .-]?)(\d{3})[ .-]?(\d{4})", re.ASCII)
"""The usual ways to write a number of the United States, and most of what sources hold.

A match costs 0.6 µs a number, the library 40 µs (`taskset -c 1 python benchmarks/steps.py`, phones; November 2026).
"""

_NANP_GROUPS = frozenset({3, 6, 8})
"""After how many of ten digits a separator may come: 650 555 01 00. Other groups are no number of these countries."""

_TWO_NUMBERS = 7
"""A subscriber's number has at least so many digits. Digits behind a slash after it are a second number."""

_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202d\u2060\u2066\u2067\u2068\u2069\ufeff")
_SAME_AS = MappingProxyType({"＋": "+", "（": "(", "）": ")", "．": ".", "／": "/", "−": "-"})  # noqa: RUF001 - they look alike, hence this table

_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "missing_phone": "there is no phone number; map a field that has one to leadPhone.",
        "not_a_phone": "the text is not a phone number; only digits, a leading +, spaces, dots, dashes, "
        "slashes, parentheses and an extension are read; correct it.",
        "unclear_phone": "it is unclear which number is meant, or whether there is only one; "
        "write one number, with + and the country code.",
        "impossible_phone": "the number is too short or too long, or lacks its area code; correct it.",
        "invalid_phone": "no subscriber can have this number; correct it, or set phone_validation to 'possible'.",
        "foreign_number": "the number belongs to another country than default_region; set phone_format to "
        "'e164' to load it.",
    },
)
_REJECTIONS = {reason: Rejection(Stage.PHONE, reason, message) for reason, message in _MESSAGES.items()}

MISSING_PHONE = _REJECTIONS["missing_phone"]


class Phone(msgspec.Struct, frozen=True, gc=False):
    """A phone number of a lead.

    Attributes:
        dialed: As `leadPhone` takes it, in the format of the policy.
        e164: `+`, country code, number; None unless the policy asks for it.
    """

    dialed: str
    e164: str | None = None


@dataclass(frozen=True)
class PhonePolicy:
    """How phone numbers are read and written (contract, section 3).

    Attributes:
        region: Of numbers without a country code; ISO 3166, two letters.
        format: `national`, `e164` or `as_is`.
        validation: `valid`, `possible` or `off`.
        multiple: `first` or `all`: what becomes of several numbers of one lead.
        with_e164: Whether the number is given in E.164 beside the format's own; format `e164` does so anyway.
    """

    region: str = "US"
    format: str = "national"
    validation: str = "possible"
    multiple: str = "first"
    with_e164: bool = False

    @classmethod
    def parse(cls, *, region: str, format_: str, validation: str, multiple: str) -> PhonePolicy:
        """Read the settings `default_region`, `phone_format`, `phone_validation` and `multiple_phones`.

        Raises:
            ConfigError: The region is not one that has phone numbers.
        """
        code = region.strip().upper()
        if code not in phonenumbers.SUPPORTED_REGIONS:
            near = f"did you mean {_NO_ISO_CODE[code]!r}?" if code in _NO_ISO_CODE else None
            msg = (
                f"default_region: {region!r} is not a region of ISO 3166 (two letters); "
                f"{near or did_you_mean(code, phonenumbers.SUPPORTED_REGIONS)}"
            )
            raise ConfigError(msg)
        return cls(code, format_, validation, multiple)

    def normalize(self, text: str) -> Phone | Rejection:
        """One phone number out of free text.

        An extension (`x12`, `ext. 12`, `#12`) is dropped: the dialer does not use it, and its digits are not part
        of the number. `as_is` keeps the whole text, with the extension. Letters, several numbers, and groups of
        digits that fit no number of the region are rejected, so that they are not read as another person's number.

        Args:
            text: As the record has it.

        Returns:
            The number in the policy's format; or a rejection of stage `phone`: `missing_phone`,
            `not_a_phone`, `unclear_phone`, `impossible_phone`, `invalid_phone` or `foreign_number`.
        """
        plain = self.plain(text)
        if plain is not None:
            return plain
        text = text.strip()
        if not text:
            return MISSING_PHONE
        if _CONTROL.search(text):
            return _REJECTIONS["not_a_phone"]
        if self.format == "as_is" and self.validation == "off":
            return Phone(text, self._e164_of(text))
        number = self._number(text)
        if isinstance(number, Rejection):
            return number
        reason = self._flaw(number)
        return _REJECTIONS[reason] if reason else self._written(text, number)

    @cached_property
    def plain(self) -> Callable[[str], Phone | None]:
        """Reads a number of ten digits in one of the usual writings; None for any other text, which may be a number.

        All such numbers are possible. Whether they are valid is checked where the policy asks for it.
        """
        dialed_of = self.dialed
        is_e164, with_e164 = self.format == "e164", self.with_e164

        def read(text: str) -> Phone | None:
            dialed = dialed_of(text)
            if dialed is None or is_e164:
                return None if dialed is None else Phone(dialed, dialed)
            return Phone(dialed, f"+{NANP}{_ten_digits(text)}" if with_e164 else None)

        return read

    @cached_property
    def dialed(self) -> Callable[[str], str | None]:
        """As `plain`, but returns only `Phone.dialed`, which is all that most leads need."""
        if self._home != NANP:
            return _no_phone
        ten_digits = _valid_digits if self.validation == "valid" else _ten_digits
        if self.format == "national":
            return ten_digits
        if self.format == "as_is":
            return lambda text: text if ten_digits(text) else None
        return lambda text: f"+1{digits}" if (digits := ten_digits(text)) else None

    @cached_property
    def _home(self) -> int:
        return int(phonenumbers.country_code_for_region(self.region))

    def _number(self, text: str) -> PhoneNumber | Rejection:
        """The number as the library parses it, or the rejection of a text that is not certainly one number."""
        text = text if text.isascii() else _ascii(text)
        shape = _SHAPE.fullmatch(text) if len(text) <= LONGEST_TEXT else None
        if shape is None or _DECIMAL_FRACTION.fullmatch(text):
            return _REJECTIONS["not_a_phone"]
        try:
            number = phonenumbers.parse(shape["number"], self.region)
        except NumberParseException:
            return _REJECTIONS["not_a_phone"]
        if self._unclear(shape["number"], number):
            return _REJECTIONS["unclear_phone"]
        return number

    def _unclear(self, text: str, number: PhoneNumber) -> bool:
        """Whether the digits may be several numbers, or a number and something else."""
        if number.country_code == NANP:
            return not _nanp_groups(text, str(number.national_number))
        for boundary in re.finditer(r" ?/ ?| - |[ .()-]+(?=0)", text):
            left, right = text[: boundary.start()], text[boundary.end() :]
            enough = 1 if "/" in boundary[0] else _TWO_NUMBERS - 1
            if len(re.sub(r"\D", "", right)) >= enough and self._subscribers_digits(left) >= _TWO_NUMBERS:
                return True
        return False

    def _subscribers_digits(self, text: str) -> int:
        """How many digits of the text are not country code or trunk prefix."""
        try:
            return len(str(phonenumbers.parse(text, self.region).national_number))
        except NumberParseException:
            return 0

    def _flaw(self, number: PhoneNumber) -> str | None:
        """The reason to reject a parsed number; None to load it."""
        possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        if not possible and (self.validation != "off" or number.country_code == NANP):
            return "impossible_phone"
        if self.validation == "valid" and not phonenumbers.is_valid_number(number):
            return "invalid_phone"
        if self.format == "national" and number.country_code != self._home:
            return "foreign_number"
        return None

    def _written(self, text: str, number: PhoneNumber) -> Phone:
        if self.format == "e164":
            e164 = str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
            return Phone(e164, e164)
        beside = str(phonenumbers.format_number(number, PhoneNumberFormat.E164)) if self.with_e164 else None
        if self.format == "as_is":
            return Phone(text, beside)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        return Phone(re.sub(r"\D", "", national), beside)

    def _e164_of(self, text: str) -> str | None:
        """The E.164 form of a text that is sent unchecked; None where the policy asks for none, or it has none."""
        number = self._number(text) if self.with_e164 else MISSING_PHONE
        if isinstance(number, Rejection) or self._flaw(number):
            return None
        return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _no_phone(_text: str) -> None:
    """For countries whose numbers have no fixed length: a pattern cannot recognize them."""


def _ten_digits(text: str) -> str | None:
    """The digits of a number in one of the usual writings; None for any other text."""
    found = _NANP_PLAIN.fullmatch(text)
    return None if found is None else "".join(found.groups(""))


def _valid_digits(text: str) -> str | None:
    digits = _ten_digits(text)
    return digits if digits is not None and _valid_lines()(digits) else None


@lru_cache
def _valid_lines() -> Callable[[str], re.Match[str] | None]:
    """Whether ten digits fit the library's own pattern for lines of the United States.

    The library tries the regions of a calling code in turn, the United States first, and calls a number valid that
    fits a pattern of its region. A number that does not fit here may still be valid: then the library decides.
    """
    metadata = PhoneMetadata.metadata_for_region(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[NANP][0])
    if metadata is None or metadata.leading_digits is not None or not (metadata.general_desc and metadata.fixed_line):
        return re.compile(r"(?!)").fullmatch
    every, lines = metadata.general_desc.national_number_pattern, metadata.fixed_line.national_number_pattern
    return re.compile(rf"(?=(?:{every})\Z)(?:{lines})", re.ASCII).fullmatch


def _nanp_groups(text: str, national: str) -> bool:
    """Whether every separator in a number of the ten-digit countries is between two groups of digits."""
    digits = 0
    ends = []
    for group in re.findall(r"\d+", text):
        digits += len(group)
        ends.append(digits)
    before = digits - len(national)
    return all(end <= before or end - before in _NANP_GROUPS for end in ends[:-1])


def _ascii(text: str) -> str:
    """The text with the digits, blanks, dashes and full-width signs of any script as ASCII, the rest unchanged."""
    return "".join(_ascii_of(character) for character in text if character not in _INVISIBLE)


def _ascii_of(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return {"Zs": " ", "Pd": "-"}.get(category) or _SAME_AS.get(character, character)
