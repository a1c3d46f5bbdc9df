"""The benchmark's server in its own process, and the requests that it received."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.machine import ENVIRONMENT, ROOT
from benchmarks.server import JOURNAL_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from benchmarks.script import Script

POLL_SECONDS = 0.02
SERVED = 200


@dataclass(frozen=True)
class Load:
    """One request to the loader; moments in monotonic seconds, which all processes of the machine share."""

    arrived: float
    answered: float
    status: int
    campaign: str
    leads: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Journal:
    """What the server saw so far.

    Attributes:
        reads: Requests for the account, its dial groups, its campaigns, or a lead.
        loads: Requests to the loader, in order of arrival.
    """

    reads: int
    loads: tuple[Load, ...]

    @property
    def served(self) -> tuple[Load, ...]:
        """Those that were not refused."""
        return tuple(load for load in self.loads if load.status == SERVED)

    @property
    def refused(self) -> int:
        """How many were answered 429."""
        return len(self.loads) - len(self.served)

    @property
    def leads(self) -> int:
        """How many were loaded."""
        return sum(load.leads for load in self.loads)


class Loopback:
    """The server, for as long as the `with` block lasts."""

    def __init__(self, script: Script) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server", script.written()],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
        )
        assert self._popen.stdout is not None  # noqa: S101 - a pipe was asked for
        self.url = f"http://127.0.0.1:{int(self._popen.stdout.readline())}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._popen.terminate()
        self._popen.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()

    def journal(self) -> Journal:
        """The requests so far."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(self.url + JOURNAL_PATH, timeout=60) as answer:
            content = json.load(answer)
        loads = (
            Load(arrived, answered, status, campaign, leads, tuple(ids))
            for arrived, answered, status, campaign, leads, ids in content["loads"]
        )
        return Journal(content["reads"], tuple(sorted(loads, key=lambda load: load.arrived)))

    def wait_until(self, seen: Callable[[Journal], bool], seconds: float) -> Journal:
        """Ask again and again until it has seen something.

        Raises:
            TimeoutError: It did not in so many seconds.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            journal = self.journal()
            if seen(journal):
                return journal
            time.sleep(POLL_SECONDS)
        msg = f"what was waited for did not reach the server within {seconds:.0f} s"
        raise TimeoutError(msg)
