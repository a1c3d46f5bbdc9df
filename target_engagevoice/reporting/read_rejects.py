"""Reads the rejects that a run left: grouped by reason, or as the Singer messages they came in."""

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

MOST_EXAMPLES = 12
"""The largest number of line numbers, and of externIds, that a group keeps."""


@dataclass
class RejectGroup:
    """Rejects of one stream that have the same reason. Grows while the file is read.

    Attributes:
        campaign_ids: The number of rejects by campaign; None stands for an unknown campaign.
        lines: The first few line numbers in the file, from 1.
        extern_ids: The first few `externId`s.
        message: The message of the first reject; it may quote the record.
        example: The whole first line.
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
        """Add a reject.

        Args:
            number: Its line number.
            reject: The line.
        """
        self.count += 1
        campaign_id, extern_id = reject.get("campaign_id"), reject.get("extern_id")
        self.campaign_ids[campaign_id] = self.campaign_ids.get(campaign_id, 0) + 1
        if len(self.lines) < MOST_EXAMPLES:
            self.lines.append(number)
        if extern_id is not None and len(self.extern_ids) < MOST_EXAMPLES:
            self.extern_ids.append(str(extern_id))


def reject_groups(run: PastRun) -> list[RejectGroup]:
    """The rejects by stream and reason, the largest group first; none where there is no file.

    Raises:
        StorageError: The file cannot be read.
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

    There is no STATE among them: they are a part of what was read before, and the bookmark of the tap must not change.
    Of several versions of a record only the last one is given, and a record that was rejected on several routes is
    given once.

    Raises:
        StorageError: A file is missing or cannot be read.
    """
    schemas = {message["stream"]: message for _, message in _lines(run.schemas_path)}
    last = {_identity(run, schemas, number, reject): number for number, reject in _lines(run.rejects_path)}
    announced: set[str] = set()
    for number, reject in _lines(run.rejects_path):
        if last[_identity(run, schemas, number, reject)] != number:
            continue
        source = _source(reject)
        if source not in announced:
            announced.add(source)
            yield _dumped(schemas[source])
        record = restored(reject["record"], reject.get("not_json", ()))
        yield _dumped({"type": "RECORD", "stream": source, "record": record})


def _source(reject: Mapping[str, Any]) -> str:
    """The stream as the tap names it."""
    return str(reject.get("source", reject["stream"]))


def _identity(
    run: PastRun, schemas: Mapping[str, Mapping[str, Any]], number: int, reject: Mapping[str, Any]
) -> tuple[str, str]:
    """What all versions of a record have in common: stream and key, or stream and line number where it has no key."""
    source = _source(reject)
    if source not in schemas:
        msg = (
            f"{run.schemas_path}: the SCHEMA message of stream {source} is missing, so its rejects cannot be written "
            "as Singer messages. Write the SCHEMA message yourself and add the records of the rejects file."
        )
        raise StorageError(msg)
    record = reject["record"]
    names = schemas[source].get("key_properties") or ()
    if not names or not all(record.get(name) is not None for name in names):
        return source, f"line {number}"
    return source, simplejson.dumps([record[name] for name in names], use_decimal=True, allow_nan=True)


def _dumped(message: Mapping[str, Any]) -> str:
    return simplejson.dumps(message, use_decimal=True, allow_nan=True)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a file with their numbers; a line that a killed run left incomplete is skipped."""
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
        msg = f"{path} cannot be read: {error.strerror}."
        raise StorageError(msg) from None
