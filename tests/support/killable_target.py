"""A target that can be killed between any two steps inside one process, so that many schedules run in a second.

Once the limit is reached, nothing has an effect any more: no request, no ledger write, no reject, no STATE.
`test_kill.py` uses a real `kill -9`; this kills at every step, thousands of times.
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


class StepLimit:
    """Counts steps; any thread may take one, its lock guards the count.

    Args:
        steps: After so many the process is dead; None for no limit.
    """

    def __init__(self, steps: int | None) -> None:
        self._limit = steps
        self._lock = threading.Lock()
        self.dead = False
        self.taken = 0

    def step(self) -> None:
        """Take a step.

        Raises:
            Killed: The process is dead, in whichever thread takes the step.
        """
        with self._lock:
            if self._limit is not None and self.taken >= self._limit:
                self.dead = True
            if self.dead:
                raise Killed
            self.taken += 1

    def around(self, method: Callable[..., T]) -> Callable[..., T]:
        """The method with a step before and after it: killed after it, its effect stays and its answer is lost."""

        def called(*arguments: Any, **options: Any) -> T:
            self.step()
            result = method(*arguments, **options)
            self.step()
            return result

        return called

    def before(self, method: Callable[..., T]) -> Callable[..., T]:
        """The method with a step before it."""

        def called(*arguments: Any, **options: Any) -> T:
            self.step()
            return method(*arguments, **options)

        return called


class KillableTarget(TargetEngageVoice):
    """A target whose run counts its steps in a `StepLimit`, uses a given clock, and writes STATE into a list."""

    steps: StepLimit
    clock: Clock
    write_state: Callable[[str], None]

    def new_run(self) -> LoadRun:
        start = RunStart.of(self._settings, self.clock, self.steps.around(self.write_state))
        start.rejects.write = self.steps.around(start.rejects.write)  # type: ignore[method-assign]  # the step is the point of this class
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
PHONES_STEPS = ("record_uncertain", "record")
VERSION_STEPS = ("record_seen", "record_activated")
"""Methods of the ledger, its leads, its phones and its versions that count as steps."""


def make_killable(monkeypatch: pytest.MonkeyPatch, *, all_steps: bool = False) -> None:
    """Let every ledger and client opened from here on count its steps in `KillableTarget.steps`.

    Args:
        monkeypatch: Installs the counting methods.
        all_steps: Whether changing, retiring and listing count as steps too.
    """
    open_ledger = Ledger.open

    def killable_open(*arguments: Any, **options: Any) -> Ledger:
        ledger, steps = open_ledger(*arguments, **options), KillableTarget.steps
        _wrap(steps, ledger, LEDGER_STEPS)
        if all_steps:
            _wrap(steps, ledger.leads, LEADS_STEPS)
            _wrap(steps, ledger.phones, PHONES_STEPS)
            _wrap(steps, ledger.versions, VERSION_STEPS)
        # After `finish` there is nothing left to interrupt.
        ledger.finish = steps.before(ledger.finish)  # type: ignore[method-assign]  # the step is the point of this class
        return ledger

    def killable_connect(*arguments: Any) -> Connection:
        connection, steps = connect(*arguments), KillableTarget.steps
        _wrap(steps, connection.client, ("load", "search", *(("send",) if all_steps else ())))
        return connection

    monkeypatch.setattr(Ledger, "open", killable_open)
    monkeypatch.setattr("target_engagevoice.run.builder.connect", killable_connect)


def _wrap(steps: StepLimit, owner: object, names: Iterable[str]) -> None:
    for name in names:
        setattr(owner, name, steps.around(getattr(owner, name)))
