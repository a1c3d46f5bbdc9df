"""Checks requests and answers against the facts of RingCentral's OpenAPI description.

`openapi-leads.json` holds the names, types and enums of the lead endpoints as of August 2026. Where the description is
known to be incomplete, the tables below name the difference and where it comes from ("reference" is the team's
ENGAGE_VOICE_API.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FACTS: Mapping[str, Any] = json.loads((Path(__file__).parent / "openapi-leads.json").read_text(encoding="utf-8"))
SCHEMAS: Mapping[str, Any] = FACTS["components"]["schemas"]

ADMIN = "/voice/api/v1/admin"
ACCOUNT = {"$ref": "#/components/schemas/Account"}
JSON = "application/json"

PATHS: Mapping[str, Any] = {
    **FACTS["paths"],
    # Described in the guides, absent from the description (reference, section 2).
    f"{ADMIN}/accounts": {
        "get": {"responses": {"200": {"content": {JSON: {"schema": {"type": "array", "items": ACCOUNT}}}}}}
    },
    f"{ADMIN}/accounts/{{accountId}}": {"get": {"responses": {"200": {"content": {JSON: {"schema": ACCOUNT}}}}}},
}

MORE_PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "LeadListProcessingResult": {"failedAgentAssignment": {"type": "integer"}},  # reference, section 4
    "RejectedRow": {"externId": {"type": "string"}, "lead": {"type": "object"}},  # reference, section 5
    "DialGroup": {"id": {"type": "integer"}, "description": {"type": "string"}},  # reference, section 3: in a campaign
    "CampaignLead": {"reserveAgent": {"type": "string"}},  # reference, section 4
    "CampaignLeadSearchCriteria": {"campaignId": {"type": "integer"}},  # reference, section 5
}

SEARCHED: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        **SCHEMAS["CampaignLead"]["properties"],
        **SCHEMAS["CampaignLeadSearchResultsView"]["properties"],
        **MORE_PROPERTIES["CampaignLead"],
    },
}
"""A row of the search: the view, and what a lead holds besides. The description says only that it is an object."""

MORE_VALUES: Mapping[tuple[str, str], frozenset[str]] = {
    ("LeadListProcessingResult", "timeZoneOption"): frozenset({"COUNTRY"}),  # a load may ask for it
}

MORE_PARAMETERS: Mapping[str, frozenset[str]] = {
    "/api/auth/token/refresh": frozenset({"rcTokenType"}),  # official clients send it (reference, section 5)
}

REQUIRED: Mapping[str, frozenset[str]] = {
    # Required since the guide of January 2026 (reference, section 5).
    "LeadListProcessingRequest": frozenset({"dialPriority", "duplicateHandling", "timeZoneOption", "uploadLeads"}),
}

NEVER_WRITTEN = frozenset(
    {"id", "leadId", "campaign", "campaignRedials", "name", "loadedDts", "stateDts", "personaMapping"}
)
"""Fields of a lead that are the server's own (reference, section 4), besides those that start with `lastPass`."""

NOT_FOR_LOADER = frozenset(
    [
        "fileType",
        "fileContainsHeaders",
        "pageNumber",
        "pageColumnMappings",
        "transactionId",
        "quoteChar",
        "extendedLeadDataMappings",
        "additionalPhoneMappings",
    ]
)
"""Fields of the request that are not for the direct loader (reference, section 4)."""

