"""A measured figure, its target, and whether it was reached."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType({"<=": operator.le, ">=": operator.ge})


@dataclass(frozen=True)
class Figure:
    """One line of the account benchmark.

    Attributes:
        name: What was measured.
        unit: Of `value` and `target`, empty for a plain number.
        target: What issue 4 asks for; None for a figure that only informs.
        bound: `<=` where less is better, else `>=`.
        remark: What explains it.
    """

    name: str
    value: float
    unit: str = ""
    target: float | None = None
    bound: str = "<="
    remark: str = ""

    @property
    def reached(self) -> bool:
        """Whether the target was."""
        return self.target is None or _COMPARISONS[self.bound](self.value, self.target)

    def line(self) -> str:
        """For the terminal."""
        aim = ""
        if self.target is not None:
            verdict = "reached" if self.reached else "NOT reached"
            aim = f"  target {self.bound} {_number(self.target)}{self.unit}: {verdict}"
        remark = f"  ({self.remark})" if self.remark else ""
        return f"{self.name:52} {_number(self.value) + self.unit:>10}{aim}{remark}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"
