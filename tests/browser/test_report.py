"""The run report in a browser: it says what the record says, on every screen and on paper; hostile names are text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_engagevoice.api.transport import HttpAnswer
from target_engagevoice.model.lead import Outcome
from target_engagevoice.reporting.html import write_report
from target_engagevoice.reporting.past_runs import PastRun
from tests.support.accessibility import assert_accessible
from tests.support.chromium import NARROW, WIDE
from tests.support.executable import STATE_DIR, Finished, against, run_target, serving
from tests.support.layout import assert_dark_and_light, assert_focus_is_seen, assert_no_overflow, focused, tab_to
from tests.support.messages import SCHEMA, record, records, schema
from tests.support.past_runs import PastDay

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.chromium import Watched

pytestmark = [pytest.mark.thorough, pytest.mark.browser]

HOSTILE = "<script>alert('stream')</script>"
EVIL_GROUP, EVIL_CAMPAIGN = "<img src=x onerror=alert(1)>", '"><svg onload=alert(2)>'
EVIL_LIST = "</style></title><script>alert(3)</script> {stream}"
EVIL_VALUE = "<iframe src=javascript:alert(4)>"

ACCOUNTS = [
    {
        "accountId": "99990001",
        "accountName": "One",
        "dialGroups": [
            {
                "dialGroupId": 501,
                "dialGroupName": EVIL_GROUP,
                "campaigns": [
                    {"campaignId": 1001, "campaignName": EVIL_CAMPAIGN},
                    {"campaignId": 1002, "campaignName": "Winback"},
                ],
            }
        ],
    }
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run through a server that throttles once, with names that no sane person gives."""
    throttled = {"on": "load", "do": "status", "status": 429, "after": 3}
    with serving(throttled, accounts=ACCOUNTS) as sandbox:
        mapping = {
            "campaign": {"field": "note", "map": {"w": "1002"}, "default": "1001"},
            "fields": {"auxData1": {"value": EVIL_VALUE}},
            "list": {"description": EVIL_LIST},
        }
        config = against(sandbox, batch_size_rows=5, max_rejected_percent=50, report=True, mappings={HOSTILE: mapping})
        lines = [
            schema(HOSTILE, {**SCHEMA, "nothing": {"type": "string"}}),
            *records(20, stream=HOSTILE),
            *(record(number, HOSTILE, note="w") for number in range(20, 30)),
            *(record(number, HOSTILE, phone="none") for number in range(30, 33)),
            record(33, HOSTILE, phone=None),
            schema("people"),
            record(40, "people", phone=EVIL_VALUE),
        ]
        done = run_target(tmp_path_factory.mktemp("report"), config, lines)
    assert done.code == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def run(finished: Finished) -> PastRun:
    return PastRun(finished.folder / STATE_DIR, finished.run_record["run"])


@pytest.fixture
def report(pages: Watched, run: PastRun) -> Page:
    return pages.open(run.report_path.as_uri())


def rows(page: Page, table: str) -> list[list[str]]:
    """The cells of a table's body and foot."""
    found = page.locator(f"#{table} tbody tr, #{table} tfoot tr").all()
    return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in found]


def told(page: Page, table: str) -> list[dict[str, str]]:
    """The same by column."""
    heads = page.locator(f"#{table} thead th").all_inner_texts()
    return [dict(zip(heads, row, strict=True)) for row in rows(page, table)]


def test_the_totals_are_those_of_the_record(report: Page, run: PastRun) -> None:
    names, values = (report.locator(f".totals {part}").all_inner_texts() for part in ("dt", "dd"))
    shown = {name.replace(" ", "_"): int(value) for name, value in zip(names, values, strict=True)}
    assert shown == {name: count for name, count in run.record["totals"].items() if count}


def test_the_table_of_outcomes_is_that_of_the_record(report: Page, run: PastRun) -> None:
    *campaigns, total = told(report, "outcomes-table")
    record_rows: list[tuple[str, Any]] = [
        (stream["stream"], row) for stream in run.record["streams"] for row in stream["campaigns"]
    ]
    assert [(row["stream"], row["campaign"]) for row in campaigns] == [
        (stream, f"{row['campaign']} ({row['campaign_id']})") for stream, row in record_rows
    ]
    for shown, row in zip([*campaigns, total], [*(row for _, row in record_rows), run.record["totals"]], strict=True):
        numbers = {name.replace(" ", "_"): int(cell) for name, cell in shown.items() if cell.isdigit()}
        assert numbers == {name: row[name] for name in numbers}
        assert {name for name, count in run.record["totals"].items() if count} == set(numbers)


def test_a_bar_for_each_campaign_says_in_words_what_it_shows(report: Page, run: PastRun) -> None:
    labels = [bar.get_attribute("aria-label") or "" for bar in report.locator("svg.bar").all()]
    wanted = [
        f"{stream['stream']} to {row['campaign']} ({row['campaign_id']}), {row['read']} read: "
        for stream in run.record["streams"]
        for row in stream["campaigns"]
    ]
    assert len(labels) == len(wanted)
    assert all(any(label.startswith(start) for label in labels) for start in wanted)


def test_the_batches_add_up_to_the_record(report: Page, run: PastRun) -> None:
    batches = told(report, "batches-table")
    totals = run.record["totals"]
    assert len(batches) == totals["requests"]
    assert sum(int(batch["inserted"]) for batch in batches) == totals["loaded"] + totals["updated"]
    assert [batch["answer"] for batch in batches if batch["answer"] != "200"] == ["429", "200, sent again"]
    assert {batch["list"].strip() for batch in batches} == {EVIL_LIST.replace("{stream}", HOSTILE)}


