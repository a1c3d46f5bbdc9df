"""Tables in SQLite: as the first program created them or as they are created now, and their index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from target_engagevoice.errors import LedgerError
from target_engagevoice.ledger.entries import Accepted, InFlight, LedgerLead
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.ledger.tables import CHANGE, LOAD, SCHEMA_VERSION
from tests.unit.ledger.test_ledger_model import play

if TYPE_CHECKING:
    from pathlib import Path


def test_candidates_of_a_living_run_are_in_no_index(tmp_path: Path) -> None:
    with closing(Ledger.open(None, tmp_path, "1", "one")) as ledger:
        ledger.settle("people", "1001", {"a": "d1"}, [], 1.0)
        assert "engagevoice_left_lead" not in plan(ledger)


@pytest.mark.parametrize("read_only", [False, True])
def test_candidates_of_a_dead_run_are_looked_up_in_an_index(tmp_path: Path, read_only: bool) -> None:
    with closing(Ledger.open(None, tmp_path, "1", "one")) as killed:
        killed.settle("people", "1001", {"a": "d1"}, [], 1.0)
    with closing(Ledger.open(None, tmp_path, "1", "two", read_only=read_only)) as ledger:
        assert "engagevoice_left_lead" in plan(ledger)
        assert ledger.replay_candidates("people", "1001", ["a"]).keys() == {"a"}


def test_the_index_is_dropped_with_the_last_candidate(tmp_path: Path) -> None:
    with closing(Ledger.open(None, tmp_path, "1", "one")) as killed:
        killed.settle("people", "1001", {"a": "d1"}, [], 1.0)
    with closing(Ledger.open(None, tmp_path, "1", "two")) as ledger:
        ledger.finish(["people"])
    with closing(Ledger.open(None, tmp_path, "1", "three")) as ledger:
        assert "engagevoice_left_lead" not in plan(ledger)


def plan(ledger: Ledger) -> str:
    """SQLite's plan to look up replay candidates."""
    with ledger._account.database.engine.connect() as connection:
        query = "EXPLAIN QUERY PLAN SELECT * FROM engagevoice_left WHERE account_id = '1' AND campaign_id = '1001'"
        return str(connection.execute(sa.text(query)).all())


VERSION_1 = """
CREATE TABLE engagevoice_schema (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE engagevoice_runs (
    account_id VARCHAR(64) NOT NULL, run VARCHAR(64) NOT NULL, PRIMARY KEY (account_id, run)
);
CREATE TABLE engagevoice_accepted (
    account_id VARCHAR(64) NOT NULL, campaign_id VARCHAR(64) NOT NULL, extern_id VARCHAR(200) NOT NULL,
    digest VARCHAR(64) NOT NULL, accepted_at DOUBLE NOT NULL, run VARCHAR(64) NOT NULL,
    PRIMARY KEY (account_id, campaign_id, extern_id)
);
CREATE TABLE engagevoice_in_flight (
    account_id VARCHAR(64) NOT NULL, campaign_id VARCHAR(64) NOT NULL, extern_id VARCHAR(200) NOT NULL,
    stream TEXT NOT NULL, digest VARCHAR(64) NOT NULL, since DOUBLE NOT NULL, run VARCHAR(64) NOT NULL,
    PRIMARY KEY (account_id, campaign_id, extern_id)
);
CREATE TABLE engagevoice_left (
    place INTEGER NOT NULL, account_id VARCHAR(64) NOT NULL, campaign_id VARCHAR(64) NOT NULL, stream TEXT NOT NULL,
    extern_id VARCHAR(200) NOT NULL, digest VARCHAR(64) NOT NULL, run VARCHAR(64) NOT NULL, PRIMARY KEY (place)
);
CREATE INDEX engagevoice_left_lead ON engagevoice_left (account_id, campaign_id, extern_id);
CREATE TABLE engagevoice_refused (
    account_id VARCHAR(64) NOT NULL, campaign_id VARCHAR(64) NOT NULL, extern_id VARCHAR(200) NOT NULL,
    digest VARCHAR(64) NOT NULL, PRIMARY KEY (account_id, campaign_id, extern_id)
);
INSERT INTO engagevoice_schema VALUES (1);
"""
"""The tables as the first program of schema version 1 made them, with rows and index in SQLite."""


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A ledger that the first program made."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


def test_any_calls_do_what_the_model_says_in_a_ledger_of_the_first_program(first: Path) -> None:
    play(f"sqlite:///{first}")


