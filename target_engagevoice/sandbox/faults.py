"""Faults on demand: a script of rules, each of which lets chosen requests go wrong in a chosen way.

A rule counts every request that fits its `on`, `campaign_id` and `extern_ids`, whether or not another rule
struck it. Of these it skips the first `after`, then strikes every `every`-th, with `probability`, at most
`times` (1 if not given, null for ever). The first rule that strikes wins. Only requests that would have been
served are looked at, not those the sandbox refuses for their token or their rate.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.mishaps import FAULTS
from target_engagevoice.sandbox.shapes import (
    Field,
    choice,
    identifier,
    many,
    maybe,
    number,
    read_object,
    text,
    whole,
)

if TYPE_CHECKING:
    from target_engagevoice.sandbox.answers import Answer
    from target_engagevoice.sandbox.mishaps import Visit

KINDS = (
    "load",
    "search",
    "action",
    "patch",
    "dnc",
    "dial_groups",
    "campaigns",
    "lists",
    "personas",
    "accounts",
    "api_token",
    "oauth",
    "exchange",
    "refresh",
    "login_admin",
    "login_legacy",
)
ANY = "any"


@dataclass(frozen=True)
class Rule:
    """One rule of the script; `options` are those of its fault."""

    on: str
    do: str
    campaign_id: str | None = None
    after: int = 0
    times: int | None = 1
    every: int = 1
    probability: float | None = None
    seed: int = 0
    extern_ids: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, kind: str, campaign_id: str | None, extern_ids: Callable[[], frozenset[str]]) -> bool:
        """Whether a request is one of those the rule counts."""
        if self.on not in (ANY, kind) or (self.campaign_id is not None and self.campaign_id != campaign_id):
            return False
        return not self.extern_ids or not self.extern_ids.isdisjoint(extern_ids())

    def strike(self, visit: Visit) -> Answer:
        """Answer the visit as the fault will have it."""
        return FAULTS[self.do].strike(self, visit)


class Faults:
    """A script of faults in force. Safe to use from many threads.

    Args:
        rules: The rules, as `read_rules` gives them.
    """

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self._lock = threading.Lock()
        self.replace(rules)

    def replace(self, rules: tuple[Rule, ...]) -> None:
        """Put another script in force; all counting starts anew."""
        with self._lock:
            self._states = [_State(rule, random.Random(rule.seed)) for rule in rules]  # noqa: S311 - no secret hangs on it

    def pick(self, kind: str, campaign_id: str | None, extern_ids: Callable[[], frozenset[str]]) -> Rule | None:
        """The rule that strikes this request, if any; `extern_ids` is asked only by rules that need them."""
        struck = None
        with self._lock:
            for state in self._states:
                if state.rule.fits(kind, campaign_id, extern_ids) and state.due(struck is None):
                    struck = state.rule
        return struck


class _State:
    """A rule and what it has counted."""

    def __init__(self, rule: Rule, dice: random.Random) -> None:
        self.rule = rule
        self._dice = dice
        self._seen = 0
        self._struck = 0

    def due(self, free: bool) -> bool:
        """Count a request that fits; tell whether the rule strikes it, if no other one did."""
        rule = self.rule
        self._seen += 1
        turn = self._seen - rule.after
        lucky = rule.probability is None or self._dice.random() < rule.probability
        if not free or turn <= 0 or turn % rule.every or not lucky:
            return False
        if rule.times is not None and self._struck >= rule.times:
            return False
        self._struck += 1
        return True


_RULE = {
    "on": Field(choice(*KINDS, ANY)),
    "do": Field(choice(*FAULTS)),
    "campaign_id": Field(maybe(identifier), None),
    "after": Field(whole(0), 0),
    "times": Field(maybe(whole(1)), 1),
    "every": Field(whole(1), 1),
    "probability": Field(maybe(number(0, 1)), None),
    "seed": Field(whole(0), 0),
    "extern_ids": Field(many(text), ()),
}


def read_rules(raw: Any, where: str) -> tuple[Rule, ...]:
    """The rules of a script as somebody typed it.

    Raises:
        ConfigError: A rule does not fit; the message says where and what to type instead.
    """
    rules: tuple[Rule, ...] = many(_read_rule)(raw, where)
    return rules


def _read_rule(raw: Any, where: str) -> Rule:
    if not isinstance(raw, Mapping):
        raise ConfigError(f'{where} must be an object such as {{"on": "load", "do": "drop_after"}}')
    do = choice(*FAULTS)(raw.get("do"), f"{where}.do")
    options = FAULTS[do].options
    values = read_object(raw, {**_RULE, **options}, where)
    chosen = {name: values.pop(name) for name in options}
    if do == "reject" and not values["extern_ids"]:
        raise ConfigError(f"{where} rejects nobody: give it extern_ids")
    return Rule(**{**values, "extern_ids": frozenset(values["extern_ids"]), "options": chosen})
