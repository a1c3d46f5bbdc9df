"""What a counted answer of the loader means for each lead."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from target_engagevoice.api.answers import Counted, RejectedRow
from target_engagevoice.api.batch_answer import BatchAnswer, divide_batch
from target_engagevoice.model.lead import LEAD_FIELDS, FieldType, Lead
from tests.support.factories import lead

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
def test_rejected_accepted_and_uncertain_are_the_batch(
    leads: list[Lead], accepted: int | None, inserted: int | None, rejected: list[RejectedRow]
) -> None:
    answer = divide_batch(leads, Counted(accepted, inserted, tuple(rejected)))
    assert sorted([*answer.rejected, *answer.accepted, *answer.uncertain]) == list(range(len(leads)))


@given(batches(), counts, counts, rows)
def test_no_more_are_not_inserted_than_accepted(
    leads: list[Lead], accepted: int | None, inserted: int | None, rejected: list[RejectedRow]
) -> None:
    answer = divide_batch(leads, Counted(accepted, inserted, tuple(rejected)))
    assert 0 <= answer.not_inserted <= len(answer.accepted)


@given(batches(), counts, st.integers(0, 6), rows)
def test_no_more_count_as_loaded_than_the_server_inserted(
    leads: list[Lead], accepted: int | None, inserted: int, rejected: list[RejectedRow]
) -> None:
    answer = divide_batch(leads, Counted(accepted, inserted, tuple(rejected)))
    assert len(answer.accepted) - answer.not_inserted <= inserted


@given(batches(), counts, counts, rows)
def test_accepted_are_no_more_than_the_server_counted(
    leads: list[Lead], accepted: int | None, inserted: int | None, rejected: list[RejectedRow]
) -> None:
    answer = divide_batch(leads, Counted(accepted, inserted, tuple(rejected)))
    assert len(answer.accepted) <= max(accepted or 0, inserted or 0)


@given(batches(), st.data())
def test_a_row_with_its_leads_own_id_rejects_no_other_lead(leads: list[Lead], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leads) - 1))
    answer = divide_batch(leads, Counted(len(leads) - 1, None, (row_of(leads[at], data),)))
    assert set(answer.rejected) <= {at}


@given(batches(), st.data())
def test_rows_with_their_leads_own_ids_reject_no_other_lead(leads: list[Lead], data: st.DataObject) -> None:
    bad = data.draw(st.lists(st.integers(0, len(leads) - 1), max_size=8))  # may repeat: two faults of one lead
    answer = divide_batch(leads, Counted(None, None, tuple(row_of(leads[at], data) for at in bad)))
    assert set(answer.rejected) <= set(bad)


@given(batches(), st.data())
def test_a_row_that_shows_only_a_part_with_the_id_rejects_no_other_lead(leads: list[Lead], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leads) - 1))
    others = [str(value) for name, value in leads[at].fields.items() if name != "externId"]
    part = data.draw(st.lists(st.sampled_from(others), unique=True)) if others else []
    cells = data.draw(st.permutations([leads[at].extern_id, *part]))
    answer = divide_batch(leads, Counted(None, None, (RejectedRow("bad", tuple(cells)),)))
    assert set(answer.rejected) <= {at}


@given(st.lists(st.integers(0, 9), unique=True), st.integers(10, 14), st.data())
def test_distinct_leads_are_all_found_in_shuffled_cells(bad: list[int], size: int, data: st.DataObject) -> None:
    leads = [lead(number, firstName="Ann") for number in range(size)]
    named = tuple(row_of(leads[at], data, f"bad {at}") for at in data.draw(st.permutations(bad)))
    assert divide_batch(leads, Counted(size - len(bad), None, named)).rejected == {at: f"bad {at}" for at in bad}


@pytest.mark.parametrize("name", ["leadPhone", "leadPhoneE164"])
def test_a_row_without_an_id_is_matched_by_phone(name: str) -> None:
    leads = [Lead.of({"externId": f"L{at}", name: f"+1650555000{at}"}) for at in range(3)]
    assert divide_batch(leads, Counted(2, 2, (RejectedRow("bad", ("x", "+16505550001")),))).rejected == {1: "bad"}


def test_two_leads_of_one_phone_are_told_apart_by_their_other_values() -> None:
    leads = [lead(0, leadPhone="6505550000", firstName="Ann"), lead(1, leadPhone="6505550000", firstName="Bo")]
    assert divide_batch(leads, Counted(1, 1, (RejectedRow("bad", ("Bo", "6505550000")),))).rejected == {1: "bad"}


def test_an_ambiguous_row_matches_no_lead() -> None:
    leads = [lead(0, leadPhone="6505550000"), lead(1, leadPhone="6505550000")]
    answer = divide_batch(leads, Counted(1, 1, (RejectedRow("bad", ("6505550000",)),)))
    assert answer == BatchAnswer(uncertain=(0, 1), short=1)


def test_a_row_of_no_lead_matches_no_lead() -> None:
    answer = divide_batch([lead(0), lead(1)], Counted(1, 1, (RejectedRow("bad", ("L9", "")),)))
    assert answer == BatchAnswer(uncertain=(0, 1), short=1)


def test_a_lead_with_two_rows_does_not_pull_in_the_other_of_its_phone() -> None:
    leads = [lead(0, leadPhone="6505550000"), lead(1, leadPhone="6505550000")]
    named = (RejectedRow("bad", ("L0", "6505550000")), RejectedRow("also bad", ("L0", "6505550000")))
    assert set(divide_batch(leads, Counted(1, 1, named)).rejected) == {0}


def test_counts_that_cover_all_leads_leave_no_lead_uncertain() -> None:
    assert divide_batch([lead(0), lead(1)], Counted(2, 2)) == BatchAnswer(accepted=(0, 1))


def test_counts_that_come_up_short_leave_all_others_uncertain() -> None:
    answer = divide_batch([lead(0), lead(1), lead(2)], Counted(1, 1, (row_of(lead(1)),)))
    assert answer == BatchAnswer({1: "bad"}, uncertain=(0, 2), short=1)


def test_no_counts_leave_all_leads_uncertain() -> None:
    assert divide_batch([lead(0), lead(1)], Counted()) == BatchAnswer(uncertain=(0, 1), short=None)


def test_no_counts_but_a_row_of_no_lead_are_short_by_that_row() -> None:
    answer = divide_batch([lead(0), lead(1)], Counted(rejected_rows=(RejectedRow("bad", ()),)))
    assert answer == BatchAnswer(uncertain=(0, 1), short=1)


def test_no_counts_and_two_rows_of_one_lead_are_not_short() -> None:
    answer = divide_batch([lead(0), lead(1)], Counted(rejected_rows=(row_of(lead(0)), row_of(lead(0)))))
    assert answer == BatchAnswer({0: "bad"}, uncertain=(1,), short=None)


def test_accepted_but_not_inserted_leads_are_counted() -> None:
    assert divide_batch([lead(0), lead(1), lead(2)], Counted(3, 1)) == BatchAnswer(accepted=(0, 1, 2), not_inserted=2)


def test_rejected_rows_that_are_counted_as_accepted_do_not_hide_an_inserted_lead() -> None:
    answer = divide_batch([lead(0), lead(1)], Counted(2, 1, (row_of(lead(1)),)))
    assert answer == BatchAnswer({1: "bad"}, accepted=(0,), not_inserted=0)


def test_inserted_alone_is_a_count() -> None:
    assert divide_batch([lead(0), lead(1)], Counted(None, 2)) == BatchAnswer(accepted=(0, 1))


@given(batches(), st.data())
def test_the_order_of_the_rows_does_not_matter(leads: list[Lead], data: st.DataObject) -> None:
    named = data.draw(rows)
    assume(len(named) > 1)
    other = data.draw(st.permutations(named))
    first, second = (divide_batch(leads, Counted(1, 1, tuple(each))) for each in (named, other))
    assert first.rejected == second.rejected
