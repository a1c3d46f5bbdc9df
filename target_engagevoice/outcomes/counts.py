"""Counts what a run did, and writes its record `{state_dir}/runs/{run}.json` (contract, section 5)."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import StorageError
from target_engagevoice.model.lead import Outcome
from target_engagevoice.private_files import open_private

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from target_engagevoice.clock import Clock
    from target_engagevoice.model.campaign import Campaign

OUTCOMES = tuple(outcome.value for outcome in Outcome)
EFFORTS = ("requests", "retries", "throttled", "retired", "listed")
"""Counted besides outcomes: requests, repeated requests, HTTP 429, leads taken out of the dialer, phones listed."""

INTENTIONS = ("would_load", "would_change", "would_retire", "would_list")
"""What a dry run would have done. Only its own run record has them."""


@dataclass
class Tally:
    """Counts of one stream and campaign. Owned by a `Run`, whose lock guards it."""

    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    efforts: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*EFFORTS, *INTENTIONS), 0))

    def as_dict(self, counted: Collection[str]) -> dict[str, int]:
        """`read`, which is the sum of the eight outcomes; the outcomes; and these efforts."""
        efforts = {name: self.efforts[name] for name in counted}
        return {"read": sum(self.outcomes.values()), **self.outcomes, **efforts}


@dataclass(frozen=True)
class CampaignCounts:
    """The counts of one campaign while the run goes on.

    Attributes:
        campaign_id: None for records that have an outcome but no campaign.
        campaign: Its name, with its dial group's.
        outcomes: Records by outcome.
        efforts: See `EFFORTS`.
    """

    campaign_id: str | None
    campaign: str | None
    outcomes: Mapping[str, int]
    efforts: Mapping[str, int]


class Run:
    """One run: its name, its start, its counts. Any thread may count; one lock guards the counts.

    Attributes:
        read: Records read; only the reading thread counts them.
        rejected: Records rejected so far.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tallies: dict[str, dict[str | None, Tally]] = defaultdict(lambda: defaultdict(Tally))
        self._names: dict[str | None, Campaign | None] = {None: None}
        self._started = clock.time()
        self._started_monotonic = clock.monotonic()
        self.started = datetime.fromtimestamp(self._started, tz=timezone.utc)
        self.name = f"{self.started:%Y%m%dT%H%M%S}Z-{secrets.token_hex(3)}"
        self.read = 0
        self.rejected = 0

    def count(self, stream: str, campaign: Campaign | None, outcome: Outcome, records: int = 1) -> None:
        """Count so many records with an outcome."""
        with self._lock:
            self._tally(stream, campaign).outcomes[outcome.value] += records
            if outcome is Outcome.REJECTED:
                self.rejected += records

    def count_effort(self, stream: str, campaign: Campaign | None, effort: str, number: int = 1) -> None:
        """Count one of `EFFORTS`, or of `INTENTIONS` in a dry run."""
        with self._lock:
            self._tally(stream, campaign).efforts[effort] += number

    def rejected_percent(self) -> float:
        """The share of the records read that were rejected, in percent."""
        with self._lock:
            return 100 * self.rejected / self.read if self.read else 0.0

    def streams(self) -> list[str]:
        """Every stream that a record came on."""
        with self._lock:
            return list(self._tallies)

    def totals(self) -> dict[str, int]:
        """The sums over all streams and campaigns."""
        return self._totals(EFFORTS)

    def _totals(self, counted: Collection[str]) -> dict[str, int]:
        with self._lock:
            rows = [tally.as_dict(counted) for campaigns in self._tallies.values() for tally in campaigns.values()]
        return {name: sum(row[name] for row in rows) for name in ("read", *OUTCOMES, *counted)}

    def by_campaign(self) -> tuple[CampaignCounts, ...]:
        """The counts of each campaign, over all streams.

        Takes no lock, so that threads that count never wait for the progress display. Each number was right a moment
        ago; together they may be a few records apart. `list` of a dictionary is atomic in CPython.
        """
        sums: dict[str | None, tuple[dict[str, int], dict[str, int]]] = {}
        for campaigns in list(self._tallies.values()):
            for key, tally in list(campaigns.items()):
                counts = sums.setdefault(key, (dict.fromkeys(OUTCOMES, 0), dict.fromkeys(EFFORTS, 0)))
                for total, part in zip(counts, (tally.outcomes, tally.efforts), strict=True):
                    for name in total:
                        total[name] += part[name]
        names = ((key, self._names[key]) for key in sums)
        return tuple(CampaignCounts(key, campaign.path if campaign else None, *sums[key]) for key, campaign in names)

    def record(self, version: str, status: str, *, dry_run: bool, error: dict[str, str] | None) -> dict[str, Any]:
        """The run record.

        `unsettled` are records that were read but have no outcome, because the run ended first: they are not in
        `totals`, STATE did not move past them, and the next run reads them again.

        Args:
            version: Of this package.
            status: `ok`, `failed` or `rejected`.
            dry_run: Whether nothing was written to the server.
            error: `code` and `message` of the error that ended the run; None for a run without one.
        """
        counted = (*EFFORTS, *INTENTIONS) if dry_run else EFFORTS
        totals = self._totals(counted)
        with self._lock:
            streams = [
                {"stream": stream, "campaigns": [self._row(key, tally, counted) for key, tally in campaigns.items()]}
                for stream, campaigns in self._tallies.items()
            ]
        return {
            "run": self.name,
            "version": version,
            "status": status,
            "started": self.started.isoformat(timespec="milliseconds"),
            "finished": datetime.fromtimestamp(self._clock.time(), tz=timezone.utc).isoformat(timespec="milliseconds"),
            "seconds": round(self._clock.monotonic() - self._started_monotonic, 3),
            "dry_run": dry_run,
            "error": error,
            "unsettled": self.read - totals["read"],
            "totals": totals,
            "streams": streams,
        }

    def _tally(self, stream: str, campaign: Campaign | None) -> Tally:
        key = campaign.campaign_id if campaign else None
        self._names[key] = campaign
        return self._tallies[stream][key]

    def _row(self, campaign_id: str | None, tally: Tally, counted: Collection[str]) -> dict[str, Any]:
        campaign = self._names[campaign_id]
        name = campaign.path if campaign else None
        return {"campaign_id": campaign_id, "campaign": name, **tally.as_dict(counted)}


def write_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write `{folder}/{run}.json`, whole or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    path = folder / f"{record['run']}.json"
    part = path.with_suffix(".json.part")
    try:
        with open_private(part, "w") as file:
            json.dump(record, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        msg = f"{path}: the run record cannot be written: {error.strerror}. Free the disk, or set another state_dir."
        raise StorageError(msg) from error
    return path
