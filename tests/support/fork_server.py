"""A process that has imported the executable once and forks for each run: `python -m tests.support.fork_server FD`.

Starting Python and importing the executable takes most of a second of a processor; a fork takes some milliseconds. The
fork is a process of its own, with its own pipes, folder, environment and exit code, and may be killed like any other.

Each message on the socket `FD` is the JSON of a `Job` with four file descriptors: standard input, output and error, and
a socket on which the process's id is sent, and its exit code once it has ended.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import selectors
import socket
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tests.support.launcher import Moment, arm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGEST_MESSAGE = 150_000
DESCRIPTORS = 4

MODULES = (
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "target_engagevoice.run.builder",
    "target_engagevoice.run.load_run",
    "target_engagevoice.sandbox.sandbox",
    "target_engagevoice.sinks",
    "target_engagevoice.target",
)
"""What runs import, directly or not."""


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        arguments: The command line; the first is the program.
        moment: When it kills itself, as text; empty when it does not.
    """

    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    moment: str = ""

    def encode(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> Job:
        """What `encode` makes of one."""
        return cls(**json.loads(message))


def main() -> None:
    """Serve until the socket is closed; in a fork, be the executable."""
    for name in MODULES:
        importlib.import_module(name)
    from target_engagevoice.__main__ import main as executable  # noqa: PLC0415 - imported late, as a run imports it

    gc.freeze()
    job = serve(socket.socket(fileno=int(sys.argv[1])))
    if job is not None:
        if job.moment:
            arm(Moment.parse(job.moment))
        executable()


def serve(control: socket.socket) -> Job | None:
    """Fork for each job.

    Returns:
        In a fork, its job; in the server, None once the socket is closed.
    """
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not control:
                    pid, status = running.pop(key.fd)
                    ready.unregister(key.fd)
                    os.close(key.fd)
                    _report(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    status.close()
                    continue
                message, descriptors = _receive(control)
                if not message:
                    return None
                pid = os.fork()
                if pid == 0:
                    for other, (_, status) in running.items():
                        os.close(other)
                        status.close()
                    control.close()
                    job = Job.decode(message)
                    _become(job, descriptors)
                    return job
                for descriptor in descriptors[:3]:
                    os.close(descriptor)
                status = socket.socket(fileno=descriptors[3])
                _report(status, pid)
                watched = os.pidfd_open(pid)
                running[watched] = (pid, status)
                ready.register(watched, selectors.EVENT_READ)


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    message, ancillary, _, _ = control.recvmsg(LARGEST_MESSAGE, socket.CMSG_SPACE(DESCRIPTORS * 4))
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return message, list(descriptors)


def _report(status: socket.socket, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the test has ended
        status.send(b"%d" % number)


def _become(job: Job, descriptors: Sequence[int]) -> None:
    """Turn this fork into the process that a start with these would have made."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment)
    sys.argv[:] = job.arguments


if __name__ == "__main__":
    main()
