from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from target_engagevoice.errors import ConfigError, StorageError
from target_engagevoice.sandbox.sandbox import Sandbox
from target_engagevoice.sandbox.store import STEPS, Store
from tests.support.sandbox_client import ACCOUNT, Client, leads

if TYPE_CHECKING:
    from tests.support.fake_clock import FakeClock


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_0600_and_missing_parents_0700(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "a" / "b" / "sandbox.db"
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load(leads(1))
        files = sorted(store.parent.iterdir())
        assert [path.name for path in files] == ["sandbox.db", "sandbox.db-shm", "sandbox.db-wal"]
        assert {mode(path) for path in files} == {0o600}
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


def test_a_later_sandbox_sees_what_an_earlier_one_stored(tmp_path: Path, clock: FakeClock) -> None:
    store = tmp_path / "sandbox.db"
    with Sandbox(store=str(store), clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load(leads(2))
    with Sandbox(store=store, clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load(leads(1))
        assert len({one["leadId"] for one in sandbox.leads()}) == 3
        assert len(sandbox.requests("load")) == 2


def test_a_stopped_sandbox_can_still_be_read(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load(leads(2))
    assert len(sandbox.leads()) == 2
    with sandbox, Client(sandbox) as client:
        client.load(leads(1))
    assert len(sandbox.leads()) == 3


def test_a_private_store_is_deleted_with_its_sandbox() -> None:
    sandbox = Sandbox()
    with sandbox:
        path = sandbox._store.path
        assert path.exists()
    del sandbox
    assert not path.parent.exists()


def test_two_private_sandboxes_share_nothing(clock: FakeClock) -> None:
    with Sandbox(clock=clock.time) as one, Sandbox(clock=clock.time) as two, Client(one) as client:
        client.load(leads(1))
        assert (len(one.leads()), len(two.leads())) == (1, 0)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("Dear reader, this is no database. " * 100)
    with pytest.raises(ConfigError, match="is not the store of a sandbox"):
        Sandbox(store=other)
    assert other.read_text().startswith("Dear reader")


def test_a_store_of_another_version_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="another version"):
        Sandbox(store=path)


@pytest.mark.parametrize("name", ["file/sandbox.db", "directory"])
def test_a_store_that_cannot_be_created_is_a_storage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    with pytest.raises(StorageError, match="cannot create its store"):
        Sandbox(store=tmp_path / name)


def test_a_failed_transaction_is_rolled_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "sandbox.db")
    store.open()

    def insert_and_fail() -> None:
        with store.transaction() as db:
            db.execute("INSERT INTO hits (subject, at) VALUES ('a', 1)")
            raise KeyError

    with pytest.raises(KeyError):
        insert_and_fail()
    with store.transaction() as db:
        assert db.execute("SELECT COUNT(*) FROM hits").fetchone()[0] == 0
    store.close()
    store.close()


def test_a_store_in_the_working_directory_needs_no_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store(Path("sandbox.db"))
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox.db"]


def first_version(path: Path) -> None:
    """A store as the first version of the sandbox left it, with one list."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(STEPS[0])
    connection.execute(
        "INSERT INTO lists (account_id, campaign_id, description, state, duplicate_handling, dial_priority,"
        " time_zone_option, supplied, accepted, inserted, uploaded)"
        " VALUES ('99990001', 1001, 'Spring', 'ACTIVE', 'RETAIN_ALL', 'NORMAL', 'NPA_NXX', 9, 7, 6, 1767225600.0)"
    )
    connection.execute("INSERT INTO requests (kind, at, status, path) VALUES ('load', 1767225600.0, 200, '/a')")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def loads(store: Store) -> list[dict[str, object]]:
    with store.snapshot() as db:
        return [dict(row) for row in db.execute("SELECT * FROM loads ORDER BY load_id")]


def test_a_store_of_the_first_version_is_migrated(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "sandbox.db"
    first_version(path)
    with Sandbox(store=path, clock=clock.time) as sandbox, Client(sandbox) as client:
        client.load([*leads(2), *leads(1), {"externId": "no phone"}], duplicateHandling="REMOVE_FROM_LIST")
        old, new = loads(sandbox._store)
        assert [one["path"] for one in sandbox.requests("load")].index("/a") == 0
    counts = ("list_id", "supplied", "accepted", "inserted", "rejected", "duplicates", "dnc")
    assert [old[name] for name in counts] == [30001, 9, 7, 6, 2, None, None]
    assert [new[name] for name in counts] == [30002, 4, 3, 2, 1, 1, 0]


def test_only_one_of_many_openers_migrates_an_old_store(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    first_version(path)
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(Store, [path] * 16))
    assert len(loads(stores[-1])) == 1


def test_a_load_without_valid_leads_is_recorded_without_a_list(client: Client) -> None:
    client.load([{"externId": "no phone"}])
    (load,) = loads(client.sandbox._store)
    assert (load["list_id"], load["supplied"], load["rejected"]) == (None, 1, 1)


def test_a_load_counts_leads_on_the_do_not_call_list(client: Client) -> None:
    client.admin("POST", f"/{ACCOUNT}/dncLists", json={"phone": leads(1)[0]["leadPhone"]})
    client.load(leads(2))
    (load,) = loads(client.sandbox._store)
    assert (load["inserted"], load["dnc"]) == (1, 1)


def test_a_snapshot_cannot_be_written_to(tmp_path: Path) -> None:
    with Store(tmp_path / "sandbox.db").snapshot() as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM leads")


def test_a_snapshot_does_not_see_later_loads_and_does_not_delay_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "sandbox.db")
    with store.snapshot() as before:
        assert before.execute("SELECT COUNT(*) FROM hits").fetchone()[0] == 0
        with store.transaction() as db:
            db.execute("INSERT INTO hits (subject, at) VALUES ('a', 1)")
        assert before.execute("SELECT COUNT(*) FROM hits").fetchone()[0] == 0
