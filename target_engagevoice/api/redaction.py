"""What of a server's answer may be kept outside the rejects: its counts, and its codes where they are codes for sure.

A message may quote a lead. So it is kept only when it is written as codes are, in words that codes are made of.
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
"""What an answer may count (reference, sections 4 and 5)."""

REJECTED_ROWS = "rejectedRows"

_WORDS = ("processingStatus", "errorCode", "message", "generalMessage", "errorMessage")
"""Where an answer says what it thinks (reference, sections 4 and 5)."""

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
"""What codes are made of. A word that is not among them may be somebody's name."""

_PLAIN_WORDS = frozenset(PLAIN_WORDS.split())

_LONGEST_BODY = 1 << 20


def journal_fields(body: bytes) -> dict[str, Any]:
    """What may be kept: `counts`, `code`, `message` of an `Exchange`; only those that there are.

    Args:
        body: The answer, whole.
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
    words = [word for name in _WORDS if (word := fields.get(name)) and word != _ROUTINE]
    codes = [word for word in words if isinstance(word, str) and is_code(word)]
    if codes:
        kept["code"] = " ".join(dict.fromkeys(codes))
    if len(codes) < len(words):
        kept["message"] = "text"
    return kept


def is_code(word: str) -> bool:
    """Whether it is a code of the server's for sure, and not a text that may quote somebody."""
    return bool(_CODE.fullmatch(word)) and _PLAIN_WORDS.issuperset(re.split(r"[._]", word.lower()))


def _counts(fields: Mapping[str, Any]) -> dict[str, int]:
    counts = {name: fields[name] for name in COUNTS if type(fields.get(name)) is int and fields[name]}
    rows = fields.get(REJECTED_ROWS)
    return {**counts, REJECTED_ROWS: len(rows)} if isinstance(rows, list) and rows else counts
