"""`{state_dir}/schemas/{run}.jsonl`: the SCHEMA messages of the streams that have rejects.

With them the records of the rejects file can be written as Singer messages again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import simplejson

from target_engagevoice.private_files import open_private
from target_engagevoice.singer.json import decode

if TYPE_CHECKING:
    from pathlib import Path


class RejectSchemas:
    """Remembers the message of every stream, writes it when the stream has a reject. Guarded by the lock of `Rejects`.

    Args:
        path: Of the file, made when the first message is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: dict[str, bytes] = {}  # by the tap's name of the stream
        self._written: dict[str, bytes] = {}

    def keep(self, source: str, line: bytes) -> None:
        """A SCHEMA message came.

        Args:
            source: The stream as the tap names it.
            line: The message as read; the last one of a stream is in force.
        """
        if self._written.get(source) != line:
            self._waiting[source] = line

    def write(self, source: str) -> None:
        """A record of the stream is rejected: bring its message to disk, once.

        Raises:
            OSError: It can not be written.
        """
        line = self._waiting.get(source)
        if line is None:
            return
        with open_private(self._path) as file:
            file.write(simplejson.dumps(decode(line), use_decimal=True, allow_nan=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._written[source] = self._waiting.pop(source)
