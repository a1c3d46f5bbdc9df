"""The report's HTML: what is in it, what must not be, and what hostile names do to it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.errors import StorageError
from target_engagevoice.model.campaign import Campaign
from target_engagevoice.model.lead import Outcome, Rejection, Stage
from target_engagevoice.reporting.html import MOST_BATCHES, report_page, write_report
from target_engagevoice.reporting.reasons import REASONS, explain_reason
from tests.support.factories import lead
from tests.support.past_runs import PastDay

if TYPE_CHECKING:
    from pathlib import Path

    from target_engagevoice.reporting.past_runs import PastRun

OK = HttpAnswer(200, b'{"leadsAccepted": 2, "leadsInserted": 1}')
QUOTING = Rejection(Stage.SERVER, "http_400", "Wilhelmina (415) 555-0100 is no good")
PERSONAL = ("Wilhelmina", "555-0100", "4155550100", "is no good")

TAGS = (
    "html head meta title style body header h1 p span nav ul li a main section h2 dl div dt dd svg rect figure "
    "figcaption bdi table caption thead tr th tbody td tfoot polygon line details summary h3 article code pre"
)
"""All the elements that the template has."""


class Read(HTMLParser):
    """A page, read.

    Attributes:
        tags: Names of its elements.
        attributes: All, as name and value.
        text: What a reader sees.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def day(tmp_path: Path) -> PastDay:
    return PastDay(tmp_path)


def page(run: PastRun, *, with_personal_data: bool = False) -> str:
    return report_page(run, run.report_path.parent, with_personal_data=with_personal_data)


def with_rejects(day: PastDay) -> PastRun:
    run = day.run({Outcome.LOADED: 3, Outcome.REJECTED: 2}, status="rejected")
    person = {"id": 7, "first_name": "Wilhelmina", "phone": "(415) 555-0100"}
    day.reject(run, person, rejection=QUOTING, lead=lead(7, firstName="Wilhelmina", leadPhone="4155550100"))
    day.reject(run, {**person, "id": 8})
    return run


def test_a_page_is_written_for_its_owner_only_where_the_run_has_its_files(day: PastDay) -> None:
    run = day.run({Outcome.LOADED: 3})
    path = write_report(run)
    assert path == run.state_dir / "reports" / f"{run.name}.html"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("<!doctype html>")


def test_a_page_can_be_written_elsewhere_and_its_links_still_lead_to_the_files(day: PastDay, tmp_path: Path) -> None:
    run = with_rejects(day)
    path = write_report(run, tmp_path / "elsewhere" / "deep" / "page.html")
    links = {value for name, value in Read(path.read_text()).attributes if name == "href" and value[0] != "#"}
    assert links == {f"../../runs/{run.name}.json", f"../../rejects/{run.name}.jsonl"}
    assert all((path.parent / link).resolve().exists() for link in links)


def test_a_page_that_cannot_be_written_is_an_error(day: PastDay, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="the report cannot be written"):
        write_report(day.run({Outcome.LOADED: 3}), tmp_path / "file" / "page.html")


def test_no_personal_data_is_on_it(day: PastDay) -> None:
    shown = page(with_rejects(day))
    assert [word for word in PERSONAL if word in shown] == []
    assert "L7" in shown


def test_personal_data_is_on_it_when_asked_for(day: PastDay) -> None:
    shown = page(with_rejects(day), with_personal_data=True)
    assert [word for word in PERSONAL if word not in shown] == []


def test_rejects_are_grouped_with_their_meaning_and_their_lines(day: PastDay) -> None:
    text = " ".join(Read(page(with_rejects(day))).text.split())
    assert "1 \u00d7 http_400 (stage server, stream people)" in text
    assert "1 \u00d7 missing_phone (stage phone, stream people) The record has no phone number." in text
    assert "Line 2 of the rejects file" in text


