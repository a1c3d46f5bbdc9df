"""The criteria of searches and actions (reference, section 5): a table that turns them into SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import dates, phones
from target_engagevoice.sandbox.answers import Refusal, bad_request
from target_engagevoice.sandbox.personality import FIRST_ONLY

if TYPE_CHECKING:
    from target_engagevoice.sandbox.call import Call

SQLITE_LIMIT = 2**63
HOUR = 3600.0

Read = Callable[[Any], list[Any]]


@dataclass(frozen=True)
class Criterion:
    """One search criterion: how its value is read, and its SQL condition, in which `{}` stands for the values."""

    read: Read
    condition: str


def _ids(raw: Any) -> list[Any]:
    values = [int(value) for value in (raw if isinstance(raw, list) else [raw])]
    if any(abs(value) >= SQLITE_LIMIT for value in values):
        raise ValueError
    return values


def _texts(raw: Any) -> list[Any]:
    if not isinstance(raw, list) or not all(isinstance(value, str) for value in raw):
        raise TypeError
    for value in raw:
        value.encode()  # half of a surrogate pair is a ValueError here; SQLite would fail on it later
    return raw


def _text(raw: Any) -> list[Any]:
    return _texts([raw])


def _numbers(raw: Any) -> list[Any]:
    return [phones.key(value) for value in _texts(raw)]


def _date(raw: Any) -> list[Any]:
    return [dates.read(value) for value in _text(raw)]


DATES = ("loadedDtsStart", "loadedDtsEnd")

CRITERIA: Mapping[str, Criterion] = {
    "campaignIds": Criterion(_ids, "leads.campaign_id IN ({})"),
    "campaignId": Criterion(_ids, "leads.campaign_id IN ({})"),
    "listIds": Criterion(_ids, "leads.list_id IN ({})"),
    "leadIds": Criterion(_ids, "leads.lead_id IN ({})"),
    "externIds": Criterion(_texts, "leads.extern_id IN ({})"),
    "leadPhoneNumbers": Criterion(_numbers, "leads.lead_id IN (SELECT lead_id FROM phones WHERE phone IN ({}))"),
    "leadStates": Criterion(_texts, "leads.state IN ({})"),
    "loadedDtsStart": Criterion(_date, "leads.loaded >= {}"),
    "loadedDtsEnd": Criterion(_date, "leads.loaded <= {}"),
    **{
        name: Criterion(_text, f"json_extract(leads.fields, '$.{name}') = {{}}")
        for name in ("firstName", "lastName", "city", "state", "zip", "address1", "address2")
    },
}
"""The criteria that the sandbox knows. It ignores others, and criteria that are null or empty lists."""

SUPPRESSED = {
    "ALL": "1",
    "ONLY_SUPPRESSED": "leads.suppressed = 1",
    "ONLY_UNSUPPRESSED": "leads.suppressed = 0",
}


def conditions(call: Call, body: Any, *, fresh: bool) -> tuple[str, list[Any]]:
    """The `WHERE` of a search.

    Args:
        call: The call, for its account, time and configuration.
        body: The criteria as they were sent.
        fresh: Whether leads are included that the search does not find yet.

    Returns:
        The condition and its values.

    Raises:
        Refusal: A criterion is not valid: 400.
    """
    config, personality = call.state.config, call.state.config.personality
    where = ["leads.account_id = ?"]
    values: list[Any] = [call.account.account_id]
    if not fresh:
        where.append("coalesce(leads.arrived, leads.loaded) <= ?")
        values.append(call.now - config.search_delay_seconds)
    if not isinstance(body, Mapping):
        raise Refusal(bad_request("The search criteria are not an object", call.now))
    default = "ALL" if fresh else personality.suppressed_default
    suppressed = SUPPRESSED.get(str(body.get("suppressed") or default))
    if suppressed is None:
        raise _invalid("suppressed", call)
    where.append(suppressed)
    for name, criterion in CRITERIA.items():
        raw = body.get(name)
        if raw in (None, [], "") or not _is_heeded(name, call):
            continue
        try:
            chosen = _read(name, criterion, raw, call)
        except (TypeError, ValueError):
            raise _invalid(name, call) from None
        where.append(criterion.condition.format(", ".join("?" * len(chosen))))
        values += chosen
    return " AND ".join(where), values


def _is_heeded(name: str, call: Call) -> bool:
    personality = call.state.config.personality
    if name == "externIds":
        return personality.extern_ids_heeded
    if name == "leadIds":
        return personality.lead_ids_heeded
    return personality.dates_heeded or name not in DATES


def _read(name: str, criterion: Criterion, raw: Any, call: Call) -> list[Any]:
    personality = call.state.config.personality
    chosen = criterion.read(raw)
    if name == "campaignIds" and personality.campaigns == FIRST_ONLY:
        return chosen[:1]
    if name in DATES and personality.read_hours:
        return [dates.read_local(raw) - personality.read_hours * HOUR]
    return chosen


def _invalid(name: str, call: Call) -> Refusal:
    fault = {"attributeName": name, "message": "the value is not valid"}
    return Refusal(bad_request(f"Invalid search criterion: {name}", call.now, fault))
