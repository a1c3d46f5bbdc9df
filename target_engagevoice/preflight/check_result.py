"""What a check of a configuration found."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_engagevoice.errors import EngageVoiceError
    from target_engagevoice.model.campaign import Campaign
    from target_engagevoice.preflight.lineage import Origin


@dataclass(frozen=True)
class Failure:
    """Why a run would not be accepted.

    Attributes:
        code: A stable name, see `errors`.
        message: What is wrong, with what, and what to do.
    """

    code: str
    message: str


@dataclass(frozen=True)
class CheckedStream:
    """What a run does with the records of a stream.

    Attributes:
        name: The stream's; a pattern of the mappings where no stream is known; None for every stream that none names.
        pattern: The mapping that takes it; None when none does.
        preset: The preset; None for a stream that is not loaded.
        campaign: Where its records go, as a sentence for the operator.
        origins: What feeds each lead field.
        forbidding: The fields that forbid the call.
    """

    name: str | None
    pattern: str | None
    preset: str | None
    campaign: str = ""
    origins: tuple[Origin, ...] = ()
    forbidding: tuple[str, ...] = ()


@dataclass
class CheckResult:
    """What a check found. Owned by the thread that checks.

    Attributes:
        base_url: As it is set; None when the sign-in there failed.
        account_id: The account's; None when the sign-in failed.
        campaigns: Those that the configuration names, to the places where it does.
        notes: What an operator may want to know; nothing is wrong.
    """

    base_url: str | None = None
    account_id: str | None = None
    campaigns: dict[Campaign, list[str]] = field(default_factory=dict)
    streams: list[CheckedStream] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether a run would be accepted."""
        return not self.failures

    def fail(self, error: EngageVoiceError) -> None:
        """Add a failure, once."""
        failure = Failure(error.code, str(error))
        if failure not in self.failures:
            self.failures.append(failure)

    @contextmanager
    def failures_of(self, *kinds: type[EngageVoiceError]) -> Iterator[None]:
        """Add the error that ends the block as a failure, if it is of these kinds."""
        try:
            yield
        except kinds as error:
            self.fail(error)

    def warn(self, message: str) -> None:
        """Add a warning, once."""
        if message not in self.warnings:
            self.warnings.append(message)
