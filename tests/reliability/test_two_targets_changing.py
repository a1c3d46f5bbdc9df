"""Two real targets at the same time that change and retire the same leads, on one PostgreSQL ledger."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executable import against, serving
from tests.support.launcher import Moment
from tests.support.messages import encoded, record, schema, state
from tests.support.process import KILLED, Process, run_records

if TYPE_CHECKING:
    from pathlib import Path

    from target_engagevoice.sandbox.sandbox import Sandbox

PEOPLE = 24
FIELDS = {"is_deleted": {"type": "boolean"}, "first_name": {"type": "string"}, "phone": {"type": "string"}}

pytestmark = [pytest.mark.thorough, pytest.mark.postgres, pytest.mark.timeout(240)]


def day(number: int, seed: int) -> list[bytes]:
    """What a tap sends that day, in an order of chance: on the second, every third is deleted, the others changed."""
    order = list(range(PEOPLE))
    random.Random(seed).shuffle(order)  # noqa: S311 - not used for a secret
    properties = {"id": {"type": "string"}, **FIELDS}
    rows = [record(each, first_name=f"day{number}", is_deleted=number > 1 and each % 3 == 0) for each in order]
    return [encoded(line) for line in (schema(properties=properties), *rows, state(number))]


def config(sandbox: Sandbox, database_url: str) -> dict[str, Any]:
    """Of both targets."""
    return against(
        sandbox,
        ledger_url=database_url,
        load_method="upsert",
        on_delete="cancel",
        batch_size_rows=7,
        max_in_flight=2,
        search_delay_seconds=0.5,
    )


def standing(sandbox: Sandbox) -> dict[tuple[str, str], int]:
    """How many leads hold what and are in which state; each person has one."""
    leads = sandbox.leads()
    assert Counter(lead["externId"] for lead in leads) == {f"L{number}": 1 for number in range(PEOPLE)}
    return dict(Counter((lead["fields"]["firstName"], lead["leadState"]) for lead in leads))


DELETED = len(range(0, PEOPLE, 3))
SLOW = ({"on": kind, "do": "delay", "seconds": 0.03, "times": None} for kind in ("patch", "action"))
FAULTS = [*SLOW, {"on": "load", "do": "delay", "seconds": 0.05, "times": None}]


def test_what_both_change_and_retire_is_done_once(database_url: str, tmp_path: Path) -> None:
    with serving(*FAULTS) as sandbox:
        settings = config(sandbox, database_url)
        for number in (1, 2):
            with (
                Process(tmp_path / "first", settings, day(number, seed=1)) as one,
                Process(tmp_path / "second", settings, day(number, seed=2)) as two,
            ):
                assert (one.wait(), two.wait()) == (0, 0), one.stderr + two.stderr
        assert standing(sandbox) == {("day1", "CANCELLED"): DELETED, ("day2", "READY"): PEOPLE - DELETED}
        totals = [run_records(tmp_path / name)[1]["totals"] for name in ("first", "second")]
    assert [each["read"] for each in totals] == [PEOPLE, PEOPLE]
    assert sum(each["updated"] for each in totals) == PEOPLE - DELETED
    assert sum(each["unchanged"] for each in totals) == PEOPLE - DELETED
    assert sum(each["retired"] for each in totals) == DELETED


@pytest.mark.parametrize(
    "death",
    [
        Moment("target_engagevoice.api.lead_client:LeadClient.change", "after", 4),
        Moment("target_engagevoice.api.lead_client:LeadClient.act", "after", 1),
        Moment("target_engagevoice.ledger.leads:LedgerLeads.record_change", "before", 3),
    ],
    ids=str,
)
def test_while_one_is_killed_the_other_changes_and_retires_what_it_had(
    death: Moment, database_url: str, tmp_path: Path
) -> None:
    with serving(*FAULTS) as sandbox:
        settings = config(sandbox, database_url)
        with Process(tmp_path / "first", settings, day(1, seed=1)) as one:
            assert one.wait() == 0, one.stderr
        with (
            Process(tmp_path / "first", settings, day(2, seed=1), die_at=death) as one,
            Process(tmp_path / "second", settings, day(2, seed=2)) as two,
        ):
            ends = (one.wait(), two.wait())
            assert ends in ((KILLED, 0), (0, 0)), one.stderr + two.stderr
        with Process(tmp_path / "first", settings, day(2, seed=1)) as one:
            assert one.wait() == 0, one.stderr
        assert standing(sandbox) == {("day1", "CANCELLED"): DELETED, ("day2", "READY"): PEOPLE - DELETED}
