"""One schedule: a source, a server with faults, and a chain of runs that are killed. Checks what must hold."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from target_engagevoice.errors import EngageVoiceError
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.executable import OUTCOMES
from tests.support.fake_clock import FakeClock
from tests.support.killable_target import KillableTarget, Killed, StepLimit
from tests.support.tap import Row, Tap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CAMPAIGNS = ("1001", "1002", "1003")
STREAMS = ("people", "firms", "guests")
MOST_RUNS = 40
FATES = ("poison", "do_not_call", "deleted", "no_phone")

LOAD_FAULTS: Sequence[dict[str, Any]] = [
    {"do": "drop_before"},
    {"do": "drop_after"},
    {"do": "truncate"},
    {"do": "garbage"},
    {"do": "garbage", "stored": False},
    {"do": "html", "stored": True},
    {"do": "created_empty"},
    {"do": "empty_object"},
    {"do": "expire_token"},
    {"do": "short", "drop": 1},
    *({"do": "status", "status": status, "stored": True} for status in (500, 502, 504)),
    *({"do": "status", "status": status, "stored": False} for status in (400, 413, 429, 500, 502, 503, 504)),
    {"do": "status", "status": 429, "retry_after": "2"},
]
SEARCH_FAULTS: Sequence[dict[str, Any]] = [
    {"do": "drop_before"},
    {"do": "truncate"},
    {"do": "html"},
    {"do": "expire_token"},
    *({"do": "status", "status": status} for status in (429, 500, 503)),
]

SANDBOX: Mapping[str, Any] = {
    "strict_leads": True,
    "accounts": [
        {
            "accountId": "99990001",
            "accountName": "Test",
            "mainAccountId": "99990000",
            "dialGroups": [
                {
                    "dialGroupId": 501,
                    "dialGroupName": "Outbound",
                    "dialMode": "PREDICTIVE",
                    "isActive": True,
                    "campaigns": [
                        {"campaignId": int(campaign), "campaignName": f"C{campaign}", "isActive": 1}
                        for campaign in CAMPAIGNS
                    ],
                },
            ],
        },
    ],
}


@dataclass(frozen=True)
class Schedule:
    """All random choices of a schedule.

    Attributes:
        step_limits: Steps after which each run is killed; later runs are not killed.
        faults: The sandbox's fault script of each run; later runs have no faults but the poison's.
    """

    tap: Tap
    config: Mapping[str, Any]
    sandbox: Mapping[str, Any]
    poison: list[dict[str, Any]]
    step_limits: list[int | None]
    faults: list[list[dict[str, Any]]]


def draw(seed: int) -> Schedule:
    """A schedule from a seed."""
    rng = random.Random(seed)  # noqa: S311 - not used for a secret
    dedupe = rng.choice(["changed", "changed", "off"])
    rows = _rows(rng, repeats=dedupe == "changed")
    poisoned = [row.extern_id for row in rows if row.fate == "poison"]
    runs = rng.randint(0, 4)
    return Schedule(
        tap=Tap(
            rows,
            state_after=frozenset(place for place in range(len(rows)) if rng.random() < rng.choice([0.1, 0.5])),
            schema_changes=frozenset(place for place in range(len(rows)) if rng.random() < 0.03),
        ),
        config={
            "batch_size_rows": rng.randint(1, 8),
            "max_in_flight": rng.choice([1, 1, 2, 4]),
            "dedupe": dedupe,
            "search_delay_seconds": 10,
            "retry_max_seconds": 600,
            "max_rejected_percent": 100,
            "duplicate_handling": rng.choice(["REMOVE_FROM_LIST", "RETAIN_ALL"]),
        },
        sandbox={
            "search_delay_seconds": rng.choice([0, 2, 5]),
            "extern_ids_ignored": rng.random() < 0.2,
            "token_seconds": rng.choice([300, 20]),
        },
        poison=[_poison(rng, extern_id) for extern_id in sorted(set(poisoned))],
        step_limits=[rng.choice([rng.randint(1, 40), rng.randint(1, 120)]) for _ in range(runs)],
        faults=[_faults(rng) for _ in range(runs + 1)],
    )


def _rows(rng: random.Random, *, repeats: bool) -> list[Row]:
    """Rows of a source.

    Args:
        rng: Source of chance.
        repeats: Whether some rows repeat unchanged. With `dedupe: off` these would rightly be loaded again.
    """
    streams = STREAMS[: rng.randint(1, 3)]
    campaigns = CAMPAIGNS[: rng.randint(1, 3)]
    versions: Counter[tuple[str, str]] = Counter()
    fates: dict[str, str] = {}
    rows: list[Row] = []
    for number in range(rng.randint(3, 60)):
        stream, campaign = rng.choice(streams), rng.choice(campaigns)
        again = [row for row in rows if row.fate in ("good", "poison")]
        if again and rng.random() < 0.15:
            old = rng.choice(again)
            stream, campaign, extern_id = old.stream, old.campaign_id, old.extern_id
            if not repeats or rng.random() < 0.7:
                versions[campaign, extern_id] += 1
        else:
            extern_id = f"{stream}-{number}"
            fates[extern_id] = rng.choice(FATES) if rng.random() < 0.15 else "good"
        phone = f"650{2_000_000 + int(extern_id.rsplit('-', 1)[1])}"
        rows.append(Row(stream, extern_id, campaign, versions[campaign, extern_id], phone, fates[extern_id]))
    return rows


def _poison(rng: random.Random, extern_id: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"on": "load", "extern_ids": [extern_id], "times": None}
    kinds: list[dict[str, Any]] = [
        {"do": "status", "status": status, "body": f"no {extern_id}"} for status in (400, 422, 500)
    ]
    return rule | rng.choice([*kinds, {"do": "general_failure"}])


def _faults(rng: random.Random) -> list[dict[str, Any]]:
    return [
        {"on": on, "after": rng.randint(0, 12), "times": rng.choice([1, 1, 2]), **rng.choice(kinds)}
        for on, kinds in (("load", LOAD_FAULTS), ("search", SEARCH_FAULTS))
        for _ in range(rng.randint(0, 4))
    ]


def play_run(target: KillableTarget, lines: Sequence[bytes]) -> BaseException | None:
    """Run a target on these lines; returns the error that ended it, None if it finished."""
    try:
        target.listen(cast("IO[str]", io.BytesIO(b"".join(lines))))  # the SDK declares text; this target reads both
    except (EngageVoiceError, Killed) as error:
        return error
    return None


def end_run(target: KillableTarget) -> list[str]:
    """Close what a run left open; returns the problems."""
    problems = []
    try:
        target.lifecycle.close(EngageVoiceError("killed"))
    except (EngageVoiceError, Killed):
        problems.append("the run could not be closed")
    return problems


def miscounted(folder: Path, failure: BaseException | None, sent: int) -> list[str]:
    """Contradictions in the newest run record of a state folder.

    Args:
        folder: The state folder.
        failure: The error that ended the run.
        sent: How many records the tap sent.
    """
    newest = max((folder / "runs").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    record = json.loads(newest.read_text())
    totals = record["totals"]
    problems = []
    if totals["read"] != sum(totals[name] for name in OUTCOMES):
        problems.append("read is not the sum of the outcomes")
    if failure is None and (totals["read"] != sent or record["unsettled"]):
        problems.append(f"{sent} records were sent, {totals['read']} have an outcome")
    return problems


def config_against(sandbox: Sandbox, folder: Path, own: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration for a sandbox: settings of every run, and those of a schedule."""
    return {
        "base_url": sandbox.base_url,
        "username": "somebody",
        "password": "something",
        "platform_id": "somewhere",
        "state_dir": str(folder),
        "mappings": {"*": {"campaign": {"field": "camp"}, "fields": {"externId": "id"}}},
        **own,
    }


