"""Whatever a lead, a list or a do-not-call entry is called, on the sandbox's page it is text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.markup import Markup
from tests.support.sandbox_client import ACCOUNT, Client, lead

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "'\"><img src=x onerror=alert(1)>",
        "</title><b>",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "&lt;",
        "\u202egnp.exe",
    ]
) | st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(str.strip)

FIELDS = ("externId", "firstName", "lastName", "auxData1")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Sandbox(config={"rate_limits": {"load": []}}) as sandbox, Client(sandbox) as ready:
        yield ready


def read(client: Client, path: str) -> Markup:
    answer = requests.get(f"{client.sandbox.origin}{path}", timeout=30)
    assert answer.status_code == 200
    return Markup(answer.text)


@pytest.fixture(scope="module")
def plain(client: Client) -> dict[str, frozenset[str]]:
    """The elements of each kind of page when names are harmless."""
    client.load([lead(0, **dict.fromkeys(FIELDS, "a"))], description="a")
    paths = ("/page/loads", "/page/leads", "/page/lists/30001", "/page/leads/7000001")
    return {path.split("/")[2] + str(path.count("/")): frozenset(read(client, path).elements) for path in paths}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.tuples(NAMES, NAMES, NAMES, NAMES), description=NAMES)
def test_names_are_escaped(
    client: Client, plain: dict[str, frozenset[str]], names: tuple[str, ...], description: str
) -> None:
    answer = client.load([lead(1, **dict(zip(FIELDS, names, strict=True)))], description=description)
    assert answer.json()["leadsInserted"] == 1
    list_id = client.sandbox.lists()[-1]["listId"]
    lead_id = client.sandbox.leads()[-1]["leadId"]
    loads, of_list, one = (
        read(client, path) for path in ("/page/loads", f"/page/lists/{list_id}", f"/page/leads/{lead_id}")
    )
    assert loads.rows[0][0] == description
    assert of_list.headings[0] == description
    assert of_list.rows[0][:2] == [names[0], f"{names[1]} {names[2]}".strip(" ")]
    shown = dict(one.tables["What the lead holds"])
    assert tuple(shown[name] for name in FIELDS) == names
    assert set(loads.elements) <= plain["loads2"]
    assert set(of_list.elements) <= plain["lists3"]
    # A lead whose `externId` was used before has a second table.
    assert set(one.elements) <= plain["leads3"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sought=NAMES)
def test_searches_are_escaped(client: Client, sought: str) -> None:
    answer = requests.get(f"{client.sandbox.origin}/page/leads", params={"q": sought}, timeout=30)
    assert answer.status_code == 200
    assert set(Markup(answer.text).elements) <= set(read(client, "/page/leads?q=a").elements)


def test_do_not_call_entries_are_escaped(client: Client) -> None:
    body = {"phone": "6505550100", "externId": "<script>alert(1)</script>", "countryId": "<b>USA"}
    client.admin("POST", f"/{ACCOUNT}/dncLists", json=body)
    assert read(client, "/page/dnc").rows[0][1:4] == ["<script>alert(1)</script>", "", "<b>USA"]


def test_paths_are_escaped(client: Client) -> None:
    requests.get(f"{client.sandbox.origin}/<script>alert(1)</script>", timeout=30)
    page = read(client, "/page/requests")
    assert page.rows[0][2] == "/<script>alert(1)</script>"
    assert page.elements["script"] == 1, "its own"
    missed = requests.get(f"{client.sandbox.origin}/page/lists/<script>alert(1)<%2Fscript>", timeout=30)
    assert missed.status_code == 404
    assert Markup(missed.text).elements["script"] == 0
