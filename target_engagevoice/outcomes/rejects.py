"""The dead-letter file: `{state_dir}/rejects/{run}.jsonl`, one object a line (contract, section 5)."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import simplejson

from target_engagevoice.errors import StorageError
from target_engagevoice.outcomes.reject_schemas import RejectSchemas
from target_engagevoice.private_files import open_private
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
    """Appends rejects; made when the first one comes. Any thread may call it; its lock guards the file."""

    def __init__(self, path: Path, run: str, clock: Clock) -> None:
        self.path = path
        self._schemas = RejectSchemas(path.parent.parent / "schemas" / path.name)
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._dirty = False

    def keep_schema(self, source: str, line: bytes) -> None:
        """Remember a SCHEMA message for the case that a record of its stream is rejected.

        Args:
            source: The stream as the tap names it.
            line: The message as read; the last one of a stream is in force.
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
        """Put one record aside.

        Args:
            stream: The stream it came on.
            campaign_id: Where it was bound for, when that is known.
            rejection: Why.
            record: As read.
            lead: As mapped, when it got so far.
            source: The stream as the tap names it, where a stream map names it otherwise.

        Raises:
            StorageError: The file can not be written.
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
                    self._file = open_private(self.path)
                self._schemas.write(source or stream)
                self._file.write(line + "\n")
                self._file.flush()
            except OSError as error:
                raise self._failure(error) from error
            self._dirty = True

    def make_durable(self) -> None:
        """Bring what was written to disk, power cut or not.

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
        """Make durable and close.

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

    def _end(self, file: TextIO) -> None:
        try:
            file.close()
        except OSError as error:  # a write that failed before is tried again
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path}: the rejects can not be written: {error.strerror}. Free the disk, run again.")