def test_the_timeline_adds_up_to_the_record(report: Page, run: PastRun) -> None:
    report.get_by_text("The same as a table").click()
    stretches = told(report, "timeline-table")
    for name in ("requests", "throttled", "retries"):
        assert sum(int(stretch[name]) for stretch in stretches) == run.record["totals"][name]
    labels = [curve.get_attribute("aria-label") or "" for curve in report.locator("svg.curve").all()]
    assert [label.partition(" over ")[0] for label in labels] == ["Requests in the last 1 s", "Requests in flight"]
    assert labels[0].endswith("limit 1,000")
    assert report.locator("svg.curve rect.throttled").count() == 2


def test_the_rejects_are_those_of_the_file_and_link_to_it(report: Page, run: PastRun) -> None:
    headings = report.locator("article h3").all_inner_texts()
    lines = [json.loads(line) for line in run.rejects_path.read_text().splitlines()]
    groups = {(line["stage"], line["reason"], line["stream"]) for line in lines}
    counts = {
        group: sum((line["stage"], line["reason"], line["stream"]) == group for line in lines) for group in groups
    }
    assert set(headings) == {
        f"{count} \u00d7 {reason} (stage {stage}, stream {stream})" for (stage, reason, stream), count in counts.items()
    }
    for link in report.locator("article a").all():
        assert link.evaluate("link => link.href") == run.rejects_path.resolve().as_uri()


def test_hostile_names_are_text_also_with_personal_data(pages: Watched, run: PastRun) -> None:
    path = write_report(run, run.report_path.with_name("personal.html"), with_personal_data=True)
    page = pages.open(path.as_uri())
    for name in (HOSTILE, EVIL_GROUP, EVIL_CAMPAIGN, EVIL_LIST.replace("{stream}", HOSTILE)):
        assert name in page.inner_text("body")
    page.locator("article summary").last.click()
    assert EVIL_VALUE in page.inner_text("main")
    assert page.locator("script, iframe, img, main svg [onload]").count() == 0
    assert page.title() == f"Run {run.name}: ok"


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_it_fits(report: Page, width: int) -> None:
    report.get_by_text("The same as a table").click()
    assert_no_overflow(report, width)


def test_it_is_dark_in_the_dark(report: Page) -> None:
    assert_dark_and_light(report)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(report: Page, scheme: Any) -> None:
    report.emulate_media(color_scheme=scheme)
    report.get_by_text("The same as a table").click()
    assert_accessible(report)


def test_paper_is_white_and_shows_all_of_the_tables(report: Page) -> None:
    report.emulate_media(media="print", color_scheme="dark")
    assert report.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not report.locator("nav").is_visible()
    assert_no_overflow(report, 720)
    overflows = "boxes => boxes.map(box => getComputedStyle(box).overflow)"
    assert set(report.locator(".scroll").evaluate_all(overflows)) == {"visible"}


_LINES = """cells => cells.map(cell => {
  const words = document.createRange();
  words.selectNodeContents(cell);
  return words.getClientRects().length;
})"""
"""How many lines the text of each cell takes."""

LONG = "x" * 160
"""A stream's name without a place to break it."""


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> PastRun:
    """A run of many streams with long names, and one request."""
    day = PastDay(tmp_path_factory.mktemp("crowded"))
    run = day.run({Outcome.LOADED: 1_234_567}, stream=LONG)
    (stream,) = run.record["streams"]
    run.__dict__["record"] = {
        **run.record,
        "streams": [{**stream, "stream": f"{number}{LONG}"} for number in range(100)],
    }
    day.request(run, HttpAnswer(200, b'{"leadsAccepted": 500, "leadsInserted": 500}'), stream=LONG, list=LONG, batch=12)
    write_report(run)
    return run


@pytest.mark.parametrize("table", ["outcomes-table", "batches-table"])
def test_long_names_do_not_push_the_figures_out_of_a_wide_window(pages: Watched, crowded: PastRun, table: str) -> None:
    page = pages.open(crowded.report_path.as_uri())
    room, needed = page.evaluate(
        "id => (box => [box.clientWidth, box.scrollWidth])(document.getElementById(id).parentElement)", table
    )
    assert needed <= room


def test_on_paper_no_figure_is_broken_in_two(pages: Watched, crowded: PastRun) -> None:
    page = pages.open(crowded.report_path.as_uri())
    page.emulate_media(media="print")
    assert_no_overflow(page, 720)
    assert set(page.locator("td.number, tbody th.number").evaluate_all(_LINES)) <= {0, 1}


def test_what_comes_after_a_long_table_of_outcomes_is_not_far_away(pages: Watched, crowded: PastRun) -> None:
    page = pages.open(crowded.report_path.as_uri())
    box = page.get_by_role("region", name="Table of outcomes").bounding_box()
    assert box is not None
    assert box["height"] < 700


def test_all_of_it_is_reached_with_the_keyboard(report: Page) -> None:
    stops = assert_focus_is_seen(report)
    assert {stop.text for stop in stops if stop.tag == "a"} >= {"Outcomes", "Rejects", "File: record"}
    assert {stop.text for stop in stops if stop.tag == "div"} >= {"Table of outcomes", "Table of batches"}


def test_a_part_is_gone_to_with_the_keyboard(report: Page) -> None:
    tab_to(report, "Rejects")
    report.keyboard.press("Enter")
    assert report.url.endswith("#rejects")
    report.keyboard.press("Tab")
    stop = focused(report)
    assert stop is not None
    assert stop.text == "All rejects, as they were read"


def test_the_table_of_the_timeline_is_opened_with_the_keyboard(report: Page) -> None:
    tab_to(report, "The same as a table")
    report.keyboard.press("Enter")
    assert report.locator("#timeline-table").is_visible()
