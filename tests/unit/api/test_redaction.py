"""Of a server's answer only counts and codes are kept, nothing that could quote a lead."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_engagevoice.api.redaction import PLAIN_WORDS, journal_fields

NAMES = st.sampled_from(["wilhelmina", "zaphodsson", "Smith", "O'Brien", "4155550100", "a@b.example", "ann"])


def kept(**fields: Any) -> dict[str, Any]:
    return journal_fields(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"processingStatus": "GENERAL_FAILURE"}, "GENERAL_FAILURE"),
        ({"message": "missing.required.param"}, "missing.required.param"),
        ({"errorCode": "access.denied.exception"}, "access.denied.exception"),
        ({"processingStatus": "GENERAL_FAILURE", "message": "bad.request"}, "GENERAL_FAILURE bad.request"),
    ],
)
def test_a_code_is_kept(fields: dict[str, str], code: str) -> None:
    assert kept(**fields) == {"code": code}


@pytest.mark.parametrize(
    "message", ["Lead 4155550100 is bad", "wilhelmina.zaphodsson", "SMITH_JOHN", "rejected", {"a": 1}, "bad.4155550100"]
)
def test_of_any_other_message_only_that_there_was_one_is_kept(message: Any) -> None:
    assert kept(message=message) == {"message": "text"}


@given(st.lists(NAMES | st.sampled_from(PLAIN_WORDS.split()), min_size=1, max_size=5), st.sampled_from([".", "_", " "]))
def test_whatever_is_kept_is_made_of_plain_words(words: list[str], between: str) -> None:
    code = kept(message=between.join(words)).get("code", "")
    assert set(filter(None, re.split(r"[._ ]", code.lower()))) <= set(PLAIN_WORDS.split())


def test_only_the_counts_of_a_routine_answer_are_kept() -> None:
    answer = {"leadsSupplied": 3, "leadsInserted": 2, "quotaCount": 0, "message": "", "processingResult": "OK"}
    assert kept(**answer, processingStatus="DEFAULT_NOT_A_FAILURE") == {
        "counts": {"leadsSupplied": 3, "leadsInserted": 2}
    }


def test_rejected_rows_are_counted_not_kept() -> None:
    rows = [{"message": "Smith is bad", "rowData": ["4155550100"]}] * 2
    assert kept(rejectedRows=rows) == {"counts": {"rejectedRows": 2}}


@pytest.mark.parametrize("count", [True, "4155550100", 1.5, None, [1]])
def test_a_count_that_is_no_whole_number_is_not_kept(count: Any) -> None:
    assert kept(leadsAccepted=count) == {}


@pytest.mark.parametrize(("body", "said"), [(b"", {}), (b"[1]", {}), (b"<html>Smith", {"message": "text"})])
def test_an_answer_that_is_no_object_is_stood(body: bytes, said: dict[str, str]) -> None:
    assert journal_fields(body) == said
