"""Finds the campaign of a record (contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.config import CampaignByRecord
from target_engagevoice.model.campaign import Campaign, Directory, NotFound
from target_engagevoice.model.lead import Rejection, Stage
from target_engagevoice.model.values import code_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_engagevoice.mapping.config import StreamMapping
    from target_engagevoice.mapping.field_path import FieldPath

_MOST_VALUES = 10_000


@dataclass(frozen=True)
class Router:
    """The campaigns of one stream's records. Safe to use from one thread at a time.

    Attributes:
        where: The place in the configuration, for messages.
        default: The campaign of records that name none themselves; None to reject those.
        source: The field that holds the campaign; None when all records go to `default`.
    """

    where: str
    default: Campaign | None
    source: FieldPath | None
    _names: Mapping[str, Campaign] | None
    _directory: Directory
    _needs_scrub: bool = False
    _routes: dict[str, Campaign | Rejection] = field(default_factory=dict)

    @classmethod
    def compile(
        cls,
        *,
        stream: str,
        mapping: StreamMapping | None,
        default_campaign: str | None,
        directory: Directory,
        needs_scrub: bool = False,
    ) -> Router:
        """Prepare the routes of a stream.

        Args:
            stream: Its name, for messages.
            mapping: Its mapping; None when no mapping names it.
            default_campaign: The setting `campaign`.
            directory: The campaigns the user can see.
            needs_scrub: Whether a record may not choose a campaign that is not scrubbed against the account's
                do-not-call list. Campaigns that the configuration names are checked before.

        Raises:
            ConfigError: No campaign is given for the stream, or one that is given is unknown or ambiguous.
        """
        where = f"mappings.{mapping.pattern if mapping else stream}.campaign"
        campaign = mapping.campaign if mapping else None
        if isinstance(campaign, CampaignByRecord):
            names = campaign.names
            return cls(
                where=where,
                default=resolve_campaign(f"{where}.default", campaign.default, directory) if campaign.default else None,
                source=campaign.source,
                _names=None
                if names is None
                else {
                    value.strip(): resolve_campaign(f"{where}.map", name, directory) for value, name in names.items()
                },
                _directory=directory,
                _needs_scrub=needs_scrub,
            )
        if campaign is None and default_campaign is None:
            msg = (
                f"stream {stream!r} has no campaign to go to; set 'campaign', for every stream that names "
                f"none, or {where!r}."
            )
            raise ConfigError(msg)
        default = (
            resolve_campaign(where, campaign, directory)
            if campaign
            else resolve_campaign("campaign", default_campaign or "", directory)
        )
        return cls(where=where, default=default, source=None, _names=None, _directory=directory)

    @property
    def named(self) -> list[Campaign]:
        """The campaigns that the configuration names, without duplicates."""
        known = {campaign.campaign_id: campaign for campaign in (self._names or {}).values()}
        if self.default is not None:
            known.setdefault(self.default.campaign_id, self.default)
        return list(known.values())

    @property
    def only(self) -> Campaign | None:
        """The campaign of all records; None where each record names its own."""
        return self.default if self.source is None else None

    def route(self, record: Mapping[str, Any]) -> Campaign | Rejection:
        """The campaign of a record.

        The default is used for a field that is empty and for a value that names no campaign, but not for a value
        that names several.

        Returns:
            The campaign; or a rejection of stage `route` with the reason `no_campaign` (the field is empty),
            `unknown_campaign`, `ambiguous_campaign` or `dnc_list_unscrubbed`.
        """
        if self.source is None and self.default is not None:
            return self.default
        value = code_text(self.source.read(record)) if self.source else None
        if value is None:
            return self.default or self._rejection("no_campaign", "is empty", "fill it")
        # A number of a thousand digits has no text: it names no campaign.
        key = value.strip() if isinstance(value, str) else ""
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= _MOST_VALUES:
                self._routes.clear()
            route = self._routes[key] = self._resolve(key)
        return route

    def _resolve(self, key: str) -> Campaign | Rejection:
        if self._names is not None:
            known = self._names.get(key) or self.default
            return known or self._rejection("unknown_campaign", "is none of those in 'map'")
        named = self._directory.find(key)
        if isinstance(named, Campaign):
            return self._unscrubbed(named) if self._needs_scrub and not named.scrubs_internal else named
        if named.reason == "ambiguous_campaign":
            return self._rejection(named.reason, "is the name of several campaigns")
        return self.default or self._rejection(named.reason, "is not a campaign that the user can see")

    def _unscrubbed(self, campaign: Campaign) -> Rejection:
        message = (
            f"the record chooses campaign {campaign.path} ({campaign.campaign_id}), which is not scrubbed against the "
            "account's do-not-call list; choose another, or see dnc_list_unscrubbed."
        )
        return Rejection(Stage.ROUTE, "dnc_list_unscrubbed", message)

    def _rejection(self, reason: str, what: str, advice: str = "add it to the map") -> Rejection:
        message = f"the value of {str(self.source)!r} {what}; {advice}, or add a default, in {self.where}."
        return Rejection(Stage.ROUTE, reason, message)


def resolve_campaign(where: str, reference: str, directory: Directory) -> Campaign:
    """The campaign that a configuration names.

    Args:
        where: The place in the configuration, for the message.
        reference: An id, an exact name, or `Dial group/Campaign`.
        directory: The campaigns the user can see.

    Raises:
        ConfigError: It is unknown or ambiguous.
    """
    campaign = directory.find(reference)
    if isinstance(campaign, NotFound):
        msg = f"{where}: {campaign.message}"
        raise ConfigError(msg)
    return campaign
