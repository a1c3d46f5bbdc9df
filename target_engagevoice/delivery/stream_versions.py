"""Versions of a stream (`load_method: overwrite`): what an activated one no longer holds is taken out of the dialer."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from target_engagevoice.errors import RetiredTooMany
from target_engagevoice.ledger.versions import ANY_VERSION, NO_EXTERN_ID, NO_VERSION
from target_engagevoice.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from target_engagevoice.ledger.versions import LedgerVersions
    from target_engagevoice.outcomes.outcomes import ReadRecord

LEADS_AT_ONCE = 500


class VersionStore(Protocol):
    """Which leads versions hold, and which leads of a stream they do not: see `ledger_versions.LedgerVersions`."""

    def record_seen(self, stream: str, version: int, leads: Collection[str]) -> None:
        """A version holds these leads."""

    def holds(self, stream: str, version: int, extern_id: str) -> bool:
        """Whether a version holds this one."""

    def count(self, stream: str, version: int) -> tuple[int, int]:
        """How many leads in the dialer a version does not hold, and how many there are."""

    def missing(self, stream: str, version: int, after: str, most: int) -> list[tuple[str, str]]:
        """Campaign and `externId` of those, behind an id."""

    def activated(self, stream: str) -> int | None:
        """The version that was activated last."""

    def record_activated(self, stream: str, activated: int) -> None:
        """A version was activated: what versions hold is of no more use."""


class InMemoryVersionStore:
    """What versions hold, for a dry run, which writes nothing; what they do not hold is counted in the ledger.

    Args:
        ledger: Holds the leads.
    """

    def __init__(self, ledger: LedgerVersions) -> None:
        self._ledger = ledger
        self._seen: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._activated: dict[str, int] = {}

    def record_seen(self, stream: str, version: int, leads: Collection[str]) -> None:
        """See `VersionStore`."""
        self._seen[stream, version].update(leads)

    def holds(self, stream: str, version: int, extern_id: str) -> bool:
        """See `VersionStore`."""
        return not self._is_missing(stream, version, extern_id)

    def count(self, stream: str, version: int) -> tuple[int, int]:
        """See `VersionStore`."""
        leads = [extern_id for _, extern_id in self._ledger.missing(stream, NO_VERSION, "", -1)]
        return sum(self._is_missing(stream, version, extern_id) for extern_id in leads), len(leads)

    def missing(self, stream: str, version: int, after: str, most: int) -> list[tuple[str, str]]:
        """See `VersionStore`."""
        leads = self._ledger.missing(stream, NO_VERSION, after, -1)
        return [each for each in leads if self._is_missing(stream, version, each[1])][:most]

    def activated(self, stream: str) -> int | None:
        """See `VersionStore`."""
        return self._activated.get(stream, self._ledger.activated(stream))

    def record_activated(self, stream: str, activated: int) -> None:
        """See `VersionStore`."""
        self._activated[stream] = activated
        for key in [key for key in self._seen if key[0] == stream]:
            del self._seen[key]

    def _is_missing(self, stream: str, version: int, extern_id: str) -> bool:
        return extern_id not in self._seen[stream, version] and extern_id not in self._seen[stream, ANY_VERSION]


class Versions:
    """What versions hold, and what becomes of the rest.

    `see` is called by whoever holds the lock of `Delivery`, or reads; everything else only by the thread that reads,
    and what is seen is looked at only when all that was read is out.

    Args:
        seen: Where it is kept what they hold.
        retire: Takes leads of a stream out of the dialer: stream, campaign and `externId` of each; gives back how many
            the server would not.
        max_retired_percent: Of the leads of a stream.
    """

    def __init__(
        self,
        seen: VersionStore,
        retire: Callable[[str, list[tuple[str, str]]], int],
        max_retired_percent: float,
    ) -> None:
        self._seen = seen
        self._retire = retire
        self._most = max_retired_percent
        self._early: dict[str, int] = {}
        self._came: dict[str, set[int]] = defaultdict(set)  # of each stream, versions of which this run read records
        self._swept: dict[str, int] = {}
        self._activated: dict[str, int | None] = {}  # by the runs before

    def see(self, stream: str, records: Iterable[tuple[ReadRecord, str]]) -> None:
        """Records and their `externId`s: noted before they have their outcome, and before STATE passes them."""
        by_version: dict[int, list[str]] = defaultdict(list)
        for record, extern_id in records:
            leads = by_version[record.version or ANY_VERSION]
            if extern_id:
                leads.append(extern_id)
        for version, extern_ids in by_version.items():
            self._came[stream].add(version)
            if extern_ids and version != self._activated_before(stream):
                self._seen.record_seen(stream, version, extern_ids)

    def doubt(self, stream: str, record: ReadRecord) -> None:
        """Which lead a record is can not be told: its version may hold any of those that it seems to lack."""
        version = record.version or ANY_VERSION
        self._came[stream].add(version)
        self._seen.record_seen(stream, version, [NO_EXTERN_ID])

    def activate(self, stream: str, version: int) -> None:
        """A version is whole, and everything of it has its outcome.

        Taps also activate a version before its first record, so that it is of use at once: such a one says nothing of
        what it does not hold. It counts at the end of the input, if no record of its stream came. Taps that read only
        what changed go on activating the version of their first run, before or after some records of it: a version
        counts when it is activated for the first time, and whatever comes of it later is of it.

        Raises:
            RetiredTooMany: It lacks more leads than may be retired.
            EngageVoiceError: The run can not go on.
        """
        if version == self._swept.get(stream, self._activated_before(stream)):
            self._early.pop(stream, None)
        elif not self._came[stream].isdisjoint((version, ANY_VERSION)):
            self._early.pop(stream, None)
            self._sweep(stream, version)
        else:
            self._early[stream] = version

    def finish(self, *, whole: bool = True) -> None:
        """The input is at its end: versions without a record are whole as well.

        Args:
            whole: Whether it came to its end; where it broke off, nobody knows what would have come.

        Raises:
            RetiredTooMany: One lacks more leads than may be retired.
            EngageVoiceError: The run can not go on.
        """
        for stream, version in self._early.items():
            if whole and not self._came[stream]:
                self._sweep(stream, version)
            else:
                logger.warning(
                    "Stream %s: version %d was not activated after its last record; nothing is retired.",
                    stream,
                    version,
                )
        for stream, version in self._swept.items():
            self._seen.record_activated(stream, version)

    def _activated_before(self, stream: str) -> int | None:
        if stream not in self._activated:
            self._activated[stream] = self._seen.activated(stream)
        return self._activated[stream]

    def _sweep(self, stream: str, version: int) -> None:
        self._swept[stream] = version
        if self._seen.holds(stream, version, NO_EXTERN_ID):
            logger.warning(
                "Stream %s: a stream map failed on a record of version %d, which may be any lead; nothing is retired.",
                stream,
                version,
            )
            return
        missing, total = self._seen.count(stream, version)
        if missing * 100 > self._most * total:
            msg = (
                f"stream {stream}: version {version} no longer holds {missing} of {total} leads in the dialer "
                f"({100 * missing / total:.1f} %), more than max_retired_percent ({self._most:g} %) allows. None was "
                "retired. Is the tap still reading all of it? If so, raise max_retired_percent for one run; for a tap "
                "that reads only what changed, set load_method to 'upsert'."
            )
            raise RetiredTooMany(msg)
        after, kept = "", 0
        while leads := self._seen.missing(stream, version, after, LEADS_AT_ONCE):
            kept += self._retire(stream, leads)
            after = leads[-1][1]
        if kept:
            logger.warning("Stream %s: the server would not retire %d leads that it no longer holds.", stream, kept)
        if missing:
            logger.info("Stream %s: version %d holds %d leads no longer.", stream, version, missing)
