"""One schedule of a CRM: leads that change and vanish, a server with faults, and runs that are killed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from target_engagevoice.delivery.refusals import FEW
from tests.support.crm import Crm, Reading, Version
from tests.support.crm_rules import Rules
from tests.support.lead_events import begin, lead_events, watch
from tests.support.schedule import CAMPAIGNS, LOAD_FAULTS, MOST_RUNS, SEARCH_FAULTS, STREAMS, Chain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHANGE_FAULTS: Sequence[dict[str, Any]] = [
    {"do": "drop_before"},
    {"do": "drop_after"},
    {"do": "truncate"},
    {"do": "garbage"},
    {"do": "garbage", "stored": False},
    {"do": "html"},
    {"do": "html", "stored": True},
    {"do": "created_empty"},
    {"do": "expire_token"},
    {"do": "delay", "seconds": 0.02},
    *({"do": "status", "status": status, "stored": True} for status in (429, 500, 502, 504)),
    *({"do": "status", "status": status, "stored": False} for status in (429, 500, 502, 503, 504)),
    {"do": "status", "status": 429, "retry_after": "2"},
    {"do": "status", "status": 400},
]
FAULTS: Mapping[str, Sequence[dict[str, Any]]] = {
    "load": LOAD_FAULTS,
    "search": SEARCH_FAULTS,
    "patch": CHANGE_FAULTS,
    "action": [*CHANGE_FAULTS, {"do": "action_failed"}],
    "dnc": CHANGE_FAULTS,
}

METHODS = ("upsert", "upsert", "upsert", "append-only", "overwrite")
ON_DELETE = ("cancel", "pause", "suppress", "delete", "ignore")


@dataclass(frozen=True)
class CrmSchedule:
    """All that chance decided.

    Attributes:
        readings: How much of the CRM each run finds; runs after these find all of it.
        step_limits: Steps after which each run is killed; later runs are not killed.
        faults: The sandbox's fault script of each run; runs after these meet none but the poison's.
    """

    crm: Crm
    config: Mapping[str, Any]
    sandbox: Mapping[str, Any]
    poison: frozenset[str]
    readings: list[Reading]
    step_limits: list[int | None]
    faults: list[list[dict[str, Any]]]

    def reading(self, run: int) -> Reading:
        """What a run finds, from 0."""
        everything = len(self.crm.log)
        return self.readings[run] if run < len(self.readings) else Reading(everything, everything)


def draw(seed: int) -> CrmSchedule:
    """A schedule from a seed."""
    rng = random.Random(seed)  # noqa: S311 - not used for a secret
    method = rng.choice(METHODS)
    whole = method == "overwrite"
    log = _log(rng, whole=whole)
    runs = rng.randint(1, 5)
    often = rng.choice([0.1, 0.5])
    ids = sorted({version.extern_id for version in log})
    return CrmSchedule(
        crm=Crm(
            log,
            whole,
            early=rng.random() < 0.3,
            state_after=frozenset(place for place in range(len(log)) if rng.random() < often),
        ),
        config={
            "load_method": method,
            "on_delete": rng.choice(ON_DELETE[:4] if whole else ON_DELETE),
            "do_not_call": rng.choice(["skip", "dnc_list"]),
            "max_retired_percent": 100,
            "batch_size_rows": rng.randint(1, 8),
            "max_in_flight": rng.choice([1, 1, 2, 4]),
            "dedupe": "off" if method == "upsert" and rng.random() < 0.15 else "changed",
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
        poison=_poison([extern_id for extern_id in ids if rng.random() < 0.03], log),
        readings=_readings(rng, len(log), runs, logged=rng.random() < 0.4),
        step_limits=[
            None if rng.random() < 0.2 else rng.choice([rng.randint(1, 40), rng.randint(1, 200)]) for _ in range(runs)
        ],
        faults=[_faults(rng) for _ in range(runs + 1)],
    )


def _poison(ids: Sequence[str], log: Sequence[Version]) -> frozenset[str]:
    """So many of these ids as have few versions in total. Five refusals in a row would end the run with an error."""
    versions = Counter(version.extern_id for version in log)
    total = list(accumulate(versions[extern_id] for extern_id in ids))
    return frozenset(extern_id for extern_id, so_far in zip(ids, total, strict=True) if so_far < FEW)


def _log(rng: random.Random, *, whole: bool) -> list[Version]:
    """Changes of a CRM; rows of one whose tap sends all of them may also vanish."""
    streams = STREAMS[: rng.randint(1, 2)]
    campaigns = CAMPAIGNS[: rng.randint(1, 3)]
    newest: list[Version] = []
    numbers: Counter[str] = Counter()
    log: list[Version] = []
    changes = rng.choice([0.4, 0.6, 0.8])
    for place in range(rng.randint(4, 50)):
        if newest and rng.random() < changes:
            which = rng.randrange(len(newest))
            version = replace(_changed(rng, newest[which], campaigns, numbers, whole=whole), place=place)
            newest[which] = version
        else:
            stream = rng.choice(streams)
            fate = rng.choice(["good", "good", "good", "good", "good", "do_not_call", "deleted"])
            extern_id = f"{stream}-{place}"
            version = Version(place, stream, extern_id, rng.choice(campaigns), 0, f"650{2_000_000 + place}", fate)
            newest.append(version)
        log.append(version)
    return log


def _changed(
    rng: random.Random, old: Version, campaigns: Sequence[str], numbers: Counter[str], *, whole: bool
) -> Version:
    """What becomes of a lead."""
    kinds = ["other", "other", "back", "back", "move", "move", "move and other", "flag", "delete", "phone", "touch"]
    kind = rng.choice([*kinds, "gone", "gone"] if whole else kinds)
    fate = "good" if old.fate != "good" and rng.random() < 0.7 else old.fate
    new = replace(old, fate=fate)
    if kind in ("other", "move and other"):
        numbers[old.extern_id] += 1
        new = replace(new, number=numbers[old.extern_id])
    elif kind == "back":
        new = replace(new, number=rng.randint(0, numbers[old.extern_id]))
    elif kind in ("flag", "delete", "gone"):
        new = replace(new, fate={"flag": "do_not_call", "delete": "deleted"}.get(kind, kind))
    elif kind == "phone":
        other = str(int(old.phone) + (1_000_000 if old.phone < "6503" else -1_000_000))
        new = replace(new, phone=other)
    if kind in ("move", "move and other"):
        new = replace(new, campaign_id=rng.choice(campaigns))
    return new


def _readings(rng: random.Random, changes: int, runs: int, *, logged: bool) -> list[Reading]:
    """How much of the CRM exists when each run reads it; in the end all of it.

    Args:
        rng: Source of chance.
        changes: How many there are.
        runs: How many runs to decide for.
        logged: Whether the tap reads a log: it sends every version, however late it comes.
    """
    ends = [changes] * runs if rng.random() < 0.2 else sorted(rng.randint(1, changes) for _ in range(runs))
    if logged:
        return [Reading(end, 0) for end in [*ends, *[changes] * MOST_RUNS]]
    # Changes that an earlier run could read are old for the next run.
    return [
        Reading(end, max(before, end - rng.choice([0, 0, 3, 10])))
        for before, end in zip([0, *ends], ends, strict=False)
    ]


def _faults(rng: random.Random) -> list[dict[str, Any]]:
    return [
        {"on": on, "after": rng.randint(0, 8), "times": rng.choice([1, 1, 2]), **rng.choice(kinds)}
        for on, kinds in FAULTS.items()
        for _ in range(rng.randint(0, 3))
    ]


class CrmChain(Chain[CrmSchedule]):
    """Runs that load, change and retire, until one reads all of the CRM and finishes."""

    def prepare(self) -> None:
        self._sent: list[list[Version]] = []
        self._rules = Rules(self.sandbox, self.schedule.crm, self.schedule.config)
        watch(self.sandbox)

    def poison(self) -> list[dict[str, Any]]:
        ids = sorted(self.schedule.poison)
        rule = {"on": "load", "extern_ids": ids, "times": None, "do": "status", "status": 422, "body": "no"}
        return [rule] if ids else []

    def lines(self, number: int) -> list[bytes]:
        if number:
            self.clock.advance(60)  # the next run is another one, also to the server
        begin(self.sandbox, number)
        place = 0 if self.state is None else self.state["place"]
        self._sent.append(self.schedule.crm.sent(place, self.schedule.reading(number)))
        return list(self.schedule.crm.lines(self._sent[-1], number))

    def take_state(self, state: dict[str, int]) -> None:
        final = {version.key: (number, version) for number, version in enumerate(self._sent[-1])}
        passed = [version for number, version in final.values() if number <= state["sent"]]
        rejected = self._rejected()
        for problem in self._rules.broken([version for version in passed if version.place not in rejected]):
            self.problems.append(f"run {self.runs}: STATE {state} is ahead: {problem}")
        if not self.schedule.crm.whole and self.state is not None and state["place"] < self.state["place"]:
            self.problems.append(f"STATE went back from {self.state['place']} to {state['place']}")
        self.state = state

    def is_whole(self, number: int) -> bool:
        return self.schedule.reading(number).end == len(self.schedule.crm.log)

    def check_the_end(self) -> None:
        crm, rejected = self.schedule.crm, self._rejected()
        newest = crm.newest(len(crm.log)).values()
        self.problems += self._rules.broken([version for version in newest if version.place not in rejected])
        self.problems += self._rules.dialed_twice()
        done = lead_events(self.sandbox)
        self.problems += [
            f"{event.extern_id} was loaded though the server refuses it"
            for event in done
            if event.extern_id in self.schedule.poison
        ]
        self.problems += self._rules.loaded_too_often(done)
        for run, sent in enumerate(self._sent):
            self.problems += self._rules.out_of_order([event for event in done if event.run == run], sent, run)

    def _rejected(self) -> set[int]:
        """Places of the versions that were rejected."""
        return {record["place"] for record in self.rejected_records()}
