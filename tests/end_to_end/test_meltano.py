"""A real Meltano, a real PostgreSQL and the tap of the registry, with this package's own `meltano.yml`."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import phonenumbers
import psycopg
import pytest
import yaml

from target_engagevoice.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]

TAP = "meltanolabs-tap-postgres==0.10.0"

ROWS = 20_000
NEWEST = 5
"""So many rows share the highest `updated_at`: the bookmark, which the tap reads again (`>=`)."""
CHANGED = 25

FIRST_DAY = datetime(2026, 3, 1, tzinfo=timezone.utc)
NEWEST_TIME = FIRST_DAY + timedelta(seconds=ROWS - NEWEST)

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.meltano,
    pytest.mark.postgres,
    # The first of them installs Meltano and both plugins.
    pytest.mark.timeout(480),
]


@dataclass(frozen=True)
class Ended:
    """A Meltano command that ended, with what it printed on either output."""

    code: int
    output: str


@dataclass(frozen=True)
class Loaded:
    """What one `meltano run` did: its run record, all the leads of the sandbox afterwards, and what it printed."""

    record: Mapping[str, Any]
    leads: list[dict[str, Any]]
    output: str

    @property
    def outcomes(self) -> dict[str, int]:
        """The outcomes of the run record that are not zero."""
        efforts = ("requests", "retries", "throttled")
        return {name: count for name, count in self.record["totals"].items() if count and name not in efforts}


@dataclass(frozen=True)
class Project:
    """A Meltano project in a folder of its own."""

    folder: Path
    program: Path
    environment: Mapping[str, str]

    @property
    def state_dir(self) -> Path:
        """The loader's `state_dir`."""
        return self.folder / ".target-engagevoice"

    def meltano(self, *arguments: str, **variables: str) -> Ended:
        """Run a Meltano command to its end."""
        done = subprocess.run(
            [self.program, *arguments],
            check=False,
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return Ended(done.returncode, done.stdout)

    def load(self, *blocks: str, log_format: str = "uncolored") -> Loaded:
        """Run a pipeline that must succeed."""
        runs = self.state_dir / "runs"
        before = set(runs.glob("*.json"))
        ended = self.meltano("--log-format", log_format, "run", *blocks)
        assert ended.code == 0, ended.output
        (path,) = set(runs.glob("*.json")) - before
        return Loaded(json.loads(path.read_text()), self.leads(), ended.output)

    def leads(self) -> list[dict[str, Any]]:
        """All the leads of the sandbox's account, in the order of loading."""
        return Sandbox(store=self.state_dir / "sandbox.db").leads()


@pytest.fixture(scope="module")
def table(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """The table `leads`, filled; every phone another, and nobody's."""
    numbers = _fictitious_numbers()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE leads (id bigint PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL,"
            " phone text NOT NULL, amount numeric(12, 2), updated_at timestamptz NOT NULL, note text)"
        )
        with connection.cursor() as cursor, cursor.copy("COPY leads FROM STDIN") as copy:
            for number in range(ROWS):
                copy.write_row(
                    (
                        number,
                        f"First{number}",
                        f"Last{number}",
                        next(numbers),
                        Decimal(number) / 100,
                        FIRST_DAY + timedelta(seconds=min(number, ROWS - NEWEST)),
                        None if number % 3 else f"note {number}",
                    )
                )
        yield connection


@pytest.fixture(scope="module")
def project(
    meltano: Path,
    postgres: Postgres,
    table: psycopg.Connection[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """A copy of this package's `meltano.yml` with both plugins installed, and an account that is empty."""
    assert table.execute("SELECT count(*) FROM leads").fetchone() == (ROWS,)
    folder = tmp_path_factory.mktemp("project")
    definition = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (extractor,) = definition["plugins"]["extractors"]
    (loader,) = definition["plugins"]["loaders"]
    extractor["pip_url"] = TAP
    loader["pip_url"] = str(ROOT)
    (config,) = [environment["config"] for environment in definition["environments"] if "config" in environment]
    config["plugins"]["loaders"][0]["config"] |= {
        "campaign": "1001",
        "mappings": {
            "public-leads": {"fields": {"auxData1": "amount", "auxData2": "updated_at", "auxData3": "note"}},
        },
    }
    (folder / "meltano.yml").write_text(yaml.safe_dump(definition), encoding="utf-8")
    project = Project(folder, meltano, _environment(postgres))
    ended = project.meltano("install")
    assert ended.code == 0, ended.output
    return project


@pytest.fixture(scope="module")
def first(project: Project) -> Loaded:
    return project.load("tap-postgres", "target-engagevoice")


@pytest.fixture(scope="module")
def second(project: Project, first: Loaded, table: psycopg.Connection[Any]) -> Loaded:
    """After 25 rows, far apart from each other, have changed."""
    assert first.record["status"] == "ok"
    changed = table.execute(
        "UPDATE leads SET last_name = 'Changed' || id, updated_at = updated_at + interval '1 day' WHERE id %% %s = 7",
        (ROWS // CHANGED,),
    )
    assert changed.rowcount == CHANGED
    return project.load("tap-postgres", "target-engagevoice")


@pytest.fixture(scope="module")
def third(project: Project, second: Loaded) -> Loaded:
    """After nothing has changed; by the name of the job."""
    assert second.record["status"] == "ok"
    return project.load("postgres-to-engagevoice", log_format="json")


def test_every_row_of_the_table_arrives(first: Loaded) -> None:
    assert first.outcomes == {"read": ROWS, "loaded": ROWS}
    assert {lead["externId"] for lead in first.leads} == {str(number) for number in range(ROWS)}
    assert len(first.leads) == ROWS


def test_rows_arrive_whole(first: Loaded) -> None:
    by_id = {lead["externId"]: lead for lead in first.leads}
    lead = by_id["12345"]
    assert (lead["firstName"], lead["lastName"]) == ("First12345", "Last12345")
    assert Decimal(lead["auxData1"]) == Decimal("123.45")
    assert _time(lead["auxData2"]) == FIRST_DAY + timedelta(seconds=12345)
    assert lead["auxData3"] == "note 12345"
    assert "auxData3" not in by_id["12346"], "an empty column is left out of the lead"
    assert len(lead["leadPhone"]) == 10
    assert lead["campaignId"] == 1001


def test_meltano_keeps_the_state(project: Project, first: Loaded) -> None:
    assert first.record["status"] == "ok"
    ended = project.meltano("state", "get", "sandbox:tap-postgres-to-target-engagevoice")
    assert ended.code == 0, ended.output
    state = json.loads(ended.output[ended.output.index("{") :])
    bookmark = state["singer_state"]["bookmarks"]["public-leads"]
    assert bookmark["replication_key"] == "updated_at"
    assert _time(bookmark["replication_key_value"]) >= NEWEST_TIME


def test_a_second_run_loads_nothing_but_what_changed(first: Loaded, second: Loaded) -> None:
    # The tap reads the rows at the bookmark again; the ledger knows them.
    assert second.outcomes == {"read": CHANGED + NEWEST, "loaded": CHANGED, "unchanged": NEWEST}
    new = second.leads[len(first.leads) :]
    assert len(new) == CHANGED
    assert all(lead["lastName"] == f"Changed{lead['externId']}" for lead in new)


def test_a_run_with_nothing_changed_loads_nothing(second: Loaded, third: Loaded) -> None:
    assert third.outcomes == {"read": 1, "unchanged": 1}
    assert third.leads == second.leads


def test_what_the_loader_says_reads_well_in_meltanos_log(first: Loaded) -> None:
    lines = [line for line in first.output.splitlines() if " target-engagevoice " in line]
    told = [line for line in lines if f"Run {first.record['run']}: ok; {ROWS:,} read, {ROWS:,} loaded" in line]
    assert len(told) == 1
    assert "[info " in told[0], "the level is the line's own"
    assert any("metric_name=record_count" in line and f"metric_value={ROWS}" in line for line in lines)
    assert not any('{"' in line or " | INFO " in line for line in lines), "no log within the log"


def test_what_the_loader_says_has_its_fields_in_meltanos_json(third: Loaded) -> None:
    lines = [json.loads(line) for line in third.output.splitlines() if line.startswith("{")]
    ours = [line for line in lines if line.get("name") == "target-engagevoice"]
    (count,) = [line["metric_info"] for line in ours if line.get("metric_info", {}).get("metric") == "record_count"]
    assert (count["value"], count["tags"]["stream"]) == (1, "public-leads")
    (told,) = [line for line in ours if line["event"].startswith("Run ")]
    assert (told["level"], told["plugin_logger"]) == ("info", "target-engagevoice")


def test_meltano_reports_the_loader_that_refuses_its_config_with_our_words(project: Project) -> None:
    # A state of its own, so that the tap has 20,000 rows to write when the loader ends.
    ended = project.meltano(
        "run",
        "--state-id-suffix=refused",
        "tap-postgres",
        "target-engagevoice",
        TARGET_ENGAGEVOICE_CAMPAIGN="Renewal",
    )
    assert ended.code != 0
    assert "Loader failed" in ended.output
    assert "Renewals" in ended.output, "the message names the campaign that was meant"
    assert "BrokenPipeError" not in ended.output
    assert "Traceback" not in ended.output


def _time(text: str) -> datetime:
    # Python 3.10 does not know the Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _fictitious_numbers() -> Iterator[str]:
    """555-0100 to 555-0199 of one area code of the United States after the other."""
    for area in range(201, 990):
        known = phonenumbers.parse(f"+1{area}5550100")
        if phonenumbers.region_code_for_number(known) == "US":
            for line in range(100, 200):
                yield f"({area}) 555-{line:04d}"


def _environment(postgres: Postgres) -> dict[str, str]:
    """This process's variables without what is set for it alone, and where the tap finds the table."""
    ours = ("MELTANO_", "TAP_POSTGRES_", "TARGET_ENGAGEVOICE_", "PYTEST_", "COV_", "PYTHON", "VIRTUAL_ENV")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **inherited,
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        # Nothing but the package index is asked: the hub, if anything called it, would be nobody.
        "MELTANO_HUB_URL": "http://127.0.0.1:9",
        "MELTANO_HUB_API_ROOT": "http://127.0.0.1:9",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        # pip goes by the machine's settings for it (mirror, certificates), which uv does not read.
        "MELTANO_VENV_BACKEND": "virtualenv",
        "TAP_POSTGRES_HOST": postgres.host,
        "TAP_POSTGRES_PORT": str(postgres.port),
        "TAP_POSTGRES_USER": postgres.user,
        # The tap insists on one; the server does not ask for it.
        "TAP_POSTGRES_PASSWORD": "not asked for",
        "TAP_POSTGRES_DATABASE": postgres.dbname,
    }
