"""The journal of a run's requests: `{state_dir}/requests/{run}.jsonl`, one line a request, read for the report.

No promise of a run depends on it. When it cannot be written, the run continues without it and logs one warning. When
it is full, it ends with a line that says so.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from target_engagevoice.api.answers import Denied, NotSent, Unknown
from target_engagevoice.api.redaction import journal_fields
from target_engagevoice.logger import logger
from target_engagevoice.private_files import open_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from target_engagevoice.api.transport import HttpAnswer
    from target_engagevoice.clock import Clock

LOAD, CHANGE, ACTION, DO_NOT_CALL = "load", "change", "action", "do_not_call"
SEARCH, LISTING = "search", "list"
FULL = "full"
"""The kind of the last line of a journal that is full; it is no request."""

MOST_BYTES = 32_000_000
"""About 110,000 requests: 15 hours at the account's limit."""

_LISTINGS = frozenset({SEARCH, LISTING})
"""Kinds whose answers are rows, from which nothing is kept."""


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One HTTP request and its answer: a line of the journal. It holds no name, no phone and no text of the server.

    Attributes:
        time: When it was sent, ISO 8601, UTC.
        seconds: From then until its answer was read, or it was clear that none comes.
        kind: `load`, `change`, `action` (on leads), `do_not_call` (the account's list), `search`, `list` (accounts,
            dial groups, campaigns).
        campaign_id: The campaign it was for, where it was for one.
        stream: The stream of the leads in a load.
        batch: The batch's number in its stream and campaign, from 1; all requests of a batch that was halved have
            the same number.
        list: The list's description.
        leads: How many leads it held or asked for.
        status: The HTTP status; None when no answer came.
        trouble: What happened instead of an answer.
        retry: Whether the same leads had been sent before.
        counts: The counts in the answer, under the server's names, without zeros.
        code: The server's code for the result; see `redaction`.
        message: `text` when the server sent a message, which is not kept.
    """

    time: str
    kind: str
    seconds: float = 0.0
    campaign_id: str | None = None
    stream: str | None = None
    batch: int | None = None
    list: str | None = None
    leads: int | None = None
    status: int | None = None
    trouble: str | None = None
    retry: bool = False
    counts: dict[str, int] = {}
    code: str | None = None
    message: str | None = None

    @property
    def throttled(self) -> bool:
        """Whether the server answered that the rate limit was exceeded."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


@dataclass(frozen=True)
class Pending:
    """A request that has no answer yet. Owned by the thread that sends it.

    Attributes:
        kind: See `Exchange`.
        known: Further attributes of `Exchange` that are known by now.
        started: Monotonic seconds.
    """

    journal: RequestJournal
    kind: str
    known: Mapping[str, Any]
    started: float

    def end(self, reply: HttpAnswer | NotSent | Unknown | Denied) -> None:
        """Write the line of the request, now that it has its answer or will get none. Never raises.

        Args:
            reply: The answer, or why there is none.
        """
        if not self.journal.is_kept:
            return
        if isinstance(reply, (NotSent, Unknown, Denied)):
            self.journal.write(self, {"trouble": reply.what})
        else:
            read = reply.status >= HTTPStatus.BAD_REQUEST or self.kind not in _LISTINGS
            self.journal.write(self, {"status": reply.status, **(journal_fields(reply.body) if read else {})})


class RequestJournal:
    """Appends a line for each request. Any thread may call it; its lock guards the file and how full it is.

    Args:
        path: Of the file, which is created with its first line; None for a journal that is not kept.
        clock: Time, for when a request was sent and how long it took.
        most_bytes: How large the file may become.
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
        """Whether there is a file to write to."""
        return self._path is not None

    def begin(self, kind: str, **known: Any) -> Pending:
        """Note that a request is about to be sent.

        Args:
            kind: See `Exchange`.
            known: Further attributes of `Exchange` that are known by now.
        """
        return Pending(self, kind, known, self._clock.monotonic())

    def write(self, request: Pending, outcome: Mapping[str, Any]) -> None:
        """Write the line of a request that has its answer.

        Args:
            request: What `begin` returned for it.
            outcome: The attributes of `Exchange` that follow from the answer.
        """
        attributes = {**request.known, **outcome, "seconds": round(self._clock.monotonic() - request.started, 6)}
        line = self._line(request.kind, request.started, attributes)
        with self._lock:
            if self._path is not None:
                self._append(self._path, line)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close_file()

    def _append(self, path: Path, line: str) -> None:
        last = self._line(FULL, self._clock.monotonic(), {})
        full = self._bytes + len(line) + len(last) > self._most_bytes
        try:
            if self._file is None:
                self._file = open_private(path)
            self._file.write(last if full else line)
            self._file.flush()
        except OSError as error:
            message = (
                "%s: the journal of requests cannot be written: %s. The run continues; its report will lack the rest."
            )
            logger.warning(message, path, error.strerror)
            self._close_file()
            return
        self._bytes += len(line)
        if full:
            logger.warning("%s is full: the run record still counts requests, the journal keeps no more of them.", path)
            self._close_file()

    def _close_file(self) -> None:
        file, self._file, self._path = self._file, None, None
        if file is not None:
            with suppress(OSError):  # closing tries the failed write again
                file.close()

    def _line(self, kind: str, monotonic: float, attributes: Mapping[str, Any]) -> str:
        at = datetime.fromtimestamp(self._to_epoch + monotonic, tz=timezone.utc).isoformat(timespec="microseconds")
        return json.dumps(msgspec.to_builtins(Exchange(time=at, kind=kind, **attributes))) + "\n"
