"""What the request journal may keep of a server's answer: its counts, and its codes where they certainly are codes.

A message may quote a lead. So it is kept only when it has the form of a code and consists of words that codes use.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTS = (
    "leadsSupplied",
    "leadsConverted",
    "leadsAccepted",
    "leadsInserted",
    "internalDncCount",
    "dncUploadCount",
    "dncReturnedCount",
    "whitelistCount",
    "deletedCount",
    "quotaCount",
    "failedAgentAssignment",
    "leadUpdateCount",
    "leadDeleteCount",
)
"""The counts of an answer (reference, sections 4 and 5)."""

REJECTED_ROWS = "rejectedRows"

_TEXTS = ("processingStatus", "errorCode", "message", "generalMessage", "errorMessage")
"""The fields of an answer that hold a code or a message (reference, sections 4 and 5)."""

_ROUTINE = "DEFAULT_NOT_A_FAILURE"

_CODE = re.compile(r"[a-z]+(?:[._][a-z]+){1,7}|[A-Z]+(?:_[A-Z]+){1,7}")
"""`missing.required.param`, `GENERAL_FAILURE`: several words, no figures, nothing else."""

PLAIN_WORDS = """
a access account action agent all already and argument auth authorization bad be body bulk busy campaign can cannot
code conflict content could count country create custom data database date day days deadlock delete deleted denied
description dial direct disabled dnc does duplicate duplicated duplicates empty error exceed exceeded exception exist
exists expired extended extern failed failure field file forbidden format found general greater group handling header
host id import in inactive incorrect insert insufficient integrity internal invalid is json key large lead leads
length limit list listed load loaded loader locked long lookup malformed many mapping max maximum media message method
minimum missing mode must name no not null number of on one only operation option or out over param parameter parse
passed path permission permissions phone phones platform post priority processing property query queue quota rate read
refused region rejected request required resource resources response row rows schedule search server service session
settings short size state status store supplied supported suspended system temporary the throttled time timeout
timezone to token too type unauthorized unavailable unexpected unknown unprocessable unsupported update upload uploads
user validation value values version violation write wrong zone
"""
"""The words that codes use. Another word may be a person's name."""

_PLAIN_WORDS = frozenset(PLAIN_WORDS.split())

_LONGEST_BODY = 1 << 20


def journal_fields(body: bytes) -> dict[str, Any]:
    """What may be kept: `counts`, `code` and `message` of an `Exchange`, those that the answer has.

    Args:
        body: The complete answer.
    """
    if not body or len(body) > _LONGEST_BODY:
        return {}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {"message": "text"}
    if not isinstance(fields, dict):
        return {}
    kept: dict[str, Any] = {}
    counts = _counts(fields)
    if counts:
        kept["counts"] = counts
    texts = [text for name in _TEXTS if (text := fields.get(name)) and text != _ROUTINE]
    codes = [text for text in texts if isinstance(text, str) and is_code(text)]
    if codes:
        kept["code"] = " ".join(dict.fromkeys(codes))
    if len(codes) < len(texts):
        kept["message"] = "text"
    return kept


def is_code(text: str) -> bool:
    """Whether a text certainly is a code of the server, and does not quote a lead."""
    return bool(_CODE.fullmatch(text)) and _PLAIN_WORDS.issuperset(re.split(r"[._]", text.lower()))


def _counts(fields: Mapping[str, Any]) -> dict[str, int]:
    counts = {name: fields[name] for name in COUNTS if type(fields.get(name)) is int and fields[name]}
    rows = fields.get(REJECTED_ROWS)
    return {**counts, REJECTED_ROWS: len(rows)} if isinstance(rows, list) and rows else counts
