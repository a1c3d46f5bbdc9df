"""Starts the real executable, and kills it at a set moment: `python -m tests.support.launcher … --config …`.

The process kills itself between two steps, where a signal from outside would rarely hit: no clean-up, no `finally`, no
flush. The moment is the `nth` call of a function: `before` it, `after` it, or while its file is
written to (`torn`: half of what was to be written is in the file). The environment variable `DIE_AT` holds it.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import signal
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from target_engagevoice import __main__ as executable

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "DIE_AT"


@dataclass(frozen=True)
class Moment:
    """When to kill the process.

    Attributes:
        place: `module:function` or `module:Class.method`, where it is looked up.
        when: `before`, `after` or `torn`.
        nth: Which call of it, from 1.
    """

    place: str
    when: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.place} {self.nth}"

    @classmethod
    def parse(cls, text: str) -> Moment:
        """Reads what `str` writes."""
        when, place, nth = text.split()
        return cls(place, when, int(nth))


def die() -> None:
    """Kill this process, like `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()  # another thread gets the signal


def deadly(function: Callable[..., Any], moment: Moment) -> Callable[..., Any]:
    """The function, which kills the process at the moment."""
    calls = itertools.count(1)  # `next` is atomic for all threads

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        due = next(calls) == moment.nth
        if due and moment.when == "before":
            die()
        result = function(*arguments, **options)
        if due and moment.when == "after":
            die()
        return result

    return called


class TornFile:
    """A file whose `nth` write is cut off."""

    def __init__(self, file: IO[str], nth: int) -> None:
        self._file = file
        self._limit = nth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write it, or half of it."""
        self._limit -= 1
        if not self._limit:
            self._file.write(text[: len(text) // 2])
            self._file.flush()
            die()
        return self._file.write(text)


def arm(moment: Moment) -> None:
    """Replace the real function with the one that kills."""
    module, _, path = moment.place.partition(":")
    *holders, name = path.split(".")
    holder: Any = importlib.import_module(module)
    for each in holders:
        holder = getattr(holder, each)
    real = getattr(holder, name)
    if moment.when == "torn":
        setattr(holder, name, lambda *arguments, **options: TornFile(real(*arguments, **options), moment.nth))
    else:
        setattr(holder, name, deadly(real, moment))


def main() -> None:
    """Arm, then be the executable."""
    arm(Moment.parse(os.environ.pop(VARIABLE)))
    executable.main()


if __name__ == "__main__":
    main()
