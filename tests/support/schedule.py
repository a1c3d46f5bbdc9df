"""The runs of a random schedule: each may be killed and may meet faults, until one finishes."""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from target_engagevoice.errors import EngageVoiceError
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.executable import OUTCOMES
from tests.support.fake_clock import FakeClock
from tests.support.killable_target import KillableTarget, Killed, StepLimit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

CAMPAIGNS = ("1001", "1002", "1003")
STREAMS = ("people", "firms", "guests")
MOST_RUNS = 40

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


class Schedule(Protocol):
    """All random choices of a schedule, for any kind of source.

    Attributes:
        config: Of the target.
        sandbox: Of the server.
        step_limits: Steps after which each run is killed; later runs are not killed.
        faults: The sandbox's fault script of each run; later runs have no faults but the poison's.
    """

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def sandbox(self) -> Mapping[str, Any]: ...
    @property
    def step_limits(self) -> Sequence[int | None]: ...
    @property
    def faults(self) -> Sequence[Sequence[dict[str, Any]]]: ...


S = TypeVar("S", bound=Schedule)


@dataclass
class Chain(ABC, Generic[S]):
    """The runs of a schedule, one after the other, until one finishes.

    Attributes:
        state: The value of the last STATE line.
        problems: Violated rules.
    """

    schedule: S
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    state: dict[str, int] | None = None
    problems: list[str] = field(default_factory=list)
    runs: int = 0
    killed: int = 0

    def play(self) -> None:
        """Run until a run finishes, then compare the server with the source."""
        with Sandbox(config=dict(SANDBOX) | dict(self.schedule.sandbox), clock=self.clock.time) as sandbox:
            self.sandbox = sandbox
            self.config = config_against(sandbox, self.folder, self.schedule.config)
            self.prepare()
            done = False
            while not done:
                assert self.runs < MOST_RUNS, "the chain does not end"
                done = self._run(self.runs)
                self.runs += 1
            self.check_the_end()

    def _run(self, number: int) -> bool:
        """One run; whether it is the last."""
        step_limits, faults = self.schedule.step_limits, self.schedule.faults
        KillableTarget.steps = StepLimit(step_limits[number] if number < len(step_limits) else None)
        KillableTarget.clock = self.clock
        KillableTarget.write_state = staticmethod(lambda line: self.take_state(json.loads(line)))
        self.sandbox.faults([*self.poison(), *(faults[number] if number < len(faults) else [])])
        lines = self.lines(number)
        target = KillableTarget(config=dict(self.config))
        failure = play_run(target, lines)
        self.problems += end_run(target)
        if KillableTarget.steps.dead:
            self.killed += 1
            return False
        self.problems += miscounted(self.folder, failure, sum(b'"RECORD"' in line for line in lines))
        return failure is None and self.is_whole(number)

    def prepare(self) -> None:
        """Called once, before the first run."""

    @abstractmethod
    def poison(self) -> Iterable[dict[str, Any]]:
        """The fault rules of leads that the server never takes."""

    @abstractmethod
    def lines(self, number: int) -> list[bytes]:
        """What the tap sends to a run, from 0, that begins now."""

    @abstractmethod
    def take_state(self, state: dict[str, int]) -> None:
        """Keep a STATE, and check that everything before it is where it should be at this moment."""

    def is_whole(self, number: int) -> bool:  # noqa: ARG002 - a source that changes asks for it
        """Whether a run that finished had all of the source."""
        return True

    @abstractmethod
    def check_the_end(self) -> None:
        """Compare the server with the source."""

    def rejected_records(self) -> list[dict[str, Any]]:
        """The records in the rejects files."""
        return [
            json.loads(line)["record"]
            for path in (self.folder / "rejects").glob("*.jsonl")
            for line in path.read_text().splitlines()
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
