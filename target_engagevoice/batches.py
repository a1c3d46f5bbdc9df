"""One batch, from the first request until every lead in it has its outcome: retried, looked up, bisected.

A request can end in five ways, and each has one consequence:

* counted: the server says how many it took; what the counts do not cover is looked up;
* throttled, or never sent: nothing is stored, the same leads are sent again later;
* unknown: what the server holds is looked up, and only what is missing is sent again;
* refused as a whole: the batch is halved until the lead that the server does not like stands alone;
* denied, or no route: the run can not go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from target_engagevoice import answers
from target_engagevoice.errors import ServerError
from target_engagevoice.leads import LEAD_PHONE, Outcome, Rejection, Stage
from target_engagevoice.lists import RETAIN_ALL
from target_engagevoice.pacing import Pace, parse_retry_after, waits
from target_engagevoice.reconcile import recover
from target_engagevoice.server_clock import RESOLUTION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_engagevoice.buffers import Batch, BufferedLead
    from target_engagevoice.client import Client
    from target_engagevoice.halt import Halt
    from target_engagevoice.ledger import Ledger
    from target_engagevoice.outcomes import Outcomes
    from target_engagevoice.pacing import Clock
    from target_engagevoice.reconcile import Reconciler
    from target_engagevoice.refusals import Refusals
    from target_engagevoice.runs import Run
    from target_engagevoice.server_clock import ServerClock

PATIENCE_WITH_500 = 3
"""So many times in a row a request may be answered 500 with nothing stored before one of its leads is suspected."""

OTHERS_WAIT_SECONDS = 0.5

PROBES = 3
"""So many leads from elsewhere are asked for a second opinion before all that is refused is blamed on the server."""

NOT_ACCEPTED = "The server accepted fewer leads than it was sent, named none, and does not hold this one."


Leads: TypeAlias = "tuple[BufferedLead, ...]"


@dataclass(frozen=True)
class RefusedLeads:
    """Leads that the server refused together; nothing of them is stored."""

    leads: Leads
    refusal: answers.Refused


@dataclass(frozen=True)
class Loading:
    """What loading a batch needs. Every part may be used by any thread.

    Attributes:
        pace: The account's, for the loader.
        retry_max_seconds: How long one request is retried before the run fails.
        skip_unchanged: Whether a lead that another run loaded meanwhile, with the same content, is not sent.
    """

    client: Client
    pace: Pace
    ledger: Ledger
    reconciler: Reconciler
    outcomes: Outcomes
    refusals: Refusals
    run: Run
    clock: Clock
    server_clock: ServerClock
    halt: Halt
    retry_max_seconds: float
    skip_unchanged: bool


class BatchLoad:
    """One batch on its way. Owned by the thread that runs it."""

    def __init__(self, parts: Loading, batch: Batch) -> None:
        self._parts = parts
        self._batch = batch
        self._campaign = batch.campaign
        self._envelope = batch.options.envelope(list_names(batch, parts.run))
        self._since = 0.0

    def load(self) -> None:
        """Bring every lead of the batch to its outcome.

        Raises:
            EngageVoiceError: The run can not go on; leads without an outcome stay claimed in the ledger.
        """
        waiting = self._batch.leads
        while waiting:
            claimed, waiting = self._claim(waiting)
            if claimed:
                self._load(claimed)
            elif waiting:
                self._wait_for_others()

    def _claim(self, leads: Leads) -> tuple[Leads, Leads]:
        """Write down what is about to be sent, once no earlier version of it can be mistaken for it.

        Returns:
            Leads that are this run's to send, and those that another run is sending at this moment.
        """
        parts, stream, campaign_id = self._parts, self._batch.stream, self._campaign.campaign_id
        not_before = max(buffered.not_before for buffered in leads)
        while True:
            self._wait_until_past(not_before)
            self._since = self._server_now()
            digests = {buffered.lead.extern_id: buffered.lead.digest for buffered in leads}
            mine = parts.ledger.claim(stream, campaign_id, digests, self._since)
            claimed = tuple(buffered for buffered in leads if buffered.lead.extern_id in mine)
            others = tuple(buffered for buffered in leads if buffered.lead.extern_id not in mine)
            if not parts.ledger.shared or not claimed:
                return claimed, others
            claimed, not_before = self._without_what_others_loaded(claimed)
            if not claimed or not_before + RESOLUTION_SECONDS < self._since:
                return claimed, others
            leads = claimed + others

    def _without_what_others_loaded(self, claimed: Leads) -> tuple[Leads, float]:
        """Another run may have loaded a lead between our look into the ledger and our claim.

        Returns:
            Leads still to send, and the moment the last version of any of them was accepted.
        """
        parts, stream, campaign = self._parts, self._batch.stream, self._campaign
        known = parts.ledger.accepted(campaign.campaign_id, [buffered.lead.extern_id for buffered in claimed])
        there = []
        for buffered in claimed:
            accepted = known.get(buffered.lead.extern_id)
            if parts.skip_unchanged and accepted is not None and accepted.digest == buffered.lead.digest:
                there.append(buffered)
        if there:
            parts.ledger.settle(stream, campaign.campaign_id, {}, [each.lead.extern_id for each in there], 0.0)
            parts.outcomes.settle_all([(each.record, Outcome.UNCHANGED) for each in there], campaign)
        rest = tuple(buffered for buffered in claimed if buffered not in there)
        latest = max((known[each.lead.extern_id].at for each in rest if each.lead.extern_id in known), default=0.0)
        return rest, latest

    def _wait_for_others(self) -> None:
        """Other runs hold all that is left: give them time, and see whether they still live."""
        parts = self._parts
        parts.halt.sleep(OTHERS_WAIT_SECONDS)
        parts.ledger.find_the_dead()
        recover(parts.ledger, parts.reconciler, parts.clock, self._server_latest, parts.reconciler.delay)

    def _load(self, claimed: Leads) -> None:
        untried = [claimed]
        while untried:
            leads = untried.pop()
            most = self._parts.refusals.most_rows
            if most is not None and len(leads) > most:
                untried += [leads[most:], leads[:most]]
                continue
            refused = self._send(leads)
            if refused is None:
                continue
            if refused.refusal.shrink and self._parts.refusals.shrink(len(refused.leads)):
                untried.append(refused.leads)
                continue
            rest = self._isolate(refused)
            if rest:
                untried.append(rest)

    def _wait_until_past(self, moment: float) -> None:
        """Wait until the server's clock is clearly past a moment, so that the search can tell before from after."""
        self._parts.halt.check()
        while moment and (ahead := moment + RESOLUTION_SECONDS - self._server_now()) >= 0:
            self._parts.halt.sleep(ahead + 0.05)

    def _server_now(self) -> float:
        return self._parts.server_clock.earliest(self._parts.clock.monotonic(), self._parts.clock.time())

    def _server_latest(self) -> float:
        return self._parts.server_clock.latest(self._parts.clock.monotonic(), self._parts.clock.time())

    def _isolate(self, refused: RefusedLeads) -> Leads:
        """Halve refused leads until one stands alone; put it with the refusals and give back the rest, untried.

        A first half that is taken leaves the blame with the second, which need not be sent to be known as refused:
        a poison lead costs one request a halving, and one for the rest. Where no request was refused after a larger one
        was taken, it may have been a bad moment of the server, or the size, and not the lead: it is asked once more,
        alone.
        """
        suspects, refusal = refused.leads, refused.refusal
        rest: Leads = ()
        taken = certain = False
        while len(suspects) > 1:
            middle = len(suspects) // 2
            again = self._send(suspects[:middle], patience=1)
            if again is None:
                suspects, taken = suspects[middle:], True
                continue
            rest = suspects[middle:] + rest
            suspects, refusal = again.leads, again.refusal
            certain = taken or middle == 1
        if not certain:
            again = self._send(suspects, patience=1)
            if again is None:
                return rest
            refusal = again.refusal
        self._parts.refusals.add(self._campaign, suspects[0], refusal)
        return self._probe(rest)

    def _probe(self, rest: Leads) -> Leads:
        """When all that was sent lately was refused, ask with a few leads from elsewhere in the batch, each alone.

        Raises:
            ServerError: They are refused as well: it is not the leads.
        """
        parts = self._parts
        probes = 0
        while parts.refusals.suspicious(self._campaign):
            if not rest or probes == PROBES:
                raise parts.refusals.not_the_leads(self._campaign)
            place = (len(rest) - 1) * (PROBES - 1 - probes) // (PROBES - 1)
            probe, rest = rest[place : place + 1], rest[:place] + rest[place + 1 :]
            refused = self._send(probe, patience=1)
            if refused is not None:
                parts.refusals.add(self._campaign, refused.leads[0], refused.refusal)
            probes += 1
        return rest

    def _send(self, leads: Leads, patience: int = PATIENCE_WITH_500) -> RefusedLeads | None:
        """Send leads until the server takes or refuses them.

        Args:
            leads: What to send.
            patience: So many answers of 500 in a row, with nothing stored, count as a refusal.

        Returns:
            None when each has its outcome; else those the server refuses.

        Raises:
            EngageVoiceError: The run can not go on.
        """
        parts = self._parts
        end = parts.clock.monotonic() + parts.retry_max_seconds
        failures = 0
        for tries, wait in enumerate(waits()):
            answer = self._post(leads, again=tries > 0)
            pause, problem = wait, ""
            if isinstance(answer, answers.Counted):
                self._settle_counted(leads, answer)
                return None
            if isinstance(answer, answers.Refused):
                return RefusedLeads(leads, answer)
            if isinstance(answer, answers.Denied):
                raise parts.client.denied("the load", answer.what)
            if isinstance(answer, answers.NoRoute):
                raise parts.client.no_loader(answer.what)
            if isinstance(answer, answers.Throttled):
                asked = parse_retry_after(answer.retry_after, parts.clock.time())
                pause, problem = (wait if asked is None else asked), "HTTP 429"
                parts.pace.pause(pause)
                parts.run.count_effort(self._batch.stream, self._campaign, "throttled")
            else:
                problem = answer.what
            if isinstance(answer, answers.Unknown):
                pause = max(wait, parse_retry_after(answer.retry_after, parts.clock.time()) or 0.0)
                remaining = self._settle_unknown(leads)
                failures = failures + 1 if answer.repeatable and len(remaining) == len(leads) else 0
                leads = remaining
                if not leads:
                    return None
                if failures >= patience:
                    return RefusedLeads(leads, answers.Refused("http_500", answer.what))
            if parts.clock.monotonic() + pause > end:
                msg = (
                    f"campaign {self._campaign.campaign_id}: {len(leads)} leads could not be loaded within "
                    f"retry_max_seconds; the last problem was: {problem}. They are not in STATE: run again."
                )
                raise ServerError(msg)
            parts.halt.sleep(pause)
        raise AssertionError  # `waits` has no end

    def _post(self, leads: Leads, *, again: bool) -> answers.Answer:
        parts = self._parts
        parts.halt.check()
        parts.client.ready()
        parts.pace.wait(parts.halt.sleep)
        parts.run.count_effort(self._batch.stream, self._campaign, "requests")
        if again:
            parts.run.count_effort(self._batch.stream, self._campaign, "retries")
        return parts.client.load(self._campaign.campaign_id, self._envelope, [buffered.lead.body for buffered in leads])

    def _settle_counted(self, leads: Leads, counted: answers.Counted) -> None:
        reading = answers.read([buffered.lead for buffered in leads], counted)
        held = self._held([leads[position] for position in reading.doubtful]) if reading.doubtful else set()
        taken = [leads[position] for position in reading.accepted]
        not_inserted = reading.not_inserted
        refused = [(leads[position], "rejected_row", words) for position, words in reading.rejected.items()]
        for position in reading.doubtful:
            buffered = leads[position]
            if buffered.lead.extern_id in held:
                taken.insert(0, buffered)
            elif reading.short is None:
                taken.append(buffered)
                not_inserted += 1
            else:
                refused.append((buffered, "not_accepted", NOT_ACCEPTED))
        self._take(taken, not_inserted, cleared=[buffered for buffered, _, _ in refused])
        for buffered, reason, words in refused:
            self._parts.outcomes.reject(
                buffered.record, self._campaign, Rejection(Stage.SERVER, reason, words), buffered.lead
            )

    def _settle_unknown(self, leads: Leads) -> Leads:
        """Look up what arrived and settle it; what is left was not stored.

        A lead that is missing while another of the same request with its phone is there was dropped as its
        duplicate, unless the server keeps all: sent again on its own it would ring the same person twice.
        """
        held = self._held(leads)
        found = [buffered for buffered in leads if buffered.lead.extern_id in held]
        missing = [buffered for buffered in leads if buffered.lead.extern_id not in held]
        dropped: list[BufferedLead] = []
        if self._batch.options.duplicate_handling != RETAIN_ALL:
            phones = {buffered.lead.fields.get(LEAD_PHONE) for buffered in found} - {None}
            dropped = [buffered for buffered in missing if buffered.lead.fields.get(LEAD_PHONE) in phones]
        self._take([*found, *dropped], not_inserted=len(dropped))
        return tuple(buffered for buffered in missing if buffered not in dropped)

    def _held(self, leads: Iterable[BufferedLead]) -> set[str]:
        since = {buffered.lead.extern_id: self._since for buffered in leads}
        return self._parts.reconciler.held(self._campaign.campaign_id, since)

    def _take(self, leads: Sequence[BufferedLead], not_inserted: int = 0, cleared: Sequence[BufferedLead] = ()) -> None:
        """The server accepted these: into the ledger first, so that STATE never passes what is not written there.

        Args:
            leads: Accepted, those not inserted last.
            not_inserted: How many of them the server dropped as duplicates or do-not-call.
            cleared: Leads that were noted and are not accepted.
        """
        parts = self._parts
        at = self._server_latest()
        digests = {buffered.lead.extern_id: buffered.lead.digest for buffered in leads}
        gone = [buffered.lead.extern_id for buffered in cleared]
        parts.ledger.settle(self._batch.stream, self._campaign.campaign_id, digests, gone, at)
        inserted = len(leads) - not_inserted
        settled = [
            (buffered.record, Outcome.LOADED if place < inserted else Outcome.NOT_INSERTED)
            for place, buffered in enumerate(leads)
        ]
        parts.outcomes.settle_all(settled, self._campaign)
        if leads:
            parts.refusals.taken(self._campaign, len(leads))


def list_names(batch: Batch, run: Run) -> dict[str, str]:
    """What the placeholders of a list description stand for in this batch."""
    return {
        "stream": batch.stream,
        "campaign": batch.campaign.name,
        "run": run.name,
        "started": f"{run.started:%Y-%m-%d %H:%M:%S}",
        "date": f"{run.started:%Y-%m-%d}",
        "batch": str(batch.number),
    }
