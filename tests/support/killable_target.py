"""A target whose process can be killed between any two steps, without a process: for many schedules a second.

From the fatal step on, nothing it does takes effect any more: no request, no ledger write, no reject, no STATE. What
a real `kill -9` does is shown in `test_kill.py`; this shows the same at every boundary, thousands of times.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from target_engagevoice.ledger.ledger import Ledger
from target_engagevoice.run.load_run import LoadRun
from target_engagevoice.run.session import Connection, connect
from target_engagevoice.run.start import RunStart
from target_engagevoice.target import TargetEngageVoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    from target_engagevoice.clock import Clock

T = TypeVar("T")


class Killed(BaseException):
    """The process is dead."""


class Life:
    """Counts steps; any thread may take one, its lock guards the count.

    Args:
        steps: After so many the process is dead; None for a full life.
    """

    def __init__(self, steps: int | None) -> None:
        self._left = steps
        self._lock = threading.Lock()
        self.dead = False
        self.taken = 0

    def step(self) -> None:
        """Take a step.

        Raises:
            Killed: The process is dead, in whichever thread takes the step.
        """
        with self._lock:
            if self._left is not None and self.taken >= self._left:
                self.dead = True
            if self.dead:
                raise Killed
            self.taken += 1

    def around(self, method: Callable[..., T]) -> Callable[..., T]:
        """The method with a step before and after it: killed after it, its effect stays and its answer is lost."""

        def lived(*arguments: Any, **options: Any) -> T:
            self.step()
            result = method(*arguments, **options)
            self.step()
            return result

        return lived

    def before(self, method: Callable[..., T]) -> Callable[..., T]:
        """The method with a step before it."""

        def lived(*arguments: Any, **options: Any) -> T:
            self.step()
            return method(*arguments, **options)

        return lived


class MortalTarget(TargetEngageVoice):
    """A target whose run takes its steps from a `Life`, uses a given clock, and writes STATE into a list."""

    life: Life
    clock: Clock
    write_state: Callable[[str], None]

    def new_run(self) -> LoadRun:
        start = RunStart.of(self._settings, self.clock, self.life.around(self.write_state))
        start.rejects.write = self.life.around(start.rejects.write)  # type: ignore[method-assign]  # that is what mortal means
        return LoadRun(start, "0", nullcontext)


LEDGER_STEPS = ("claim", "settle")
LEADS_STEPS = (
    "record_uncertain_fields",
    "record_lookup",
    "record_existing",
    "record_change",
    "record_gone",
    "record_retirement",
    "record_retired_everywhere",
    "settle_uncertain",
)
PHONES_STEPS = ("record",)
VERSION_STEPS = ("record_seen", "record_activated")
"""What is written, by whom: the ledger, its leads, its versions."""


def make_mortal(monkeypatch: pytest.MonkeyPatch, *, whole_life: bool = False) -> None:
    """Let every ledger and client opened from here on take its steps from `MortalTarget.life`.

    Args:
        monkeypatch: Puts it in place.
        whole_life: Whether what changes, retires and lists takes steps as well.
    """
    open_ledger = Ledger.open

    def mortal_open(*arguments: Any, **options: Any) -> Ledger:
        ledger, life = open_ledger(*arguments, **options), MortalTarget.life
        _wrap(life, ledger, LEDGER_STEPS)
        if whole_life:
            _wrap(life, ledger.leads, LEADS_STEPS)
            _wrap(life, ledger.phones, PHONES_STEPS)
            _wrap(life, ledger.versions, VERSION_STEPS)
        # After `finish` the run is at its end: there is nothing left to kill.
        ledger.finish = life.before(ledger.finish)  # type: ignore[method-assign]  # that is what mortal means
        return ledger

    def mortal_connect(*arguments: Any) -> Connection:
        connection, life = connect(*arguments), MortalTarget.life
        _wrap(life, connection.client, ("load", "search", *(("send",) if whole_life else ())))
        return connection

    monkeypatch.setattr(Ledger, "open", mortal_open)
    monkeypatch.setattr("target_engagevoice.run.builder.connect", mortal_connect)


def _wrap(life: Life, owner: object, names: Iterable[str]) -> None:
    for name in names:
        setattr(owner, name, life.around(getattr(owner, name)))
