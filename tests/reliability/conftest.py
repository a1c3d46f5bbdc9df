"""One PostgreSQL a file, and a new database in it for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import Postgres, running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def database_url(server: Postgres) -> str:
    return server.new_database().url