@dataclass
class Chain:
    """The runs of a schedule, one after the other, until one finishes.

    Attributes:
        state: The value of the last STATE line.
        problems: Violated rules.
    """

    schedule: Schedule
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    state: dict[str, int] | None = None
    problems: list[str] = field(default_factory=list)
    runs: int = 0
    killed: int = 0

    def play(self) -> None:
        """Run until a run finishes, then compare the server with the source."""
        with Sandbox(config=dict(SANDBOX) | dict(self.schedule.sandbox), clock=self.clock.time) as sandbox:
            self._sandbox = sandbox
            self._config = config_against(sandbox, self.folder, self.schedule.config)
            done = False
            while not done:
                assert self.runs < MOST_RUNS, "the chain does not end"
                done = self._run(self.runs)
                self.runs += 1
            self._check_server()

    def _run(self, number: int) -> bool:
        step_limits, faults = self.schedule.step_limits, self.schedule.faults
        KillableTarget.steps = StepLimit(step_limits[number] if number < len(step_limits) else None)
        KillableTarget.clock = self.clock
        KillableTarget.write_state = staticmethod(self._write_state)
        self._sandbox.faults([*self.schedule.poison, *(faults[number] if number < len(faults) else [])])
        lines = list(self.schedule.tap.lines(self.state))
        target = KillableTarget(config=dict(self._config))
        failure = play_run(target, lines)
        self.problems += end_run(target)
        if KillableTarget.steps.dead:
            self.killed += 1
            return False
        self.problems += miscounted(self.folder, failure, sum(b'"RECORD"' in line for line in lines))
        return failure is None

    def _write_state(self, line: str) -> None:
        """Receive a STATE line, and check that every lead before it is on the server or rejected."""
        place = json.loads(line)["place"]
        held = {
            (str(lead["campaignId"]), lead["externId"], lead["fields"]["firstName"]) for lead in self._sandbox.leads()
        }
        rejected = self._rejected()
        for row in self.schedule.tap.rows[: place + 1]:
            if row.fate in ("do_not_call", "deleted"):
                continue
            lead = (row.campaign_id, row.extern_id, f"v{row.version}")
            if lead not in held and lead not in rejected:
                self.problems.append(f"STATE {place} is ahead of {lead}")
        if self.state is not None and place < self.state["place"]:
            self.problems.append(f"STATE went back from {self.state['place']} to {place}")
        self.state = {"place": place}

    def _rejected(self) -> set[tuple[str, str, str]]:
        found = set()
        for path in (self.folder / "rejects").glob("*.jsonl"):
            for line in path.read_text().splitlines():
                record = json.loads(line)["record"]
                found.add((record["camp"], record["id"], record["first_name"]))
        return found

    def _check_server(self) -> None:
        loaded = Counter(
            (str(lead["campaignId"]), lead["externId"], lead["fields"]["firstName"]) for lead in self._sandbox.leads()
        )
        rejected = self._rejected()
        for row in self.schedule.tap.rows:
            lead = (row.campaign_id, row.extern_id, f"v{row.version}")
            times = loaded[lead]
            if row.fate == "good" and times != 1 and not (times == 0 and lead in rejected):
                self.problems.append(f"{lead} was loaded {times} times")
            if row.fate != "good" and times:
                self.problems.append(f"{lead} ({row.fate}) was loaded")
            if row.fate in ("poison", "no_phone") and lead not in rejected:
                self.problems.append(f"{lead} ({row.fate}) is nowhere")
        known = {(row.campaign_id, row.extern_id, f"v{row.version}") for row in self.schedule.tap.rows}
        self.problems += [f"{lead} was never read" for lead in loaded if lead not in known]
