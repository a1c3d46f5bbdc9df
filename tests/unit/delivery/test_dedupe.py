"""What is to be done for a lead, by what its campaign has and by the replay candidates of dead runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from target_engagevoice.delivery.buffer import BufferedLead, BufferedRetirement
from target_engagevoice.delivery.dedupe import Dedupe
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.ledger.tables import CHANGE, RETIRE
from target_engagevoice.model.lead import Outcome
from target_engagevoice.model.policy import Policy
from target_engagevoice.model.retirement import RETIRED, Retire, Retirement, phone_digest
from target_engagevoice.outcomes.checkpoints import Epoch
from target_engagevoice.outcomes.outcomes import ReadRecord
from tests.support.factories import ACCOUNT, lead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from target_engagevoice.delivery.dedupe import Comparison, RetirementComparison
    from target_engagevoice.model.lead import Lead

    Past = Callable[[Ledger], None]

APPEND = Policy()
ALL = Policy(skip_unchanged=False)
UPSERT = Policy(change=True)
MOVES = Policy(move=Retire.SUPPRESS)
KEEPS_OFF = Policy(list_phones=True)

ANN, BEA = lead(0, firstName="Ann"), lead(0, firstName="Bea")
FLAGGED = BufferedRetirement.of(
    ReadRecord("people", {}, Epoch()), Retirement("L0", Outcome.DELETED, Retire.SUPPRESS, None), 0.0
)


def load(ledger: Ledger, one: Lead = ANN, campaign: str = "1001", stream: str = "people") -> None:
    ledger.settle(stream, campaign, {"L0": one.digest}, [], 5.0)


def retire(ledger: Ledger, how: Retire = Retire.SUPPRESS, campaign: str = "1001", *, moved: bool = False) -> None:
    ledger.claim("people", campaign, {"L0": how.value}, 1.0, RETIRE)
    ledger.leads.record_retirement("people", campaign, ["L0"], how, moved=moved)
    if not moved:
        ledger.leads.record_retired_everywhere("people", ["L0"])


def leave_uncertain(ledger: Ledger, how: Retire | None) -> None:
    """As if an earlier run had been killed in between."""
    with ledger._account.writing() as connection:
        if how is not None:
            ledger.leads._retire(connection, "1001", ["L0"], f"{how.value}?")
        else:
            connection.exec_driver_sql("UPDATE engagevoice_accepted SET digest = ''")


@contextmanager
def after(tmp_path: Path, past: Past, *, killed: bool) -> Iterator[Ledger]:
    """The ledger of the next run."""
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "one")
    past(ledger)
    if not killed:
        ledger.finish(["people", "contacts"])
    ledger.close()
    ledger = Ledger.open(None, tmp_path, ACCOUNT, "two")
    try:
        yield ledger
    finally:
        ledger.close()


def what(comparison: Comparison | RetirementComparison) -> str:
    """The one thing that is to be done."""
    done = [each.name for each in fields(comparison) if getattr(comparison, each.name)]
    return ", ".join(done)


def buffered(one: Lead) -> BufferedLead:
    return BufferedLead.of(ReadRecord("people", {}, Epoch()), one, 0.0)


# After a run that came to its end


def nothing(_ledger: Ledger) -> None:
    """No run loaded anything."""


def loaded(ledger: Ledger) -> None:
    load(ledger)


def by_another_stream(ledger: Ledger) -> None:
    load(ledger, stream="contacts")


def in_another_campaign(ledger: Ledger) -> None:
    load(ledger, campaign="1002")


def in_both(ledger: Ledger) -> None:
    load(ledger)
    load(ledger, campaign="1002")


def suppressed(ledger: Ledger) -> None:
    load(ledger)
    retire(ledger)


def deleted(ledger: Ledger) -> None:
    load(ledger)
    retire(ledger, Retire.DELETE)


def listed(ledger: Ledger) -> None:
    suppressed(ledger)
    ledger.phones.record(phone_digest("6505550000"))


def maybe_listed(ledger: Ledger) -> None:
    suppressed(ledger)
    ledger.phones.record_uncertain(phone_digest("6505550000"), "USA")


def maybe_listed_and_deleted(ledger: Ledger) -> None:
    deleted(ledger)
    ledger.phones.record_uncertain(phone_digest("6505550000"), "USA")


def maybe_suppressed_and_listed(ledger: Ledger) -> None:
    maybe_suppressed(ledger)
    ledger.phones.record(phone_digest("6505550000"))


def listed_here_and_dialed_elsewhere(ledger: Ledger) -> None:
    listed(ledger)
    load(ledger, campaign="1002")


def maybe_suppressed(ledger: Ledger) -> None:
    load(ledger)
    leave_uncertain(ledger, Retire.SUPPRESS)


def maybe_deleted(ledger: Ledger) -> None:
    load(ledger)
    leave_uncertain(ledger, Retire.DELETE)


def maybe_changed(ledger: Ledger) -> None:
    load(ledger)
    leave_uncertain(ledger, None)


def adopted(ledger: Ledger) -> None:
    ledger.leads.record_existing("people", "1001", {"L0": ("1", 5.0)})


@pytest.mark.parametrize(
    ("past", "policy", "same", "changed"),
    [
        (nothing, APPEND, "to_load", "to_load"),
        (nothing, UPSERT, "to_load", "to_load"),
        (loaded, APPEND, "unchanged", "to_load"),
        (loaded, UPSERT, "unchanged", "to_change"),
        (loaded, ALL, "to_load", "to_load"),
        (loaded, Policy(skip_unchanged=False, change=True), "to_change", "to_change"),
        (by_another_stream, UPSERT, "unchanged", "to_change"),
        (in_another_campaign, APPEND, "to_load", "to_load"),
        (in_another_campaign, MOVES, "to_move", "to_move"),
        (in_both, APPEND, "unchanged", "to_load"),
        (in_both, MOVES, "to_move", "to_move"),
        (suppressed, APPEND, "to_change", "to_load"),
        (suppressed, UPSERT, "to_change", "to_change"),
        (suppressed, ALL, "to_load", "to_load"),
        (deleted, APPEND, "to_load", "to_load"),
        (deleted, UPSERT, "to_load", "to_load"),
        (listed, APPEND, "to_change", "to_load"),
        (listed, KEEPS_OFF, "do_not_call", "do_not_call"),
        (maybe_listed, APPEND, "to_change", "to_load"),
        (maybe_listed, KEEPS_OFF, "to_change", "to_change"),
        (maybe_listed_and_deleted, KEEPS_OFF, "to_change", "to_change"),
        (maybe_suppressed_and_listed, KEEPS_OFF, "to_change", "to_change"),
        (listed_here_and_dialed_elsewhere, KEEPS_OFF, "do_not_call", "do_not_call"),
        (listed_here_and_dialed_elsewhere, Policy(list_phones=True, move=Retire.PAUSE), "to_move", "to_move"),
        (maybe_suppressed, APPEND, "to_change", "to_load"),
        (maybe_deleted, APPEND, "to_change", "to_load"),
        (maybe_changed, APPEND, "to_change", "to_change"),
        (adopted, UPSERT, "to_change", "to_change"),
    ],
)
def test_what_is_to_be_done_for_a_lead(tmp_path: Path, past: Past, policy: Policy, same: str, changed: str) -> None:
    with after(tmp_path, past, killed=False) as ledger:
        done = [what(Dedupe(ledger, policy).compare("people", "1001", [buffered(one)])) for one in (ANN, BEA)]
        assert done == [same, changed]


def test_a_lead_of_another_stream_does_not_move(tmp_path: Path) -> None:
    with after(tmp_path, lambda ledger: load(ledger, campaign="1002", stream="contacts"), killed=False) as ledger:
        assert what(Dedupe(ledger, MOVES).compare("people", "1001", [buffered(ANN)])) == "to_load"


# After a killed one


def twice(ledger: Ledger) -> None:
    load(ledger)
    load(ledger, BEA)


def loaded_again(ledger: Ledger) -> None:
    suppressed(ledger)
    load(ledger, BEA)


def moved_on(ledger: Ledger) -> None:
    load(ledger)
    retire(ledger, moved=True)
    load(ledger, campaign="1002")


def noted_without_a_mark(ledger: Ledger) -> None:
    load(ledger)
    ledger.claim("people", "1001", {"L0": "suppress"}, 1.0, RETIRE)
    ledger.leads.record_retirement("people", "1001", ["L0"], Retire.SUPPRESS, moved=False)


def noted_twice_and_changed_by_another_stream(ledger: Ledger) -> None:
    load(ledger)
    for _ in range(2):
        ledger.record_unchanged("people", "1001", {"L0": ANN.digest})
    load(ledger, BEA, stream="contacts")


@pytest.mark.parametrize(
    ("past", "policy", "done", "later"),
    [
        (loaded, APPEND, "unchanged", set()),
        (loaded, ALL, "unchanged", set()),
        (noted_twice_and_changed_by_another_stream, APPEND, "unchanged", set()),
        (twice, APPEND, "ambiguous", {BEA.digest}),
        (twice, UPSERT, "ambiguous", {BEA.digest}),
        (suppressed, APPEND, "ambiguous", {RETIRED}),
        (noted_without_a_mark, APPEND, "ambiguous", {RETIRED}),
        (maybe_suppressed, APPEND, "ambiguous", {RETIRED}),
        (maybe_changed, UPSERT, "to_change", set()),
        (loaded_again, APPEND, "ambiguous", {RETIRED, BEA.digest}),
        (moved_on, MOVES, "ambiguous", {RETIRED}),
    ],
)
def test_what_is_to_be_done_for_the_first_version_read_again(
    tmp_path: Path, past: Past, policy: Policy, done: str, later: set[str]
) -> None:
    with after(tmp_path, past, killed=True) as ledger:
        comparison = Dedupe(ledger, policy).compare("people", "1001", [buffered(ANN)])
        assert what(comparison) == done
        assert [digests for _, digests in comparison.ambiguous] == ([later] if later else [])


@pytest.mark.parametrize(
    ("past", "done"),
    [
        (nothing, "to_retire"),
        (loaded, "to_retire"),
        (suppressed, "unchanged"),
        (loaded_again, "ambiguous"),
        (noted_without_a_mark, "to_retire"),
        (maybe_suppressed, "to_retire"),
    ],
)
def test_what_is_to_be_done_for_a_retirement_read_again(tmp_path: Path, past: Past, done: str) -> None:
    with after(tmp_path, past, killed=True) as ledger:
        assert what(Dedupe(ledger, APPEND).compare_retirements("people", [FLAGGED])) == done


def test_a_retirement_is_done_again_where_an_uncertain_change_may_have_undone_it(tmp_path: Path) -> None:
    def past(ledger: Ledger) -> None:
        suppressed(ledger)
        ledger.claim("people", "1001", {"L0": ANN.digest}, 1.0, CHANGE)

    with after(tmp_path, past, killed=True) as ledger:
        ledger.leads.settle_uncertain("people", "1001", {"L0": "another"}, "one", None)
        assert what(Dedupe(ledger, APPEND).compare_retirements("people", [FLAGGED])) == "to_retire"


def test_behind_a_version_that_no_killed_run_had_nothing_is_read_again(tmp_path: Path) -> None:
    with after(tmp_path, loaded, killed=True) as ledger:
        dedupe = Dedupe(ledger, APPEND)
        assert what(dedupe.compare("people", "1001", [buffered(BEA)])) == "to_load"
        load(ledger, BEA)
        assert what(dedupe.compare("people", "1001", [buffered(ANN)])) == "to_load"


def test_what_was_settled_to_be_new_is_not_taken_for_read_again(tmp_path: Path) -> None:
    with after(tmp_path, twice, killed=True) as ledger:
        certain = BufferedLead(ReadRecord("people", {}, Epoch()), ANN, 0.0, 0, certain=True)
        assert what(Dedupe(ledger, UPSERT).compare("people", "1001", [certain])) == "to_change"
