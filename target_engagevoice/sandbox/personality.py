"""Personalities: what the sandbox does at each point that is not documented, or where servers were seen to differ.

The reference, section 5, lists the points. A personality is one choice for each of them. It is chosen by a name:

- `reference`: the choices that the reference guesses. It is the default.
- a name of `NAMED`, such as `zero_pages`: the reference with one point changed.
- several names joined by `+`, such as `zero_pages+nested_rows`.
- `random:SEED`: a choice for each point, drawn from a random generator with that seed.
"""

from __future__ import annotations

import difflib
import random
from dataclasses import dataclass, fields, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERENCE = "reference"
RANDOM = "random:"

FLAT, NESTED, VIEW = "flat", "nested", "view"
FIRST, REFUSED, EMPTY = "first", "refused", "empty"
ANY_FORM, WITH_CAMPAIGN_ID, FIRST_ONLY = "any", "with_campaign_id", "first_only"
COUNTS, EMPTY_OBJECT, CREATED, NO_CONTENT = "counts", "empty_object", "created", "no_content"
CELLS, WITH_EXTERN_ID, WITH_LEAD = "cells", "extern_id", "lead"

DEPARTURE = 0.2
"""The probability that `random:SEED` chooses something else than the reference at a point."""


@dataclass(frozen=True)
class Personality:
    """What the sandbox does at each point. The defaults are those of the reference.

    Attributes:
        name: The name that it was chosen by.
        search_status: The status of every search; not 200 means that searching is forbidden or does not exist.
        first_page: The number of the first page of a search: 1 or 0.
        page_heeded: Whether a search returns the page it is asked for. If not, it always returns the first one.
        without_page: A search without `page` returns the `first` page, is `refused` with 400, or is `empty`.
        row_cap: A search returns at most so many rows, also when `maxRows` is larger.
        rows: The shape of a row: `flat` with all fields; `nested`, with the fields of a lead under `campaignLead`; or
            `view`, with only the fields of the documented view and `extraData`.
        wrapped: The name of the field that holds the rows, when a search returns an object instead of an array.
        campaigns: How a search names campaigns: in `any` way; only `with_campaign_id`, otherwise it finds nothing; or
            the `first_only` of `campaignIds` counts, for actions too.
        extern_ids_heeded: Whether `externIds` is a criterion of searches and actions.
        lead_ids_heeded: Whether `leadIds` is a criterion of searches and actions.
        dates_heeded: Whether `loadedDtsStart` and `loadedDtsEnd` are criteria.
        suppressed_default: `ALL` or `ONLY_UNSUPPRESSED`: what a search without `suppressed` finds.
        suppressed_shown: Whether a row says that its lead is suppressed.
        written_hours: `loadedDts` is written in a zone so many hours from UTC, although it says `+0000`.
        read_hours: `loadedDtsStart` and `loadedDtsEnd` are read in a zone so many hours from UTC, whatever they say.
        whole_seconds: `loadedDts` is stored and written without milliseconds.
        node_offsets: The clocks of the nodes, in seconds ahead. The nodes serve the requests in turn. Each writes its
            own time into `Date` and into the `loadedDts` of its loads.
        date_offset: Seconds that `Date` is ahead of the clock that writes `loadedDts`; None means there is no `Date`.
        load_answer: A load that stored its leads answers with `counts`; with 200 and an `empty_object`; or without a
            body, with 201 (`created`) or 204 (`no_content`).
        appends_to_lists: A load whose `description` names a list of the campaign appends to it.
        rejected_rows: How a rejected row names its lead: only by its `cells`, with `extern_id`, or with `lead`.
        gone_status: The status of a change of a lead that does not exist.
        change_status: The status of a change: 200 with the lead, or 204 without a body.
        action_counts: Whether the answer to an action has counts.
        action_effect: Whether actions change leads. If not, they still answer as if they did.
        global_tag_scrubs: Whether do-not-call entries with the tag GLOBAL count for every list, also for one that was
            loaded without that tag.
        agent_details: Whether the token exchange names the accounts in `agentDetails`.
        account_mode_shown: Whether accounts show if they are in E.164 mode.
    """

    name: str = REFERENCE
    search_status: int = HTTPStatus.OK
    first_page: int = 1
    page_heeded: bool = True
    without_page: str = FIRST
    row_cap: int | None = None
    rows: str = FLAT
    wrapped: str | None = None
    campaigns: str = ANY_FORM
    extern_ids_heeded: bool = True
    lead_ids_heeded: bool = True
    dates_heeded: bool = True
    suppressed_default: str = "ALL"
    suppressed_shown: bool = True
    written_hours: float = 0.0
    read_hours: float = 0.0
    whole_seconds: bool = False
    node_offsets: tuple[float, ...] = (0.0,)
    date_offset: float | None = 0.0
    load_answer: str = COUNTS
    appends_to_lists: bool = False
    rejected_rows: str = CELLS
    gone_status: int = HTTPStatus.NOT_FOUND
    change_status: int = HTTPStatus.OK
    action_counts: bool = True
    action_effect: bool = True
    global_tag_scrubs: bool = True
    agent_details: bool = True
    account_mode_shown: bool = False


