"""Runs of the executable that are killed one after the other, until one is left alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from tests.support.executable import STATE_DIR, against, serving
from tests.support.launcher import Moment
from tests.support.process import KILLED, Process, table_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Outside:
    """Kill from outside when so many STATE lines have come, or so many loads were answered and further ones hang.

    Attributes:
        stored: Whether those that hang are on the server.
    """

    states: int
    loads: int
    stored: bool


Death: TypeAlias = "Moment | Outside"


@dataclass
class KillChain(ABC):
    """Runs on one ledger and one account, each killed, until one is left alone.

    Attributes:
        deaths: How each run but the last ends.
        state: The value of the last STATE line.
        problems: What must not be.
    """

    server: ClassVar[Mapping[str, Any]] = {}
    """What the sandbox's configuration has of its own."""

    settings: ClassVar[Mapping[str, Any]]
    """What the target's configuration has of its own."""

    empty_tables: ClassVar[Sequence[str]]
    """Of the ledger, at the end."""

    deaths: Sequence[Death]
    folder: Path
    state: dict[str, int] | None = None
    problems: list[str] = field(default_factory=list)

    def play(self) -> list[str]:
        """Kill at each death, let the last run come to its end, and check what there is; the problems."""
        with serving(**self.server) as sandbox:
            self.sandbox = sandbox
            self.config = against(sandbox, **self.settings)
            self.prepare()
            for number, death in enumerate(self.deaths):
                code, states, last_line = self._run(death)
                if code != KILLED:
                    self.problems.append(f"run {number} was not killed {death} but ended with {code}: {last_line}")
                self.take(states)
            sent = sum(b'"RECORD"' in line for line in self.lines())
            code, states, last_line = self._run(None)
            if code != 0:
                self.problems.append(f"the run left alone ended with {code}: {last_line}")
            self.take(states)
            self.check_the_end(sent)
        for table in self.empty_tables:
            rows_left = table_count(self.folder / STATE_DIR / "ledger.db", table)
            if rows_left:
                self.problems.append(f"the ledger still has {rows_left} {table}")
        return self.problems

    def _run(self, death: Death | None) -> tuple[int, list[Any], str]:
        """One run: its exit code, its STATE lines and the last line of its log."""
        sandbox = self.sandbox
        before = len(sandbox.requests("load"))
        sandbox.faults(self.faults(death))
        die_at = death if isinstance(death, Moment) else None
        with Process(self.folder, self.config, self.lines(), die_at=die_at) as process:
            if isinstance(death, Outside):
                process.kill_when(
                    lambda: len(process.states) >= death.states or len(sandbox.requests("load")) > before + death.loads
                )
            code = process.wait()
            return code, process.states, process.stderr.strip().rsplit("\n", 1)[-1]

    @abstractmethod
    def prepare(self) -> None:
        """Called once, before the first run that is killed."""

    @abstractmethod
    def lines(self) -> list[bytes]:
        """What the tap sends to a run that begins now."""

    @abstractmethod
    def faults(self, death: Death | None) -> list[dict[str, Any]]:
        """The sandbox's fault script for a run."""

    @abstractmethod
    def take(self, states: Sequence[Any]) -> None:
        """Check the STATE lines of a run that has ended, and keep the last one."""

    @abstractmethod
    def check_the_end(self, sent: int) -> None:
        """Compare the server with the source; the last run was sent so many records."""
