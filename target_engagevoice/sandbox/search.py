"""The lead searches (reference, section 5): by criteria, and by a list of phone numbers."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from target_engagevoice.sandbox import phones
from target_engagevoice.sandbox.answers import Answer, Refusal, bad_request, denied, missing
from target_engagevoice.sandbox.criteria import conditions
from target_engagevoice.sandbox.lead_rows import shown
from target_engagevoice.sandbox.personality import EMPTY, FIRST, WITH_CAMPAIGN_ID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Connection, Row

    from target_engagevoice.sandbox.call import Call

DEFAULT_ROWS = 100
"""The number of rows without `maxRows` (a guess: the reference names no default)."""


def search(call: Call) -> Answer:
    """`POST …/campaignLeads/leadSearch`: rows as the personality says, or with `count=true` their number.

    Raises:
        Refusal: 400 for invalid criteria, 403 for the account; 403 or 404 where the personality has no search.
    """
    _refuse_search(call)
    body = call.json
    where, values = conditions(call, body, fresh=False)
    if call.state.config.personality.campaigns == WITH_CAMPAIGN_ID and not body.get("campaignId"):
        where, values = "0", []
    if counts(call):
        with call.state.store.transaction() as db:
            (found,) = db.execute(f"SELECT COUNT(*) FROM leads WHERE {where}", values).fetchone()  # noqa: S608 - `where` comes from the table of criteria
        return Answer.of(found)
    return _page(call, where, values)


def search_by_phones(call: Call) -> Answer:
    """`POST …/campaignLeads/leadSearchByPhoneList`: the leads with one of the phone numbers in the uploaded `file`.

    Raises:
        Refusal: 400 without a file, 403 for the account; 403 or 404 where the personality has no search.
    """
    _refuse_search(call)
    if "file" not in call.files:
        raise Refusal(bad_request("Required part 'file' is not present", call.now))
    numbers = re.findall(r"\+?[0-9]{7,15}", call.files["file"].decode(errors="replace"))
    where, values = conditions(call, {}, fresh=False)
    keys = json.dumps([phones.key(number) for number in numbers])
    where += " AND leads.lead_id IN (SELECT lead_id FROM phones WHERE phone IN (SELECT value FROM json_each(?)))"
    return _page(call, where, [*values, keys])


def counts(call: Call) -> bool:
    """Whether a search asks for a count only. Such searches have their own rate limit (reference, section 5)."""
    return call.query.get("count", "").lower() == "true"


def select(db: Connection, where: str, values: list[Any]) -> list[Row]:
    """Select leads with the description of their list."""
    query = f"SELECT leads.*, lists.description FROM leads JOIN lists USING (list_id) WHERE {where}"  # noqa: S608 - `where` comes from the table of criteria
    return db.execute(query, values).fetchall()


def _refuse_search(call: Call) -> None:
    status = call.state.config.personality.search_status
    if status == HTTPStatus.FORBIDDEN:
        raise Refusal(denied(call.now))
    if status == HTTPStatus.NOT_FOUND:
        raise Refusal(missing("route", call.now))


def _page(call: Call, where: str, values: list[Any]) -> Answer:
    personality = call.state.config.personality
    limit, offset = _window(call)
    with call.state.store.transaction() as db:
        rows = select(db, f"{where} ORDER BY leads.lead_id LIMIT ? OFFSET ?", [*values, limit, offset])
    found: list[Mapping[str, Any]] = [shown(row, personality) for row in rows]
    return Answer.of(found if personality.wrapped is None else {personality.wrapped: found})


def _window(call: Call) -> tuple[int, int]:
    """The number of rows to return, and the number of rows to skip."""
    personality = call.state.config.personality
    size = call.number("maxRows", DEFAULT_ROWS, least=1)
    if personality.row_cap is not None:
        size = min(size, personality.row_cap)
    if "page" not in call.query and personality.without_page != FIRST:
        if personality.without_page == EMPTY:
            return 0, 0
        fault = {"attributeName": "page", "message": "Required parameter 'page' is not present"}
        raise Refusal(bad_request("missing.required.param", call.now, fault))
    page = call.number("page", personality.first_page, least=personality.first_page)
    return size, (page - personality.first_page) * size if personality.page_heeded else 0
