"""Reads Singer messages, line by line. No log line or error message shows anything of a line."""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
from collections import Counter
from typing import IO, TYPE_CHECKING, Any

from target_engagevoice.errors import EngageVoiceError, InputError
from target_engagevoice.singer.json import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BLOCK_BYTES = 1 << 16
"""Most bytes of one read. A pipe holds no more, and returns what it has."""

DISCARD_BYTES = 1 << 20


class LineReader:
    """Reads Singer messages. A signal handler may call `stop` at any moment. Only the main thread calls the rest.

    Args:
        logger_warning: Logs a message with its arguments.
        fate: What happened to the lines before one that is not a message, for the error about it.
        before_waiting: Called before each read that may wait. Its exceptions end the reading.

    Attributes:
        line_number: The number of the line that was read last, from 1.
        line: That line, without its end.
        bytes_read: How many bytes of the input were read, in whole blocks.
        bytes_total: How many bytes the input has; None where it is not a regular file.
    """

    def __init__(
        self,
        logger_warning: Callable[..., None],
        *,
        fate: str = "loaded",
        before_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._warning = logger_warning
        self._fate = fate
        self._before_waiting = before_waiting
        self._waiting = False
        self._stop: EngageVoiceError | None = None
        self._unknown_types: set[str] = set()
        self.line_number = 0
        self.line = b""
        self.bytes_read = 0
        self.bytes_total: int | None = None

    def process_lines(
        self, file_input: IO[Any] | None, callbacks: Mapping[Any, Callable[[dict[str, Any]], None]]
    ) -> Counter[str]:
        """Hand every message to the callback of its type.

        Args:
            file_input: Lines, as bytes or text; standard input when None.
            callbacks: From the type of a message to the function that takes it.

        Returns:
            How many messages of each type were read.

        Raises:
            InputError: A line is not a Singer message.
            EngageVoiceError: The error given to `stop`, or raised by a callback.
        """
        if file_input is None and sys.stdin is None:
            raise InputError("standard input is closed. Pipe a tap into target-engagevoice, or give --input.")
        source = file_input if file_input is not None else sys.stdin
        source = getattr(source, "buffer", source)
        self.bytes_read, self.bytes_total = 0, _bytes_ahead(source)
        counts: Counter[str] = Counter()
        takers = {str.__str__(kind): callback for kind, callback in callbacks.items()}  # the SDK's enums hash slowly
        for line in self._lines(source):
            if self._stop is not None:
                raise self._stop
            self.line_number += 1
            self.line = line
            message = self._message(line)
            if message is None:
                continue
            kind = message["type"]
            if kind in takers:
                takers[kind](message)
            elif kind not in self._unknown_types:
                self._unknown_types.add(kind)
                shown = kind if re.fullmatch("[A-Z_]{1,40}", kind) else "that is not a plain word"
                self._warning("Messages of a type %s are not known and are ignored.", shown)
            counts[kind] += 1
        return counts

    def stop(self, error: EngageVoiceError) -> None:
        """Stop reading and raise this error, at once where the reader waits for a line. For signal handlers."""
        self._stop = error
        if self._waiting and threading.current_thread() is threading.main_thread():
            self._waiting = False
            raise error

    def discard(self, source: IO[bytes]) -> None:
        """Read to the end, or until `stop` is called, and drop everything, so that a tap can finish writing."""
        self._waiting = True
        try:
            if self._stop is None:
                discard(source)
        except EngageVoiceError:
            return
        finally:
            self._waiting = False

    def assert_line_requires(self, line_dict: dict[str, Any], requires: set[str]) -> None:
        """Check that a message has these keys; the message itself is not shown.

        Raises:
            InputError: One is missing.
        """
        missing = requires - set(line_dict)
        if missing:
            msg = f"line {self.line_number} is missing {', '.join(sorted(missing))}: the tap does not speak Singer."
            raise InputError(msg)

    def _lines(self, source: IO[Any]) -> Iterator[bytes]:
        """Lines without their ends, each as soon as it is complete."""
        begun: list[bytes] = []
        while block := self._block(source):
            first, *lines = block.split(b"\n")
            begun.append(first)
            if lines:
                yield b"".join(begun)
                begun = [lines.pop()]
                yield from lines
        yield b"".join(begun)

    def _block(self, source: IO[Any]) -> bytes:
        """The next block of the source, waiting for one where there is none yet; empty at its end."""
        self._before_waiting()
        self._waiting = True
        try:
            if self._stop is not None:
                raise self._stop
            block: bytes | str = getattr(source, "read1", source.read)(BLOCK_BYTES)
            block = block if isinstance(block, bytes) else block.encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            msg = f"line {self.line_number + 1} or one of the next is not UTF-8. Let the tap write UTF-8."
            raise InputError(msg) from None
        else:
            self.bytes_read += len(block)
            return block
        finally:
            self._waiting = False

    def _message(self, line: bytes) -> dict[str, Any] | None:
        """The message of a line; None for a blank line."""
        try:
            message = decode(line)
        except UnicodeDecodeError:
            msg = f"line {self.line_number} is not UTF-8. Let the tap write UTF-8."
            raise InputError(msg) from None
        except ValueError:
            if not line.strip():
                return None
            msg = (
                f"line {self.line_number} is not JSON. Everything before it is {self._fate}. Does anything but the tap "
                "write to its standard output?"
            )
            raise InputError(msg) from None
        if type(message) is dict and type(message.get("type")) is str and type(message.get("stream", "")) is str:
            return message
        raise self._not_singer(message)

    def _not_singer(self, message: Any) -> InputError:
        if type(message) is not dict or type(message.get("type")) is not str:
            return InputError(
                f"line {self.line_number} is JSON but not a Singer message: it has no type. Does anything but the tap "
                "write to its standard output?"
            )
        return InputError(
            f"line {self.line_number}: the stream of a message must be a name: the tap does not speak Singer.",
        )


def _bytes_ahead(source: IO[Any]) -> int | None:
    """How many bytes there are to read; None for a pipe, a terminal, or anything else that is not a regular file."""
    try:
        about = os.fstat(source.fileno())
        return max(0, about.st_size - source.tell()) if stat.S_ISREG(about.st_mode) else None
    except (AttributeError, OSError, ValueError):
        return None


def discard(source: IO[bytes]) -> None:
    """Read to the end and drop everything, so that a tap can finish writing. A terminal is not read."""
    try:
        if not source.isatty():
            while source.read(DISCARD_BYTES):
                pass
    except (OSError, ValueError):
        return  # closed already
