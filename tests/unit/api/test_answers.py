"""What an answer of the loader means, as a whole and lead by lead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from target_engagevoice.api.answers import (
    WORDS_MAX,
    Answer,
    BatchAnswer,
    Counted,
    Denied,
    NoRoute,
    Refused,
    RejectedRow,
    Throttled,
    Unknown,
    classify,
    read,
)
from target_engagevoice.model.lead import LEAD_FIELDS, FieldType, Lead
from tests.support.factories import lead

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PAGE = b"<!doctype html><title>Ann 6505550100</title>"


def answered(fields: Any, status: int = 200) -> Answer:
    return classify(status, JSON, json.dumps(fields).encode())


# The request as a whole


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Denied),
        (302, Denied),
        (304, Denied),
        (307, Denied),
        (308, Denied),
        (400, Refused),
        (401, Denied),
        (402, Refused),
        (403, Denied),
        (404, NoRoute),
        (405, NoRoute),
        (406, Refused),
        (408, Unknown),
        (409, Refused),
        (410, Refused),
        (413, Refused),
        (415, Refused),
        (422, Refused),
        (429, Throttled),
        (500, Unknown),
        (501, Unknown),
        (502, Unknown),
        (503, Unknown),
        (504, Unknown),
        (520, Unknown),
        (599, Unknown),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"rate", PAGE])
def test_a_status_that_is_no_success_means_the_same_whatever_the_body(status: int, kind: type, body: bytes) -> None:
    assert isinstance(classify(status, HTML if body == PAGE else JSON, body), kind)


@given(st.integers(200, 599), st.sampled_from(["", JSON, HTML, "text/plain"]), st.binary(max_size=60))
@example(200, JSON, b'{"leadsAccepted":' + b"9" * 5000 + b"}")
@example(200, JSON, b'{"leadsAccepted":NaN}')
@example(200, JSON, b"null")
def test_every_answer_has_a_meaning(status: int, content_type: str, body: bytes) -> None:
    assert isinstance(classify(status, content_type, body), Answer)


@pytest.mark.parametrize(("status", "kind"), [(200, Unknown), (400, Refused), (403, Denied)])
def test_an_answer_nested_without_end_has_a_meaning(status: int, kind: type) -> None:
    body = b"[" * 100_000
    assert type(classify(status, JSON, body)) is kind


@pytest.mark.parametrize("status", [s for s in range(500, 600) if s != 500] + [408])
def test_only_a_500_is_an_unknown_that_a_poison_lead_can_cause(status: int) -> None:
    assert classify(status, "", b"") == Unknown(f"HTTP {status}", repeatable=False)


def test_a_500_may_be_repeated() -> None:
    assert classify(500, "", b"") == Unknown("HTTP 500", repeatable=True)


def test_throttling_keeps_the_header_as_it_came() -> None:
    assert classify(429, "text/plain", b"rate", "Wed, 21 Oct 2026 07:28:00 GMT") == Throttled(
        "Wed, 21 Oct 2026 07:28:00 GMT"
    )


def test_a_503_keeps_its_retry_after() -> None:
    answer = classify(503, "text/plain", b"", "7")
    assert isinstance(answer, Unknown)
    assert answer.retry_after == "7"


@pytest.mark.parametrize("status", [200, 201])
def test_a_page_of_html_is_no_success(status: int) -> None:
    assert isinstance(classify(status, HTML, PAGE), NoRoute)


def test_a_201_without_a_body_counts_nothing() -> None:
    assert classify(201, "", b"") == Counted()


def test_an_empty_object_counts_nothing() -> None:
    assert answered({}) == Counted()


WHOLE = json.dumps(
    {"leadsSupplied": 3, "leadsAccepted": 3, "leadsInserted": 3, "processingResult": "OK", "rejectedRows": []}
).encode()


@pytest.mark.parametrize("length", range(1, len(WHOLE)))
def test_a_truncated_answer_is_unknown(length: int) -> None:
    assert isinstance(classify(200, JSON, WHOLE[:length]), Unknown)


@pytest.mark.parametrize("body", [b"[]", b"3", b'"OK"', b"null", b"true"])
def test_json_that_is_no_object_is_unknown(body: bytes) -> None:
    assert isinstance(classify(200, JSON, body), Unknown)


def test_a_general_failure_is_a_refusal_in_the_servers_words() -> None:
    fields = {
        "processingStatus": "GENERAL_FAILURE",
        "processingResult": "Failed",
        "message": "missing.required.param",
        "leadsSupplied": 0,
    }
    assert answered(fields) == Refused("general_failure", "missing.required.param")


@pytest.mark.parametrize("count", ["leadsAccepted", "leadsInserted"])
def test_a_general_failure_that_took_leads_is_unknown(count: str) -> None:
    assert isinstance(answered({"processingStatus": "GENERAL_FAILURE", count: 1}), Unknown)


def test_a_failure_without_a_status_is_a_refusal() -> None:
    assert answered({"processingResult": "Failed"}) == Refused("failed", "failed")


def test_no_leads_passed_validation_counts_none_accepted() -> None:
    answer = answered({"processingStatus": "NO_LEADS_PASSED_VALIDATION", "processingResult": "Failed"})
    assert answer == Counted(accepted=0)


@pytest.mark.parametrize("state", ["DNC_ACCOUNT_SETTINGS", "DNC_UPLOAD_FAILED", "DNC_GREATER_ONE_DAY"])
def test_do_not_call_trouble_of_the_account_ends_the_run(state: str) -> None:
    assert answered({"processingStatus": state, "processingResult": "Failed"}) == Denied(
        f"HTTP 200, processingStatus {state}"
    )


def test_a_status_of_text_is_no_reason_code() -> None:
    answer = answered({"processingStatus": "Ann 6505550100 is no good", "processingResult": "Failed"})
    assert isinstance(answer, Refused)
    assert answer.reason == "failed"


@pytest.mark.parametrize("value", ["3", 3.0, True, -1, None, [], {}])
def test_a_count_that_is_no_count_says_nothing(value: Any) -> None:
    assert answered({"leadsAccepted": value, "leadsInserted": value}) == Counted()


@pytest.mark.parametrize("value", [None, "none", 3, {"message": "x"}, [None, "x", 7]])
def test_rejected_rows_that_are_none_name_nobody(value: Any) -> None:
    assert answered({"rejectedRows": value}) == Counted()


def test_a_rejected_row_may_lack_its_cells_and_its_words() -> None:
    answer = answered({"rejectedRows": [{}, {"message": "bad", "rowData": ["L1", None, 7]}]})
    assert answer == Counted(rejected_rows=(RejectedRow("rejected", ()), RejectedRow("bad", ("L1", "7"))))


@pytest.mark.parametrize(
    "words", ["Too many leads in one request: at most 100", "Request entity too large", "exceeds the limit of 500 rows"]
)
def test_words_about_the_size_ask_for_smaller_requests(words: str) -> None:
    answer = classify(400, "text/plain", words.encode())
    assert isinstance(answer, Refused)
    assert answer.shrink


def test_a_413_asks_for_smaller_requests_without_a_word() -> None:
    assert classify(413, HTML, PAGE) == Refused("http_413", "HTTP 413", shrink=True)


def test_an_ordinary_refusal_does_not() -> None:
    assert classify(400, "text/plain", b"Invalid phone") == Refused("http_400", "Invalid phone", shrink=False)


def test_the_servers_words_are_cut() -> None:
    answer = classify(400, "text/plain", b"x" * 10_000)
    assert isinstance(answer, Refused)
    assert len(answer.words) == WORDS_MAX


def test_a_denial_shows_the_error_code() -> None:
    body = json.dumps({"errorCode": "access.denied.exception", "generalMessage": "Ann may not"}).encode()
    assert classify(403, JSON, body) == Denied("HTTP 403 access.denied.exception")


@given(st.sampled_from([301, 401, 403]), st.text(max_size=100))
def test_a_denial_shows_no_text(status: int, text: str) -> None:
    body = json.dumps({"errorCode": f"x {text}", "generalMessage": text}).encode()
    assert classify(status, JSON, body) == Denied(f"HTTP {status}")


# Lead by lead

FEW_VALUES = st.sampled_from(["L0", "L1", "L2", "Ann", "Bo", "6505550000", "6505550001", "7"])
STRINGS = sorted(name for name, kind in LEAD_FIELDS.items() if kind is FieldType.STRING and name != "externId")


@st.composite
def batches(draw: st.DrawFn) -> list[Lead]:
    """Batches of few distinct values, so that ids, phones and names of several leads coincide."""
    extern_ids = draw(st.lists(st.sampled_from(["L0", "L1", "L2", "7", "Ann"]), min_size=1, max_size=4, unique=True))
    return [
        Lead.of(
            {"externId": extern_id} | draw(st.dictionaries(st.sampled_from([*STRINGS[:6], "leadPhone"]), FEW_VALUES))
        )
        for extern_id in extern_ids
    ]


def row_of(one: Lead, order: st.DataObject | None = None, message: str = "bad") -> RejectedRow:
    cells = [str(value) for value in one.fields.values()]
    return RejectedRow(message, tuple(order.draw(st.permutations(cells)) if order else cells))


counts = st.one_of(st.none(), st.integers(0, 6))
rows = st.lists(st.builds(RejectedRow, st.just("bad"), st.lists(FEW_VALUES, max_size=4).map(tuple)), max_size=4)


@given(batches(), counts, counts, rows)
def test_rejected_accepted_and_doubtful_are_the_batch(
    leads: list[Lead], accepted: int | None, inserted: int | None, rejected: list[RejectedRow]
) -> None:
    reading = read(leads, Counted(accepted, inserted, tuple(rejected)))
    assert sorted([*reading.rejected, *reading.accepted, *reading.doubtful]) == list(range(len(leads)))


@given(batches(), counts, counts, rows)
def test_no_more_are_not_inserted_than_accepted(
    leads: list[Lead], accepted: int | None, inserted: int | None, rejected: list[RejectedRow]
) -> None:
    reading = read(leads, Counted(accepted, inserted, tuple(rejected)))
    assert 0 <= reading.not_inserted <= len(reading.accepted)


@given(batches(), counts, st.integers(0, 6), rows)
def test_no_more_count_as_loaded_than_the_server_inserted(
    leads: list[Lead], accepted: int | None, inserted: int, rejected: list[RejectedRow]
) -> None:
    reading = read(leads, Counted(accepted, inserted, tuple(rejected)))
    assert len(reading.accepted) - reading.not_inserted <= inserted


@given(batches(), counts, counts, rows)
def test_accepted_are_no_more_than_the_server_counted(
    leads: list[Lead], accepted: int | None, inserted: int | None, rejected: list[RejectedRow]
) -> None:
    reading = read(leads, Counted(accepted, inserted, tuple(rejected)))
    assert len(reading.accepted) <= max(accepted or 0, inserted or 0)


@given(batches(), st.data())
def test_a_row_with_its_leads_own_id_rejects_nobody_else(leads: list[Lead], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leads) - 1))
    reading = read(leads, Counted(len(leads) - 1, None, (row_of(leads[at], data),)))
    assert set(reading.rejected) <= {at}


@given(batches(), st.data())
def test_rows_with_their_leads_own_ids_reject_nobody_else(leads: list[Lead], data: st.DataObject) -> None:
    bad = data.draw(st.lists(st.integers(0, len(leads) - 1), max_size=8))  # with repetitions: two faults of one lead
    reading = read(leads, Counted(None, None, tuple(row_of(leads[at], data) for at in bad)))
    assert set(reading.rejected) <= set(bad)


@given(batches(), st.data())
def test_a_row_that_shows_only_a_part_with_the_id_rejects_nobody_else(leads: list[Lead], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leads) - 1))
    others = [str(value) for name, value in leads[at].fields.items() if name != "externId"]
    part = data.draw(st.lists(st.sampled_from(others), unique=True)) if others else []
    cells = data.draw(st.permutations([leads[at].extern_id, *part]))
    reading = read(leads, Counted(None, None, (RejectedRow("bad", tuple(cells)),)))
    assert set(reading.rejected) <= {at}


@given(st.lists(st.integers(0, 9), unique=True), st.integers(10, 14), st.data())
def test_distinct_leads_are_all_found_in_shuffled_cells(bad: list[int], size: int, data: st.DataObject) -> None:
    leads = [lead(number, firstName="Ann") for number in range(size)]
    told = tuple(row_of(leads[at], data, f"bad {at}") for at in data.draw(st.permutations(bad)))
    assert read(leads, Counted(size - len(bad), None, told)).rejected == {at: f"bad {at}" for at in bad}


@pytest.mark.parametrize("name", ["leadPhone", "leadPhoneE164"])
def test_a_row_without_an_id_is_matched_by_phone(name: str) -> None:
    leads = [Lead.of({"externId": f"L{at}", name: f"+1650555000{at}"}) for at in range(3)]
    assert read(leads, Counted(2, 2, (RejectedRow("bad", ("x", "+16505550001")),))).rejected == {1: "bad"}


def test_two_leads_of_one_phone_are_told_apart_by_their_other_values() -> None:
    leads = [lead(0, leadPhone="6505550000", firstName="Ann"), lead(1, leadPhone="6505550000", firstName="Bo")]
    assert read(leads, Counted(1, 1, (RejectedRow("bad", ("Bo", "6505550000")),))).rejected == {1: "bad"}


def test_an_ambiguous_row_names_nobody() -> None:
    leads = [lead(0, leadPhone="6505550000"), lead(1, leadPhone="6505550000")]
    reading = read(leads, Counted(1, 1, (RejectedRow("bad", ("6505550000",)),)))
    assert reading == BatchAnswer(doubtful=(0, 1), short=1)


def test_a_row_of_nobody_names_nobody() -> None:
    reading = read([lead(0), lead(1)], Counted(1, 1, (RejectedRow("bad", ("L9", "")),)))
    assert reading == BatchAnswer(doubtful=(0, 1), short=1)


def test_a_lead_with_two_rows_does_not_pull_in_the_other_of_its_phone() -> None:
    leads = [lead(0, leadPhone="6505550000"), lead(1, leadPhone="6505550000")]
    told = (RejectedRow("bad", ("L0", "6505550000")), RejectedRow("also bad", ("L0", "6505550000")))
    assert set(read(leads, Counted(1, 1, told)).rejected) == {0}


def test_counts_that_cover_everybody_leave_no_doubt() -> None:
    assert read([lead(0), lead(1)], Counted(2, 2)) == BatchAnswer(accepted=(0, 1))


def test_counts_that_come_up_short_leave_all_others_in_doubt() -> None:
    reading = read([lead(0), lead(1), lead(2)], Counted(1, 1, (row_of(lead(1)),)))
    assert reading == BatchAnswer({1: "bad"}, doubtful=(0, 2), short=1)


def test_no_counts_leave_everybody_in_doubt() -> None:
    assert read([lead(0), lead(1)], Counted()) == BatchAnswer(doubtful=(0, 1), short=None)


def test_no_counts_but_a_row_of_nobody_are_short_by_that_row() -> None:
    reading = read([lead(0), lead(1)], Counted(rejected_rows=(RejectedRow("bad", ()),)))
    assert reading == BatchAnswer(doubtful=(0, 1), short=1)


def test_no_counts_and_two_rows_of_one_lead_are_not_short() -> None:
    reading = read([lead(0), lead(1)], Counted(rejected_rows=(row_of(lead(0)), row_of(lead(0)))))
    assert reading == BatchAnswer({0: "bad"}, doubtful=(1,), short=None)


def test_accepted_but_not_inserted_is_told() -> None:
    assert read([lead(0), lead(1), lead(2)], Counted(3, 1)) == BatchAnswer(accepted=(0, 1, 2), not_inserted=2)


def test_rejected_rows_that_are_counted_as_accepted_do_not_hide_an_inserted_lead() -> None:
    reading = read([lead(0), lead(1)], Counted(2, 1, (row_of(lead(1)),)))
    assert reading == BatchAnswer({1: "bad"}, accepted=(0,), not_inserted=0)


def test_inserted_alone_is_a_count() -> None:
    assert read([lead(0), lead(1)], Counted(None, 2)) == BatchAnswer(accepted=(0, 1))


@given(batches(), st.data())
def test_the_order_of_the_rows_does_not_matter(leads: list[Lead], data: st.DataObject) -> None:
    told = data.draw(rows)
    assume(len(told) > 1)
    other = data.draw(st.permutations(told))
    first, second = (read(leads, Counted(1, 1, tuple(each))) for each in (told, other))
    assert first.rejected == second.rejected