_NAMED: Mapping[str, Mapping[str, Any]] = {
    "zero_pages": {"first_page": 0},
    "page_ignored": {"page_heeded": False},
    "page_required": {"without_page": REFUSED},
    "page_required_silently": {"without_page": EMPTY},
    "capped_rows": {"row_cap": 3, "page_heeded": False},
    "nested_rows": {"rows": NESTED},
    "view_rows": {"rows": VIEW},
    "wrapped_rows": {"wrapped": "content"},
    "needs_campaign_id": {"campaigns": WITH_CAMPAIGN_ID},
    "campaign_id_ignored_lists": {"campaigns": FIRST_ONLY},
    "extern_ids_ignored": {"extern_ids_heeded": False},
    "lead_ids_ignored": {"lead_ids_heeded": False},
    "dates_ignored": {"dates_heeded": False},
    "suppressed_hidden": {"suppressed_default": "ONLY_UNSUPPRESSED"},
    "no_suppressed": {"suppressed_shown": False},
    "local_time": {"written_hours": -5.0, "read_hours": -8.0},
    "whole_seconds": {"whole_seconds": True},
    "date_ahead": {"whole_seconds": True, "date_offset": 0.3},
    "date_behind": {"date_offset": -3.0},
    "two_nodes": {"node_offsets": (0.0, 5.0)},
    "no_date": {"date_offset": None},
    "no_counts": {"load_answer": EMPTY_OBJECT},
    "no_counts_created": {"load_answer": CREATED},
    "no_counts_no_content": {"load_answer": NO_CONTENT},
    "appended_lists": {"appends_to_lists": True},
    "rejected_extern_ids": {"rejected_rows": WITH_EXTERN_ID},
    "rejected_leads": {"rejected_rows": WITH_LEAD},
    "gone_is_400": {"gone_status": HTTPStatus.BAD_REQUEST},
    "gone_is_500": {"gone_status": HTTPStatus.INTERNAL_SERVER_ERROR},
    "changes_without_body": {"change_status": HTTPStatus.NO_CONTENT},
    "actions_without_counts": {"action_counts": False},
    "actions_without_effect": {"action_effect": False},
    "untagged_lists_unscrubbed": {"global_tag_scrubs": False},
    "no_agent_details": {"agent_details": False},
    "account_mode_shown": {"account_mode_shown": True},
    "search_forbidden": {"search_status": HTTPStatus.FORBIDDEN},
    "search_missing": {"search_status": HTTPStatus.NOT_FOUND},
}

NAMED: Mapping[str, Personality] = MappingProxyType(
    {REFERENCE: Personality(), **{name: Personality(name, **points) for name, points in _NAMED.items()}}
)
"""The personalities by their names."""

OTHER_CHOICES: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "search_status": (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
        "first_page": (0,),
        "page_heeded": (False,),
        "without_page": (REFUSED, EMPTY),
        "row_cap": (3, 25),
        "rows": (NESTED, VIEW),
        "wrapped": ("content", "leads", "results"),
        "campaigns": (WITH_CAMPAIGN_ID, FIRST_ONLY),
        "extern_ids_heeded": (False,),
        "lead_ids_heeded": (False,),
        "dates_heeded": (False,),
        "suppressed_default": ("ONLY_UNSUPPRESSED",),
        "suppressed_shown": (False,),
        "written_hours": (-8.0, -5.0, 5.5),
        "read_hours": (-8.0, -5.0, 5.5),
        "whole_seconds": (True,),
        "node_offsets": ((0.0, 5.0), (0.0, -5.0)),
        "date_offset": (0.3, -3.0, None),
        "load_answer": (EMPTY_OBJECT, CREATED, NO_CONTENT),
        "appends_to_lists": (True,),
        "rejected_rows": (WITH_EXTERN_ID, WITH_LEAD),
        "gone_status": (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR),
        "change_status": (HTTPStatus.NO_CONTENT,),
        "action_counts": (False,),
        "action_effect": (False,),
        "global_tag_scrubs": (False,),
        "agent_details": (False,),
        "account_mode_shown": (True,),
    }
)
"""The choices of each point besides the one of the reference, for `random:SEED`."""


def read_personality(raw: Any, where: str) -> Personality:
    """The personality of that name.

    Raises:
        ConfigError: There is no such personality. The message says what to type instead.
    """
    if not isinstance(raw, str) or not raw:
        raise ConfigError(f"{where} must be the name of a personality, such as {REFERENCE} or {RANDOM}1")
    if raw.startswith(RANDOM):
        return _random(raw, where)
    points: dict[str, Any] = {}
    for name in raw.split("+"):
        if name not in NAMED:
            near = difflib.get_close_matches(name, NAMED, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use {RANDOM}1, or one of {', '.join(sorted(NAMED))}"
            raise ConfigError(f"{where} does not know {name!r}: {hint}")
        points |= _NAMED.get(name, {})
    return Personality(raw, **points)


def _random(raw: str, where: str) -> Personality:
    seed = raw.removeprefix(RANDOM)
    if not seed.isdecimal():
        raise ConfigError(f"{where} must look like {RANDOM}1: the word, a colon, and a whole number")
    chance = random.Random(int(seed))  # noqa: S311 - no secret depends on it
    points = {}
    for field in fields(Personality):
        # Two numbers are drawn for every point, so that a new choice at one point leaves the others as they are.
        departs, choice = chance.random() < DEPARTURE, chance.random()
        others = OTHER_CHOICES.get(field.name, ())
        if departs and others:
            points[field.name] = others[int(choice * len(others))]
    return replace(Personality(raw), **points)