PROBLEM = frozenset({"errorCode", "generalMessage", "timestamp", "developerMessage", "details", "validationErrors"})
"""The fields of an error (reference, section 4, "Errors")."""

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?[+-]\d{4}")
"""A date as the API writes it. The description has an object of the server's date library instead."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True)
class Operation:
    """One operation of the description."""

    path: str
    facts: Mapping[str, Any]
    query: Mapping[str, Any] = field(default_factory=dict)


@cache
def find_operation(method: str, path: str) -> Operation | None:
    """The operation of a request, or None if the description has none.

    The paths of the 2020 document and of the legacy portals count as those of today (reference, section 1).
    """
    today = re.sub(r"^(/voice)?/api(/v1)?/admin\b", ADMIN, path)
    today = re.sub(r"^(/voice)?/api/v1/auth/login$", "/voice/api/v1/auth/login", today)
    today = re.sub(r"/loader/direct$", "/leadLoader/direct", today)
    exact_first = sorted(PATHS, key=lambda template: template.count("{"))
    for template in exact_first:
        pattern = re.sub(r"\\{.*?\\}", "[^/]+", re.escape(template))
        facts = PATHS[template].get(method.lower())
        if facts is not None and re.fullmatch(pattern, today):
            parameters = facts.get("parameters", ())
            return Operation(template, facts, {one["name"]: one for one in parameters if one["in"] == "query"})
    return None


def check_request(method: str, path: str, query: Mapping[str, str], body: Any) -> list[str]:
    """The deviations of a request from the description.

    Args:
        method: HTTP method.
        path: The path without the query string.
        query: The query parameters; for a sign-in also the form fields.
        body: The parsed JSON body, or None without one.

    Returns:
        One text for each deviation; none for an operation that the description does not have.
    """
    operation = find_operation(method, path)
    if operation is None:
        return []
    found = list(_check_query(operation, query))
    content = operation.facts.get("requestBody", {}).get("content", {})
    if JSON in content:
        name = _name(content[JSON]["schema"])
        if body is None:
            return [*found, f"{method} {operation.path}: a body is required"]
        check = _Check(answer=False, blanks=method in ("PATCH", "PUT"))
        check.value(body, content[JSON]["schema"], name, ("", ""))
        found += check.found
        found += _check_leads(name, body)
    return found


def check_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """The deviations of an answer from the description. Fields that are null count as missing.

    Args:
        method: The HTTP method of the request.
        path: Its path without the query string.
        status: The status of the answer.
        body: The parsed JSON body, its text where it is not JSON, or None without one.

    Returns:
        One text for each deviation; none for an operation that the description does not have.
    """
    operation = find_operation(method, path)
    if operation is None:
        return []
    if status >= 400:
        unknown = sorted(set(body) - PROBLEM) if isinstance(body, Mapping) and "errorCode" in body else []
        return [f"{status}: an error has no {name}" for name in unknown]
    responses = operation.facts["responses"]
    if str(int(status)) not in responses:
        return [f"{method} {operation.path}: {status} is not an answer of it"]
    content = responses[str(int(status))].get("content", {})
    if body is None or not content:
        return []
    check = _Check(answer=True, blanks=True)
    (media,) = content.values()
    if operation.path.endswith("/leadSearch"):
        if not isinstance(body, int):  # with count=true
            check.value(body, {"type": "array", "items": SEARCHED}, "leadSearch", ("", ""))
    elif "text/plain" not in content:
        check.value(body, media["schema"], _name(media["schema"]), ("", ""))
    return check.found


def _check_query(operation: Operation, query: Mapping[str, str]) -> list[str]:
    found = []
    allowed = {*operation.query, *MORE_PARAMETERS.get(operation.path, ())}
    for name, text in query.items():
        schema = operation.query.get(name, {}).get("schema", {})
        if name not in allowed:
            found.append(f"{operation.path}: there is no parameter {name}")
        if schema.get("type") == "integer" and not re.fullmatch(r"-?\d+", text):
            found.append(f"{operation.path}: {name} is not an integer")
        if schema.get("type") == "boolean" and text not in ("true", "false"):
            found.append(f"{operation.path}: {name} is not a boolean")
        if "enum" in schema and text not in schema["enum"]:
            found.append(f"{operation.path}: {text} is not a value of {name}")
    missing = [name for name, one in operation.query.items() if one.get("required") and name not in query]
    return found + [f"{operation.path}: {name} is required" for name in missing]


def _check_leads(schema: str, body: Any) -> list[str]:
    """What the reference says of the leads that are written, and the description does not."""
    if schema == "CampaignLead":
        return [f"CampaignLead: {name} is not written" for name in body if _is_servers(name)]
    if schema != "LeadListProcessingRequest":
        return []
    found = [
        f"LeadListProcessingRequest: {name} is not for the direct loader" for name in body if name in NOT_FOR_LOADER
    ]
    for lead in body.get("uploadLeads", ()):
        found += [f"CampaignLead: {name} is not written" for name in lead if _is_servers(name)]
        found += [f"CampaignLead: {name} is empty" for name, value in lead.items() if value in ("", {})]
        found += [f"CampaignLead: {name} is required" for name in ("externId",) if name not in lead]
    return found


def _is_servers(name: str) -> bool:
    return name in NEVER_WRITTEN or name.startswith("lastPass")


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", schema.get("type", ""))).rpartition("/")[2]


class _Check:
    """Collects the deviations of one value.

    Args:
        answer: Whether it is an answer, in which null counts as missing.
        blanks: Whether null is a value: it clears a field in a change.
    """

    def __init__(self, *, answer: bool, blanks: bool) -> None:
        self.found: list[str] = []
        self._answer = answer
        self._blanks = blanks

    def value(self, value: Any, schema: Mapping[str, Any], where: str, owner: tuple[str, str]) -> None:
        """Check a value; `owner` is the schema and the property that it belongs to."""
        if value is None:
            if not (self._answer or self._blanks):
                self.found.append(f"{where} is null")
            return
        name = _name(schema)
        if name == "DateTime" or schema.get("format") == "date-time":
            if not (isinstance(value, str) and DATE.fullmatch(value)):
                self.found.append(f"{where} is not a date")
            return
        if name.startswith("Collection"):
            schema = {"type": "array", "items": {"$ref": f"#/components/schemas/{name.removeprefix('Collection')}"}}
        elif "$ref" in schema:
            schema = SCHEMAS[name]
        expected = TYPES.get(schema.get("type", ""), (object,))
        if not isinstance(value, expected) or (
            isinstance(value, bool) and bool not in expected and object not in expected
        ):
            self.found.append(f"{where} is not of type {schema['type']}")
            return
        self._contents(value, schema, where, name, owner)

    def _contents(self, value: Any, schema: Mapping[str, Any], where: str, name: str, owner: tuple[str, str]) -> None:
        if "enum" in schema and value not in schema["enum"] and value not in MORE_VALUES.get(owner, ()):
            self.found.append(f"{where} has the value {value!r}")
        if isinstance(value, list):
            for item in value:
                self.value(item, schema.get("items", {}), f"{where}[]", owner)
        if isinstance(value, dict):
            self._object(value, schema, where, name)

    def _object(self, value: dict[str, Any], schema: Mapping[str, Any], where: str, name: str) -> None:
        properties = schema.get("properties")
        if properties is None:
            items = schema.get("additionalProperties", {})
            for each in value.values():
                self.value(each, items if isinstance(items, Mapping) else {}, f"{where}{{}}", ("", ""))
            return
        more = MORE_PROPERTIES.get(name, {})
        for key, each in value.items():
            facts = properties.get(key) or more.get(key)
            if facts is None:
                self.found.append(f"{where} has no property {key}")
            else:
                self.value(each, facts, f"{where}.{key}", (name, key))
        if not self._answer:
            missing = REQUIRED.get(name, frozenset()) - value.keys()
            self.found += [f"{where}.{key} is required" for key in sorted(missing)]
