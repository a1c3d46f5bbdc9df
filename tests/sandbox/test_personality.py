"""Each personality does at its point what its name says, and what the reference does not."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.config import SandboxConfig
from target_engagevoice.sandbox.personality import NAMED, OTHER_CHOICES, Personality, read_personality
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.fake_clock import FakeClock
from tests.support.sandbox_client import ACCOUNT, RENEWALS, WINBACK, Client, lead, leads

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

SEARCH = f"/{ACCOUNT}/campaignLeads/leadSearch"


class Server:
    """A sandbox with a personality, its clock and a client."""

    def __init__(self, client: Client, clock: FakeClock) -> None:
        self.client = client
        self.clock = clock

    def load(self, upload: list[Any], **body: Any) -> requests.Response:
        return self.client.load(upload, **body)

    def ask(self, query: str = "", **criteria: Any) -> requests.Response:
        return self.client.admin("POST", f"{SEARCH}{query}", json=criteria)

    def ids(self, query: str = "", **criteria: Any) -> list[str]:
        return [row["externId"] for row in self.ask(query, **criteria).json()]

    def change(self, lead_id: int, **new: Any) -> requests.Response:
        return self.client.admin("PATCH", f"/{ACCOUNT}/campaignLeads/{lead_id}?campaignId={RENEWALS}", json=new)


@contextmanager
def serve(personality: str, **config: Any) -> Iterator[Server]:
    clock = FakeClock()
    settings = {"personality": personality, "search_delay_seconds": 0, **config}
    with Sandbox(clock=clock.time, config=settings) as sandbox, Client(sandbox) as client:
        yield Server(client, clock)


def test_pages_can_begin_at_zero() -> None:
    with serve("zero_pages") as server:
        server.load(leads(3))
        assert [server.ids(f"?page={page}&maxRows=2") for page in (0, 1)] == [["id-0", "id-1"], ["id-2"]]
        assert server.ids("?maxRows=2") == ["id-0", "id-1"]
    with serve("reference") as server:
        assert server.ask("?page=0").status_code == 400


def test_the_page_can_be_ignored() -> None:
    with serve("page_ignored") as server:
        server.load(leads(3))
        assert [server.ids(f"?page={page}&maxRows=2") for page in (1, 2)] == [["id-0", "id-1"]] * 2


def test_rows_can_be_capped_and_the_page_ignored() -> None:
    with serve("capped_rows") as server:
        server.load(leads(5))
        assert [server.ids(f"?page={page}&maxRows=100") for page in (1, 2)] == [["id-0", "id-1", "id-2"]] * 2
        assert server.ask("?count=true").json() == 5


@pytest.mark.parametrize(("name", "status"), [("page_required", 400), ("page_required_silently", 200)])
def test_a_search_can_require_a_page(name: str, status: int) -> None:
    with serve(name) as server:
        server.load(leads(2))
        answer = server.ask()
        assert answer.status_code == status
        assert status == 400 or answer.json() == []
        assert server.ids("?page=1") == ["id-0", "id-1"]


def test_rows_can_have_their_fields_under_campaign_lead() -> None:
    with serve("nested_rows") as server:
        server.load([lead(1, firstName="Ann")])
        (row,) = server.ask().json()
        assert set(row) == {"leadId", "campaignId", "listId", "listDesc", "campaignLead"}
        inner = row["campaignLead"]
        assert (inner["externId"], inner["firstName"], inner["leadId"]) == ("id-1", "Ann", row["leadId"])


def test_rows_can_have_just_the_fields_of_the_view() -> None:
    with serve("view_rows") as server:
        server.load(
            [lead(1, firstName="Ann", leadPriority=3, extendedLeadData={"a": "b"}, leadPhoneE164="+16500000001")]
        )
        (row,) = server.ask().json()
        assert (row["externId"], row["firstName"], row["extraData"]) == ("id-1", "Ann", '{"a": "b"}')
        assert {"leadPhoneE164", "leadPriority", "extendedLeadData", "personaPhoneConfig"}.isdisjoint(row)
        assert {"agentDispostion", "lastPassDts", "nextDialTime", "stateDts", "suppressed"} <= set(row)


def test_rows_can_come_inside_an_object() -> None:
    with serve("wrapped_rows") as server:
        server.load(leads(2))
        answer = server.ask().json()
        assert [row["externId"] for row in answer["content"]] == ["id-0", "id-1"]


def test_a_search_can_need_campaign_id() -> None:
    with serve("needs_campaign_id") as server:
        server.load(leads(1))
        assert server.ids(campaignIds=[RENEWALS]) == []
        assert server.ask("?count=true", campaignIds=[RENEWALS]).json() == 0
        assert server.ids(campaignIds=[RENEWALS], campaignId=RENEWALS) == ["id-0"]


def test_only_the_first_of_campaign_ids_can_count() -> None:
    with serve("campaign_id_ignored_lists") as server:
        server.load(leads(1))
        server.load(leads(1, 1), campaign=WINBACK)
        assert server.ids(campaignIds=[RENEWALS, WINBACK]) == ["id-0"]
        assert server.ids(campaignIds=[WINBACK, RENEWALS]) == ["id-1"]


@pytest.mark.parametrize(
    ("name", "criteria"),
    [
        ("extern_ids_ignored", {"externIds": ["id-1"]}),
        ("lead_ids_ignored", {"leadIds": [1]}),
        ("dates_ignored", {"loadedDtsStart": "2027-01-01T00:00:00.000+0000"}),
    ],
)
def test_a_criterion_can_be_ignored(name: str, criteria: dict[str, Any]) -> None:
    with serve(name) as server:
        server.load(leads(3))
        assert server.ids(campaignIds=[RENEWALS], **criteria) == ["id-0", "id-1", "id-2"]


def test_suppressed_leads_can_be_hidden_from_a_search_that_does_not_ask_for_them() -> None:
    with serve("suppressed_hidden") as server:
        server.load(leads(2))
        assert server.client.act("SUPPRESS_LEADS", externIds=["id-1"])["leadUpdateCount"] == 1
        assert (server.ids(), server.ids(suppressed="ALL")) == (["id-0"], ["id-0", "id-1"])
        assert server.client.act("UNSUPPRESS_LEADS", externIds=["id-1"])["leadUpdateCount"] == 1


def test_rows_can_leave_out_suppressed() -> None:
    with serve("no_suppressed") as server:
        server.load(leads(1))
        assert "suppressed" not in server.ask().json()[0]


def test_dates_can_be_written_and_read_in_local_time() -> None:
    with serve("local_time") as server:
        server.load(leads(1))
        (row,) = server.ask().json()
        assert row["loadedDts"] == "2025-12-31T19:00:00.000+0000", "five hours behind, and not saying so"
        assert server.ids(loadedDtsStart="2025-12-31T16:00:00.000+0000") == ["id-0"]
        assert server.ids(loadedDtsStart="2025-12-31T16:00:00.001+0000") == []


def test_loaded_dates_can_be_whole_seconds() -> None:
    with serve("whole_seconds") as server:
        server.clock.advance(0.9)
        server.load(leads(1))
        assert server.ask().json()[0]["loadedDts"] == "2026-01-01T00:00:00+0000"
        assert server.ids(loadedDtsStart="2026-01-01T00:00:00.500+0000") == []


@pytest.mark.parametrize(
    ("name", "advance", "date"),
    [
        ("reference", 10.8, "Thu, 01 Jan 2026 00:00:10 GMT"),
        ("date_ahead", 10.8, "Thu, 01 Jan 2026 00:00:11 GMT"),
        ("date_behind", 10.0, "Thu, 01 Jan 2026 00:00:07 GMT"),
        ("no_date", 10.0, None),
    ],
)
def test_the_date_header_can_differ_from_loaded_dates(name: str, advance: float, date: str | None) -> None:
    with serve(name) as server:
        server.clock.advance(advance)
        assert server.load(leads(1)).headers.get("Date") == date
        assert server.ask().json()[0]["loadedDts"].startswith("2026-01-01T00:00:10")


def test_two_nodes_can_have_clocks_five_seconds_apart() -> None:
    with serve("two_nodes") as server:
        dates = {server.load([lead(number)]).headers["Date"] for number in range(4)}
        assert dates == {"Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:05 GMT"}
        loaded = [row["loadedDts"] for row in server.ask().json()]
        assert sorted(set(loaded)) == ["2026-01-01T00:00:00.000+0000", "2026-01-01T00:00:05.000+0000"]


def test_the_clock_of_a_node_does_not_delay_the_search() -> None:
    with serve("two_nodes", search_delay_seconds=2) as server:
        server.load(leads(1))
        server.load(leads(1, 1))
        server.clock.advance(2)
        assert server.ids() == ["id-0", "id-1"]


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [("no_counts", 200, "{}"), ("no_counts_created", 201, ""), ("no_counts_no_content", 204, "")],
)
def test_a_load_can_be_answered_without_counts(name: str, status: int, text: str) -> None:
    with serve(name) as server:
        answer = server.load(leads(2))
        assert (answer.status_code, answer.text) == (status, text)
        assert len(server.client.sandbox.leads()) == 2


def test_a_load_can_append_to_a_list_of_the_same_name() -> None:
    with serve("appended_lists") as server:
        server.load(leads(2), description="A")
        server.load(leads(1, 2), description="A")
        server.load(leads(1, 3), description="B")
        assert [(row["listDesc"], row["leadsInserted"]) for row in server.client.sandbox.lists()] == [
            ("A", 3),
            ("B", 1),
        ]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("rejected_extern_ids", "externId", "bad"), ("rejected_leads", "lead", {"externId": "bad", "leadPhone": "1"})],
)
def test_rejected_rows_can_name_their_lead(name: str, field: str, value: Any) -> None:
    with serve(name) as server:
        (row,) = server.load([{"externId": "bad", "leadPhone": "1"}]).json()["rejectedRows"]
        assert row[field] == value
    with serve("reference") as server:
        (row,) = server.load([{"externId": "bad", "leadPhone": "1"}]).json()["rejectedRows"]
        assert set(row) == {"message", "rowData"}


@pytest.mark.parametrize(("name", "status"), [("gone_is_400", 400), ("gone_is_500", 500), ("reference", 404)])
def test_a_change_of_a_lead_that_is_gone_has_another_status(name: str, status: int) -> None:
    with serve(name) as server:
        assert server.change(1, city="Oslo").status_code == status


def test_a_change_can_be_answered_without_a_body() -> None:
    with serve("changes_without_body") as server:
        server.load(leads(1))
        (row,) = server.client.sandbox.leads()
        answer = server.change(row["leadId"], city="Oslo")
        assert (answer.status_code, answer.text) == (204, "")
        assert server.client.sandbox.leads()[0]["fields"]["city"] == "Oslo"


def test_actions_can_be_answered_without_counts() -> None:
    with serve("actions_without_counts") as server:
        server.load(leads(1))
        done = server.client.act("CANCEL_LEADS", externIds=["id-0"])
        assert done["success"] is True
        assert [name for name in done if name.endswith("Count")] == []
        assert server.client.sandbox.leads()[0]["leadState"] == "CANCELLED"


def test_actions_can_be_without_effect() -> None:
    with serve("actions_without_effect") as server:
        server.load(leads(2))
        assert server.client.act("CANCEL_LEADS", externIds=["id-0"])["leadUpdateCount"] == 1
        assert server.client.act("DELETE_LEADS", externIds=["id-0"])["leadDeleteCount"] == 1
        assert [row["leadState"] for row in server.client.sandbox.leads()] == ["READY", "READY"]


@pytest.mark.parametrize(("tags", "inserted"), [([], 1), (["GLOBAL"], 0)])
def test_lists_loaded_without_the_tag_can_be_unscrubbed(tags: list[str], inserted: int) -> None:
    with serve("untagged_lists_unscrubbed") as server:
        server.client.admin("POST", f"/{ACCOUNT}/dncLists", json={"phone": lead(1)["leadPhone"]})
        assert server.load([lead(1)], dncTags=tags).json()["leadsInserted"] == inserted


@pytest.mark.parametrize(("name", "count"), [("no_agent_details", 0), ("reference", 1)])
def test_the_sign_in_can_name_no_accounts(name: str, count: int) -> None:
    with serve(name) as server:
        form = {"username": "someone", "password": "secret", "platformId": "1"}
        assert len(server.client.post("/api/auth/login/admin", data=form).json()["agentDetails"]) == count


@pytest.mark.parametrize("e164", [True, False])
def test_accounts_can_show_their_mode(e164: bool) -> None:
    with serve("account_mode_shown", e164=e164) as server:
        for shown in (server.client.admin("GET", "").json()[0], server.client.admin("GET", f"/{ACCOUNT}").json()):
            assert (shown["enableIntlOutbound"], shown["mainAccount"]["enablePhoneNumbersI18n"]) == (e164, e164)
    with serve("reference") as server:
        assert "enableIntlOutbound" not in server.client.admin("GET", "").json()[0]


@pytest.mark.parametrize(("name", "status"), [("search_forbidden", 403), ("search_missing", 404)])
def test_the_search_can_be_forbidden_or_missing(name: str, status: int) -> None:
    with serve(name) as server:
        assert server.load(leads(1)).status_code == 200
        assert (server.ask().status_code, server.ask("?count=true").status_code) == (status, status)
        assert len(server.client.sandbox.leads()) == 1


def test_names_can_be_combined() -> None:
    with serve("zero_pages+wrapped_rows") as server:
        server.load(leads(1))
        assert [row["externId"] for row in server.ask("?page=0").json()["content"]] == ["id-0"]


def test_the_config_names_the_personality() -> None:
    assert SandboxConfig.read({}).personality == Personality()
    assert SandboxConfig.read({"personality": "zero_pages"}).personality.first_page == 0
    ignored = SandboxConfig.read({"personality": "zero_pages", "extern_ids_ignored": True}).personality
    assert (ignored.first_page, ignored.extern_ids_heeded, ignored.lead_ids_heeded) == (0, False, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zero_page", "did you mean 'zero_pages'"),
        ("xyzxyz", "use random:1, or one of account_mode_shown"),
        ("random:", "must look like random:1"),
        ("random:x", "must look like random:1"),
        ("", "must be the name of a personality"),
        (1, "must be the name of a personality"),
    ],
)
def test_an_unknown_personality_says_what_to_type(name: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        SandboxConfig.read({"personality": name})


def test_a_random_personality_is_the_same_for_the_same_seed() -> None:
    drawn = [read_personality(f"random:{seed}", "here") for seed in range(50)]
    assert drawn == [read_personality(f"random:{seed}", "here") for seed in range(50)]
    assert len({repr(each) for each in drawn}) == 50


def test_random_personalities_make_every_choice_and_draw_each_point_independently() -> None:
    drawn = [read_personality(f"random:{seed}", "here") for seed in range(2000)]
    for point, others in OTHER_CHOICES.items():
        chosen = [getattr(each, point) for each in drawn]
        assert set(chosen) == {getattr(Personality(), point), *others}, point
        assert 0.75 < sum(one == getattr(Personality(), point) for one in chosen) / len(chosen) < 0.85, point
    both = sum(each.first_page == 0 and not each.page_heeded for each in drawn) / len(drawn)
    assert 0.02 < both < 0.06, "0.2 * 0.2"


def test_every_point_has_other_choices_and_is_changed_by_a_named_personality() -> None:
    points = {field.name for field in fields(Personality)} - {"name"}
    assert set(OTHER_CHOICES) == points
    reference = Personality()
    changed = {
        point for each in NAMED.values() for point in points if getattr(each, point) != getattr(reference, point)
    }
    assert changed == points


def test_every_named_personality_is_tested_here() -> None:
    text = Path(__file__).read_text()
    assert [name for name in NAMED if f'"{name}' not in text] == []


def test_the_documentation_names_every_personality() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [name for name in NAMED if f"`{name}`" not in text] == []
