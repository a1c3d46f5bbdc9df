"""The sandbox's page in a browser, after the real executable has loaded leads into it, and after hostile ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.accessibility import assert_accessible
from tests.support.chromium import NARROW
from tests.support.executable import Finished, against, run_target, serving
from tests.support.layout import (
    assert_dark_and_light,
    assert_focus_is_seen,
    assert_no_overflow,
    focused,
    tab_to,
)
from tests.support.messages import sample
from tests.support.sandbox_client import ACCOUNT, RENEWALS, WINBACK, Client, lead, leads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from target_engagevoice.sandbox.sandbox import Sandbox
    from tests.support.chromium import Watched

pytestmark = [pytest.mark.thorough, pytest.mark.browser]

CAMPAIGN = {"field": "Campaign__c", "map": {"Spring": RENEWALS, "Winback": WINBACK}}
MAPPINGS = {"Lead": {"preset": "salesforce", "campaign": CAMPAIGN}}
HOSTILE = "<script>alert('mine')</script><img src=/x onerror=alert(2)>"
LONG = "W" * 200
PAGES = {
    "overview": "/",
    "loads": "/page/loads",
    "leads": "/page/leads",
    "search": "/page/leads?q=a",
    "list": "/page/lists/{list}",
    "lead": "/page/leads/{lead}",
    "dnc": "/page/dnc",
    "requests": "/page/requests",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def finished(sandbox: Sandbox, folder: Path) -> Finished:
    """A run of the real executable."""
    config = against(sandbox, mappings=MAPPINGS, max_rejected_percent=50, list_description="Salesforce {campaign}")
    return run_target(folder, config, sample("salesforce_leads"))


@pytest.fixture(scope="module")
def client(sandbox: Sandbox, finished: Finished) -> Iterator[Client]:
    assert finished.code == 0
    with Client(sandbox) as ready:
        yield ready


@pytest.fixture(scope="module")
def hostile(client: Client) -> dict[str, int]:
    """A list and a lead of hostile names, among leads enough for two pages; their ids."""
    extra = {"email": LONG, "extendedLeadData": {"note": HOSTILE, "long": LONG}}
    client.load(
        [lead(900, externId=HOSTILE, firstName=HOSTILE, lastName=LONG, **extra), *leads(60)], description=HOSTILE
    )
    client.admin("POST", f"/{ACCOUNT}/dncLists", json={"phone": "6505550199", "externId": HOSTILE})
    client.admin("GET", f"/{ACCOUNT}/{HOSTILE}")
    made = client.sandbox.lists()[-1]["listId"]
    return {"list": made, "lead": next(one["leadId"] for one in client.sandbox.leads() if one["listId"] == made)}


def rows(page: Page, caption: str) -> list[list[str]]:
    """The rows of the table with that caption, as they are read."""
    table = page.get_by_role("table", name=caption)
    found: list[list[str]] = table.evaluate(
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


def test_the_page_tells_what_the_run_record_tells(pages: Watched, sandbox: Sandbox, finished: Finished) -> None:
    page = pages.open(sandbox.origin)
    by_campaign = {row[1]: row for row in rows(page, "Dial group Outbound (501, PREDICTIVE)")}
    expected = {key[1]: outcomes for key, outcomes in finished.per_campaign.items() if key[1] is not None}
    assert set(expected) == {"1001", "1002"}
    for campaign_id, outcomes in expected.items():
        supplied, inserted, rejected, duplicates = map(int, by_campaign[campaign_id][4:8])
        assert inserted == outcomes["loaded"]
        assert duplicates == outcomes.get("not_inserted", 0)
        assert supplied == inserted + rejected + duplicates


@pytest.mark.parametrize(("campaign", "campaign_id"), [("Renewals", RENEWALS), ("Winback", WINBACK)])
def test_the_leads_of_a_list_are_those_that_were_loaded(
    pages: Watched, sandbox: Sandbox, finished: Finished, campaign: str, campaign_id: int
) -> None:
    page = pages.open(sandbox.origin)
    page.get_by_role("link", name=f"Salesforce {campaign}").click()
    shown = rows(page, "Leads of this list")
    loaded = [one for one in sandbox.leads(campaign_id) if one["listDesc"] == f"Salesforce {campaign}"]
    assert finished.outcomes["loaded"] > len(loaded) > 0
    assert [row[:4] for row in shown] == [
        [one["externId"], f"{one.get('firstName', '')} {one['lastName']}".strip(), one["leadPhone"], one["leadState"]]
        for one in loaded
    ]


@pytest.mark.parametrize("kind", PAGES)
def test_a_hostile_name_is_text(pages: Watched, sandbox: Sandbox, hostile: dict[str, int], kind: str) -> None:
    page = pages.open(sandbox.origin + PAGES[kind].format(**hostile))
    assert HOSTILE in page.inner_text("main")
    assert page.locator("main script, main img").count() == 0


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_read_by_anybody_in_the_light_and_in_the_dark(
    pages: Watched, sandbox: Sandbox, hostile: dict[str, int], kind: str
) -> None:
    page = pages.open(sandbox.origin + PAGES[kind].format(**hostile), color_scheme="light")
    assert_accessible(page)
    assert_dark_and_light(page)
    assert_accessible(page)


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_fits_into_a_small_phone(pages: Watched, sandbox: Sandbox, hostile: dict[str, int], kind: str) -> None:
    page = pages.open(sandbox.origin + PAGES[kind].format(**hostile), width=NARROW)
    assert_no_overflow(page, NARROW)
    assert_accessible(page)


@pytest.mark.parametrize("kind", PAGES)
def test_the_focus_is_seen_wherever_it_goes(
    pages: Watched, sandbox: Sandbox, hostile: dict[str, int], kind: str
) -> None:
    page = pages.open(sandbox.origin + PAGES[kind].format(**hostile))
    assert assert_focus_is_seen(page)[0].text == "Skip to the content"


def test_the_skip_link_leads_past_the_navigation(pages: Watched, sandbox: Sandbox, hostile: dict[str, int]) -> None:
    page = pages.open(f"{sandbox.origin}/page/lists/{hostile['list']}")
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    stop = focused(page)
    assert stop is not None
    assert stop.text == "Loads"
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_lead_is_found_without_a_mouse(pages: Watched, sandbox: Sandbox, hostile: dict[str, int]) -> None:
    page = pages.open(sandbox.origin)
    tab_to(page, HOSTILE)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/page/lists/{hostile['list']}")
    tab_to(page, "Search by externId, phone or name")
    page.keyboard.type("(650) 000-0042")
    page.keyboard.press("Enter")
    page.wait_for_url("**?q=*")
    assert [row[0] for row in rows(page, "Leads of this list")] == ["id-42"]
    tab_to(page, "id-42")
    page.keyboard.press("Enter")
    page.wait_for_url("**/page/leads/*")
    assert ["leadPhone", "6500000042"] in rows(page, "What the lead holds")


def test_a_long_list_is_paged_through_without_a_mouse(
    pages: Watched, sandbox: Sandbox, hostile: dict[str, int]
) -> None:
    page = pages.open(f"{sandbox.origin}/page/lists/{hostile['list']}")
    tab_to(page, "Next")
    page.keyboard.press("Enter")
    page.wait_for_url("**?page=2")
    assert len(rows(page, "Leads of this list")) == 11


def live(pages: Watched, sandbox: Sandbox) -> Page:
    """The requests, on a page whose time goes on when it is told to."""
    page = pages.open()
    page.clock.install()
    page.goto(f"{sandbox.origin}/page/requests")
    return page


def newest(page: Page) -> Locator:
    """The path of the newest request."""
    return page.locator("tbody .path").first


def fetches(page: Page) -> list[str]:
    """What the page's script asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    return asked


