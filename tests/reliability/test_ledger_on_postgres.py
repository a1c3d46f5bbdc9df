"""The tests of the ledger again, each on a PostgreSQL database of its own."""

from __future__ import annotations

import inspect
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest

from target_engagevoice.ledger.entries import Accepted
from tests.support.factories import ACCOUNT
from tests.unit.ledger import test_leads as leads_on_sqlite
from tests.unit.ledger import test_ledger as on_sqlite
from tests.unit.ledger.test_ledger import CAMPAIGN, opened, settle, versions
from tests.unit.ledger.test_ledger_model import play

if TYPE_CHECKING:
    from tests.support.postgres import Postgres

pytestmark = pytest.mark.postgres

ledger = on_sqlite.ledger
"""The fixture, on the database named below."""


@pytest.fixture
def ledger_url(postgres: Postgres) -> str:
    return postgres.new_database().sqlalchemy_url


OF_A_FILE = {"test_what_is_written_is_on_disk_before_the_call_returns"}
"""Tests that look into SQLite itself."""

for _name, _test in [*vars(on_sqlite).items(), *vars(leads_on_sqlite).items()]:
    if (
        _name.startswith("test_")
        and _name not in OF_A_FILE
        and {"ledger", "ledger_url"} & set(inspect.signature(_test).parameters)
    ):
        globals()[_name] = _test


@pytest.mark.thorough
def test_any_calls_do_what_the_model_says(ledger_url: str) -> None:
    play(ledger_url)


def test_a_killed_run_is_known_as_one_by_two_runs_that_look_at_the_same_moment(ledger_url: str) -> None:
    with opened(ledger_url, "killed") as killed:
        settle(killed, {"L0": "first"})
    with opened(ledger_url, "two") as two, two._account.database.engine.begin() as look:
        assert two._account.database.is_dead(look, ACCOUNT, "killed")
        with opened(ledger_url, "three") as three:
            assert versions(three) == ["first"]


def test_a_living_run_is_not_treated_as_dead(ledger_url: str) -> None:
    with opened(ledger_url, "alive") as alive:
        alive.claim("people", CAMPAIGN, {"L0": "first"}, 1.0)
        with opened(ledger_url, "two") as two:
            assert two.in_flight() == []


def test_claims_of_a_dead_run_are_settled_once_by_the_first_run(ledger_url: str) -> None:
    with opened(ledger_url, "killed") as killed:
        killed.claim("people", CAMPAIGN, {"L0": "old"}, 1.0)
    with opened(ledger_url, "two") as two, opened(ledger_url, "three") as three:
        two.settle("people", CAMPAIGN, {"L0": "old"}, [], 2.0, "killed")
        assert two.claim("people", CAMPAIGN, {"L0": "new"}, 4.0) == {"L0"}
        two.settle("people", CAMPAIGN, {"L0": "new"}, [], 5.0)
        # It was asked for at the same time as the other, and the answer took longer.
        three.settle("people", CAMPAIGN, {"L0": "old"}, [], 6.0, "killed")
        assert two.accepted(CAMPAIGN, ["L0"]) == {"L0": Accepted("new", 5.0)}
        assert versions(three) == ["old"]


@pytest.mark.parametrize("run", ["one", "killed"])
def test_rows_are_locked_in_one_order_whatever_the_databases(postgres: Postgres, run: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE english_{run} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")
    url = f"postgresql://{postgres.user}@{postgres.host}:{postgres.port}/english_{run}"
    lock = "SELECT FROM engagevoice_in_flight WHERE extern_id = %s FOR UPDATE NOWAIT"
    with opened(url, run) as made:
        made.claim("people", CAMPAIGN, {"a": "d", "B": "d"}, 1.0)
        with ExitStack() as stack:
            ledger = made if run == "one" else stack.enter_context(opened(url, "one"))
            first, second = (stack.enter_context(psycopg.connect(url)) for _ in range(2))
            settling = threading.Thread(
                target=ledger.settle, args=("people", CAMPAIGN, {"a": "d", "B": "d"}, [], 2.0, run)
            )
            first.execute(lock, ["B"])  # English has it after "a", all runs have it before
            settling.start()
            while second.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
                second.rollback()
            second.execute(lock, ["a"])
            second.rollback()
            first.rollback()
            settling.join()
        assert made.accepted(CAMPAIGN, ["a", "B"]).keys() == {"a", "B"}


def test_there_are_tests_to_repeat() -> None:
    assert sum(name.startswith("test_") for name in globals()) > 50
