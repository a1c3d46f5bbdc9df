from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.fake_clock import FakeClock
from tests.support.sandbox_client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock.time, config={"strict_leads": True}) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with Client(sandbox) as ready:
        yield ready
