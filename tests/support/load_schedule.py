"""Schedules of a source that is read once: rows for several campaigns, some of which no server or run takes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.schedule import CAMPAIGNS, LOAD_FAULTS, SEARCH_FAULTS, STREAMS, Chain
from tests.support.tap import Row, Tap

if TYPE_CHECKING:
    from collections.abc import Mapping

FATES = ("poison", "do_not_call", "deleted", "no_phone")


@dataclass(frozen=True)
class LoadSchedule:
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


def draw(seed: int) -> LoadSchedule:
    """A schedule from a seed."""
    rng = random.Random(seed)  # noqa: S311 - not used for a secret
    dedupe = rng.choice(["changed", "changed", "off"])
    rows = _rows(rng, repeats=dedupe == "changed")
    poisoned = [row.extern_id for row in rows if row.fate == "poison"]
    runs = rng.randint(0, 4)
    return LoadSchedule(
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


class LoadChain(Chain[LoadSchedule]):
    """Runs that load what is new."""

    def poison(self) -> list[dict[str, Any]]:
        return self.schedule.poison

    def lines(self, number: int) -> list[bytes]:  # noqa: ARG002 - the source is the same for all runs
        return list(self.schedule.tap.lines(self.state))

    def take_state(self, state: dict[str, int]) -> None:
        place = state["place"]
        held = self._held()
        rejected = self._rejected()
        for row in self.schedule.tap.rows[: place + 1]:
            if row.fate in ("do_not_call", "deleted"):
                continue
            lead = (row.campaign_id, row.extern_id, f"v{row.version}")
            if lead not in held and lead not in rejected:
                self.problems.append(f"STATE {place} is ahead of {lead}")
        if self.state is not None and place < self.state["place"]:
            self.problems.append(f"STATE went back from {self.state['place']} to {place}")
        self.state = state

    def check_the_end(self) -> None:
        loaded, rejected = self._held(), self._rejected()
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

    def _held(self) -> Counter[tuple[str, str, str]]:
        """How often the server holds what: campaign, `externId`, first name."""
        leads = self.sandbox.leads()
        return Counter((str(lead["campaignId"]), lead["externId"], lead["fields"]["firstName"]) for lead in leads)

    def _rejected(self) -> set[tuple[str, str, str]]:
        return {(each["camp"], each["id"], each["first_name"]) for each in self.rejected_records()}