def test_claims_and_candidates_of_the_first_program_are_read(first: Path) -> None:
    with closing(sqlite3.connect(first)) as connection:
        connection.executescript("""
            INSERT INTO engagevoice_runs VALUES ('1', 'one');
            INSERT INTO engagevoice_accepted VALUES ('1', '1001', 'a', 'd1', 1.5, 'one');
            INSERT INTO engagevoice_left VALUES (1, '1', '1001', 'people', 'a', 'd1', 'one');
            INSERT INTO engagevoice_in_flight VALUES ('1', '1001', 'b', 'people', 'd2', 2.5, 'one');
        """)
    with closing(Ledger.open(None, first.parent, "1", "two")) as ledger:
        assert ledger.in_flight() == [InFlight("1001", "people", "b", "d2", 2.5, "one")]
        ledger.settle("people", "1001", {"b": "d2"}, [], 3.5, "one")
        assert ledger.accepted("1001", ["a", "b"]) == {"a": Accepted("d1", 1.5), "b": Accepted("d2", 3.5)}
        assert [each.digest for each in ledger.replay_candidates("people", "1001", ["a"])["a"]] == ["d1"]


def test_a_ledger_of_the_first_version_is_brought_up_to_date(first: Path) -> None:
    Ledger.open(None, first.parent, "1", "one").close()
    with closing(sqlite3.connect(first)) as connection:
        assert connection.execute("SELECT version FROM engagevoice_schema").fetchall() == [(SCHEMA_VERSION,)]


VERSION_2 = """
ALTER TABLE engagevoice_left ADD COLUMN taken BOOLEAN DEFAULT 1 NOT NULL;
UPDATE engagevoice_schema SET version = 2;
"""
"""What schema version 2 made of them."""


@pytest.fixture(params=[1, 2])
def earlier(first: Path, request: pytest.FixtureRequest) -> Path:
    """A ledger of each earlier version, in which a dead run loaded `a`, and `b` is uncertain."""
    with closing(sqlite3.connect(first)) as connection:
        connection.executescript("""
            INSERT INTO engagevoice_runs VALUES ('1', 'one');
            INSERT INTO engagevoice_accepted VALUES ('1', '1001', 'a', 'd1', 1.5, 'one');
            INSERT INTO engagevoice_left VALUES (1, '1', '1001', 'people', 'a', 'd1', 'one');
            INSERT INTO engagevoice_in_flight VALUES ('1', '1001', 'b', 'people', 'd2', 2.5, 'one');
        """)
        if request.param > 1:
            connection.executescript(VERSION_2)
    return first


def test_leads_of_an_earlier_version_have_no_stream(earlier: Path) -> None:
    with closing(Ledger.open(None, earlier.parent, "1", "two")) as ledger:
        lead = LedgerLead("1001", "a", "d1", 1.5, None, None, None, None)
        assert [ledger.leads.locate(stream, ["a"]) for stream in ("people", "contacts")] == [[lead], [lead]]
        assert ledger.versions.count("people", 1) == (0, 0)


def test_what_an_earlier_version_had_in_flight_is_a_load(earlier: Path) -> None:
    with closing(Ledger.open(None, earlier.parent, "1", "two")) as ledger:
        assert [(each.extern_id, each.work) for each in ledger.in_flight()] == [("b", LOAD)]


def test_a_lead_of_an_earlier_version_belongs_to_the_stream_that_changes_it(earlier: Path) -> None:
    with closing(Ledger.open(None, earlier.parent, "1", "two")) as ledger:
        ledger.claim("people", "1001", {"a": "d2"}, 3.0, CHANGE)
        ledger.leads.record_change("people", "1001", {"a": "d2"}, {"a": "{}"})
        assert ledger.leads.locate("contacts", ["a"]) == []


def test_a_ledger_is_brought_up_to_date_once(earlier: Path) -> None:
    for run in ("two", "three"):
        Ledger.open(None, earlier.parent, "1", run).close()
    with closing(sqlite3.connect(earlier)) as connection:
        assert connection.execute("SELECT version FROM engagevoice_schema").fetchall() == [(SCHEMA_VERSION,)]


def test_a_dry_run_does_not_change_a_ledger_of_an_earlier_version(earlier: Path) -> None:
    before = earlier.read_bytes()
    with pytest.raises(LedgerError, match="Run once without dry_run"):
        Ledger.open(None, earlier.parent, "1", "dry", read_only=True)
    assert earlier.read_bytes() == before


def test_a_dry_run_asks_for_a_real_one_to_bring_a_ledger_up_to_date(first: Path) -> None:
    with pytest.raises(LedgerError, match="Run once without dry_run"):
        Ledger.open(None, first.parent, "1", "one", read_only=True)
