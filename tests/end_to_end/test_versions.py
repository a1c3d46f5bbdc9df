"""`load_method: overwrite`: leads that an activated version no longer holds are retired, and no others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import STATE_DIR, Finished, against, run_target, running, serving, wait_until
from tests.support.messages import phone, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

EIGHT = range(8)


class Table:
    """A table that is read as a whole, by a tap that versions it as tap-postgres does; and its account."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder, self.sandbox = folder, sandbox
        self.config = against(sandbox, load_method="overwrite", on_delete="pause", max_rejected_percent=100)

    def run(self, lines: Iterable[dict[str, Any]], **settings: Any) -> Finished:
        """A run over these."""
        return run_target(self.folder, {**self.config, **settings}, lines)

    def paused(self) -> list[str]:
        """The leads that are retired."""
        return [lead["externId"] for lead in self.sandbox.leads() if lead["leadState"] == "PAUSED"]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with serving() as sandbox:
        yield Table(tmp_path, sandbox)


def activate(number: int, stream: str = "leads") -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": number}


def version(number: int, rows: Iterable[int], stream: str = "leads", **fields: Any) -> list[dict[str, Any]]:
    """A SCHEMA, the version activated early, and its rows; its end is still to come."""
    records = [{**record(row, stream, **fields), "version": number} for row in rows]
    return [schema(stream), activate(number, stream), *records]


def whole(number: int, rows: Iterable[int], stream: str = "leads", **fields: Any) -> list[dict[str, Any]]:
    """The same, whole."""
    return [*version(number, rows, stream, **fields), activate(number, stream), state(number)]


def test_nights_on_which_little_or_nothing_changed_retire_nothing(table: Table) -> None:
    table.run([*version(1, EIGHT), state(1)])
    for changed in ([], [3], []):
        done = table.run([*version(1, changed), state(1)])
        assert (done.code, "retired" in done.stderr) == (0, False), done.stderr
    assert table.paused() == []


def test_rows_that_a_new_version_lacks_are_retired(table: Table) -> None:
    first = table.run(whole(1, EIGHT))
    second = table.run(whole(2, range(7)))
    assert (first.code, table.paused(), second.states) == (0, ["L7"], [{"bookmark": 2}])
    assert second.outcomes == {"read": 7, "unchanged": 7}
    assert second.run_record["totals"]["retired"] == 1


def test_a_version_changes_leads_in_place_and_revives_those_that_come_back(table: Table) -> None:
    table.run(whole(1, EIGHT))
    table.run(whole(2, range(7)))
    third = table.run(whole(3, EIGHT, last_name="New"))
    assert (third.outcomes, table.paused()) == ({"read": 8, "updated": 8}, [])
    assert {lead["fields"]["lastName"] for lead in table.sandbox.leads()} == {"New"}
    assert len(table.sandbox.leads()) == len(EIGHT)


def test_a_version_that_is_activated_early_only_retires_nothing(table: Table) -> None:
    table.run(whole(1, EIGHT))
    broken_off = table.run([*version(2, range(4)), state("half")])
    assert (broken_off.code, broken_off.states, table.paused()) == (0, [{"bookmark": "half"}], [])
    assert "version 2 was not activated after its last record; nothing is retired" in broken_off.stderr


def test_a_version_after_one_that_broke_off_retires_what_it_lacks_itself(table: Table) -> None:
    table.run(whole(1, EIGHT))
    table.run([*version(2, range(4)), state("half")])
    table.run(whole(3, [0, 1, 2, 3, 4, 5, 7]))
    assert table.paused() == ["L6"]


def test_a_version_that_goes_on_in_the_next_run_holds_what_came_before(table: Table) -> None:
    table.run(whole(1, EIGHT))
    table.run([*version(2, range(4)), state("half")])
    table.run([schema(), *version(2, range(4, 7))[2:], activate(2), state("end")])
    assert table.paused() == ["L7"]


def test_a_run_that_is_killed_within_a_version_retires_nothing(table: Table) -> None:
    table.run(whole(1, EIGHT))
    with running(table.folder, {**table.config, "batch_size_rows": 1}) as run:
        run.write(*version(2, range(4), last_name="New"), state("half"))
        wait_until(lambda: run.states)
        run.kill()
    assert table.paused() == []
    again = table.run(whole(3, range(7), last_name="New"))
    assert (again.code, table.paused()) == (0, ["L7"])
    assert again.outcomes == {"read": 7, "unchanged": 4, "updated": 3}


def test_the_version_of_one_stream_leaves_the_leads_of_others_alone(table: Table) -> None:
    table.run(whole(1, range(4)) + whole(1, range(4, 8), "firms"))
    table.run(whole(2, range(3)), max_retired_percent=50)
    assert table.paused() == ["L3"]


