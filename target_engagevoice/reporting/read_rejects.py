"""The rejects of a run, read again: grouped by reason, and as the Singer messages they came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import simplejson

from target_engagevoice.errors import StorageError
from target_engagevoice.singer.json import decode
from target_engagevoice.singer.nonfinite import restored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from target_engagevoice.reporting.past_runs import PastRun

PLACES_KEPT = 12
"""So many lines of the rejects file, and examples, are remembered of each group."""


@dataclass
class RejectGroup:
    """Rejects of one stream that have the same reason. Grows while the file is read.

    Attributes:
        campaign_ids: Where they were bound for, and how many for each; None where that is not known.
        lines: Their lines in the file, from 1; the first few.
        extern_ids: Of the first few that have one.
        message: Of the first; it may quote the record.
        example: The first line, whole.
    """

    stream: str
    stage: str
    reason: str
    message: str
    example: Mapping[str, Any]
    count: int = 0
    campaign_ids: dict[str | None, int] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    extern_ids: list[str] = field(default_factory=list)

    def add(self, number: int, reject: Mapping[str, Any]) -> None:
        """One more.

        Args:
            number: Of its line.
            reject: The line.
        """
        self.count += 1
        campaign_id, extern_id = reject.get("campaign_id"), reject.get("extern_id")
        self.campaign_ids[campaign_id] = self.campaign_ids.get(campaign_id, 0) + 1
        if len(self.lines) < PLACES_KEPT:
            self.lines.append(number)
        if extern_id is not None and len(self.extern_ids) < PLACES_KEPT:
            self.extern_ids.append(str(extern_id))


def reject_groups(run: PastRun) -> list[RejectGroup]:
    """The rejects by stream and reason, the largest group first; none where there is no file.

    Raises:
        StorageError: The file can not be read.
    """
    groups: dict[tuple[str, str, str], RejectGroup] = {}
    for number, reject in _lines(run.rejects_path):
        stream, stage, reason = (str(reject.get(name)) for name in ("stream", "stage", "reason"))
        key = (stream, stage, reason)
        if key not in groups:
            groups[key] = RejectGroup(stream, stage, reason, str(reject.get("message")), reject)
        groups[key].add(number, reject)
    return sorted(groups.values(), key=lambda group: (-group.count, group.stream, group.reason))


def singer_messages(run: PastRun) -> Iterator[str]:
    """The rejected records as the tap wrote them: a SCHEMA message for each stream, and its RECORD messages.

    There is no STATE among them: they are a part of what was read before, and the bookmark of the tap must stay where
    it is. Of several versions of a record the last one is given, and one that was rejected on several ways only once.

    Raises:
        StorageError: A file is missing or can not be read.
    """
    schemas = {message["stream"]: message for _, message in _lines(run.schemas_path)}
    last = {_identity(run, schemas, number, reject): number for number, reject in _lines(run.rejects_path)}
    told: set[str] = set()
    for number, reject in _lines(run.rejects_path):
        if last[_identity(run, schemas, number, reject)] != number:
            continue
        source = _source(reject)
        if source not in told:
            told.add(source)
            yield _written(schemas[source])
        record = restored(reject["record"], reject.get("not_json", ()))
        yield _written({"type": "RECORD", "stream": source, "record": record})


def _source(reject: Mapping[str, Any]) -> str:
    """The stream as the tap names it."""
    return str(reject.get("source", reject["stream"]))


def _identity(
    run: PastRun, schemas: Mapping[str, Mapping[str, Any]], number: int, reject: Mapping[str, Any]
) -> tuple[str, str]:
    """What all versions of a record share: its stream and its key; its line where it has no key."""
    source = _source(reject)
    if source not in schemas:
        msg = (
            f"{run.schemas_path}: the SCHEMA message of stream {source} is not there, so its rejects can not be "
            "written as Singer messages. Write it yourself and add the records of the rejects file."
        )
        raise StorageError(msg)
    record = reject["record"]
    names = schemas[source].get("key_properties") or ()
    if not names or not all(record.get(name) is not None for name in names):
        return source, f"line {number}"
    return source, simplejson.dumps([record[name] for name in names], use_decimal=True, allow_nan=True)


def _written(message: Mapping[str, Any]) -> str:
    return simplejson.dumps(message, use_decimal=True, allow_nan=True)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a file with their numbers; one that broke off, since the run was killed, is passed over."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    content = decode(line)
                except ValueError:
                    continue
                if isinstance(content, dict):
                    yield number, content
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        msg = f"{path} can not be read: {error.strerror}."
        raise StorageError(msg) from None
