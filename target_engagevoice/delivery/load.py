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
from typing import TYPE_CHECKING

from target_engagevoice.api import answers
from target_engagevoice.api.ratelimit.pace import Slot
from target_engagevoice.api.retry import (
    PATIENCE_WITH_500,
    Done,
    Retries,
    RetryPolicy,
    ServerFailures,
    TryAgain,
    try_again,
)
from target_engagevoice.delivery.claims import Claims, wait_for_others
from target_engagevoice.delivery.lookups import newest
from target_engagevoice.delivery.refusals import BROKEN
from target_engagevoice.delivery.settlement import Settlement
from target_engagevoice.errors import ServerError

if TYPE_CHECKING:
    from target_engagevoice.api.retry import Attempt
    from target_engagevoice.delivery.buffer import Batch, BufferedLead
    from target_engagevoice.delivery.context import BatchContext, LeadAccess, Leads, LoaderAccess
    from target_engagevoice.outcomes.counts import Run

PROBES = 3
"""So many leads from elsewhere are asked for a second opinion before all that is refused is blamed on the server."""


@dataclass(frozen=True)
class RefusedLeads:
    """Leads that the server refused together; nothing of them is stored."""

    leads: Leads
    refusal: answers.Refused


class BatchLoad:
    """One batch on its way. Owned by the thread that runs it."""

    def __init__(self, context: BatchContext, loader: LoaderAccess, access: LeadAccess, batch: Batch) -> None:
        self._context = context
        self._loader = loader
        self._find = access.lead_client.find
        self._batch = batch
        self._campaign = batch.campaign
        self._envelope = batch.options.envelope(list_names(batch, context.run))
        self._claims = Claims(context, batch)
        self._settlement = Settlement(context, batch)
        self._slot = Slot(0.0, 0.0)

    def load(self) -> list[BufferedLead]:
        """Bring every lead of the batch to its outcome, but those that are to be changed.

        Returns:
            Those: where leads are changed in place, the campaign may have some that the ledger does not know of.

        Raises:
            EngageVoiceError: The run can not go on; leads without an outcome stay claimed in the ledger.
        """
        held = self._held() if self._context.policy.change else set()
        waiting = self._batch.leads
        if held:
            waiting = tuple(each for each in waiting if each.lead.extern_id not in held)
        while waiting:
            claimed, waiting = self._claims.claim(waiting)
            if claimed:
                self._load(claimed)
            elif waiting:
                wait_for_others(self._context)
        return [each for each in self._batch.leads if each.lead.extern_id in held] if held else []

    def _held(self) -> set[str]:
        """The `externId`s new to the ledger that the campaign has all the same; now the ledger has them too."""
        context, campaign_id = self._context, self._campaign.campaign_id
        new = [each.lead.extern_id for each in self._batch.leads if not each.not_before]
        found = newest(self._find([campaign_id], new))
        if found:
            at = context.server_time.latest()
            leads = {lead.extern_id: (lead.lead_id, lead.loaded_at or at) for lead in found}
            context.ledger.leads.record_existing(self._batch.stream, campaign_id, leads)
        return {lead.extern_id for lead in found}

    def _load(self, claimed: Leads) -> None:
        todo: list[Leads | RefusedLeads] = [claimed]
        while todo:
            leads = todo.pop()
            refused = leads if isinstance(leads, RefusedLeads) else None
            if not isinstance(leads, RefusedLeads):
                most = self._context.refusals.max_rows
                if most is not None and len(leads) > most:
                    todo += [leads[most:], leads[:most]]
                    continue
                refused = self._send(leads, self._patience)
            if refused is None:
                continue
            if refused.refusal.shrink and self._context.refusals.shrink(len(refused.leads)):
                todo.append(refused.leads)
                continue
            left = self._isolate(refused)
            if left:
                todo.append(left)

    def _isolate(self, refused: RefusedLeads) -> Leads | RefusedLeads:
        """Halve refused leads until one stands alone; put it with the refusals and give back the rest.

        A first half that is taken leaves the blame with the second, which need not be sent to be known as refused:
        a poison lead costs one request a halving, and one for the rest.

        Returns:
            Leads of which nothing is known, or that are known to be refused together; none when all are done.
        """
        suspects, refusal = refused.leads, refused.refusal
        rest: Leads = ()
        taken = certain = alone = False
        breakable = self._context.refusals.server_breaks
        while len(suspects) > 1:
            middle = len(suspects) // 2
            again = self._send(suspects[:middle], 1 if refusal.reason == BROKEN else self._patience)
            if again is None:
                suspects, taken = suspects[middle:], True
                continue
            rest = suspects[middle:] + rest
            certain = (taken or middle == 1) and again.refusal.is_like(refusal)
            suspects, refusal, alone = again.leads, again.refusal, middle == 1
        sure = certain and (refusal.reason != BROKEN or (breakable and alone))
        return self._blame(suspects, refusal, rest, sure=sure, breakable=breakable)

    def _blame(
        self, suspect: Leads, refusal: answers.Refused, rest: Leads, *, sure: bool, breakable: bool
    ) -> Leads | RefusedLeads:
        """Put the lead that stands alone with the refusals, unless it was a bad moment of the server's.

        When no request was refused after a larger one was taken it may be the size, and when the refusals differ, or
        the server broke, it may be a bad moment: then it is asked once more, alone. Where leads are known that break
        the server, the rest is asked instead, which is to be sent anyway: what was refused with the rest and the
        suspect in it, and is taken without the suspect, was refused for the suspect.
        """
        context = self._context
        left: Leads | RefusedLeads = rest
        if not sure and breakable and refusal.reason == BROKEN and rest:
            refused = self._send(rest, self._patience)
            sure, left = refused is None, refused or ()
        if not sure:
            again = self._send(suspect, self._patience)
            if again is None:
                return left
            suspect, refusal = again.leads, again.refusal
        context.refusals.add(self._campaign, suspect[0], refusal)
        if context.refusals.are_suspicious(self._campaign, took=self._settlement.took):
            return self._probe(left.leads if isinstance(left, RefusedLeads) else left)
        return left

    def _probe(self, rest: Leads) -> Leads:
        """When all that was sent lately was refused, ask with a few leads from elsewhere in the batch, each alone.

        Raises:
            ServerError: They are refused as well: it is not the leads.
        """
        context = self._context
        probes = 0
        while context.refusals.are_suspicious(self._campaign, took=self._settlement.took):
            if not rest or probes == PROBES:
                raise context.refusals.all_refused(self._campaign)
            place = (len(rest) - 1) * (PROBES - 1 - probes) // (PROBES - 1)
            probe, rest = rest[place : place + 1], rest[:place] + rest[place + 1 :]
            refused = self._send(probe, self._patience)
            if refused is not None:
                context.refusals.add(self._campaign, refused.leads[0], refused.refusal)
            probes += 1
        return rest

    @property
    def _patience(self) -> int:
        """Whether a server that breaks may just have a bad moment: not once a lead is known that breaks it."""
        return 1 if self._context.refusals.server_breaks else PATIENCE_WITH_500

    def _send(self, leads: Leads, patience: int) -> RefusedLeads | None:
        """Send leads until the server takes or refuses them.

        Args:
            leads: What to send.
            patience: So many answers of 500 in a row, with nothing stored, count as a refusal.

        Returns:
            None when each has its outcome; else those the server refuses.

        Raises:
            EngageVoiceError: The run can not go on.
        """
        clock = self._context.clock
        unsettled = leads
        failures = ServerFailures(patience)

        def attempt(this: Attempt) -> Done[RefusedLeads | None] | TryAgain:
            nonlocal unsettled
            answer = self._post(unsettled, this)
            outcome = self._outcome(unsettled, answer, this.delay)
            if isinstance(answer, answers.Unknown):
                sent, unsettled = unsettled, self._settlement.unknown(unsettled, self._claims.since)
                nothing_stored = len(unsettled) == len(sent)
                too_many = failures.are_too_many(failed=answer.repeatable and nothing_stored)
                if not unsettled:
                    return Done(None)
                if too_many:
                    return Done(RefusedLeads(unsettled, answers.Refused(BROKEN, answer.what)))
            return outcome

        def give_up(problem: str) -> ServerError:
            return ServerError(
                f"campaign {self._campaign.campaign_id}: {len(unsettled)} leads could not be loaded within "
                f"retry_max_seconds; the last problem was: {problem}. They are not in STATE: run again.",
            )

        until = clock.monotonic() + self._loader.retry_max_seconds
        return Retries(clock, self._context.halt.sleep).run(attempt, RetryPolicy(until, give_up))

    def _outcome(self, leads: Leads, answer: answers.LoadAnswer, delay: float) -> Done[RefusedLeads | None] | TryAgain:
        """What follows from an answer for the leads that were sent.

        Raises:
            ServerError: No repetition will change the answer.
        """
        context, loader = self._context, self._loader
        if isinstance(answer, answers.Counted):
            self._settlement.counted(leads, answer, self._claims.since)
            return Done(None)
        if isinstance(answer, answers.Refused):
            return Done(RefusedLeads(leads, answer))
        if isinstance(answer, answers.Denied):
            raise loader.client.admin.denied("the load", answer.what)
        if isinstance(answer, answers.NoRoute):
            raise loader.client.no_loader(answer.what)
        again = try_again(answer, delay, context.clock.time())
        if isinstance(answer, answers.Throttled):
            loader.pace.throttled(self._slot, again.pause)
            context.run.count_effort(self._batch.stream, self._campaign, "throttled")
        return again

    def _post(self, leads: Leads, this: Attempt) -> answers.LoadAnswer:
        context = self._context
        context.halt.check()
        self._loader.client.ready()
        bodies = [buffered.lead.body for buffered in leads]
        self._slot = self._loader.pace.wait(this.sleep)
        context.run.count_effort(self._batch.stream, self._campaign, "requests")
        if this.is_retry:
            context.run.count_effort(self._batch.stream, self._campaign, "retries")
        about = {"stream": self._batch.stream, "batch": self._batch.number, "retry": this.is_retry}
        return self._loader.client.load(self._campaign.campaign_id, self._envelope, bodies, self._mark_sent, about)

    def _mark_sent(self) -> None:
        """The request is on its way: its slot counts from now."""
        self._slot = self._loader.pace.mark_sent(self._slot)


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
