"""Searching the leads on the sandbox's page, held against plain Python; and that a long list is no burden."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.sandbox.config import SandboxConfig
from target_engagevoice.sandbox.pages import leads as pages
from target_engagevoice.sandbox.pages.page_request import PAGE_ROWS, PageRequest, Paging
from target_engagevoice.sandbox.pages.rendering import link, number, size
from target_engagevoice.sandbox.store import Store
from tests.support.sandbox_client import Client, lead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection

    from target_engagevoice.sandbox.sandbox import Sandbox

ALPHABET = "aB%_\\' 5"
"""Letters of both cases, all that means something to SQL, a blank, and what may be a phone."""


def search(db: Connection, **query: str) -> list[str]:
    """The `externId`s on the first page that a search of all leads gives."""
    values = pages.leads(PageRequest(db, SandboxConfig(), {}, query))
    assert values["paging"].total == len(values["leads"])
    return [row["extern_id"] for row in values["leads"]]


PEOPLE = [
    {"externId": extern_id, "leadPhone": "6505550100", "firstName": first, "lastName": last}
    for extern_id, first, last in (
        ("a%B", "Ba", "a_"),
        ("a_5", "a\\", "B'b"),
        ("b5b", "%", "5 5"),
        ("555", "Aa", "bB"),
        ("\\'", "_", "a"),
    )
]


@pytest.fixture
def people(client: Client) -> Sandbox:
    client.load(PEOPLE)
    return client.sandbox


@pytest.fixture(scope="module")
def shelf() -> Iterator[Connection]:
    """A store with `PEOPLE`, as a snapshot."""
    from target_engagevoice.sandbox.sandbox import Sandbox  # noqa: PLC0415 - here it is needed, above for its type alone

    with Sandbox() as sandbox:
        with Client(sandbox) as client:
            client.load(PEOPLE)
        with sandbox._store.snapshot() as db:
            yield db


def expected(sought: str) -> list[str]:
    """What a search has to find, without SQL. Nobody's phone holds what `ALPHABET` can spell, but for fives."""
    needle = sought.strip().lower()
    phone_like = re.fullmatch(r"[5 ]*555[5 ]*", needle) is not None
    digits = needle.replace(" ", "")
    return [
        one["externId"]
        for one in PEOPLE
        if needle in one["externId"].lower()
        or needle in f"{one['firstName']} {one['lastName']}".strip().lower()
        or (phone_like and digits in one["leadPhone"])
    ]


@given(sought=st.text(ALPHABET, max_size=4))
def test_a_search_finds_the_leads_that_contain_the_text(shelf: Connection, sought: str) -> None:
    assert search(shelf, q=sought) == expected(sought)


@given(sought=st.text(max_size=300))
def test_every_search_is_answered(shelf: Connection, sought: str) -> None:
    search(shelf, q=sought)


@pytest.mark.parametrize(
    "sought", ["6505550177", "(650) 555-0177", "+1 650 555 0177", "0177", "Nguyễn", "thi NGUY", "X-9"]
)
def test_a_lead_is_found_by_phone_in_any_format_by_name_and_by_id(client: Client, sought: str) -> None:
    client.load([lead(1), lead(2, leadPhone="6505550177", externId="X-9", firstName="Thi", lastName="Nguyễn"), lead(3)])
    with client.sandbox._store.snapshot() as db:
        assert search(db, q=sought) == ["X-9"]


def test_several_phones_of_a_lead_are_all_searched(client: Client) -> None:
    client.load([lead(1, leadPhone="6505550177|6505550188"), lead(2)])
    with client.sandbox._store.snapshot() as db:
        assert search(db, q="650-555-0188") == ["id-1"]


def test_a_search_may_ask_for_a_state(people: Sandbox, client: Client) -> None:
    client.act("PAUSE_LEADS", externIds=["555"])
    with people._store.snapshot() as db:
        assert search(db, state="PAUSED") == ["555"]
        assert search(db, state="PAUSED", q="nobody") == []


def test_the_leads_of_a_list_are_found_by_the_index_of_lists() -> None:
    with Store().snapshot() as db:
        asked: list[str] = []
        db.execute("PRAGMA query_only = OFF")
        db.execute(
            "INSERT INTO lists (list_id, account_id, campaign_id, description, state, duplicate_handling,"
            " dial_priority, time_zone_option, supplied, accepted, inserted, uploaded)"
            " VALUES (1, '1', 1, '', '', '', '', '', 0, 0, 0, 0)"
        )
        db.set_trace_callback(asked.append)
        pages.of_list(PageRequest(db, SandboxConfig(), {"list_id": "1"}, {}))
        db.set_trace_callback(None)
        plans = [step["detail"] for query in asked for step in db.execute(f"EXPLAIN QUERY PLAN {query}")]
    about_leads = [plan for plan in plans if re.search(r"\bleads\b", plan)]
    assert about_leads
    assert [plan for plan in about_leads if "SCAN" in plan] == []


@given(total=st.integers(0, 10**6), wanted=st.text(max_size=8) | st.integers(-5, 10**6).map(str))
def test_every_row_is_on_exactly_one_page(total: int, wanted: str) -> None:
    nowhere: Any = None  # no store is asked
    paging = PageRequest(nowhere, SandboxConfig(), {}, {"page": wanted}).paging(total)
    assert 1 <= paging.page <= paging.last
    assert (paging.last - 1) * PAGE_ROWS <= total <= paging.last * PAGE_ROWS
    assert Paging(paging.last, paging.last, total).until == total
    if paging.page > 1:
        assert Paging(paging.page - 1, paging.last, total).until == paging.before


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "\u2013"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (4200, "4.2 kB"), (1_000_000, "1.0 MB")],
)
def test_sizes_have_units(value: int | None, shown: str) -> None:
    assert size(value) == shown


def test_numbers_have_commas_and_unknown_ones_are_dashes() -> None:
    assert (number(1234567), number(0), number(None)) == ("1,234,567", "0", "\u2013")


def test_a_link_holds_only_values_that_are_not_empty() -> None:
    assert link("/a", q="a&b=c d", page=2, state="", kind=None) == "/a?q=a%26b%3Dc+d&page=2"
    assert link("/a", q="") == "/a"
