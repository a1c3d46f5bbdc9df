"""What campaigns accepted and what is in flight, also after kills and with several runs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from target_engagevoice.errors import EngageVoiceError, LedgerError
from target_engagevoice.ledger import database as ledger_database
from target_engagevoice.ledger.entries import Accepted
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.ledger.tables import SCHEMA_VERSION
from tests.support.factories import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

CAMPAIGN = "1001"


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """A database that is there for one test. Override this to run the same tests on another kind."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@contextmanager
def opened(url: str | None, run: str = "one", *, account: str = ACCOUNT, read_only: bool = False) -> Iterator[Ledger]:
    with closing(Ledger.open(url, Path("unused"), account, run, read_only=read_only)) as ledger:
        yield ledger


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with opened(ledger_url) as made:
        yield made


def settle(ledger: Ledger, accepted: dict[str, str], at: float = 5.0, stream: str = "people") -> None:
    ledger.settle(stream, CAMPAIGN, accepted, [], at)


# What is accepted


def test_an_empty_ledger_knows_no_lead(ledger: Ledger) -> None:
    assert ledger.accepted(CAMPAIGN, ["L0"]) == {}


def test_what_was_accepted_is_known(ledger: Ledger) -> None:
    settle(ledger, {"L0": "a"}, at=7.5)
    assert ledger.accepted(CAMPAIGN, ["L0", "L1"]) == {"L0": Accepted("a", 7.5)}


def test_the_last_version_counts(ledger: Ledger) -> None:
    settle(ledger, {"L0": "a"}, at=1)
    settle(ledger, {"L0": "b"}, at=2)
    assert ledger.accepted(CAMPAIGN, ["L0"]) == {"L0": Accepted("b", 2)}


def test_campaigns_are_apart(ledger: Ledger) -> None:
    settle(ledger, {"L0": "a"})
    assert ledger.accepted("1002", ["L0"]) == {}


def test_accounts_are_apart(ledger_url: str) -> None:
    with opened(ledger_url) as first:
        settle(first, {"L0": "a"})
    with opened(ledger_url, account="other") as second:
        assert second.accepted(CAMPAIGN, ["L0"]) == {}


def test_what_was_accepted_is_known_to_the_next_run(ledger_url: str) -> None:
    with opened(ledger_url) as first:
        settle(first, {"L0": "a"})
        first.finish(["people"])
    with opened(ledger_url, "two") as second:
        assert second.accepted(CAMPAIGN, ["L0"]).keys() == {"L0"}


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1507, 20_000])
def test_any_number_of_leads_at_once(ledger: Ledger, count: int) -> None:
    digests = {f"L{number}": str(number) for number in range(count)}
    assert ledger.claim("people", CAMPAIGN, digests, 1.0) == set(digests)
    settle(ledger, digests)
    assert len(ledger.accepted(CAMPAIGN, list(digests))) == count


@pytest.mark.parametrize(
    "extern_id", ["Zoë", "'; DROP TABLE engagevoice_runs; --", "a%b_c", "😀", "x" * 180, '"\\u0041"']
)
def test_any_id_is_kept_unchanged(ledger: Ledger, extern_id: str) -> None:
    ledger.claim("people", CAMPAIGN, {extern_id: "a"}, 1.0)
    settle(ledger, {extern_id: "a"})
    assert ledger.accepted(CAMPAIGN, [extern_id]).keys() == {extern_id}


# What is in flight


def claim(ledger: Ledger, *extern_ids: str, since: float = 3.0, stream: str = "people") -> set[str]:
    return ledger.claim(stream, CAMPAIGN, {extern_id: f"digest {extern_id}" for extern_id in extern_ids}, since)


def in_flight(ledger: Ledger) -> set[str]:
    return {each.extern_id for each in ledger.in_flight()}


def test_a_claim_of_this_run_is_not_in_flight_for_itself(ledger: Ledger) -> None:
    claim(ledger, "L0")
    assert ledger.in_flight() == []


