"""What unit tests are made of: leads, and a signed-in client on a sandbox with a fake clock."""

from __future__ import annotations

import atexit
import json
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.auth.authentication import authentication
from target_engagevoice.api.auth.credentials import ApiToken
from target_engagevoice.api.client import Client
from target_engagevoice.api.lead_client import LeadClient
from target_engagevoice.api.ratelimit.pace import Pace
from target_engagevoice.api.ratelimit.windows import Window
from target_engagevoice.api.server_clock import ServerClock
from target_engagevoice.api.transport import Transport
from target_engagevoice.delivery.batch import Batch, MoveBatch, RetireBatch, Work
from target_engagevoice.delivery.buffer import BufferedLead, BufferedRetirement
from target_engagevoice.delivery.change import LeadChanges
from target_engagevoice.delivery.context import BatchContext, LeadAccess, LoaderAccess, ServerTime
from target_engagevoice.delivery.load import BatchLoad
from target_engagevoice.delivery.lookups import Lookups
from target_engagevoice.delivery.reconcile import Reconciler
from target_engagevoice.delivery.refusals import Refusals
from target_engagevoice.delivery.retire import LeadRetirements
from target_engagevoice.halt import Halt
from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.model.campaign import Campaign, Directory
from target_engagevoice.model.lead import Lead
from target_engagevoice.model.list_options import ListOptions
from target_engagevoice.model.policy import Policy
from target_engagevoice.outcomes.checkpoints import Checkpoints
from target_engagevoice.outcomes.counts import OUTCOMES, Run
from target_engagevoice.outcomes.outcomes import Outcomes
from target_engagevoice.outcomes.rejects import Rejects
from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_engagevoice.model.retirement import FlaggedRecord

ACCOUNT = "99990001"
RENEWALS = Campaign("1001", "Renewals", "501", "Outbound")
WINBACK = Campaign("1002", "Winback", "501", "Outbound")
WINDOWS = (Window(30, 10), Window(120, 60))
TIMEOUT = 10.0
USER_AGENT = "target-engagevoice/test"


def nothing() -> None:
    """For where a test has nothing to do."""


def lead(number: int, **fields: Any) -> Lead:
    """A lead the sandbox takes: `L7`, phone 6505550007."""
    return Lead.of({"externId": f"L{number}", "leadPhone": f"650{5550000 + number}"} | fields)


@dataclass
class Desk:
    """A client on a sandbox, and all that loads a batch through it; one fake clock for both sides."""

    sandbox: Sandbox
    clock: FakeClock
    halt: Halt
    server_clock: ServerClock
    transport: Transport
    client: Client
    folder: Path
    retry_max_seconds: float
    policy: Policy = field(default_factory=Policy)
    directory: Directory = field(default_factory=lambda: Directory([RENEWALS, WINBACK]))
    states: list[str] = field(default_factory=list)

    def open(self, search_delay: float) -> None:
        """Make what stands behind the client."""
        self.run = Run(self.clock)
        self.rejects = Rejects(self.folder / "rejects.jsonl", self.run.name, self.clock)
        self.checkpoints = Checkpoints(self.rejects.make_durable, self.states.append)
        self.outcomes = Outcomes(self.run, self.rejects, self.checkpoints, 100.0)
        self.ledger = Ledger.open("sqlite://", self.folder, ACCOUNT, self.run.name)
        self.reconciler = Reconciler(self.client, self.clock, self.halt, search_delay)
        self.refusals = Refusals(self.outcomes, self.ledger)
        self.pace = Pace(WINDOWS, self.clock)

    def batch(self, leads: Sequence[Lead], campaign: Campaign = RENEWALS, not_before: float = 0.0) -> Batch:
        """A batch of records just read, each with a STATE of its own right behind it."""
        buffered = []
        for each in leads:
            record = self.outcomes.read("people", {"id": each.extern_id})
            self.checkpoints.state(each.extern_id)
            buffered.append(BufferedLead.of(record, each, self.clock.monotonic(), not_before))
        return Batch("people", campaign, ListOptions(), 1, tuple(buffered))

    def load(self, leads: Sequence[Lead], campaign: Campaign = RENEWALS, not_before: float = 0.0) -> None:
        """See a batch of these leads through."""
        self.load_batch(self.batch(leads, campaign, not_before))

    def load_batch(self, batch: Batch) -> list[str]:
        """See a batch through; gives the `externId`s of those that are to be compared once more."""
        load = BatchLoad(self.context(), self.loader_access(), self.lead_access(), batch)
        return [each.lead.extern_id for each in load.load()]

    def change(self, leads: Sequence[Lead], campaign: Campaign = RENEWALS) -> list[str]:
        """See a batch of changes through; gives the `externId`s of those that are to be loaded anew."""
        batch = replace(self.batch(leads, campaign), work=Work.CHANGE, number=0)
        return [each.lead.extern_id for each in LeadChanges(self.context(), self.lead_access(), batch).change()]

    def retire(self, flagged: Sequence[FlaggedRecord], stream: str = "people") -> None:
        """See a batch of records that must not be called through."""
        retirements = []
        for each in flagged:
            record = self.outcomes.read("people", {"id": each.extern_id})
            self.checkpoints.state(each.extern_id)
            retirements.append(BufferedRetirement.of(record, each, self.clock.monotonic()))
        LeadRetirements(self.context(), self.lead_access(), stream).handle(RetireBatch(stream, tuple(retirements)))

    def move(self, leads: Sequence[Lead], campaign: Campaign) -> list[str]:
        """See leads out of the campaigns that have them; gives those that go on to this one."""
        assert self.policy.move is not None
        batch = MoveBatch("people", campaign, self.batch(leads, campaign).leads, self.policy.move)
        return [each.extern_id for each in LeadRetirements(self.context(), self.lead_access(), "people").handle(batch)]

    def context(self) -> BatchContext:
        """What batches claim, settle and count with."""
        return BatchContext(
            ledger=self.ledger,
            outcomes=self.outcomes,
            refusals=self.refusals,
            run=self.run,
            reconciler=self.reconciler,
            clock=self.clock,
            server_time=ServerTime(self.clock, self.server_clock),
            halt=self.halt,
            policy=self.policy,
        )

    def loader_access(self) -> LoaderAccess:
        """What batches are loaded with."""
        return LoaderAccess(self.client, self.pace, self.retry_max_seconds)

    def lead_access(self) -> LeadAccess:
        """What finds, changes and retires leads."""
        lead_client = LeadClient(self.client, self.clock, self.halt, self.retry_max_seconds)
        lookups = Lookups(lead_client, self.halt, self.clock.time, self.reconciler.delay)
        return LeadAccess(lead_client, lookups, self.directory)

    def landed(self, campaign: Campaign = RENEWALS) -> list[str]:
        """`externId` of every lead in the campaign, as often as it is there."""
        return sorted(row["externId"] for row in self.sandbox.leads(campaign.campaign_id))

    def loads(self) -> list[dict[str, Any]]:
        """The requests to the loader."""
        return self.sandbox.requests("load")

    def outcome(self) -> dict[str, int]:
        """The outcomes that occurred, with their numbers."""
        totals = self.run.totals()
        return {name: count for name, count in totals.items() if count and name in OUTCOMES}

    def close(self) -> None:
        """Let go."""
        self.rejects.close()
        self.ledger.close()


