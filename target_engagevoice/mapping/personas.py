"""Checks what STRATEGIC campaigns take: one `leadPhone`, and other phones under the account's labels.

The source is the reference, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.plan import sources
from target_engagevoice.mapping.router import Router
from target_engagevoice.mapping.stream_fields import StreamFields
from target_engagevoice.model.lead import LEAD_PHONE, PERSONA_PHONES, Rejection, Stage
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from target_engagevoice.mapping.config import StreamMapping
    from target_engagevoice.mapping.stream_rules import StreamRules
    from target_engagevoice.model.campaign import Campaign, Directory


@dataclass(frozen=True)
class Personas:
    """Whether the leads of a mapping fit STRATEGIC campaigns.

    Attributes:
        misfit: The rejection of records whose own value chooses such a campaign; None when the leads fit. Campaigns
            that the configuration names were checked before.
        warnings: What the user should look at before the first record is sent.
    """

    misfit: Rejection | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def compile(
        cls, mapping: StreamMapping, router: Router, phones: int, multiple: str, directory: Directory
    ) -> Personas:
        """Check the mapping of a stream, together with its schema and its preset.

        Args:
            mapping: What the user says of the stream.
            router: Where its records go.
            phones: How many sources feed `leadPhone`.
            multiple: The setting `multiple_phones`.
            directory: For the labels.

        Raises:
            ConfigError: The leads do not fit, and the configuration names a STRATEGIC campaign.
        """
        misfit = _checked(mapping, router, phones, multiple, directory)
        strategic = [campaign for campaign in router.named if campaign.single_phone]
        if strategic and not mapping.maps.get(PERSONA_PHONES):
            return cls(misfit, (_without_labels(mapping, strategic[0], directory),))
        return cls(misfit)


def phone_sources(stream: str, schema: Mapping[str, Any], key_properties: Sequence[str], mapping: StreamMapping) -> int:
    """How many sources of `leadPhone`, the user's or the preset's, may have a value in a stream."""
    fields = StreamFields.read(stream, schema)
    return sum(fields.feed([source]) for source in sources(mapping, fields.names, key_properties).get(LEAD_PHONE, ()))


def needs_labels(rules: StreamRules, campaigns: Directory) -> bool:
    """Whether a run needs the account's labels: a mapping uses some, or a STRATEGIC campaign is named."""
    if not any(campaign.single_phone for campaign in campaigns.campaigns):
        return False
    mappings = rules.mappings.by_pattern.values()
    if any(mapping.maps.get(PERSONA_PHONES) and not mapping.skip for mapping in mappings):
        return True
    references = [reference for _, reference in rules.mappings.campaign_references()]
    found = [campaigns.find(reference) for reference in (*references, rules.campaign) if reference]
    return any(getattr(campaign, "single_phone", False) for campaign in found)


def check_mappings(rules: StreamRules, directory: Directory) -> list[str]:
    """Check the mappings as far as possible before the schema of a stream is known.

    Returns:
        A warning when they use labels and the server did not list the account's.

    Raises:
        ConfigError: A STRATEGIC campaign would get a label that the account does not have, or several phones at once.
    """
    labeled = []
    for pattern, mapping in rules.mappings.by_pattern.items():
        if mapping.skip or (mapping.campaign is None and rules.campaign is None):
            continue
        router = Router.compile(stream=pattern, mapping=mapping, default_campaign=rules.campaign, directory=directory)
        phones = len(mapping.fields.get(LEAD_PHONE, ()))
        _checked(mapping, router, phones, rules.phones.multiple, directory)
        if mapping.maps.get(PERSONA_PHONES):
            labeled.append(f"mappings.{pattern}.fields.{PERSONA_PHONES}")
    if not labeled or directory.phone_labels is not None or not needs_labels(rules, directory):
        return []
    warning = (
        f"{', '.join(labeled)}: the server does not say which labels the account's phones have, so they cannot be "
        "checked; one that does not match exactly is ignored there, or its lead is not loaded."
    )
    return [warning]


def _checked(
    mapping: StreamMapping, router: Router, phones: int, multiple: str, directory: Directory
) -> Rejection | None:
    """The rejection for leads that do not fit STRATEGIC campaigns; None when they fit.

    Raises:
        ConfigError: They do not fit, and the configuration names such a campaign.
    """
    misfit = _misfit(mapping, phones, multiple, directory.phone_labels)
    if misfit is not None:
        for campaign in router.named:
            if campaign.single_phone:
                msg = f"{misfit.message} Campaign {campaign.path} ({campaign.campaign_id}) is STRATEGIC."
                raise ConfigError(msg)
    return misfit


def _misfit(mapping: StreamMapping, phones: int, multiple: str, known: tuple[str, ...] | None) -> Rejection | None:
    where = f"mappings.{mapping.pattern}.fields"
    if phones > 1 and multiple == "all":
        message = (
            f"{where}.{LEAD_PHONE}: a STRATEGIC campaign takes a single number here, and multiple_phones 'all' joins "
            f"those of {phones} fields; name one field, and give the others their labels in {where}.{PERSONA_PHONES}, "
            "or set multiple_phones to 'first'."
        )
        return Rejection(Stage.MAP, "several_phones", message)
    for label in mapping.maps.get(PERSONA_PHONES, {}):
        if known is not None and label not in known:
            hint = did_you_mean(label, known) if known else "it has none; make them in RingCentral."
            message = f"{where}.{PERSONA_PHONES}: {label!r} is no label of the account's phones; {hint}"
            return Rejection(Stage.MAP, "unknown_phone_label", message)
    return None


def _without_labels(mapping: StreamMapping, campaign: Campaign, directory: Directory) -> str:
    labels = ", ".join(repr(label) for label in directory.phone_labels or ())
    known = f"the account's labels are {labels}" if labels else "the labels are those of the account's phones"
    where = f"mappings.{mapping.pattern}.fields.{PERSONA_PHONES}"
    return (
        f"{where}: campaign {campaign.path} ({campaign.campaign_id}) is STRATEGIC, calls phones by their labels, and "
        f"gets none: the server may reject its leads. Name the field of each label there; {known}."
    )
