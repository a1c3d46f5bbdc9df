"""A server in memory, and runs against it that may be killed after any step, for the histories of leads."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.answers import Counted
from target_engagevoice.api.lead_client import Changed, FoundLead, Gone
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.api.rows import LoadedLead
from target_engagevoice.api.server_clock import ServerClock
from target_engagevoice.delivery.buffer import BufferLimits
from target_engagevoice.delivery.change import LeadChanges
from target_engagevoice.delivery.context import BatchContext, LeadAccess, LoaderAccess, ServerTime
from target_engagevoice.delivery.dedupe import Dedupe
from target_engagevoice.delivery.delivery import Delivery
from target_engagevoice.delivery.dispatch import BatchHandlers
from target_engagevoice.delivery.drain import Drainer
from target_engagevoice.delivery.load import BatchLoad
from target_engagevoice.delivery.lookups import Lookups
from target_engagevoice.delivery.reconcile import Reconciler, recover
from target_engagevoice.delivery.refusals import Refusals
from target_engagevoice.delivery.retire import LeadRetirements
from target_engagevoice.errors import EngageVoiceError
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.campaign import Directory
from target_engagevoice.model.list_options import ListOptions
from target_engagevoice.model.retirement import Retirement
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.counts import OUTCOMES, Run
from target_engagevoice.outcomes.outcomes import Outcomes
from target_engagevoice.outcomes.rejects import Rejects
from tests.support.factories import ACCOUNT, RENEWALS, WINBACK, nothing
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from target_engagevoice.model.lead import Lead
    from target_engagevoice.model.policy import Policy

CAMPAIGNS = {each.campaign_id: each for each in (RENEWALS, WINBACK)}
SEARCH_DELAY = 3.0
LIMITS = BufferLimits(rows=3, size=100_000, age=60.0)

SETS: Mapping[str, dict[str, Any]] = {
    "READY_LEADS": {"state": "READY"},
    "PAUSE_LEADS": {"state": "PAUSED"},
    "CANCEL_LEADS": {"state": "CANCELLED"},
    "SUPPRESS_LEADS": {"suppressed": True},
    "UNSUPPRESS_LEADS": {"suppressed": False},
}


class Killed(EngageVoiceError):  # noqa: N818 - what happened, not what went wrong
    """The process was killed."""

    code = "killed"


class KillSwitch:
    """How many steps a run has left; a step is whatever outlives the run. Any thread may take one."""

    def __init__(self, steps: int | None = None) -> None:
        self._left = steps
        self._lock = threading.RLock()
        self.taken = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        """A step that is done completely, or not at all because the run is killed before it."""
        with self._lock:
            if self._left is not None and self._left <= 0:
                raise Killed("killed")
            yield
            self.taken += 1
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    raise Killed("killed")


@dataclass
class Row:
    """A lead at the server."""

    lead_id: str
    campaign_id: str
    extern_id: str
    fields: dict[str, Any]
    loaded_at: float
    state: str = "READY"
    suppressed: bool = False

    @property
    def is_dialed(self) -> bool:
        return self.state == "READY" and not self.suppressed


class FakeServer:
    """What the server holds, and the clients of it: one object for all."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kill_switch = KillSwitch()
        self.rows: list[Row] = []
        self.listed: list[str] = []
        self.refused: set[str] = set()
        self._count = 0

    def ready(self) -> None:
        """No token is due."""

    def load(
        self,
        campaign_id: str,
        envelope: Mapping[str, Any],
        bodies: Sequence[bytes],
        on_sent: Callable[[], None],
        about: Mapping[str, Any],
    ) -> Counted:
        """The loader."""
        del envelope, about
        on_sent()
        with self.kill_switch.step():
            for body in bodies:
                self._count += 1
                fields = json.loads(body)
                self.rows.append(
                    Row(str(self._count), campaign_id, fields["externId"], fields, float(int(self.clock.time())))
                )
        return Counted(len(bodies), len(bodies))

    def search(self, campaign_id: str, extern_ids: Sequence[str], since: float) -> list[LoadedLead]:
        """The search of the reconciler."""
        return [
            LoadedLead(each.extern_id, campaign_id, each.lead_id, each.loaded_at, frozenset(each.fields))
            for each in list(self.rows)
            if each.campaign_id == campaign_id and each.extern_id in extern_ids and each.loaded_at >= since - 1
        ]

    def find(self, campaign_ids: Sequence[str], extern_ids: Sequence[str]) -> list[FoundLead]:
        """The search for leads that are changed."""
        return [
            FoundLead(each.lead_id, each.extern_id, each.campaign_id, each.state, each.loaded_at)
            for each in list(self.rows)
            if each.campaign_id in campaign_ids and each.extern_id in extern_ids
        ]

    def change(
        self,
        campaign_id: str,
        lead_id: str,
        fields: Mapping[str, Any],
        options: Mapping[str, str],
        effort: Callable[[str], None],
    ) -> Changed | Gone:
        """One lead."""
        del options
        effort("requests")
        with self.kill_switch.step():
            for row in self.rows:
                if (row.campaign_id, row.lead_id) == (campaign_id, lead_id):
                    row.fields = {
                        key: value for key, value in {**row.fields, **fields}.items() if value not in ("", None)
                    }
                    return Changed()
        return Gone("no such lead")

    def act(
        self, action: str, campaign_ids: Sequence[str], lead_ids: Sequence[str], effort: Callable[[str], None]
    ) -> Changed:
        """Many."""
        assert campaign_ids
        assert lead_ids
        effort("requests")
        with self.kill_switch.step():
            chosen = [row for row in self.rows if row.campaign_id in campaign_ids and row.lead_id in lead_ids]
            if action == "DELETE_LEADS":
                self.rows = [row for row in self.rows if row not in chosen]
            for row in chosen:
                vars(row).update(SETS.get(action, {}))
        return Changed()

    def list_phone(self, phone: str, country: str, extern_id: str, effort: Callable[[str], None]) -> Changed:
        """The do-not-call list."""
        del country, extern_id
        effort("requests")
        with self.kill_switch.step():
            self.listed.append(phone)
        return Changed()

    def dialed(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """`externId` to campaign and fields of what is in the dialer."""
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for row in self.rows:
            if row.is_dialed:
                found.setdefault(row.extern_id, []).append((row.campaign_id, row.fields))
        return found


@dataclass
class TapRecord:
    """What the tap sends: a lead for a campaign, or what retires one."""

    lead: Lead | Retirement
    campaign_id: str | None = None
    stream: str = "people"


@dataclass
class RunResult:
    """One run.

    Attributes:
        killed: Whether it was.
        passed: How many records STATE is past.
    """

    killed: bool = False
    passed: int = 0
    steps: int = 0
    outcome: dict[str, int] = field(default_factory=dict)


def run_records(
    server: FakeServer,
    folder: Path,
    records: Sequence[TapRecord],
    policy: Policy,
    *,
    run_name: str,
    steps: int | None = None,
    url: str | None = None,
    limits: BufferLimits = LIMITS,
) -> RunResult:
    """Bring records to their outcomes, as the target does, unless the run is killed before."""
    server.kill_switch = kill_switch = KillSwitch(steps)
    clock = server.clock
    clock.advance(5)
    halt = Halt(clock)
    run = Run(clock)
    states: list[str] = []

    def write_state(line: str) -> None:
        with kill_switch.step():
            states.append(line)

    checkpoints = Checkpoints(nothing, write_state)
    rejects = Rejects(folder / f"{run_name}.jsonl", run_name, clock)
    outcomes = Outcomes(run, rejects, checkpoints, 100.0)
    ledger = Ledger.open(url, folder, ACCOUNT, run_name)
    _make_writes_steps(ledger, kill_switch)
    made = RunResult()
    client: Any = server
    delivery: Delivery | None = None
    try:
        reconciler = Reconciler(client, clock, halt, SEARCH_DELAY)
        context = BatchContext(
            ledger=ledger,
            outcomes=outcomes,
            refusals=Refusals(outcomes, ledger),
            run=run,
            reconciler=reconciler,
            clock=clock,
            server_time=ServerTime(clock, ServerClock()),
            halt=halt,
            policy=policy,
        )
        loader = LoaderAccess(client, Pace((Window(1000, 1),), clock), retry_max_seconds=600.0)
        lookups = Lookups(client, halt, clock.time, SEARCH_DELAY)
        access = LeadAccess(client, lookups, Directory(list(CAMPAIGNS.values())))
        recover(ledger, reconciler, clock, clock.time, SEARCH_DELAY)
        delivery = Delivery(
            handlers=BatchHandlers(
                load=lambda batch: BatchLoad(context, loader, access, batch).load(),
                change=lambda batch: LeadChanges(context, access, batch).change(),
                retire=lambda batch: LeadRetirements(context, access, batch.stream).handle(batch),
            ),
            drainer=Drainer(Dedupe(ledger, policy), outcomes),
            limits=limits,
            threads=2,
            clock=clock,
            halt=halt,
        )
        for number, each in enumerate(records, 1):
            record = outcomes.read(each.stream, {})
            if isinstance(each.lead, Retirement):
                delivery.retire(record, each.lead)
            else:
                assert each.campaign_id is not None
                buffer = delivery.buffer(each.stream, CAMPAIGNS[each.campaign_id], ListOptions())
                delivery.take(buffer, record, each.lead)
            delivery.hand_over()
            checkpoints.state(number)
        delivery.finish()
        context.refusals.finish()
        ledger.finish({each.stream for each in records})
    except Killed:
        made.killed = True
    finally:
        if delivery is not None:
            delivery.close(10)
        rejects.close()
        ledger.close()
    made.passed = int(json.loads(states[-1])) if states else 0
    made.steps = kill_switch.taken
    made.outcome = {name: count for name, count in run.totals().items() if count and name in OUTCOMES}
    return made


def _make_writes_steps(ledger: Ledger, kill_switch: KillSwitch) -> None:
    """Each write is a step."""
    book = ledger._account
    writing = book.writing

    @contextmanager
    def step() -> Iterator[Any]:
        with kill_switch.step(), writing() as connection:
            yield connection

    book.writing = step  # type: ignore[method-assign]  # each write is a step that may be killed
