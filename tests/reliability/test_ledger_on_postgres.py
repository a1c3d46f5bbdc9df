"""The tests of the ledger again, each on a PostgreSQL database of its own."""

from __future__ import annotations

import inspect
import itertools
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests import test_ledger as on_sqlite
from tests.end_to_end.postgres import Postgres, running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.postgres

ledger = on_sqlite.ledger
"""The fixture, on the database named below."""

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def ledger_url(server: Postgres) -> str:
    name = f"ledger_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://{server.user}@{server.host}:{server.port}/{name}"


OF_A_FILE = {"test_what_is_written_is_on_disk_before_the_call_returns"}
"""Tests that look into SQLite itself."""

for _name, _test in list(vars(on_sqlite).items()):
    if (
        _name.startswith("test_")
        and _name not in OF_A_FILE
        and {"ledger", "ledger_url"} & set(inspect.signature(_test).parameters)
    ):
        globals()[_name] = _test


def test_there_are_tests_to_repeat() -> None:
    assert sum(name.startswith("test_") for name in globals()) > 20