def transport_to(clock: FakeClock, server_clock: ServerClock, base_url: str, timeout: float = TIMEOUT) -> Transport:
    """A transport with a permanent token."""
    return Transport(
        authentication=authentication(
            ApiToken("aws80:token"),
            base_url=base_url,
            session=None,
            timeout=timeout,
            retry_max_seconds=1,
            clock=clock,
            user_agent=USER_AGENT,
        ),
        connections=4,
        timeout=timeout,
        user_agent=USER_AGENT,
        clock=clock,
        server_clock=server_clock,
    )


class _Kept:
    """A sandbox that several tests use, one after another, each with its own clock: starting one takes a while."""

    def __init__(self, config: dict[str, Any] | None) -> None:
        self.clock = FakeClock()
        self.busy = False
        self.sandbox = Sandbox(store=None, config={"strict_leads": True, **(config or {})}, clock=self._time)
        self.sandbox.start()

    def _time(self) -> float:
        return self.clock.time()

    def clean(self) -> None:
        """Forget everything but how it is configured."""
        self.clock = FakeClock()
        self.sandbox.faults([])
        with self.sandbox._store.transaction() as db:
            for table in ("leads", "lists", "phones", "dnc", "tokens", "hits", "penalties", "requests"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand here


_KEPT: dict[str, _Kept] = {}


@contextmanager
def _kept(config: dict[str, Any] | None) -> Iterator[tuple[Sandbox, FakeClock]]:
    key = json.dumps(config, sort_keys=True)
    if key not in _KEPT:
        _KEPT[key] = _Kept(config)
        atexit.register(_KEPT[key].sandbox.stop)
    kept = _KEPT[key]
    assert not kept.busy, "one desk at a time"
    kept.clean()
    kept.busy = True
    try:
        yield kept.sandbox, kept.clock
    finally:
        kept.busy = False


@contextmanager
def _own(config: dict[str, Any] | None) -> Iterator[tuple[Sandbox, FakeClock]]:
    clock = FakeClock()
    with Sandbox(store=None, config={"strict_leads": True, **(config or {})}, clock=clock.time) as sandbox:
        yield sandbox, clock


@contextmanager
def desk(
    *,
    config: dict[str, Any] | None = None,
    retry_max_seconds: float = 600.0,
    search_delay: float = 10.0,
    api_version: str = "v1",
    timeout: float = TIMEOUT,
    policy: Policy | None = None,
) -> Iterator[Desk]:
    """A desk, open."""
    server_clock = ServerClock()
    with ExitStack() as stack:
        hangs = timeout < TIMEOUT  # a request that hangs would reach into the next test
        sandbox, clock = stack.enter_context((_own if hangs else _kept)(config))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        halt = Halt(clock)
        transport = transport_to(clock, server_clock, sandbox.base_url, timeout)
        stack.callback(transport.close)
        client = Client(
            base_url=sandbox.base_url,
            api_version=api_version,
            transport=transport,
            clock=clock,
            halt=halt,
            retry_max_seconds=retry_max_seconds,
            advice="Check the token.",
            ready=nothing,
        )
        client.account_id = ACCOUNT
        made = Desk(
            sandbox, clock, halt, server_clock, transport, client, folder, retry_max_seconds, policy or Policy()
        )
        made.open(search_delay)
        stack.callback(made.close)
        yield made
