"""A run that is over: a record, rejects and requests as a run leaves them, made without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from target_engagevoice.api.request_journal import RequestJournal
from target_engagevoice.model.lead import Lead, Outcome, Rejection, Stage
from target_engagevoice.outcomes.counts import Run, write_record
from target_engagevoice.outcomes.rejects import Rejects
from target_engagevoice.reporting.past_runs import PastRun
from tests.support.factories import RENEWALS
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from target_engagevoice.api.transport import HttpAnswer
    from target_engagevoice.model.campaign import Campaign

NO_PHONE = Rejection(Stage.PHONE, "missing_phone", "there is no phone number")


class PastDay:
    """Makes what a run leaves, in a folder; each run a minute after the one before."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.clock = FakeClock()

    def run(
        self,
        outcomes: Mapping[Outcome, int],
        *,
        stream: str = "people",
        campaign: Campaign | None = RENEWALS,
        status: str = "ok",
        config: Mapping[str, Any] | None = None,
        error: dict[str, str] | None = None,
    ) -> PastRun:
        """A run that ended so."""
        self.clock.advance(60)
        run = Run(self.clock)
        for outcome, count in outcomes.items():
            run.read += count
            run.count(stream, campaign, outcome, count)
        self.clock.advance(1.5)
        record = run.record("1.2.3", status, dry_run=False, error=error)
        write_record(self.state_dir / "runs", {**record, "config": dict(config or {})})
        return PastRun(self.state_dir, run.name)

    def reject(
        self,
        run: PastRun,
        *records: Mapping[str, Any],
        stream: str = "people",
        source: str | None = None,
        keys: tuple[str, ...] = ("id",),
        rejection: Rejection = NO_PHONE,
        lead: Lead | None = None,
    ) -> None:
        """Add rejects to a run, and their stream's SCHEMA message."""
        rejects = Rejects(run.rejects_path, run.name, self.clock)
        message = {"type": "SCHEMA", "stream": source or stream, "schema": {"properties": {}}, "key_properties": keys}
        rejects.keep_schema(source or stream, json.dumps(message).encode())
        for record in records:
            rejects.write(stream, "1001", rejection, record, lead, source)
        rejects.close()

    def request(self, run: PastRun, *replies: HttpAnswer, **known: Any) -> None:
        """Add requests to a run, a second each."""
        journal = RequestJournal(run.requests_path, self.clock)
        for reply in replies:
            request = journal.begin("load", **{"campaign_id": "1001", "leads": 2, **known})
            self.clock.advance(1)
            request.end(reply)
        journal.close()
