"""Sends leads of a batch to the loader, until the server accepts or refuses them.

A request can end in five ways, and each has one consequence:

* counted: the server says how many leads it accepted; leads that the counts leave open are looked up;
* throttled, or never sent: nothing is stored, and the same leads are sent again later;
* unknown: the campaign is searched for the leads, and only the missing ones are sent again;
* refused as a whole: the leads go back to the caller, which halves them;
* denied, or no route: the run cannot continue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_engagevoice.api import answers
from target_engagevoice.api.ratelimit.pace import Slot
from target_engagevoice.api.retry import Done, Retries, RetryPolicy, ServerFailures, TryAgain, try_again
from target_engagevoice.delivery.refusals import BROKEN
from target_engagevoice.errors import ServerError

if TYPE_CHECKING:
    from target_engagevoice.api.retry import Attempt
    from target_engagevoice.delivery.batch import Batch
    from target_engagevoice.delivery.context import BatchContext, Leads, LoaderAccess
    from target_engagevoice.delivery.settlement import Settlement
    from target_engagevoice.outcomes.counts import Run


@dataclass(frozen=True)
class RefusedLeads:
    """Leads that the server refused together; none of them is stored."""

    leads: Leads
    refusal: answers.Refused


class BatchSender:
    """Sends the leads of one batch. Owned by the thread that loads it.

    Args:
        context: The shared parts of the run.
        loader: Where the leads go.
        batch: The leads are from.
        settlement: Brings leads to their outcomes.
    """

    def __init__(self, context: BatchContext, loader: LoaderAccess, batch: Batch, settlement: Settlement) -> None:
        self._context = context
        self._loader = loader
        self._batch = batch
        self._campaign = batch.campaign
        self._envelope = batch.options.envelope(list_names(batch, context.run))
        self._settlement = settlement
        self._slot = Slot(0.0, 0.0)

    def send(self, leads: Leads, since: float, patience: int) -> RefusedLeads | None:
        """Send leads until the server accepts or refuses them.

        Args:
            leads: What to send.
            since: Epoch seconds on the server's clock; the leads were not sent before.
            patience: This many answers of 500 in a row, with nothing stored, count as a refusal.

        Returns:
            None when each lead has its outcome; otherwise the leads that the server refuses.

        Raises:
            EngageVoiceError: The run cannot continue.
        """
        clock = self._context.clock
        unsettled = leads
        failures = ServerFailures(patience)

        def attempt(this: Attempt) -> Done[RefusedLeads | None] | TryAgain:
            nonlocal unsettled
            answer = self._post(unsettled, this)
            outcome = self._outcome(unsettled, answer, since, this.delay)
            if isinstance(answer, answers.Unknown):
                sent, unsettled = unsettled, self._settlement.unknown(unsettled, since)
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

    def _outcome(
        self, leads: Leads, answer: answers.LoadAnswer, since: float, delay: float
    ) -> Done[RefusedLeads | None] | TryAgain:
        """What follows from an answer for the leads that were sent.

        Raises:
            ServerError: No repetition will change the answer.
        """
        context, loader = self._context, self._loader
        if isinstance(answer, answers.Counted):
            self._settlement.counted(leads, answer, since)
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
        """The request was sent: its slot counts from now."""
        self._slot = self._loader.pace.mark_sent(self._slot)


def list_names(batch: Batch, run: Run) -> dict[str, str]:
    """Placeholder of a list description to its value in this batch."""
    return {
        "stream": batch.stream,
        "campaign": batch.campaign.name,
        "run": run.name,
        "started": f"{run.started:%Y-%m-%d %H:%M:%S}",
        "date": f"{run.started:%Y-%m-%d}",
        "batch": str(batch.number),
    }
