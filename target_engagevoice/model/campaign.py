"""Campaigns, and how to find one by its id, name or path (reference, section 3)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

STRATEGIC = "STRATEGIC"
INTERNAL_SCRUBS = frozenset({"INTERNAL_ONLY", "INTERNAL_AND_NATIONAL", "CELLULAR_AND_INTERNAL"})
OTHER_SCRUBS = frozenset({"DO_NOT_SCRUB", "CELLULAR_ONLY"})
"""The values of `dncScrubOption`, with and without the account's own do-not-call list (reference, section 5)."""

INACTIVE, CALLBACKS_ONLY = 0, 2
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Campaign:
    """A campaign as this program needs it.

    Attributes:
        campaign_id: Digits, as text.
        active: The server's `isActive`: 0 no, 1 yes, 2 callbacks only.
        configuration: `SIMPLE` or `STRATEGIC`; the latter takes a single phone number (reference, section 4).
        starts: The server's `startDate`, in epoch seconds; None where the server does not give it.
        ends: The same for its `endDate`.
        schedule: The server's `monSched` to `sunSched`, unchanged, blank for a day without one; empty where the
            server gives none of them.
        dnc_scrub: The server's `dncScrubOption`; empty where it does not give it.
    """

    campaign_id: str
    name: str
    dial_group_id: str
    dial_group: str
    dial_mode: str = ""
    active: int = 1
    configuration: str = "SIMPLE"
    starts: float | None = None
    ends: float | None = None
    schedule: tuple[str, ...] = ()
    dnc_scrub: str = ""

    @property
    def path(self) -> str:
        """`Dial group/Campaign`, which also distinguishes campaigns of the same name."""
        return f"{self.dial_group}/{self.name}"

    @property
    def single_phone(self) -> bool:
        """Whether a lead may carry only one number."""
        return self.configuration == STRATEGIC

    @property
    def scrubs_internal(self) -> bool | None:
        """Whether loads are scrubbed against the account's do-not-call list; None where the server does not say."""
        return True if self.dnc_scrub in INTERNAL_SCRUBS else False if self.dnc_scrub in OTHER_SCRUBS else None

    def warnings(self, now: float) -> list[str]:
        """Why the campaign will not dial leads that are loaded into it. Loading still succeeds (reference, section 3).

        Args:
            now: Epoch seconds.
        """
        what = f"Campaign {self.path} ({self.campaign_id})"
        loadable = "leads can be loaded into it but will not be dialed"
        warnings = []
        if self.active == INACTIVE:
            warnings.append(f"{what} is inactive: {loadable}.")
        if self.active == CALLBACKS_ONLY:
            warnings.append(f"{what} makes callbacks only: {loadable}, except those with a callback.")
        if self.ends is not None and self.ends < now:
            warnings.append(
                f"{what} ended on {_date(self.ends)}: {loadable}. Give it a later end, or load into another."
            )
        if self.starts is not None and self.starts > now:
            warnings.append(f"{what} starts on {_date(self.starts)}: leads wait until then.")
        if self.schedule and not any(self.schedule):
            warnings.append(f"{what} has no schedule on any day: {loadable}.")
        return warnings


@dataclass(frozen=True)
class NotFound:
    """Why a reference names no single campaign.

    Attributes:
        reason: `unknown_campaign` or `ambiguous_campaign`.
        message: What is wrong and what to type instead.
    """

    reason: str
    message: str


class Directory:
    """All campaigns that the user can see. It does not change after its construction, so any thread may read it.

    Attributes:
        phone_labels: The labels that `personaPhoneConfig` may give to phones in STRATEGIC campaigns; None when the run
            did not ask for them, or the server did not answer.
    """

    def __init__(self, campaigns: Iterable[Campaign], phone_labels: Iterable[str] | None = None) -> None:
        self.campaigns = tuple(campaigns)
        self.phone_labels = None if phone_labels is None else tuple(phone_labels)
        self._by_id = {campaign.campaign_id: campaign for campaign in self.campaigns}
        self._by_name: dict[str, list[Campaign]] = defaultdict(list)
        for campaign in self.campaigns:
            self._by_name[campaign.name].append(campaign)
            self._by_name[campaign.path].append(campaign)

    def by_id(self, campaign_id: str) -> Campaign | None:
        """The campaign of an id; None for one that the user cannot see."""
        return self._by_id.get(campaign_id)

    def find(self, reference: str) -> Campaign | NotFound:
        """The campaign of an id, an exact name, or `Dial group/Campaign`."""
        reference = reference.strip()
        if reference in self._by_id:
            return self._by_id[reference]
        named = self._by_name.get(reference, [])
        if len(named) == 1:
            return named[0]
        if named:
            near = ", ".join(f"{campaign.campaign_id} ({campaign.path})" for campaign in named)
            return NotFound(
                "ambiguous_campaign",
                f"several campaigns are called {reference!r}; write the id or the path of one: {near}.",
            )
        return NotFound(
            "unknown_campaign",
            f"no campaign {reference!r} is visible to the user; {did_you_mean(reference, self._names())}",
        )

    def _names(self) -> list[str]:
        return [*self._by_name, *self._by_id] if self.campaigns else ["(none: the user sees no campaign)"]


def _date(epoch: float) -> str:
    return f"{datetime.fromtimestamp(epoch, tz=timezone.utc):%Y-%m-%d}"
