from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import Postgres, running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server with one empty database; mark the test `postgres`."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def real_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start Python and import the executable for each run, which takes a second, where other tests fork."""
    monkeypatch.setenv("REAL_STARTS", "1")
