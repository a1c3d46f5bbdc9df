from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.meltano import installed_meltano

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def real_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start Python and import the executable for each run, which takes a second, where other tests fork."""
    monkeypatch.setenv("REAL_STARTS", "1")


@pytest.fixture(scope="session")
def meltano(shared_folder: Path) -> Path:
    """The program of Meltano, the same one for all tests; mark the test `meltano`."""
    return installed_meltano(shared_folder)
