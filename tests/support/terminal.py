"""The real executable with its standard error on a pseudo-terminal, and what a person sees there."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from tests.support.executable import PATIENCE_SECONDS, STATE_DIR, TARGET, inherited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

ERASE = "\x1b[J"
UP = re.compile(r"\x1b\[\d+A\r?")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Screen:
    """What came to a terminal, all of it.

    The display writes pieces, each behind an `ERASE`. A picture ends by going up to where it began, and is wiped by the
    next piece; whatever else is written, there or elsewhere, stays.
    """

    written: str

    @property
    def _pieces(self) -> Iterator[tuple[str, str]]:
        """Each picture, and what stays."""
        for piece in self.written.replace("\r\n", "\n").split(ERASE):
            picture, went_up, rest = UP.sub("\0", piece.removesuffix("\r")).rpartition("\0")
            yield STYLE.sub("", picture) if went_up else "", STYLE.sub("", rest)

    @property
    def pictures(self) -> list[str]:
        """Every picture that was drawn while the run went on, without colors."""
        return [picture for picture, _ in self._pieces if picture]

    @property
    def lines(self) -> list[str]:
        """What stays at the end, without colors."""
        return "".join(rest for _, rest in self._pieces).splitlines()

    def table(self) -> dict[str, dict[str, int]]:
        """The last picture's table: by campaign, by outcome."""
        lines = [line.strip() for line in self.lines]
        head = next(number for number, line in enumerate(lines) if line.startswith("campaign "))
        names, rows = lines[head].split()[1:], {}
        for line in lines[head + 1 :]:
            campaign, *cells = re.split(r"\s{2,}", line)
            rows[campaign] = {name: int(cell.replace(",", "")) for name, cell in zip(names, cells, strict=True)}
            if campaign == "total":
                break
        return rows


class OnTerminal:
    """A run whose standard error is a terminal of 24 lines; standard output is piped.

    Args:
        stdin: What it reads; standard input is kept open for `process.stdin` when None.
    """

    def __init__(
        self, folder: Path, config: Mapping[str, Any], stdin: IO[bytes] | None, width: int = 100, **environment: str
    ) -> None:
        (folder / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
        self._folder = folder
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self.modes = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [TARGET, "--config", "config.json"],
            cwd=folder,
            env={**inherited(), "TERM": "xterm-256color", **environment},
            stdin=stdin or subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        self.terminal = theirs
        self._ours = ours
        self._written: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def screen(self) -> Screen:
        """What came to the terminal so far."""
        return Screen(b"".join(self._written).decode())

    @property
    def record(self) -> dict[str, Any]:
        """The run record."""
        (path,) = (self._folder / STATE_DIR / "runs").glob("*.json")
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content

    def write(self, lines: Iterable[bytes]) -> None:
        """Send lines to standard input, at once; fewer than a pipe holds."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(lines))
        self.process.stdin.flush()

    def finish(self, *, ended: bool = True) -> tuple[int, list[Any]]:
        """Wait for the end: the exit code, and the STATE lines.

        Args:
            ended: Whether standard input ends now.
        """
        if ended and self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)
        assert self.process.stdout is not None
        stdout = self.process.stdout.read()
        self.modes_after = termios.tcgetattr(self.terminal)
        os.close(self.terminal)
        self._thread.join(PATIENCE_SECONDS)
        return self.process.returncode, [json.loads(line) for line in stdout.splitlines()]

    def close(self) -> None:
        """Let go."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        os.close(self._ours)

    def _read(self) -> None:
        try:
            while piece := os.read(self._ours, 1 << 16):
                self._written.append(piece)
        except OSError:
            return  # nobody has the other end any more


@contextmanager
def on_terminal(
    folder: Path, config: Mapping[str, Any], stdin: IO[bytes] | None = None, width: int = 100, **environment: str
) -> Iterator[OnTerminal]:
    """A run on a terminal."""
    run = OnTerminal(folder, config, stdin, width, **environment)
    try:
        yield run
    finally:
        run.close()
