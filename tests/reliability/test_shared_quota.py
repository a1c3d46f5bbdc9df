"""Several processes keep one account's windows together, in a real PostgreSQL."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_engagevoice.api.ratelimit import postgres as quota_store
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.postgres import SharedQuota
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.clock import SystemClock
from target_engagevoice.errors import ConfigError, QuotaError
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.executable import against
from tests.support.fake_clock import FakeClock
from tests.support.messages import encoded, record, schema, state
from tests.support.process import Process, run_records

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]

WINDOWS = (Window(10, 2), Window(24, 6))
MARGIN = 0.1
QUOTA = "127.0.0.1 99990001"


def opened(url: str, windows: tuple[Window, ...] = WINDOWS, quota: str = QUOTA) -> SharedQuota:
    return SharedQuota.open(url, quota, windows, MARGIN, SystemClock())


def source(first: int, count: int) -> list[bytes]:
    lines = [schema("people"), *(record(number, "people") for number in range(first, first + count)), state(first)]
    return [encoded(line) for line in lines]


def test_two_targets_keep_one_quota_together(database_url: str, tmp_path: Path) -> None:
    limits = ["10/2s", "24/6s"]
    with Sandbox(store=None, config={"rate_limits": {"load": limits}}) as sandbox:
        settings = against(
            sandbox, rate_limits=limits, rate_limit_store=database_url, batch_size_rows=1, max_in_flight=8, dedupe="off"
        )
        with (
            Process(tmp_path / "first", settings, source(0, 20)) as one,
            Process(tmp_path / "second", settings, source(20, 20)) as two,
        ):
            assert (one.wait(), two.wait()) == (0, 0), one.stderr + two.stderr
        loads = sandbox.requests("load")
        there = Counter(lead["externId"] for lead in sandbox.leads())
    records = [run_records(tmp_path / name)[0]["totals"] for name in ("first", "second")]
    assert Counter(request["status"] for request in loads) == {200: 40}
    assert [(each["loaded"], each["requests"], each["throttled"]) for each in records] == [(20, 20, 0)] * 2
    assert there == {f"L{number}": 1 for number in range(40)}


def test_of_many_that_ask_at_once_only_as_many_as_fit_are_let_through(database_url: str) -> None:
    quotas = [opened(database_url) for _ in range(4)]
    barrier = threading.Barrier(len(quotas))

    def ask(quota: SharedQuota) -> int:
        barrier.wait()
        return sum(quota.take().wait == 0 for _ in range(10))

    with ThreadPoolExecutor(len(quotas)) as pool:
        assert sum(pool.map(ask, quotas)) == 10
    for quota in quotas:
        quota.close()


def test_the_next_place_comes_when_it_is_said_to_for_both(database_url: str) -> None:
    first, second = opened(database_url, (Window(1, 0.2),)), opened(database_url, (Window(1, 0.2),))
    paces = [Pace(quota, SystemClock()) for quota in (first, second)]
    slots: list[float] = []
    threads = [
        threading.Thread(target=lambda pace=pace: slots.extend(pace.wait().at for _ in range(3))) for pace in paces
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slots.sort()
    assert len(slots) == 6
    assert all(later - earlier >= 0.2 + MARGIN - 1e-6 for earlier, later in itertools.pairwise(slots))
    first.close()
    second.close()


def test_a_429_of_one_slows_and_pauses_the_other(database_url: str) -> None:
    first, second = opened(database_url), opened(database_url)
    slot = first.take().at
    first.throttled(slot, 40.0)
    assert second.take().wait == pytest.approx(40, abs=5)
    with second._row() as (windows, now):
        assert windows.share.at(now) < 1
    first.close()
    second.close()


def test_a_request_that_was_sent_late_counts_from_then(database_url: str) -> None:
    quota = opened(database_url, (Window(1, 60),))
    slot = quota.take().at
    quota.move(slot, 0.5)
    with quota._row() as (windows, _):
        assert windows.stamps == [pytest.approx((slot + 0.5) * 1_000_000, abs=1)]
    quota.close()


def test_accounts_and_hosts_do_not_share(database_url: str) -> None:
    one, other = (
        opened(database_url, (Window(1, 60),)),
        opened(database_url, (Window(1, 60),), quota="127.0.0.1 99990002"),
    )
    assert [one.take().wait > 0, other.take().wait > 0, one.take().wait > 0] == [False, False, True]
    one.close()
    other.close()


def test_the_table_does_not_grow(database_url: str) -> None:
    quota = opened(database_url, (Window(3, 0.01),))
    pace = Pace(quota, SystemClock())
    for _ in range(30):
        pace.wait()
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT quota, cardinality(places) FROM engagevoice_quotas").fetchall()
    ((name, places),) = rows
    assert name == QUOTA
    assert places <= 3 * 60  # half a second of margin more than the window
    quota.close()


def test_a_clock_of_the_database_that_was_set_back_does_not_stop_the_load(database_url: str) -> None:
    quota = opened(database_url, (Window(1, 1),))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE engagevoice_quotas SET places = ARRAY[(extract(epoch FROM now()) * 1000000)::bigint + 3600000000]"
        )
    assert quota.take().wait == 0
    quota.close()


def test_the_last_process_to_ask_knows_what_all_have_used(database_url: str) -> None:
    first, second = opened(database_url), opened(database_url)
    assert [quota.take().wait for quota in (first, first, second)] == [0, 0, 0]
    assert [each.taken for each in first.in_use()] == [2, 2]
    assert [each.taken for each in second.in_use()] == [3, 3]
    for quota in (first, second):
        quota.close()


def test_many_that_come_first_at_the_same_moment_all_find_a_table(database_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        quotas = list(pool.map(lambda _: opened(database_url), range(6)))
    assert sum(quota.take().wait == 0 for quota in quotas) == 6
    for quota in quotas:
        quota.close()


def test_a_store_that_answers_again_is_waited_for(database_url: str, postgres: Postgres) -> None:
    clock = FakeClock()
    quota = SharedQuota.open(database_url, QUOTA, WINDOWS, MARGIN, clock)
    name = database_url.rpartition("/")[2]
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        assert quota.take().wait == quota_store.RETRY_SECONDS
        quota.throttled(0.0, 1.0)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    Pace(quota, clock).wait()
    quota.close()


def test_a_store_that_is_gone_ends_the_wait_with_an_error_without_the_password(
    database_url: str, postgres: Postgres
) -> None:
    clock = FakeClock()
    quota = SharedQuota.open(database_url.replace("@", ":s3cret@"), QUOTA, WINDOWS, MARGIN, clock)
    name = database_url.rpartition("/")[2]
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    with pytest.raises(QuotaError, match=r"rate_limit_store .* cannot be reached any more: OperationalError") as caught:
        Pace(quota, clock).wait()
    assert "s3cret" not in str(caught.value)
    assert clock.monotonic() - 1000 == pytest.approx(quota_store.PATIENCE_SECONDS, abs=quota_store.RETRY_SECONDS)
    quota.close()


def test_a_run_that_cannot_reach_the_store_sends_nothing_and_says_so(tmp_path: Path) -> None:
    store = "postgresql://me:s3cret@127.0.0.1:1/quota"
    with Sandbox(store=None) as sandbox:
        with Process(tmp_path, against(sandbox, rate_limit_store=store), source(0, 3)) as process:
            assert process.wait() == 1
        assert sandbox.requests("load") == []
    last = process.stderr.splitlines()[-1]
    assert "rate_limit_store postgresql+psycopg://me:***@127.0.0.1:1/quota cannot be opened" in last
    assert "s3cret" not in process.stderr
    assert "Traceback" not in process.stderr
    assert run_records(tmp_path)[0]["error"]["code"] == "quota"


def test_a_dry_run_needs_no_store(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"rate_limit_store": "postgresql://me@127.0.0.1:1/quota", "dry_run": True}
    with Sandbox(store=None) as sandbox, Process(tmp_path, against(sandbox, **settings), source(0, 3)) as process:
        assert process.wait() == 0, process.stderr


def test_a_url_that_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(ConfigError, match=r"rate_limit_store: not a URL; write postgresql://") as caught:
        opened("postgresql://host:s3cret/db")
    assert "s3cret" not in str(caught.value)


def test_a_password_anywhere_in_the_url_is_not_shown() -> None:
    with pytest.raises(QuotaError, match=r"rate_limit_store \S+ cannot be opened") as caught:
        opened("postgresql://me@127.0.0.1:1/quota?password=s3cret")
    assert "s3cret" not in str(caught.value)
