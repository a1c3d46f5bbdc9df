"""The rejects file, `{state_dir}/rejects/{run}.jsonl`: one object a line (contract, section 5).

Beside it, `{state_dir}/schemas/{run}.jsonl` gets the SCHEMA messages of the streams that have rejects. With them the
rejected records can be written as Singer messages again.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import simplejson

from target_engagevoice.errors import StorageError
from target_engagevoice.private_files import open_private
from target_engagevoice.singer.json import decode
from target_engagevoice.singer.nonfinite import marks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from target_engagevoice.clock import Clock
    from target_engagevoice.model.lead import Lead, Rejection


class RejectWriter(Protocol):
    """Where rejected records are written: `Rejects` in a run.

    Attributes:
        path: Of the rejects file.
    """

    @property
    def path(self) -> Path:
        """Of the rejects file."""

    def keep_schema(self, source: str, line: bytes) -> None:
        """Remember a SCHEMA message, see `Rejects.keep_schema`."""

    def write(
        self,
        stream: str,
        campaign_id: str | None,
        rejection: Rejection,
        record: Mapping[str, Any],
        lead: Lead | None = None,
        source: str | None = None,
    ) -> None:
        """Write one record, see `Rejects.write`."""


class Rejects:
    """Appends to the rejects file, which is created with the first reject. Any thread may call it; one lock guards it.

    Args:
        path: The rejects file.
        run: The run that writes.
        clock: For the time of each reject.
    """

    def __init__(self, path: Path, run: str, clock: Clock) -> None:
        self.path = path
        self._schemas = _RejectSchemas(path.parent.parent / "schemas" / path.name)
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._dirty = False

    def keep_schema(self, source: str, line: bytes) -> None:
        """Remember a SCHEMA message, in case a record of its stream is rejected.

        Args:
            source: The stream as the tap names it.
            line: The message as read; the last one of a stream counts.
        """
        with self._lock:
            self._schemas.keep(source, line)

    def write(
        self,
        stream: str,
        campaign_id: str | None,
        rejection: Rejection,
        record: Mapping[str, Any],
        lead: Lead | None = None,
        source: str | None = None,
    ) -> None:
        """Write one record.

        Args:
            stream: The stream it came on.
            campaign_id: Its campaign; None when that is unknown.
            rejection: Why.
            record: As read.
            lead: The mapped lead; None when the record was rejected before.
            source: The stream as the tap names it; None when no stream map renamed it.

        Raises:
            StorageError: A file cannot be written.
        """
        lost = marks(record)
        line = simplejson.dumps(
            {
                "time": datetime.fromtimestamp(self._clock.time(), tz=timezone.utc).isoformat(timespec="milliseconds"),
                "run": self._run,
                "stream": stream,
                "campaign_id": campaign_id,
                "extern_id": lead.extern_id if lead else rejection.extern_id,
                "stage": rejection.stage.value,
                "reason": rejection.reason,
                "message": rejection.message,
                "record": record,
                "lead": lead.fields if lead else None,
                **({"source": source} if source not in (None, stream) else {}),
                **({"not_json": lost} if lost else {}),
            },
            use_decimal=True,
            ignore_nan=True,
            default=str,
        )
        with self._lock:
            try:
                if self._file is None:
                    self._file = self._open()
                self._schemas.write(source or stream)
                self._file.write(line + "\n")
                self._file.flush()
            except OSError as error:
                raise self._failure(error) from error
            self._dirty = True

    def make_durable(self) -> None:
        """Sync what was written, so that it survives a power cut.

        Raises:
            StorageError: The disk refuses.
        """
        with self._lock:
            if self._file is not None and self._dirty:
                try:
                    os.fsync(self._file.fileno())
                except OSError as error:
                    raise self._failure(error) from error
                self._dirty = False

    def close(self) -> None:
        """Sync and close.

        Raises:
            StorageError: The disk refuses.
        """
        try:
            self.make_durable()
        finally:
            with self._lock:
                file, self._file = self._file, None
                if file is not None:
                    self._end(file)

    def _open(self) -> TextIO:
        return open_private(self.path)

    def _end(self, file: TextIO) -> None:
        try:
            file.close()
        except OSError as error:  # closing repeats a write that failed before
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path}: the rejects cannot be written: {error.strerror}. Free the disk, run again.")


class _RejectSchemas:
    """Remembers the SCHEMA message of every stream, and writes it when the stream has a reject.

    The lock of `Rejects` guards it.

    Args:
        path: The file, created when the first message is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: dict[str, bytes] = {}  # by the tap's name of the stream
        self._written: dict[str, bytes] = {}

    def keep(self, source: str, line: bytes) -> None:
        """Remember a message; see `Rejects.keep_schema`."""
        if self._written.get(source) != line:
            self._waiting[source] = line

    def write(self, source: str) -> None:
        """Write and sync the message of a stream, unless that was done.

        Raises:
            OSError: It cannot be written.
        """
        line = self._waiting.get(source)
        if line is None:
            return
        with open_private(self._path) as file:
            file.write(simplejson.dumps(decode(line), use_decimal=True, allow_nan=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._written[source] = self._waiting.pop(source)
