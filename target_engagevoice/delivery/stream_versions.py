"""Versions of a stream (`load_method: overwrite`): leads that an activated version no longer holds are retired."""

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
    """Which leads versions hold, and which leads of a stream they do not: see `LedgerVersions`."""

    def record_seen(self, stream: str, version: int, leads: Collection[str]) -> None:
        """A version holds these leads."""

    def holds(self, stream: str, version: int, extern_id: str) -> bool:
        """Whether a version holds this lead."""

    def count(self, stream: str, version: int) -> tuple[int, int]:
        """How many leads in the dialer a version does not hold, and how many there are."""

    def missing(self, stream: str, version: int, after: str, most: int) -> list[tuple[str, str]]:
        """Campaign and `externId` of leads that a version does not hold, behind an id."""

    def activated(self, stream: str) -> int | None:
        """The version that was activated last."""

    def record_activated(self, stream: str, activated: int) -> None:
        """A version was activated: which leads versions hold is not needed any more."""


class InMemoryVersionStore:
    """Which leads versions hold, for a dry run, which writes nothing. The leads they do not hold come from the ledger.

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
    """Notes which leads versions hold, and retires the others when a version is activated.

    `note` is called with the lock of the backlog, or by the reading thread; everything else by the reading thread only,
    after all that was read has its outcome.

    Args:
        store: Keeps which leads versions hold.
        retire: Retires leads of a stream, given as campaign and `externId`; returns how many the server refused.
        max_retired_percent: The most that one version may retire of the leads of its stream.
    """

    def __init__(
        self,
        store: VersionStore,
        retire: Callable[[str, list[tuple[str, str]]], int],
        max_retired_percent: float,
    ) -> None:
        self._store = store
        self._retire = retire
        self._max_percent = max_retired_percent
        self._early: dict[str, int] = {}  # activated before their first record
        self._came: dict[str, set[int]] = defaultdict(set)  # of each stream, versions of which this run read records
        self._swept: dict[str, int] = {}  # activated by this run
        self._activated: dict[str, int | None] = {}  # by earlier runs

    def note(self, stream: str, records: Iterable[tuple[ReadRecord, str]]) -> None:
        """Note records and their `externId`s, before they have their outcome, and before STATE passes them."""
        by_version: dict[int, list[str]] = defaultdict(list)
        for record, extern_id in records:
            leads = by_version[record.version or ANY_VERSION]
            if extern_id:
                leads.append(extern_id)
        for version, extern_ids in by_version.items():
            self._came[stream].add(version)
            if extern_ids and version != self._activated_before(stream):
                self._store.record_seen(stream, version, extern_ids)

    def note_unknown(self, stream: str, record: ReadRecord) -> None:
        """Note a record whose lead is unknown: its version may hold any of the leads that it seems to lack."""
        version = record.version or ANY_VERSION
        self._came[stream].add(version)
        self._store.record_seen(stream, version, [NO_EXTERN_ID])

    def activate(self, stream: str, version: int) -> None:
        """A version is complete, and all its records have their outcome: retire the leads it does not hold.

        Taps also activate a version before its first record, so that the version can be used at once. Nothing follows
        from that for leads it does not hold, unless the input ends without a record of the stream. Taps that read only
        what changed activate the version of their first run again and again, before or after some records of it.
        So a version counts when it is activated for the first time, and records of it that come later belong to it.

        Raises:
            RetiredTooMany: It lacks more leads than may be retired.
            EngageVoiceError: The run cannot continue.
        """
        if version == self._swept.get(stream, self._activated_before(stream)):
            self._early.pop(stream, None)
        elif not self._came[stream].isdisjoint((version, ANY_VERSION)):
            self._early.pop(stream, None)
            self._sweep(stream, version)
        else:
            self._early[stream] = version

    def finish(self, *, whole: bool = True) -> None:
        """The input has ended: versions without a record are complete as well.

        Args:
            whole: Whether the input came to its end. Where it broke off, records of a version may be missing.

        Raises:
            RetiredTooMany: One lacks more leads than may be retired.
            EngageVoiceError: The run cannot continue.
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
            self._store.record_activated(stream, version)

    def _activated_before(self, stream: str) -> int | None:
        if stream not in self._activated:
            self._activated[stream] = self._store.activated(stream)
        return self._activated[stream]

    def _sweep(self, stream: str, version: int) -> None:
        self._swept[stream] = version
        if self._store.holds(stream, version, NO_EXTERN_ID):
            logger.warning(
                "Stream %s: a stream map failed on a record of version %d, which may be any lead; nothing is retired.",
                stream,
                version,
            )
            return
        missing, total = self._store.count(stream, version)
        if missing * 100 > self._max_percent * total:
            msg = (
                f"stream {stream}: version {version} no longer holds {missing} of {total} leads in the dialer "
                f"({100 * missing / total:.1f} %), more than max_retired_percent ({self._max_percent:g} %) allows. "
                "None was retired. Is the tap still reading all of it? If so, raise max_retired_percent for one run; "
                "for a tap that reads only what changed, set load_method to 'upsert'."
            )
            raise RetiredTooMany(msg)
        after, kept = "", 0
        while leads := self._store.missing(stream, version, after, LEADS_AT_ONCE):
            kept += self._retire(stream, leads)
            after = leads[-1][1]
        if kept:
            logger.warning("Stream %s: the server would not retire %d leads that it no longer holds.", stream, kept)
        if missing:
            logger.info("Stream %s: version %d holds %d leads no longer.", stream, version, missing)
