"""STATE, as soon as everything before it has its outcome, in order, never ahead (DESIGN, promise 2).

The records between two STATE messages are an epoch. An epoch is over when none of its records waits for an outcome;
the newest STATE that follows an unbroken row of epochs that are over may be written.
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
        read: Records read; only the thread that reads counts them, and none more once there is a state.
        settled: Those of them that have their outcome; the lock of `Checkpoints` guards it.
        state: The STATE message that ended the epoch, as JSON; None while it is open; guarded as well.
    """

    __slots__ = ("read", "settled", "state")

    def __init__(self) -> None:
        self.read = 0
        self.settled = 0
        self.state: str | None = None


class Checkpoints:
    """Counts records in and out of epochs and writes STATE.

    One thread opens records and hands over STATE; any thread may settle. One lock guards everything but the number of
    records read in the open epoch, which is the reading thread's own.

    Args:
        make_durable: Called before a STATE is written; brings to disk what the outcomes rest on.
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
        """A record was read; the epoch to settle it in."""
        epoch = self._open
        epoch.read += 1
        return epoch

    def settle(self, epochs: Iterable[Epoch]) -> None:
        """Records of these epochs have their outcomes, on disk or on the server; together, as one request brings many.

        Raises:
            StorageError: A STATE became due and can not be written.
        """
        with self._lock:
            for epoch in epochs:
                epoch.settled += 1
            self._advance()

    def state(self, value: Any) -> None:
        """A STATE message was read.

        Raises:
            StorageError: It is due at once and can not be written.
        """
        text = simplejson.dumps(value, use_decimal=True, allow_nan=True)  # as it came, NaN and all
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
                f"STATE can not be written: {reason}. Nothing after it is claimed. Check what reads standard output, "
                "and run again."
            )
            raise StorageError(msg) from error
        self._last = due
        self.written += 1


def write_to_stdout(line: str) -> None:
    """One line on standard output, at once.

    Raises:
        OSError: It can not be written to.
    """
    if sys.stdout is None:  # the process was started without one
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