def test_leads_that_this_target_did_not_load_are_left_alone(table: Table, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run_target(elsewhere, against(table.sandbox), [schema(), record(90), record(91)])
    table.run(whole(1, EIGHT))
    table.run(whole(2, range(7)))
    assert table.paused() == ["L7"]


def test_leads_of_which_no_stream_is_known_are_not_of_a_version(table: Table) -> None:
    table.run(whole(1, EIGHT))
    with closing(sqlite3.connect(table.folder / STATE_DIR / "ledger.db")) as ledger, ledger:  # before schema version 3
        ledger.execute("UPDATE engagevoice_accepted SET stream = NULL WHERE extern_id IN ('L6', 'L7')")
    table.run(whole(2, range(6)))
    assert table.paused() == []


def test_a_row_that_is_rejected_is_still_held(table: Table) -> None:
    table.run(whole(1, EIGHT))
    lines = whole(2, range(7))
    second = table.run([*lines[:-2], {**record(7, phone="none"), "version": 2}, *lines[-2:]])
    assert (second.outcomes, table.paused()) == ({"read": 8, "unchanged": 7, "rejected": 1}, [])


def test_a_row_that_a_stream_map_fails_on_keeps_every_lead(table: Table) -> None:
    maps = {"leads": {"last_name": "last_name + '!'"}}
    table.run(whole(1, EIGHT), stream_maps=maps)
    lines = whole(2, range(7))
    second = table.run([*lines[:-2], {**record(7, last_name=None), "version": 2}, *lines[-2:]], stream_maps=maps)
    assert (second.outcomes, table.paused()) == ({"read": 8, "unchanged": 7, "rejected": 1}, [])
    assert "a stream map failed on a record of version 2" in second.stderr


def test_a_version_that_a_line_broke_off_after_it_was_activated_early_retires_nothing(table: Table) -> None:
    table.run(whole(1, EIGHT))
    broken_off = run_target(
        table.folder, {**table.config, "max_retired_percent": 100}, [schema(), activate(2), "{broken"]
    )
    assert (broken_off.code, table.paused()) == (1, [])


def test_a_row_that_is_flagged_is_retired_as_flagged(table: Table) -> None:
    table.run(whole(1, EIGHT))
    lines = whole(2, range(7))
    lines.insert(2, {**record(7, do_not_call=True), "version": 2})
    second = table.run(lines)
    assert second.outcomes == {"read": 8, "unchanged": 7, "do_not_call": 1}
    assert [lead["externId"] for lead in table.sandbox.leads() if lead["suppressed"]] == ["L7"]
    assert table.paused() == []


def test_more_than_max_retired_percent_stops_the_run_and_retires_nothing(table: Table) -> None:
    table.run(whole(1, EIGHT))
    second = table.run([*whole(2, range(5)), record(9), state("later")])
    assert (second.code, table.paused(), table.sandbox.requests("action")) == (1, [], [])
    assert "version 2 no longer holds 3 of 8 leads in the dialer (37.5 %)" in second.error
    assert "max_retired_percent (25 %)" in second.error
    assert second.states == []
    assert second.run_record["error"]["code"] == "retired"


def test_max_retired_percent_raised_lets_it_pass(table: Table) -> None:
    table.run(whole(1, EIGHT))
    table.run(whole(2, range(5)))
    third = table.run(whole(2, range(5)), max_retired_percent=40)
    assert (third.code, table.paused(), third.states) == (0, ["L5", "L6", "L7"], [{"bookmark": 2}])


def test_just_max_retired_percent_is_allowed(table: Table) -> None:
    table.run(whole(1, EIGHT))
    table.run(whole(2, range(6)))
    assert table.paused() == ["L6", "L7"]


@pytest.mark.parametrize(("most", "code", "retired"), [(25, 1, 0), (100, 0, 8)])
def test_a_version_without_a_row_counts_at_the_end_of_the_input(
    table: Table, most: int, code: int, retired: int
) -> None:
    table.run(whole(1, EIGHT))
    second = table.run(whole(2, []), max_retired_percent=most)
    assert (second.code, len(table.paused())) == (code, retired)


def test_a_lead_in_two_campaigns_is_retired_in_both(table: Table) -> None:
    mappings = {"firms": {"campaign": 1002}, "leads": {"campaign": 1001}}
    table.run(whole(1, EIGHT) + whole(1, EIGHT, "firms"), mappings=mappings)
    table.run(whole(2, range(7)) + whole(2, range(7), "firms"), mappings=mappings)
    gone = [(lead["campaignId"], lead["leadPhone"]) for lead in table.sandbox.leads() if lead["leadState"] == "PAUSED"]
    assert gone == [(1001, phone(7)), (1002, phone(7))]


def test_a_dry_run_counts_what_would_be_retired(table: Table) -> None:
    table.run(whole(1, EIGHT))
    dry = table.run(whole(2, range(7)), dry_run=True)
    assert (dry.code, dry.stdout, table.paused()) == (0, "", [])
    assert dry.run_record["totals"]["would_retire"] == 1
    assert table.run(whole(2, range(7))).run_record["totals"]["retired"] == 1


def test_a_dry_run_stops_where_the_run_would(table: Table) -> None:
    table.run(whole(1, EIGHT))
    dry = table.run(whole(2, range(5)), dry_run=True)
    assert (dry.code, dry.stdout) == (1, "")
    assert "no longer holds 3 of 8 leads" in dry.error


def test_retirements_that_meet_faults_are_done_once_they_are_answered(table: Table) -> None:
    table.run(whole(1, EIGHT))
    table.sandbox.faults(
        [{"on": "action", "do": "drop_after"}, {"on": "action", "do": "status", "status": 503, "after": 1}]
    )
    second = table.run(whole(2, range(7)))
    assert (second.code, table.paused(), len(table.sandbox.requests("action"))) == (0, ["L7"], 3)


def test_overwrite_with_on_delete_ignore_is_a_mistake_of_the_configuration(table: Table) -> None:
    finished = table.run(whole(1, EIGHT), on_delete="ignore")
    assert (finished.code, table.sandbox.leads()) == (1, [])
    assert "set it to 'suppress', 'pause', 'cancel' or 'delete', or choose 'upsert'" in finished.error
