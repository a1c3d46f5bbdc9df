"""Reads the `mappings` setting into frozen values (contract, section 4).

`record_mapping` and `router` apply them to records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.mapping.field_path import Constant, FieldPath
from target_engagevoice.model import list_options as lists
from target_engagevoice.model.lead import LEAD_FIELDS, SERVER_FIELDS, FieldType
from target_engagevoice.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_engagevoice.mapping.field_path import Source, Sources

PRESETS = ("auto", "salesforce", "hubspot", "none")

COMMON_MISTAKES: Mapping[str, str] = MappingProxyType(
    {"middleName": "midName", "phone1": "leadPhone", "auxPhone1": "auxPhone", "passCount": "maxPasses"},
)
"""Wrong lead field names seen in other integrations, and the right ones (reference, section 4)."""

_MAPPING_KEYS = ("preset", "campaign", "fields", "do_not_call", "list", "skip")
_LIST_ENUMS = MappingProxyType(
    {
        "list_state": lists.LIST_STATES,
        "dial_priority": lists.DIAL_PRIORITIES,
        "duplicate_handling": lists.DUPLICATE_HANDLINGS,
        "time_zone_option": lists.TIME_ZONE_OPTIONS,
    },
)
_LIST_TYPES: Mapping[str, type] = MappingProxyType(
    {
        "description": str,
        "dnc_tags": list,
        "phone_numbers_i18n_enabled": bool,
        "international_number_format": bool,
        "number_origin_country": str,
    }
    | dict.fromkeys(_LIST_ENUMS, str),
)


@dataclass(frozen=True)
class CampaignByRecord:
    """A field of the record chooses the campaign.

    Attributes:
        source: The field.
        names: From the field's value to a campaign's id or name; None when the value is one itself.
        default: The campaign of records whose field is empty or not in `names`; None to reject them.
    """

    source: FieldPath
    names: Mapping[str, str] | None = None
    default: str | None = None


@dataclass(frozen=True)
class StreamMapping:
    """What `mappings` says of one stream or glob.

    Attributes:
        pattern: Its key in `mappings`.
        preset: What fills the fields not named here; one of `PRESETS`.
        campaign: An id or name, or the field that holds it; None for the setting `campaign`.
        fields: Lead field to its sources.
        maps: `extendedLeadData` and `personaPhoneConfig`: label to its sources.
        do_not_call: Fields that each forbid the call; None for the preset's.
        list_options: List options that differ from the settings for this stream.
        skip: Whether the target skips the stream.
    """

    pattern: str
    preset: str = "auto"
    campaign: str | CampaignByRecord | None = None
    fields: Mapping[str, Sources] = field(default_factory=dict)
    maps: Mapping[str, Mapping[str, Sources]] = field(default_factory=dict)
    do_not_call: tuple[FieldPath, ...] | None = None
    list_options: Mapping[str, Any] = field(default_factory=dict)
    skip: bool = False


@dataclass(frozen=True)
class Mappings:
    """The whole `mappings` setting."""

    by_pattern: Mapping[str, StreamMapping] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Mappings:
        """Read the setting.

        Raises:
            ConfigError: An unknown key, lead field, preset or enum value, or a value of the wrong kind.
        """
        return cls({name: _stream(name, value) for name, value in by_stream(raw).items()})

    def find(self, stream: str) -> StreamMapping | None:
        """The mapping of a stream: that of its exact name, else of the longest glob that matches, else None."""
        if stream in self.by_pattern:
            return self.by_pattern[stream]
        fitting = [pattern for pattern in self.by_pattern if fnmatchcase(stream, pattern)]
        return self.by_pattern[max(fitting, key=len)] if fitting else None

    def campaign_references(self) -> list[tuple[str, str]]:
        """Every campaign that the mappings name, each with its place in the configuration."""
        references = []
        for pattern, mapping in self.by_pattern.items():
            where = f"mappings.{pattern}.campaign"
            if isinstance(mapping.campaign, str):
                references.append((where, mapping.campaign))
            elif mapping.campaign is not None:
                references += [(f"{where}.map", name) for name in (mapping.campaign.names or {}).values()]
                references += [(f"{where}.default", mapping.campaign.default)] if mapping.campaign.default else []
        return references


def by_stream(raw: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The mappings as the user wrote them, by stream or glob.

    Meltano turns a key with dots, `public.leads`, into `public: {leads: …}`. This function joins it again.
    """
    flat: dict[str, Any] = {}
    for name, value in raw.items():
        nested = (
            isinstance(value, dict)
            and bool(value)
            and not any(key in _MAPPING_KEYS for key in value)
            and all(isinstance(inner, dict) for inner in value.values())
        )
        flat |= by_stream(value, f"{prefix}{name}.") if nested else {prefix + name: value}
    return flat


def _stream(pattern: str, raw: Any) -> StreamMapping:
    where = f"mappings.{pattern if pattern.isprintable() else ascii(pattern)}"
    raw = _object(where, raw)
    _known(where, raw, _MAPPING_KEYS, "a key of a mapping")
    preset = raw.get("preset", "auto")
    if preset not in PRESETS:
        msg = f"{where}.preset: {preset!r} is not a preset; {did_you_mean(str(preset), PRESETS)}"
        raise ConfigError(msg)
    skip = raw.get("skip", False)
    if not isinstance(skip, bool):
        msg = f"{where}.skip: must be true or false, not {skip!r}."
        raise ConfigError(msg)
    fields: dict[str, Sources] = {}
    maps: dict[str, Mapping[str, Sources]] = {}
    for name, source in _object(f"{where}.fields", raw.get("fields", {})).items():
        place = f"{where}.fields.{name}"
        if _lead_field(place, name) is FieldType.STRING_MAP:
            maps[name] = _labels(place, source)
        else:
            fields[name] = _sources(place, source)
    return StreamMapping(
        pattern=pattern,
        preset=preset,
        campaign=_campaign(f"{where}.campaign", raw.get("campaign")),
        fields=fields,
        maps=maps,
        do_not_call=_paths(f"{where}.do_not_call", raw.get("do_not_call")),
        list_options=_list_options(f"{where}.list", raw.get("list", {})),
        skip=skip,
    )


