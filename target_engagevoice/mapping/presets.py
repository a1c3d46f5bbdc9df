"""The presets, as data: the sources of a lead field that the user did not map (contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from target_engagevoice.mapping.field_path import FieldPath
from target_engagevoice.model.lead import EXTERN_ID, LEAD_FIELDS, LEAD_PHONE, FieldType
from target_engagevoice.model.values import Unfit, key_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DELETED_MARKERS = ("IsDeleted", "_sdc_deleted_at", "archived")
"""Fields that each mark a row as deleted, with any preset (contract, section 4)."""

FLATTENED = "__"
"""The SDK's default separator between the parts of a flattened name."""


@dataclass(frozen=True)
class JoinedKey:
    r"""An `externId` of several key properties, joined by `|`; a `|` in a part is `\|`, a backslash `\\`.

    Attributes:
        parts: The key properties, in the tap's order.
    """

    parts: tuple[str, ...]

    def read(self, record: Mapping[str, Any]) -> str | Unfit | None:
        """The joined key, None when every part is empty, or why a part does not fit."""
        texts = []
        for part in self.parts:
            written = key_text(record.get(part))
            if isinstance(written, Unfit):
                return written
            texts.append((written or "").replace("\\", "\\\\").replace("|", "\\|"))
        return "|".join(texts) if any(texts) else None


PresetSource: TypeAlias = "FieldPath | JoinedKey"


def _named(*names: str) -> tuple[FieldPath, ...]:
    return tuple(FieldPath((name,)) for name in names)


def _inside(parent: str, name: str) -> tuple[FieldPath, ...]:
    """A field of an object, nested or flattened."""
    return (FieldPath((parent, name)), FieldPath((parent + FLATTENED + name,)))


def _salesforce_address(flat: str, inner: str) -> tuple[FieldPath, ...]:
    """`Street`, `MailingStreet` (Contact), then the compound objects with the same content."""
    return (
        *_named(flat, f"Mailing{flat}"),
        *_inside("Address", inner),
        *_inside("MailingAddress", inner),
    )


def _hubspot(*names: str) -> tuple[FieldPath, ...]:
    """HubSpot properties: under `properties`, flattened, or moved to the top level by the tap."""
    return tuple(path for name in names for path in (*_inside("properties", name), *_named(name)))


_SALESFORCE: Mapping[str, tuple[FieldPath, ...]] = MappingProxyType(
    {
        EXTERN_ID: _named("Id"),
        LEAD_PHONE: _named("MobilePhone", "Phone", "HomePhone"),
        "title": _named("Title", "Salutation"),
        "firstName": _named("FirstName"),
        "midName": _named("MiddleName"),
        "lastName": _named("LastName"),
        "suffix": _named("Suffix"),
        "address1": _salesforce_address("Street", "street"),
        "city": _salesforce_address("City", "city"),
        "state": _salesforce_address("State", "state"),
        "zip": _salesforce_address("PostalCode", "postalCode"),
        "email": _named("Email"),
    },
)

_HUBSPOT: Mapping[str, tuple[FieldPath, ...]] = MappingProxyType(
    {
        EXTERN_ID: (*_named("id"), *_hubspot("hs_object_id"), *_named("vid")),
        LEAD_PHONE: _hubspot("mobilephone", "phone"),
        "title": _hubspot("jobtitle", "salutation"),
        "firstName": _hubspot("firstname"),
        "lastName": _hubspot("lastname"),
        "address1": _hubspot("address"),
        "address2": _hubspot("address2"),
        "city": _hubspot("city"),
        "state": _hubspot("state"),
        "zip": _hubspot("zip"),
        "email": _hubspot("email"),
    },
)

_STATIC = MappingProxyType({"salesforce": _SALESFORCE, "hubspot": _HUBSPOT, "none": MappingProxyType({})})

_DO_NOT_CALL: Mapping[str, tuple[FieldPath, ...]] = MappingProxyType(
    {
        "auto": (),
        "salesforce": _named("DoNotCall"),
        "hubspot": _hubspot("do_not_call", "donotcall", "dnc"),
    },
)

SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        EXTERN_ID: ("externalid", "id", "uuid", "guid", "leadid", "contactid", "recordid"),
        LEAD_PHONE: (
            *("mobilephone", "mobile", "mobilenumber", "mobilephonenumber", "phonemobile"),
            *("cellphone", "cell", "cellnumber", "cellphonenumber", "phonecell"),
            *("phone", "phonenumber", "phoneno", "telephone", "telephonenumber", "tel", "primaryphone"),
            *("phoneprimary", "phone1", "contactphone", "contactnumber", "daytimephone", "dayphone"),
            *("homephone", "phonehome", "homephonenumber", "workphone", "phonework", "businessphone"),
        ),
        "title": ("jobtitle", "salutation", "nametitle", "nameprefix", "honorific"),
        "firstName": ("fname", "givenname", "forename", "namefirst", "first", "contactfirstname"),
        "midName": ("middlename", "mname", "middleinitial", "namemiddle", "middle"),
        "lastName": ("lname", "surname", "familyname", "namelast", "last", "contactlastname"),
        "suffix": ("namesuffix",),
        "address1": (
            *("addressline1", "addr1", "streetaddress", "streetaddress1", "street", "street1", "streetline1"),
            *("address", "addr", "mailingstreet", "mailingaddress", "mailingaddress1", "addressstreet"),
        ),
        "address2": ("addressline2", "addr2", "streetaddress2", "street2", "streetline2", "mailingaddress2"),
        "city": ("town", "locality", "mailingcity", "addresscity"),
        "state": (
            "province",
            "stateprovince",
            "statecode",
            "stateorprovince",
            "mailingstate",
            "addressstate",
        ),
        "zip": (
            *("zipcode", "zip5", "postalcode", "postcode", "zippostalcode", "postalzip", "mailingpostalcode"),
            *("mailingzip", "addresszip", "addresspostalcode"),
        ),
        "email": ("emailaddress", "emailaddr", "mail", "email1", "primaryemail", "contactemail", "workemail"),
    },
)
"""Folded field names that `auto` maps to a lead field besides the field's own name, best first."""

AUTO_DO_NOT_CALL = frozenset(
    {
        *("donotcall", "donotcallflag", "isdonotcall", "donotphone", "donotcontact", "donotcontactflag"),
        *("dnc", "dncflag", "isdnc", "ondnc", "ondnclist", "dnclist", "nocall", "nocalls"),
        *("phoneoptout", "calloptout", "optoutcalls", "optedoutofcalls", "hasoptedoutofcalls"),
    },
)
"""Folded field names that forbid the call when set. Every preset except `none` looks for them."""

_AUTO_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: (name.casefold(), *SYNONYMS.get(name, ()))
        for name, kind in LEAD_FIELDS.items()
        if kind is not FieldType.STRING_MAP
    },
)
_ADDRESS_OBJECTS = ("address", "mailingaddress")
_ADDRESS_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "address1": ("street", "street1", "line1", "address1"),
        "address2": ("street2", "line2", "address2"),
        "city": ("city",),
        "state": ("state", "stateCode"),
        "zip": ("postalCode", "zip", "postal_code"),
    },
)
_DELETED_FOLDED = frozenset({"isdeleted", "sdcdeletedat", "archived"})


def fold(name: str) -> str:
    """A field name in lower case, with letters and digits only, and without Salesforce's `__c`."""
    return "".join(filter(str.isalnum, name.removesuffix("__c").casefold()))


def sources(preset: str, names: Iterable[str], key_properties: Sequence[str]) -> dict[str, tuple[PresetSource, ...]]:
    """The sources of each lead field.

    Args:
        preset: One of `config.PRESETS`.
        names: The fields of the stream's records; only `auto` uses them.
        key_properties: The stream's key: `externId` of `auto`, and of the other presets where their own is empty.
    """
    key: tuple[PresetSource, ...] = ()
    if len(key_properties) == 1:
        key = _named(key_properties[0])
    elif key_properties:
        key = (JoinedKey(tuple(key_properties)),)
    if preset == "none":
        return {}
    fields: dict[str, tuple[PresetSource, ...]] = dict(_STATIC[preset] if preset in _STATIC else _auto(names))
    own = fields.get(EXTERN_ID, ())
    fields[EXTERN_ID] = key or own if preset == "auto" else (*own, *key)
    return {name: paths for name, paths in fields.items() if paths}


def do_not_call(preset: str, names: Iterable[str]) -> tuple[FieldPath, ...]:
    """The fields that forbid the call: the preset's own, and fields of the record with a well-known name."""
    if preset == "none":
        return ()
    known = _named(*(name for name in names if is_do_not_call(name)))
    return tuple(dict.fromkeys((*_DO_NOT_CALL[preset], *known)))


def deleted(names: Iterable[str]) -> tuple[FieldPath, ...]:
    """The fields that mark a row as deleted, in every spelling that the stream has."""
    return tuple(dict.fromkeys(_named(*DELETED_MARKERS, *(name for name in names if fold(name) in _DELETED_FOLDED))))


@lru_cache(maxsize=4096)
def is_do_not_call(name: str) -> bool:
    """Whether a field of this name is well known for forbidding the call."""
    return fold(name) in AUTO_DO_NOT_CALL


def _auto(names: Iterable[str]) -> dict[str, tuple[FieldPath, ...]]:
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(fold(name), []).append(name)
    fields = {}
    for field, known in _AUTO_NAMES.items():
        paths = [FieldPath((name,)) for synonym in known for name in folded.get(synonym, ())]
        paths += [
            path
            for address in _ADDRESS_OBJECTS
            for name in folded.get(address, ())
            for part in _ADDRESS_PARTS.get(field, ())
            for path in _inside(name, part)
        ]
        fields[field] = tuple(paths)
    return fields
