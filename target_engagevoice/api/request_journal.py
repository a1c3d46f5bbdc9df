"""The journal of a run's requests: `{state_dir}/requests/{run}.jsonl`, one line a request; the report is made from it.

Nothing that a run promises stands on it. So when it can not be written the run goes on without it and says so once, and
when it is full it ends with a line that says so.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from target_engagevoice.api.answers import Denied, NotSent, Unknown
from target_engagevoice.api.exchanges import FULL, LISTING, SEARCH, Exchange
from target_engagevoice.api.redaction import journal_fields
from target_engagevoice.logger import logger
from target_engagevoice.private_files import open_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from target_engagevoice.api.transport import HttpAnswer
    from target_engagevoice.clock import Clock

MOST_BYTES = 32_000_000
"""About 110,000 requests: 15 hours at the account's limit."""

BAD_REQUEST = 400
_LISTINGS = frozenset({SEARCH, LISTING})
"""Kinds whose answers are rows, which are not read here."""


@dataclass(frozen=True)
class Pending:
    """A request that has no answer yet. Owned by the thread that sends it.

    Attributes:
        kind: See `Exchange`, as for `known`.
        known: The attributes of the line that are known by now.
        started: Monotonic seconds.
    """

    journal: RequestJournal
    kind: str
    known: Mapping[str, Any]
    started: float

    def end(self, reply: HttpAnswer | NotSent | Unknown | Denied) -> None:
        """It has its answer, or none: note it. Never fails.

        Args:
            reply: What came of it.
        """
        if not self.journal.is_kept:
            return
        if isinstance(reply, (NotSent, Unknown, Denied)):
            self.journal.write(self, {"trouble": reply.what})
        else:
            read = reply.status >= BAD_REQUEST or self.kind not in _LISTINGS
            self.journal.write(self, {"status": reply.status, **(journal_fields(reply.body) if read else {})})


class RequestJournal:
    """Appends a line for each request. Any thread may call it; its lock guards the file and how full it is.

    Args:
        path: Of the file, made when the first request has its answer; None for a journal that is not kept.
        clock: Tells when a request was sent, and how long it took.
        most_bytes: The file grows no larger.
    """

    def __init__(self, path: Path | None, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._clock = clock
        self._most_bytes = most_bytes
        self._to_epoch = clock.time() - clock.monotonic()
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._bytes = 0

    @property
    def is_kept(self) -> bool:
        """Whether there is still something to write to."""
        return self._path is not None

    def begin(self, kind: str, **known: Any) -> Pending:
        """A request is about to be sent.

        Args:
            kind: See `Exchange`, as for all that is known by now.
            known: Attributes of the line.
        """
        return Pending(self, kind, known, self._clock.monotonic())

    def write(self, request: Pending, outcome: Mapping[str, Any]) -> None:
        """Write the line of a request that has its answer.

        Args:
            request: It.
            outcome: The attributes of the line that the answer gave.
        """
        attributes = {**request.known, **outcome, "seconds": round(self._clock.monotonic() - request.started, 6)}
        line = self._line(request.kind, request.started, attributes)
        with self._lock:
            if self._path is not None:
                self._append(self._path, line)

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._let_go()

    def _append(self, path: Path, line: str) -> None:
        last = self._line(FULL, self._clock.monotonic(), {})
        full = self._bytes + len(line) + len(last) > self._most_bytes
        try:
            if self._file is None:
                self._file = open_private(path)
            self._file.write(last if full else line)
            self._file.flush()
        except OSError as error:
            words = (
                "%s: the journal of requests can not be written: %s. The run goes on, its report will lack the rest."
            )
            logger.warning(words, path, error.strerror)
            self._let_go()
            return
        self._bytes += len(line)
        if full:
            logger.warning("%s is full: the run record goes on counting requests, the journal does not.", path)
            self._let_go()

    def _let_go(self) -> None:
        file, self._file, self._path = self._file, None, None
        if file is not None:
            with suppress(OSError):  # a write that failed before is tried again
                file.close()

    def _line(self, kind: str, monotonic: float, attributes: Mapping[str, Any]) -> str:
        at = datetime.fromtimestamp(self._to_epoch + monotonic, tz=timezone.utc).isoformat(timespec="microseconds")
        return json.dumps(msgspec.to_builtins(Exchange(time=at, kind=kind, **attributes))) + "\n"
