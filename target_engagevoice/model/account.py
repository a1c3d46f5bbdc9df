"""The account whose campaigns take the leads (reference, section 2, and section 5, "More facts")."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A sub-account, as the server lists it.

    Attributes:
        account_id: Its id.
        intl_outbound: Its `enableIntlOutbound`; None where the server does not say.
        phone_numbers_i18n: The `enablePhoneNumbersI18n` of its main account; None where the server does not say.
    """

    account_id: str
    intl_outbound: bool | None = None
    phone_numbers_i18n: bool | None = None

    @property
    def is_e164(self) -> bool | None:
        """Whether it is in E.164 mode; None where the server does not say, or says two things."""
        said = {self.intl_outbound, self.phone_numbers_i18n} - {None}
        return said.pop() if len(said) == 1 else None

    @property
    def said(self) -> str:
        """What the server says, such as `enableIntlOutbound is true`; empty for nothing."""
        flags = {"enableIntlOutbound": self.intl_outbound, "enablePhoneNumbersI18n": self.phone_numbers_i18n}
        return " and ".join(f"{name} is {str(value).lower()}" for name, value in flags.items() if value is not None)
