"""Processes of the executable that are forked by a server of `fork_server`, with what is used of `subprocess.Popen`."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.support.fork_server import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0

_SENDING = threading.Lock()
"""Held while a job is sent; and while the server is started."""


class Forked:
    """A process; standard input, output and error are pipes.

    Args:
        arguments: The command line.
        folder: Where it is started.
        environment: All of its environment.
        moment: When it kills itself, as text; empty when it does not.
        stdout: Where standard output goes, if not into a pipe.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        *,
        moment: str = "",
        stdout: int | None = None,
    ) -> None:
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self._name = str(arguments[0])
        stdin_read, stdin_write = os.pipe()
        stdout_read, stdout_write = os.pipe()
        stderr_read, stderr_write = os.pipe()
        self._status, status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        job = Job([str(each) for each in arguments], str(folder), environment, moment)
        output = stdout_write if stdout is None else stdout
        with _SENDING:
            socket.send_fds(_server(), [job.encode()], [stdin_read, output, stderr_write, status.fileno()])
        status.close()
        for descriptor in (stdin_read, stdout_write, stderr_write):
            os.close(descriptor)
        if stdout is not None:
            os.close(stdout_read)
        self.stdin: IO[bytes] = os.fdopen(stdin_write, "wb")
        self.stdout: IO[bytes] | None = os.fdopen(stdout_read, "rb") if stdout is None else None
        self.stderr: IO[bytes] = os.fdopen(stderr_read, "rb")
        self._status.settimeout(PATIENCE_SECONDS)
        self.pid = int(self._status.recv(20))

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self._lock.acquire(blocking=False):  # otherwise another thread waits for it
            try:
                self._receive(0)
            except subprocess.TimeoutExpired:
                pass
            finally:
                self._lock.release()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; minus the number of the signal that ended it.

        Raises:
            TimeoutExpired: It did not end within these seconds.
        """
        with self._lock:
            return self._receive(timeout)

    def _receive(self, timeout: float | None) -> int:
        """The exit code; the caller holds the lock."""
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = int(self._status.recv(20))
            except (BlockingIOError, TimeoutError) as error:
                raise subprocess.TimeoutExpired(self._name, timeout or 0) from error
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`, unless it has ended."""
        self.send_signal(signal.SIGKILL)


@cache
def _server() -> socket.socket:
    """The server of this process: it ends with the socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def stop() -> None:
        ours.close()
        server.wait(PATIENCE_SECONDS)

    atexit.register(stop)
    return ours
