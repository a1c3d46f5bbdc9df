"""What an answer of the loader means for the request as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from target_engagevoice.api.answers import (
    MESSAGE_MAX,
    Counted,
    Denied,
    LoadAnswer,
    NoRoute,
    Refused,
    RejectedRow,
    Throttled,
    Unknown,
    classify,
)

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PAGE = b"<!doctype html><title>Ann 6505550100</title>"


def answered(fields: Any, status: int = 200) -> LoadAnswer:
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
    assert isinstance(classify(status, content_type, body), LoadAnswer)


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
def test_rejected_rows_that_are_none_match_no_lead(value: Any) -> None:
    assert answered({"rejectedRows": value}) == Counted()


def test_a_rejected_row_may_lack_its_cells_and_its_words() -> None:
    answer = answered({"rejectedRows": [{}, {"message": "bad", "rowData": ["L1", None, 7]}]})
    assert answer == Counted(rejected_rows=(RejectedRow("rejected", ()), RejectedRow("bad", ("L1", "7"))))


@pytest.mark.parametrize(
    "message",
    ["Too many leads in one request: at most 100", "Request entity too large", "exceeds the limit of 500 rows"],
)
def test_a_message_about_the_size_asks_for_smaller_requests(message: str) -> None:
    answer = classify(400, "text/plain", message.encode())
    assert isinstance(answer, Refused)
    assert answer.shrink


def test_a_413_asks_for_smaller_requests_without_a_word() -> None:
    assert classify(413, HTML, PAGE) == Refused("http_413", "HTTP 413", shrink=True)


def test_an_ordinary_refusal_does_not() -> None:
    assert classify(400, "text/plain", b"Invalid phone") == Refused("http_400", "Invalid phone", shrink=False)


def test_a_long_message_of_the_server_is_cut() -> None:
    answer = classify(400, "text/plain", b"x" * 10_000)
    assert isinstance(answer, Refused)
    assert len(answer.message) == MESSAGE_MAX


def test_a_denial_shows_the_error_code() -> None:
    body = json.dumps({"errorCode": "access.denied.exception", "generalMessage": "Ann may not"}).encode()
    assert classify(403, JSON, body) == Denied("HTTP 403 access.denied.exception")


@given(st.sampled_from([301, 401, 403]), st.text(max_size=100))
def test_a_denial_shows_no_text(status: int, text: str) -> None:
    body = json.dumps({"errorCode": f"x {text}", "generalMessage": text}).encode()
    assert classify(status, JSON, body) == Denied(f"HTTP {status}")
