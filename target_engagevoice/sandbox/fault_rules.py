"""The fault script: a list of rules, each of which applies one fault to chosen requests.

A rule counts every request that matches its `on`, `campaign_id` and `extern_ids`, whether or not another rule applies
to it. It skips the first `after` of them, then applies to every `every`-th, with `probability`, at most `times` (1 if
not given, null for no limit). When several rules apply to a request, the first one is used. Only requests that would
have been served are counted, not those the sandbox refuses for their token or their rate.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_engagevoice.errors import ConfigError
from target_engagevoice.sandbox.config_reader import (
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
from target_engagevoice.sandbox.fault_table import FAULTS

if TYPE_CHECKING:
    from target_engagevoice.sandbox.answers import Answer
    from target_engagevoice.sandbox.fault_table import FaultedRequest

KINDS = (
    "load",
    "search",
    "action",
    "patch",
    "dnc",
    "phone_search",
    "lead_states",
    "dispositions",
    "dnc_tags",
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
    """One rule of the script. `do` names its fault, and `options` are the options of that fault."""

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

    def matches(self, kind: str, campaign_id: str | None, extern_ids: Callable[[], frozenset[str]]) -> bool:
        """Whether the rule counts a request."""
        if self.on not in (ANY, kind) or (self.campaign_id is not None and self.campaign_id != campaign_id):
            return False
        return not self.extern_ids or not self.extern_ids.isdisjoint(extern_ids())

    def apply(self, request: FaultedRequest) -> Answer:
        """Apply the fault to a request and return the answer."""
        return FAULTS[self.do].apply({**self.options, "extern_ids": self.extern_ids}, request)


class FaultScript:
    """The fault script in force. Safe to use from many threads: a lock guards the counts of the rules.

    Args:
        rules: The rules, as `read_rules` gives them.
    """

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self._lock = threading.Lock()
        self.replace(rules)

    def replace(self, rules: tuple[Rule, ...]) -> None:
        """Put another script in force. All counts start again at 0."""
        with self._lock:
            self._states = [_RuleState(rule, random.Random(rule.seed)) for rule in rules]  # noqa: S311 - no secret depends on it

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""
        with self._lock:
            return tuple(state.rule for state in self._states)

    def pick(self, kind: str, campaign_id: str | None, extern_ids: Callable[[], frozenset[str]]) -> Rule | None:
        """The rule that applies to a request, if any. `extern_ids` is called only for rules that need them."""
        picked = None
        with self._lock:
            for state in self._states:
                if state.rule.matches(kind, campaign_id, extern_ids) and state.count(picked is None):
                    picked = state.rule
        return picked


class _RuleState:
    """A rule and its counts."""

    def __init__(self, rule: Rule, chance: random.Random) -> None:
        self.rule = rule
        self._chance = chance
        self._matched = 0
        self._applied = 0

    def count(self, no_other_rule: bool) -> bool:
        """Count a matching request, and say whether the rule applies to it; `no_other_rule` is false if one did."""
        rule = self.rule
        self._matched += 1
        turn = self._matched - rule.after
        by_chance = rule.probability is None or self._chance.random() < rule.probability
        if not no_other_rule or turn <= 0 or turn % rule.every or not by_chance:
            return False
        if rule.times is not None and self._applied >= rule.times:
            return False
        self._applied += 1
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
    """Check the rules of a script as it was typed.

    Raises:
        ConfigError: A rule is not valid. The message says where, and what to type instead.
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
        raise ConfigError(f"{where} rejects no lead: add extern_ids")
    return Rule(**{**values, "extern_ids": frozenset(values["extern_ids"]), "options": chosen})