def test_a_claim_of_a_killed_run_is_in_flight(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        claim(killed, "L0")
    with opened(ledger_url, "two") as ledger:
        (left,) = ledger.in_flight()
    assert (left.stream, left.campaign_id, left.extern_id, left.digest, left.since, left.run) == (
        "people",
        CAMPAIGN,
        "L0",
        "digest L0",
        3.0,
        "one",
    )


@pytest.mark.parametrize(("accepted", "cleared"), [({"L0": "digest L0"}, []), ({}, ["L0"])])
def test_a_settled_claim_is_in_flight_no_more(ledger_url: str, accepted: dict[str, str], cleared: list[str]) -> None:
    with opened(ledger_url) as killed:
        claim(killed, "L0", "L1")
        killed.settle("people", CAMPAIGN, accepted, cleared, 5.0)
    with opened(ledger_url, "two") as ledger:
        assert in_flight(ledger) == {"L1"}


def test_a_cleared_claim_is_not_accepted(ledger: Ledger) -> None:
    claim(ledger, "L0")
    ledger.settle("people", CAMPAIGN, {}, ["L0"], 5.0)
    assert ledger.accepted(CAMPAIGN, ["L0"]) == {}


def test_a_claim_that_the_next_run_does_not_settle_stays(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        claim(killed, "L0")
    with opened(ledger_url, "two") as ledger:
        ledger.finish(["people"])
    with opened(ledger_url, "three") as ledger:
        assert in_flight(ledger) == {"L0"}


def test_what_a_killed_run_had_in_flight_can_be_settled_for_it(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        claim(killed, "L0", "L1")
    with opened(ledger_url, "two") as ledger:
        ledger.settle("people", CAMPAIGN, {"L0": "digest L0"}, ["L1"], 5.0, "one")
        assert in_flight(ledger) == set()
        assert ledger.accepted(CAMPAIGN, ["L0", "L1"]).keys() == {"L0"}


# Replay candidates


def versions(ledger: Ledger, extern_id: str = "L0", stream: str = "people") -> list[str]:
    return [left.digest for left in ledger.replay_candidates(stream, CAMPAIGN, [extern_id]).get(extern_id, [])]


def test_all_accepted_versions_of_a_dead_run_are_candidates_in_order(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        for digest in "aba":
            settle(killed, {"L0": digest})
    with opened(ledger_url, "two") as ledger:
        assert versions(ledger) == ["a", "b", "a"]


def test_a_finished_run_has_no_candidates(ledger_url: str) -> None:
    with opened(ledger_url) as first:
        settle(first, {"L0": "a"})
        first.finish(["people"])
    with opened(ledger_url, "two") as ledger:
        assert versions(ledger) == []


def test_a_run_sees_no_candidates_of_its_own(ledger: Ledger) -> None:
    settle(ledger, {"L0": "a"})
    assert versions(ledger) == []


def test_candidates_of_a_dead_run_are_deleted_once_a_run_finished_their_stream(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        settle(killed, {"L0": "a"}, stream="people")
        settle(killed, {"L0": "b"}, stream="contacts")
    with opened(ledger_url, "two") as ledger:
        ledger.finish(["people"])
    with opened(ledger_url, "three") as ledger:
        assert (versions(ledger), versions(ledger, stream="contacts")) == ([], ["b"])


def test_candidates_of_two_dead_runs_are_in_order(ledger_url: str) -> None:
    for run in ("one", "two"):
        with opened(ledger_url, run) as killed:
            settle(killed, {"L0": run})
    with opened(ledger_url, "three") as ledger:
        assert versions(ledger) == ["one", "two"]


def refuse(ledger: Ledger, digests: dict[str, str]) -> None:
    ledger.claim("people", CAMPAIGN, digests, 1.0)
    ledger.settle("people", CAMPAIGN, {}, list(digests), 0.0, refused=True)


def test_a_refused_version_of_a_dead_run_is_a_refused_candidate(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        refuse(killed, {"L0": "a"})
        settle(killed, {"L0": "b"})
    with opened(ledger_url, "two") as ledger:
        left = ledger.replay_candidates("people", CAMPAIGN, ["L0"])["L0"]
        assert [(version.digest, version.accepted) for version in left] == [("a", False), ("b", True)]


def test_a_refused_version_that_is_accepted_later_keeps_its_position(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        refuse(killed, {"L0": "a"})
        settle(killed, {"L0": "b"})
    with opened(ledger_url, "two") as killed:
        settle(killed, {"L0": "a"})
    with opened(ledger_url, "three") as ledger:
        left = ledger.replay_candidates("people", CAMPAIGN, ["L0"])["L0"]
        assert [(version.digest, version.accepted) for version in left] == [("a", True), ("b", True)]


def test_refused_leads_are_not_loaded_by_dead_runs(ledger_url: str) -> None:
    with opened(ledger_url) as killed:
        refuse(killed, {"L0": "a"})
    with opened(ledger_url, "two") as ledger:
        assert not ledger.loaded_by_dead_runs(CAMPAIGN)


class AnyHistory(RuleBasedStateMachine):
    """Runs claim, settle, end or are killed, in any order; a dictionary must agree with the ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.number = 0
        self.in_flight: set[str] = set()  # claims of this run
        self.dead: set[str] = set()  # claims of killed runs
        self.accepted: dict[str, str] = {}
        self.mine: list[tuple[str, str]] = []
        self.left: list[tuple[str, str]] = []
        self._open()

    def _open(self) -> None:
        self.number += 1
        self.ledger = Ledger.open(None, self.folder, ACCOUNT, f"run {self.number}")

    @rule(ids=st.sets(st.sampled_from(["L0", "L1", "L2"]), min_size=1), digest=st.sampled_from("ab"))
    def claim(self, ids: set[str], digest: str) -> None:
        free = ids - self.dead  # a run settles the claims of dead runs before it begins
        if free:
            self.ledger.claim("people", CAMPAIGN, dict.fromkeys(free, digest), 1.0)
            self.in_flight |= free

    @rule(digest=st.sampled_from("ab"), take=st.booleans())
    def settle(self, digest: str, take: bool) -> None:
        done = sorted(self.in_flight)[:2]
        accepted = dict.fromkeys(done, digest) if take else {}
        self.ledger.settle("people", CAMPAIGN, accepted, [] if take else done, 1.0)
        self.in_flight -= set(done)
        self.accepted |= accepted
        self.mine += accepted.items()

    @rule()
    def kill(self) -> None:
        self.ledger.close()
        self.dead |= self.in_flight
        self.left += self.mine
        self.in_flight, self.mine = set(), []
        self._open()

    @rule()
    def end(self) -> None:
        self.ledger.finish(["people"])
        self.ledger.close()
        self.dead |= self.in_flight
        self.in_flight, self.mine, self.left = set(), [], []
        self._open()

    @invariant()
    def the_accepted_are_known(self) -> None:
        known = self.ledger.accepted(CAMPAIGN, ["L0", "L1", "L2"])
        assert {key: each.digest for key, each in known.items()} == self.accepted

    @invariant()
    def the_claims_of_the_dead_are_known(self) -> None:
        assert {each.extern_id for each in self.ledger.in_flight()} == self.dead

    @invariant()
    def what_the_dead_left_is_known(self) -> None:
        for extern_id in ("L0", "L1", "L2"):
            assert versions(self.ledger, extern_id) == [digest for key, digest in self.left if key == extern_id]

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)


# Threads


def test_threads_write_side_by_side(ledger: Ledger) -> None:
    failures: list[BaseException] = []

    def write(thread: int) -> None:
        try:
            for number in range(10):
                extern_id = f"{thread}-{number}"
                claim(ledger, extern_id, "common")
                settle(ledger, {extern_id: "a"})
                ledger.accepted(CAMPAIGN, [extern_id])
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    ids = [f"{thread}-{number}" for thread in range(6) for number in range(10)]
    assert len(ledger.accepted(CAMPAIGN, ids)) == 60


# Ledgers that cannot be opened


def refusal(url: str | None, folder: Path = Path("unused"), *, read_only: bool = False) -> str:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url, folder, ACCOUNT, "two", read_only=read_only)
    return str(caught.value)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_ledger_of_a_newer_version_is_refused(ledger_url: str, read_only: bool) -> None:
    with opened(ledger_url) as ledger, ledger._account.database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE engagevoice_schema SET version = version + 1"))
    message = refusal(ledger_url, read_only=read_only)
    assert f"schema version {SCHEMA_VERSION + 1}" in message
    assert "Upgrade target-engagevoice" in message


def test_a_ledger_of_a_newer_version_is_not_changed(ledger_url: str) -> None:
    with opened(ledger_url) as ledger:
        with ledger._account.database.engine.begin() as connection:
            connection.execute(sa.text("UPDATE engagevoice_schema SET version = version + 1"))
        refusal_of_second = ledger_url
    refusal(refusal_of_second)
    engine = sa.create_engine(ledger_url)
    with engine.connect() as connection:
        runs = list(connection.execute(sa.text("SELECT run FROM engagevoice_runs")).scalars())
    engine.dispose()
    assert runs == ["one"]


def test_a_ledger_in_use_by_another_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_database, "LOCK_WAIT_SECONDS", 0.1)
    with closing(Ledger.open(None, tmp_path, ACCOUNT, "one")):
        assert refusal(None, tmp_path) == (
            f"ledger {tmp_path}/ledger.db is in use by another run. Wait for it, or give this run another state_dir."
        )


def test_a_second_run_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_database, "LOCK_WAIT_SECONDS", 10.0)
    first = Ledger.open(None, tmp_path, ACCOUNT, "one")
    timer = threading.Timer(0.2, first.close)
    timer.start()
    with closing(Ledger.open(None, tmp_path, ACCOUNT, "two")) as second:
        assert second.accepted(CAMPAIGN, ["L0"]) == {}
    timer.join()


def test_a_refused_run_leaves_the_ledger_to_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_database, "LOCK_WAIT_SECONDS", 0.1)
    with closing(Ledger.open(None, tmp_path, ACCOUNT, "one")) as first:
        refusal(None, tmp_path)
        claim(first, "L0")
        settle(first, {"L0": "a"})
        assert first.accepted(CAMPAIGN, ["L0"]).keys() == {"L0"}


def test_a_closed_ledger_can_be_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_database, "LOCK_WAIT_SECONDS", 0.1)
    for run in ("one", "two"):
        Ledger.open(None, tmp_path, ACCOUNT, run).close()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "ledger.db").write_text("zoe@example.com " * 100)
    message = refusal(None, tmp_path, read_only=read_only)
    assert "(the file is not a database)" in message
    assert "zoe" not in message


def test_a_refused_file_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_database, "LOCK_WAIT_SECONDS", 0.1)
    (tmp_path / "ledger.db").write_text("no database" * 100)
    refusal(None, tmp_path)
    (tmp_path / "ledger.db").unlink()
    Ledger.open(None, tmp_path, ACCOUNT, "two").close()


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    assert "ledger.db cannot be" in refusal(None, tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(EngageVoiceError, match=r"Set state_dir to a folder"):
        Ledger.open(None, tmp_path / "state", ACCOUNT, "two")


OPEN_AS_NOBODY = """
import os
import sys
from pathlib import Path
from target_engagevoice.errors import EngageVoiceError
from target_engagevoice.ledger.ledger import Ledger
Ledger.open("sqlite://", Path(), "1", "two").close()  # nobody may not be able to read the modules this needs
if os.geteuid() == 0:  # root may write anything
    os.setuid(65534)
try:
    Ledger.open(f"sqlite:///{sys.argv[1]}", Path(sys.argv[2]), "1", "two").close()
except EngageVoiceError as error:
    print(error)
"""


@pytest.mark.parametrize(("what", "mode"), [("file", 0o444), ("folder", 0o555)])
def test_what_cannot_be_written_is_refused(what: str, mode: int) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # not `tmp_path`, which only its owner may enter
    try:
        Ledger.open(None, folder, ACCOUNT, "one").close()
        for each in (folder, *folder.iterdir()):
            if os.geteuid() == 0:
                os.chown(each, 65534, -1)
            each.chmod(0o755)
        (folder if what == "folder" else folder / "ledger.db").chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", OPEN_AS_NOBODY, folder / "ledger.db", folder],
            capture_output=True,
            text=True,
            check=False,
            cwd="/tmp",
            env={"PYTHONPATH": str(Path(__file__).parents[3])},
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert "cannot be written" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense s3cret", "not a URL that SQLAlchemy knows"),
        ("wurst://me:s3cret@host/db", "not a URL that SQLAlchemy knows"),
        ("mysql+pymysql://me:s3cret@host/db", "use SQLite or PostgreSQL"),
        ("postgresql://me:s3cret@127.0.0.1:1/db?connect_timeout=2", "the database server does not answer"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_its_password(url: str, words: str) -> None:
    message = refusal(url)
    assert words in message
    assert "s3cret" not in message


# Dry run


def test_a_dry_run_makes_no_file(tmp_path: Path) -> None:
    with closing(Ledger.open(None, tmp_path, ACCOUNT, "dry", read_only=True)) as ledger:
        assert ledger.accepted(CAMPAIGN, ["L0"]) == {}
        assert ledger.replay_candidates("people", CAMPAIGN, ["L0"]) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_reads_what_is_there(ledger_url: str) -> None:
    with opened(ledger_url) as ledger:
        settle(ledger, {"L0": "a"})
    with opened(ledger_url, "dry", read_only=True) as ledger:
        assert ledger.accepted(CAMPAIGN, ["L0"]).keys() == {"L0"}
        assert versions(ledger) == ["a"]


def test_a_dry_run_leaves_no_trace(ledger_url: str) -> None:
    with opened(ledger_url) as ledger:
        claim(ledger, "L0")
    with opened(ledger_url, "dry", read_only=True):
        pass
    with opened(ledger_url, "three") as ledger:
        assert [each.run for each in ledger.in_flight()] == ["one"]
        with ledger._account.database.engine.connect() as connection:
            runs = set(connection.execute(sa.text("SELECT run FROM engagevoice_runs")).scalars())
    assert runs == {"one", "three"}


def test_a_dry_run_cannot_write(ledger_url: str) -> None:
    with opened(ledger_url):
        pass
    with (
        opened(ledger_url, "dry", read_only=True) as ledger,
        pytest.raises(LedgerError, match=r"it is read-only|cannot be written"),
    ):
        claim(ledger, "L0")


def test_a_dry_run_does_not_wait_for_a_run(tmp_path: Path) -> None:
    with (
        closing(Ledger.open(None, tmp_path, ACCOUNT, "one")) as first,
        closing(Ledger.open(None, tmp_path, ACCOUNT, "dry", read_only=True)) as dry,
    ):
        settle(first, {"L0": "a"})
        assert dry.accepted(CAMPAIGN, ["L0"]).keys() == {"L0"}


def test_a_dry_run_treats_a_database_without_tables_as_empty(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with closing(Ledger.open(None, tmp_path, ACCOUNT, "dry", read_only=True)) as ledger:
        assert ledger.accepted(CAMPAIGN, ["L0"]) == {}


# The file


def test_the_ledger_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(Ledger.open(None, tmp_path / "state", ACCOUNT, "one")) as ledger:
            settle(ledger, {"L0": "a"})
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "state").iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_what_is_written_is_on_disk_before_the_call_returns(ledger: Ledger) -> None:
    with ledger._account.database.engine.connect() as connection:
        synchronous = connection.execute(sa.text("PRAGMA synchronous")).scalar()
    assert synchronous == 2  # FULL