def test_requests_appear_as_they_come(pages: Watched, client: Client) -> None:
    page = live(pages, client.sandbox)
    client.admin("GET", f"/{ACCOUNT}/dialGroups")
    page.clock.run_for(3000)
    expect(newest(page)).to_have_text(re.compile("/dialGroups$"))


def test_nothing_moves_under_somebody_who_is_in_it(pages: Watched, client: Client) -> None:
    page = live(pages, client.sandbox)
    asked = fetches(page)
    page.get_by_role("region").focus()
    client.admin("GET", f"/{ACCOUNT}/dialGroups/501/campaigns")
    page.clock.run_for(10_000)
    assert asked == []
    page.get_by_label("Kind").focus()
    page.clock.run_for(3000)
    expect(newest(page)).to_have_text(re.compile("/campaigns$"))


def test_a_page_that_is_held_still_asks_for_nothing_more(pages: Watched, client: Client) -> None:
    page = live(pages, client.sandbox)
    page.get_by_role("link", name="Stop reloading").click()
    page.wait_for_url("**?live=off")
    asked = fetches(page)
    page.clock.run_for(10_000)
    assert asked == []


def test_a_sandbox_that_has_ended_is_said_to(pages: Watched, client: Client) -> None:
    page = live(pages, client.sandbox)
    page.route("**/page/requests", lambda route: route.abort())
    page.clock.run_for(3000)
    page.get_by_text("The sandbox does not answer.").wait_for()
    assert rows(page, "Requests of the API, newest first"), "what was there stays"
    pages.incidents.clear()  # the browser complains of it as well


@pytest.mark.usefixtures("hostile")
def test_without_scripts_everything_is_there_and_the_browser_renews_it(pages: Watched, sandbox: Sandbox) -> None:
    page = pages.open(f"{sandbox.origin}/page/requests", java_script_enabled=False)
    assert page.locator("head noscript meta[http-equiv=refresh]").count() == 1
    page.get_by_label("Kind").select_option("load")
    page.get_by_role("button", name="Show").click()
    assert page.locator("tbody tr").count() == len(sandbox.requests("load"))
    page.get_by_role("link", name="Leads", exact=True).click()
    page.get_by_label("Search by externId, phone or name").fill("id-42")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="id-42").click()
    assert page.get_by_role("heading", level=1).inner_text() == "id-42"


@pytest.fixture(scope="module")
def crowded() -> Iterator[Sandbox]:
    """A hundred campaigns with long names; one of them has leads."""
    campaigns = [{"campaignId": number, "campaignName": f"{number}{'w' * 150}"} for number in range(1001, 1101)]
    group = {"dialGroupId": 501, "dialGroupName": "Outbound", "campaigns": campaigns}
    with serving(accounts=[{"accountId": ACCOUNT, "dialGroups": [group]}]) as running, Client(running) as client:
        client.load([lead(1)])
        yield running


def test_long_names_of_campaigns_do_not_push_the_figures_out_of_a_wide_window(pages: Watched, crowded: Sandbox) -> None:
    tables = pages.open(f"{crowded.origin}/").locator(".scroll")
    tables_too_wide = tables.evaluate_all("boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length")
    assert tables_too_wide == 0


def test_what_was_loaded_is_not_far_below_a_hundred_campaigns(pages: Watched, crowded: Sandbox) -> None:
    box = pages.open(f"{crowded.origin}/").get_by_role("heading", name="Newest loads").bounding_box()
    assert box is not None
    assert box["y"] < 1200
