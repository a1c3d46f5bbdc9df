"""What all tests share: one PostgreSQL for all processes of a session, and how tests are spread over the processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from werkzeug.routing import Rule
from xdist.scheduler import LoadScopeScheduling

from tests.support.shared_postgres import shared_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xdist.remote import Producer

    from tests.support.postgres import Postgres

pytest_plugins = ["tests.support.openapi_plugin"]

SLOWEST = (
    "tests/end_to_end/test_meltano.py",
    "tests/end_to_end/test_meltano_kill.py",
    "tests/end_to_end/test_month.py",
    "tests/reliability/test_shutdown.py",
    "tests/reliability/test_kill.py",
    "tests/reliability/test_schedules.py",
    "tests/reliability/test_two_targets.py",
    "tests/packaging/",
    "tests/reliability/",
    "tests/end_to_end/",
    "tests/browser/",
    "tests/docs/",
)
"""Files and folders that come first, in this order: what takes longest must not begin last."""

SPREAD = (
    "tests/reliability/test_kill.py",
    "tests/reliability/test_poison_cost.py",
    "tests/reliability/test_schedules.py",
    "tests/reliability/test_shutdown.py",
    "tests/reliability/test_two_targets.py",
    "tests/unit/api/auth/test_sign_ins.py",
)
"""Files whose tests share nothing that is slow to set up: any process runs any of them."""


settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
"""No test fails for its time: other processes may have the processors."""


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types for it
    """Gives a whole file to one process, since its tests may share what is slow to set up; but those of `SPREAD`."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return nodeid if path in SPREAD else path


def pytest_configure() -> None:
    """Spare each of some two thousand sandboxes half of its start.

    For each route of an application, werkzeug compiles two functions that build URLs. The sandbox builds no URLs. Those
    that run in processes of their own are left as they are.
    """

    def no_builder(_rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:  # noqa: ARG001 - werkzeug's signature
        def build(*_arguments: Any, **_values: Any) -> Any:
            raise NotImplementedError("in tests, the sandbox's application builds no URLs: see tests/conftest.py")

        return build

    Rule._compile_builder = no_builder  # type: ignore[method-assign, assignment]  # werkzeug offers no other way


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((number for number, path in enumerate(SLOWEST) if item.nodeid.startswith(path)), len(SLOWEST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this session have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def postgres(shared_folder: Path) -> Iterator[Postgres]:
    """A real PostgreSQL server, the same one for all tests; mark the test `postgres`."""
    with shared_postgres(shared_folder) as server:
        yield server


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """An empty database in it for one test."""
    return postgres.new_database().url