def _lead_field(where: str, name: str) -> FieldType:
    if name in LEAD_FIELDS:
        return LEAD_FIELDS[name]
    if name in SERVER_FIELDS or name.startswith("lastPass"):
        msg = f"{where}: {name!r} is the server's own field and cannot be written."
        raise ConfigError(msg)
    if name in COMMON_MISTAKES:
        msg = f"{where}: {name!r} is not a lead field; did you mean {COMMON_MISTAKES[name]!r}?"
        raise ConfigError(msg)
    msg = f"{where}: {name!r} is not a lead field; {did_you_mean(name, LEAD_FIELDS)}"
    raise ConfigError(msg)


def _labels(where: str, raw: Any, prefix: str = "") -> dict[str, Sources]:
    """From the labels of a map to their sources. A dotted label that Meltano nested is joined again."""
    labels: dict[str, Sources] = {}
    for label, source in _object(where, raw).items():
        if isinstance(source, dict) and source and not {"field", "value"} & set(source):
            labels |= _labels(f"{where}.{label}", source, f"{prefix}{label}.")
        else:
            labels[prefix + label] = _sources(f"{where}.{label}", source)
    return labels


def _sources(where: str, raw: Any) -> Sources:
    if isinstance(raw, list):
        if not raw:
            msg = f"{where}: the list of sources is empty; name a field, or leave the key out."
            raise ConfigError(msg)
        return tuple(_source(where, item) for item in raw)
    return (_source(where, raw),)


def _source(where: str, raw: Any) -> Source:
    if isinstance(raw, str) and raw.strip():
        return FieldPath.parse(raw)
    if isinstance(raw, dict):
        _known(where, raw, ("field", "value", "default"), "a key of a source")
        if set(raw) == {"value"}:
            return Constant(raw["value"])
        if "field" in raw and "value" not in raw and isinstance(raw["field"], str) and raw["field"].strip():
            return FieldPath.parse(raw["field"], raw.get("default"))
    msg = (
        f'{where}: a source is a field name, a list of them, {{"value": …}} or {{"field": …, "default": …}}, '
        f"not {raw!r}."
    )
    raise ConfigError(msg)


def _campaign(where: str, raw: Any) -> str | CampaignByRecord | None:
    if raw is None or (isinstance(raw, (str, int)) and not isinstance(raw, bool) and str(raw).strip()):
        return None if raw is None else str(raw).strip()
    if isinstance(raw, dict):
        _known(where, raw, ("field", "map", "default"), "a key of a campaign by record")
        default = _campaign(f"{where}.default", raw.get("default"))
        if isinstance(raw.get("field"), str) and raw["field"].strip() and not isinstance(default, CampaignByRecord):
            names = None
            if raw.get("map") is not None:
                names = _campaign_names(f"{where}.map", raw["map"])
            return CampaignByRecord(FieldPath.parse(raw["field"]), names, default)
    msg = f'{where}: must be an id, a name, "Dial group/Campaign", or {{"field", "map", "default"}}, not {raw!r}.'
    raise ConfigError(msg)


def _campaign_names(where: str, raw: Any, prefix: str = "") -> dict[str, str]:
    names: dict[str, str] = {}
    for value, reference in _object(where, raw).items():
        if isinstance(reference, dict):
            names |= _campaign_names(f"{where}.{value}", reference, f"{prefix}{value}.")
            continue
        campaign = _campaign(f"{where}.{value}", reference)
        if not isinstance(campaign, str):
            msg = f"{where}.{value}: must be a campaign's id or name."
            raise ConfigError(msg)
        names[prefix + value] = campaign
    return names


def _paths(where: str, raw: Any) -> tuple[FieldPath, ...] | None:
    if raw is None:
        return None
    names = [raw] if isinstance(raw, str) else raw
    if isinstance(names, list) and all(isinstance(name, str) and name.strip() for name in names):
        return tuple(FieldPath.parse(name) for name in names)
    msg = f"{where}: must be a list of field names, not {raw!r}."
    raise ConfigError(msg)


def _list_options(where: str, raw: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in _object(where, raw).items():
        _known(where, {name: value}, _LIST_TYPES, "a list option")
        if not isinstance(value, _LIST_TYPES[name]):
            msg = f"{where}.{name}: {value!r} is of the wrong kind; must be {_LIST_TYPES[name].__name__}."
            raise ConfigError(msg)
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            msg = f"{where}.{name}: must be a list of strings."
            raise ConfigError(msg)
        known = _LIST_ENUMS.get(name)
        if known and value not in known:
            msg = f"{where}.{name}: {value!r} is not one of its values; {did_you_mean(str(value), known)}"
            raise ConfigError(msg)
        if name == "description":
            lists.check_description(str(value), f"{where}.{name}")
        options[name] = tuple(value) if isinstance(value, list) else value
    return options


def _object(where: str, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        msg = f"{where}: must be an object, not {raw!r}."
        raise ConfigError(msg)
    return raw


def _known(where: str, raw: Mapping[str, Any], known: tuple[str, ...] | Mapping[str, Any], what: str) -> None:
    for name in raw:
        if name not in known:
            msg = f"{where}: {name!r} is not {what}; {did_you_mean(name, known)}"
            raise ConfigError(msg)
