"""Standard input, line by line: JSON in, messages out. Nothing of a line ever reaches a log or a message."""

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
"""So much is asked for at once; a pipe holds no more, and gives what it has."""

DISCARD_BYTES = 1 << 20


class LineReader:
    """Reads Singer messages. A signal handler may call `stop` at any moment; all else is the main thread's.

    Args:
        logger_warning: Logs a message with its arguments.
        fate: What becomes of the lines before one that is no message, for the message about it.
        before_waiting: Called each time before more is waited for; what it raises ends the reading.

    Attributes:
        line_number: Of the line that was read last, from 1.
        line: It, without its end.
        bytes_read: Of what is read now, counted by the block.
        bytes_total: Of what is to be read, where that can be known: from a regular file.
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
            callbacks: Message type to what takes it.

        Returns:
            How many messages of each type were read.

        Raises:
            InputError: A line is not a Singer message.
            EngageVoiceError: What `stop` was given, or what a callback raised.
        """
        if file_input is None and sys.stdin is None:
            raise InputError("standard input is closed. Pipe a tap into target-engagevoice, or give --input.")
        source = file_input if file_input is not None else sys.stdin
        source = getattr(source, "buffer", source)
        self.bytes_read, self.bytes_total = 0, _bytes_ahead(source)
        counts: Counter[str] = Counter()
        takers = {str.__str__(kind): callback for kind, callback in callbacks.items()}  # the SDK's kinds are slow keys
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
                shown = kind if re.fullmatch("[A-Z_]{1,40}", kind) else "that is no word"
                self._warning("Messages of a type %s are not known and are passed over.", shown)
            counts[kind] += 1
        return counts

    def stop(self, error: EngageVoiceError) -> None:
        """Read no further line: raise this, at once where a line is waited for. For signal handlers."""
        self._stop = error
        if self._waiting and threading.current_thread() is threading.main_thread():
            self._waiting = False
            raise error

    def discard(self, source: IO[bytes]) -> None:
        """Read to the end and throw away, so that a tap can finish writing, or until `stop` is called."""
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
        """Lines without their ends, each as soon as it is there."""
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
        """What the source has, waiting for it where it has nothing; empty at its end."""
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
        """What a line says; None for a blank one."""
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
    """How much there is to read; None where nobody can know: from a pipe, a terminal, or what is no file at all."""
    try:
        about = os.fstat(source.fileno())
        return max(0, about.st_size - source.tell()) if stat.S_ISREG(about.st_mode) else None
    except (AttributeError, OSError, ValueError):
        return None


def discard(source: IO[bytes]) -> None:
    """Read to the end and throw away, so that a tap can finish writing; a terminal is left alone."""
    try:
        if not source.isatty():
            while source.read(DISCARD_BYTES):
                pass
    except (OSError, ValueError):
        return  # closed already: there is nothing to read
