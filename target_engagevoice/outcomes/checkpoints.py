"""Writes each STATE when every record before it has an outcome on disk, and no earlier (DESIGN, promise 2).

The records between two STATE messages are an epoch. An epoch is over when each of its records has an outcome. A STATE
may be written when its epoch and all epochs before it are over; of several such STATEs only the newest is written.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import simplejson

from target_engagevoice.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Epoch:
    """The records between two STATE messages. Owned by its `Checkpoints`.

    Attributes:
        read: Records read; only the reading thread counts them, and no more once `state` is set.
        settled: Those that have an outcome; the lock of `Checkpoints` guards it.
        state: The STATE message that ended the epoch, as JSON; None while it is open; the same lock guards it.
    """

    __slots__ = ("read", "settled", "state")

    def __init__(self) -> None:
        self.read = 0
        self.settled = 0
        self.state: str | None = None


class Checkpoints:
    """Counts the records of epochs and writes STATE.

    One thread opens records and hands over STATE; any thread may settle. One lock guards everything but the number of
    records read in the open epoch, which only the reading thread changes.

    Args:
        make_durable: Called before a STATE is written; syncs the files that outcomes are in.
        write: Writes one STATE line; None for a dry run, which writes none.
    """

    def __init__(self, make_durable: Callable[[], None], write: Callable[[str], None] | None) -> None:
        self._make_durable = make_durable
        self._write = write
        self._lock = threading.Lock()
        self._open = Epoch()
        self._epochs = deque([self._open])
        self._last: str | None = None
        self.written = 0

    def open_record(self) -> Epoch:
        """Count a record that was read; returns the epoch to settle it in."""
        epoch = self._open
        epoch.read += 1
        return epoch

    def settle(self, epochs: Iterable[Epoch]) -> None:
        """Count one record of each of these epochs as settled: its outcome is on disk or on the server.

        Raises:
            StorageError: A STATE became due and cannot be written.
        """
        with self._lock:
            for epoch in epochs:
                epoch.settled += 1
            self._advance()

    def state(self, value: Any) -> None:
        """End the open epoch with a STATE message.

        Raises:
            StorageError: It is due at once and cannot be written.
        """
        text = simplejson.dumps(value, use_decimal=True, allow_nan=True)  # unchanged, NaN included
        with self._lock:
            self._open.state = text
            self._open = Epoch()
            self._epochs.append(self._open)
            self._advance()

    def _advance(self) -> None:
        due: str | None = None
        while (first := self._epochs[0]).state is not None and first.settled == first.read:
            due = self._epochs.popleft().state
        if due is None or due == self._last or self._write is None:
            return
        try:
            self._make_durable()
            self._write(due)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "standard output is closed"
            msg = (
                f"STATE cannot be written: {reason}. No later STATE was written. Check what reads standard output, "
                "and run again."
            )
            raise StorageError(msg) from error
        self._last = due
        self.written += 1


def write_to_stdout(line: str) -> None:
    """One line on standard output, at once.

    Raises:
        OSError: It cannot be written to.
    """
    if sys.stdout is None:  # the process was started without one
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
