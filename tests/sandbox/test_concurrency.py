from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import Client, leads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fake_clock import FakeClock

UNLIMITED = {"rate_limits": {"load": [], "refresh": [], "exchange": []}, "search_delay_seconds": 0}
SERVE = """
import sys
from pathlib import Path
from target_engagevoice.sandbox.serve import serve
sys.exit(serve(0, Path(sys.argv[1]), {"rate_limits": {"load": []}}, sys.stdout))
"""


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns in the middle of everything: garbage is collected often, and Python code runs each time."""
    before, thresholds = sys.getswitchinterval(), gc.get_threshold()

    def run_python(_phase: str, _info: dict[str, int]) -> None:
        for _number in range(20):
            pass

    gc.callbacks.append(run_python)
    gc.set_threshold(50, 2, 2)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(run_python)


@pytest.mark.usefixtures("restless_threads")
def test_many_threads_start_sandboxes_at_once() -> None:
    def start(_worker: int) -> str:
        with Sandbox() as sandbox:
            return sandbox.base_url

    with ThreadPoolExecutor(8) as pool:
        assert all(base_url.endswith("/voice") for base_url in pool.map(start, range(16)))


def test_many_threads_load_at_once_and_nothing_is_lost(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time, config=UNLIMITED) as sandbox:

        def load(worker: int) -> int:
            with Client(sandbox) as client:
                return sum(
                    client.load(leads(20, 1000 * worker + 20 * turn)).json()["leadsInserted"] for turn in range(10)
                )

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(load, range(8))) == 1600
        rows = sandbox.leads()
        assert len({row["externId"] for row in rows}) == len({row["leadId"] for row in rows}) == 1600
        assert len(sandbox.requests("load")) == len(sandbox.lists()) == 80


def test_two_sandboxes_on_one_store_load_at_once(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with (
        Sandbox(store=store, clock=clock.time, config=UNLIMITED) as one,
        Sandbox(store=store, clock=clock.time, config=UNLIMITED) as two,
    ):

        def load(worker: int) -> int:
            with Client((one, two)[worker % 2]) as client:
                return sum(client.load(leads(20, 1000 * worker + 20 * turn)).status_code == 200 for turn in range(10))

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(load, range(4))) == [10] * 4
        assert len({row["leadId"] for row in two.leads()}) == 800
        assert one.leads() == two.leads()


def test_many_sandboxes_open_one_new_store_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Sandbox(store=tmp_path / "sandbox.db"), range(8)))
    assert [one.leads() for one in made] == [[]] * 8


def test_a_refresh_token_is_used_by_one_of_many(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time, config=UNLIMITED) as sandbox, Client(sandbox) as client:
        query = {"username": "a", "password": "b", "platformId": "c"}
        token = client.post("/api/auth/login/admin", params=query).json()["refreshToken"]

        def refresh(_: int) -> int:
            return client.post("/api/auth/token/refresh", data={"refresh_token": token}).status_code

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(refresh, range(8))) == [200] + [401] * 7


def test_a_killed_sandbox_leaves_complete_loads_and_a_valid_store(tmp_path: Path) -> None:
    store = tmp_path / "sandbox.db"
    acknowledged = 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", SERVE, str(store)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            base_url = process.stdout.readline().strip()
            url = f"{base_url}/api/v1/admin/accounts/99990001/campaigns/1001/leadLoader/direct"

            def load(worker: int, url: str = url) -> int:
                done = 0
                with requests.Session() as session:
                    session.headers["X-Auth-Token"] = "any"
                    try:
                        while session.post(url, json={"uploadLeads": leads(100)}, timeout=30).status_code == 200:
                            done += 1
                            if worker == 0 and done == 5:
                                os.kill(process.pid, signal.SIGKILL)
                    except requests.RequestException:
                        return done
                raise AssertionError("the sandbox was to be killed")

            with ThreadPoolExecutor(3) as pool:
                acknowledged += sum(pool.map(load, range(3)))
            assert process.wait(timeout=30) == -signal.SIGKILL
    connection = sqlite3.connect(store)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    sizes = connection.execute("SELECT COUNT(*) FROM leads GROUP BY list_id").fetchall()
    connection.close()
    assert set(sizes) == {(100,)}, "a load is all or nothing"
    assert len(sizes) >= acknowledged, "what was acknowledged is there"