def test_nothing_comes_from_elsewhere_and_no_script_may_run(day: PastDay) -> None:
    read = Read(page(with_rejects(day)))
    policy = next(value for name, value in read.attributes if "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert {"script", "link", "img", "iframe"} & read.tags == set()
    assert [value for _, value in read.attributes if "//" in value] == []


HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</style><b>",
        "</title>",
        "{{ 7*7 }}",
        "javascript:alert(1)",
        "' onmouseover='alert(1)",
        "\u202eevil",
        "<!--",
        "]]>",
        "half \ud800 a pair",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_hostile_names_are_text(tmp_path: Path, stream: str, campaign: str, listed: str, value: str) -> None:
    day = PastDay(tmp_path)
    there = Campaign("1001", campaign, "501", campaign)
    config = {"mappings": {stream: {"fields": {"auxData1": {"value": value}}}}}
    run = day.run({Outcome.REJECTED: 1}, stream=stream, campaign=there, config=config)
    day.reject(run, {"id": value}, stream=stream, rejection=Rejection(Stage.SERVER, value, value))
    day.request(run, OK, list=listed, stream=stream)
    read = Read(page(run, with_personal_data=True))
    assert read.tags == set(TAGS.split())
    assert not [name for name, _ in read.attributes if name.startswith("on") or name == "src"]
    assert not [value for name, value in read.attributes if name == "href" and value[0] not in "#."]
    assert listed.replace("\ud800", "?") in read.text
    assert campaign.replace("\u202e", "\ufffd").replace("\ud800", "\ufffd") in read.text


def test_the_servers_codes_are_shown_and_other_messages_are_not(day: PastDay) -> None:
    run = day.run({Outcome.LOADED: 3})
    coded = HttpAnswer(200, b'{"processingStatus": "GENERAL_FAILURE", "message": "missing.required.param"}')
    worded = HttpAnswer(400, b'{"message": "Wilhelmina is no good"}')
    day.request(run, OK, coded, worded)
    text = Read(page(run)).text
    assert "GENERAL_FAILURE missing.required.param" in text
    assert "a message, not kept because it may quote a lead" in text


def test_of_very_many_requests_those_that_went_wrong_are_shown_first(day: PastDay) -> None:
    run = day.run({Outcome.LOADED: 3})
    day.request(run, *[OK] * (MOST_BATCHES + 50), HttpAnswer(429, b"rate"))
    batches = page(run).partition('id="batches-table"')[2].partition("</table>")[0]
    assert "51 more" in batches
    rows = re.findall("<tr>.*?</tr>", batches, flags=re.DOTALL)[1:]
    assert len(rows) == MOST_BATCHES
    assert "<td>429</td>" in rows[-1]


def test_counters_that_a_later_version_adds_are_shown(day: PastDay) -> None:
    run = day.run({Outcome.LOADED: 3})
    record = dict(run.record)
    record["totals"]["retired"] = record["streams"][0]["campaigns"][0]["retired"] = 5
    run.__dict__["record"] = record
    assert ">retired</th>" in page(run)


@pytest.mark.parametrize("missing", ["config", "requests", "everything"])
def test_a_record_of_an_earlier_version_can_be_shown(day: PastDay, missing: str) -> None:
    run = day.run({} if missing == "everything" else {Outcome.LOADED: 3})
    record = dict(run.record)
    del record["config"]
    run.__dict__["record"] = record
    assert "The record contains no settings." in page(run)


def test_every_reason_has_a_text(day: PastDay) -> None:
    del day
    ours = {explain_reason("phone", reason) for reason in REASONS}
    assert len(ours) == len(REASONS)
    assert explain_reason("server", "http_413")[0].endswith("(http_413).")
    assert explain_reason("map", "of_tomorrow") == ("of_tomorrow", "See the message in the rejects file.")


def test_a_phones_rejection_has_a_text_in_the_report() -> None:
    from target_engagevoice.model.phone import _MESSAGES  # noqa: PLC0415 - private, for this test alone

    assert set(_MESSAGES) <= set(REASONS)


@pytest.mark.parametrize("reason", ["unknown_phone_label", "several_phones"])
def test_a_rejection_for_its_persona_phones_has_a_text_in_the_report(reason: str) -> None:
    what, advice = explain_reason("map", reason)
    assert reason not in what
    assert "personaPhoneConfig" in advice


def test_the_text_for_a_refusal_of_the_server_covers_changes_and_retirements() -> None:
    what, _ = explain_reason("server", "http_400")
    assert "change" in what
    assert "out of the dialer" in what


def test_the_curves_show_the_windows_of_the_run(day: PastDay) -> None:
    config: dict[str, Any] = {"rate_limits": ["7/3s"], "max_in_flight": 2}
    run = day.run({Outcome.LOADED: 3}, config=config)
    day.request(run, OK)
    text = Read(page(run)).text
    assert "Requests in the last 3 s: at most 1, limit 7 (dashed)" in text
    assert "Requests in flight: at most 1, limit 2 (dashed)" in text


def test_names_written_from_right_to_left_are_kept_apart_from_the_figures_beside_them(day: PastDay) -> None:
    run = day.run({Outcome.LOADED: 20}, stream="עברית", campaign=Campaign("9", "חידושים", "5", "North"))
    shown = page(run)
    assert "<bdi>עברית</bdi> → <bdi>North/חידושים</bdi> (9): " in shown
    assert '<bdi>עברית</bdi></th><td class="name"><bdi>North/חידושים</bdi> (9)</td>' in shown


def test_the_column_for_the_servers_message_is_shown_when_there_is_a_message(day: PastDay) -> None:
    run = day.run({Outcome.LOADED: 3})
    day.request(run, OK)
    assert "the server&#39;s message" not in page(run).replace("'", "&#39;")
    day.request(run, HttpAnswer(400, b'{"errorCode": "missing.required.param"}'))
    assert "the server's message" in page(run)
