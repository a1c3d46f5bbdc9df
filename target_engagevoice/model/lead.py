"""A lead, the outcome of a record, and the reason of a rejection.

Field names and types are those of `reference/ENGAGE_VOICE_API.md`, section 4, "Lead fields worth writing".
"""

from __future__ import annotations

import codecs
import enum
import hashlib
import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class FieldType(enum.Enum):
    """What the API takes in a lead field."""

    STRING = "string"
    INTEGER = "integer"
    STRING_MAP = "string map"


EXTERN_ID = "externId"
LEAD_PHONE = "leadPhone"
LEAD_PHONE_E164 = "leadPhoneE164"
PERSONA_PHONES = "personaPhoneConfig"
EXTENDED = "extendedLeadData"

EXTERN_ID_MAX = 180
"""Width of `externId` in the reporting warehouse (reference, section 4): a longer one could come back cut."""

LEAD_FIELDS: Mapping[str, FieldType] = MappingProxyType(
    {
        EXTERN_ID: FieldType.STRING,
        LEAD_PHONE: FieldType.STRING,
        LEAD_PHONE_E164: FieldType.STRING,
        "title": FieldType.STRING,
        "firstName": FieldType.STRING,
        "midName": FieldType.STRING,
        "lastName": FieldType.STRING,
        "suffix": FieldType.STRING,
        "address1": FieldType.STRING,
        "address2": FieldType.STRING,
        "city": FieldType.STRING,
        "state": FieldType.STRING,
        "zip": FieldType.STRING,
        "email": FieldType.STRING,
        "gateKeeper": FieldType.STRING,
        "auxData1": FieldType.STRING,
        "auxData2": FieldType.STRING,
        "auxData3": FieldType.STRING,
        "auxData4": FieldType.STRING,
        "auxData5": FieldType.STRING,
        "auxPhone": FieldType.STRING,
        "auxExternalUrl": FieldType.STRING,
        "auxGreeting": FieldType.STRING,
        "callerId": FieldType.STRING,
        "leadPriority": FieldType.INTEGER,
        "maxPasses": FieldType.INTEGER,
        "leadTimezone": FieldType.STRING,
        "liveAnswerMessage": FieldType.STRING,
        "machAnswerMessage": FieldType.STRING,
        "reserveAgent": FieldType.STRING,
        PERSONA_PHONES: FieldType.STRING_MAP,
        EXTENDED: FieldType.STRING_MAP,
    },
)

SERVER_FIELDS = frozenset(
    {"id", "leadId", "campaign", "campaignRedials", "name", "loadedDts", "stateDts", "personaMapping"},
)
"""The server's own fields, never to be written (reference, section 4); so are those that start with `lastPass`."""


class Outcome(enum.Enum):
    """The eight outcomes of a record (contract, section 5). Each record ends in exactly one."""

    LOADED = "loaded"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NOT_INSERTED = "not_inserted"
    REJECTED = "rejected"
    DO_NOT_CALL = "do_not_call"
    DELETED = "deleted"
    SKIPPED = "skipped"


class Stage(str, enum.Enum):
    """Where a record was rejected (contract, section 5)."""

    SCHEMA = "schema"
    ROUTE = "route"
    MAP = "map"
    PHONE = "phone"
    SERVER = "server"


@dataclass(frozen=True)
class Rejection:
    """Why a record did not become a lead in its campaign.

    Attributes:
        stage: Where it failed.
        reason: A short stable code, fit for counting.
        message: What is wrong, for a person; in the rejects file it may be the text of the server.
        extern_id: The lead's key, where it is known.
    """

    stage: Stage
    reason: str
    message: str
    extern_id: str | None = None


class Lead(msgspec.Struct, frozen=True, gc=False):
    """One lead as it is sent: only non-empty fields, each in the API's type, in the order of their names.

    It holds the JSON that is sent, not the fields it was made of, since tens of thousands may wait in buffers.

    Attributes:
        extern_id: The key of the lead at the source, by which it is found again; never empty.
        phone: Its `leadPhone`.
        body: The lead as JSON, UTF-8; a request body joins these, so its size is known before it is built.
        digest: SHA-256 of the content, the same for the same fields in any order; 64 hex digits.
    """

    extern_id: str
    phone: str | None
    body: bytes
    digest: str

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Lead:
        """The lead of these fields: lead field name to string, whole number or map of strings."""
        body = _encode(fields)
        return cls(fields[EXTERN_ID], fields.get(LEAD_PHONE), body, digest_of(body))

    @property
    def fields(self) -> dict[str, Any]:
        """Lead field name to value, decoded from the body."""
        fields: dict[str, Any] = msgspec.json.decode(self.body)
        return fields


_encode: Callable[[Mapping[str, Any]], bytes] = msgspec.json.Encoder(order="sorted").encode

_ESCAPED = "target-engagevoice-json"
"""Name of the codec error handler that writes characters outside ASCII as JSON escapes."""

_quoted = json.JSONEncoder().encode


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - used for encoding only
    return _quoted(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escape)


def digest_of(body: bytes) -> str:
    """SHA-256 of the body as `json.dumps(…, ensure_ascii=True, sort_keys=True)` writes it; ledgers hold this digest.

    The body differs from that in DEL and in characters outside ASCII, which occur only inside strings.
    """
    canonical = body if body.isascii() else body.decode().encode("ascii", _ESCAPED)
    return hashlib.sha256(canonical.replace(b"\x7f", rb"\u007f")).hexdigest()
