"""The rules of composite alarms: ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c)).

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from mlops.rehearsal.cloudwatch_verdicts import AlarmState

States = Callable[[str], str | None]
"""The state of an alarm by its name; None for one that does not exist."""
Rule = Callable[[States], bool]

_TOKEN = re.compile(
    r'\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^"\s()]+))\s*\)'
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<sign>[()]))"
)


class RuleError(ValueError):
    """A rule that CloudWatch would refuse."""


def holds(rule: str, states: States) -> bool:
    """Whether a rule holds.

    Raises:
        RuleError: CloudWatch would refuse the rule.

    """
    return _parse(rule)[0](states)


def children(rule: str) -> frozenset[str]:
    """Return the names of the alarms of a rule.

    Raises:
        RuleError: CloudWatch would refuse the rule.

    """
    return _parse(rule)[1]


@functools.lru_cache(maxsize=256)
def _parse(rule: str) -> tuple[Rule, frozenset[str]]:
    parser = _Parser(rule)
    return parser.whole(), frozenset(parser.names)


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: list[re.Match[str]] = field(default_factory=list)
    position: int = 0
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        place, text = 0, self.text.rstrip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                raise self._error(text[place:])
            self.tokens.append(found)
            place = found.end()

    def whole(self) -> Rule:
        rule = self._either()
        if self.position < len(self.tokens):
            raise self._error(self._next())
        return rule

    def _error(self, at: str) -> RuleError:
        return RuleError(f"AlarmRule {self.text!r} is not valid at {at.strip() or 'its end'!r}")

    def _next(self) -> str:
        return self.tokens[self.position].group().strip() if self.position < len(self.tokens) else ""

    def _skip(self, token: str) -> bool:
        if self._next() != token:
            return False
        self.position += 1
        return True

    def _either(self) -> Rule:
        rules = [self._both()]
        while self._skip("OR"):
            rules.append(self._both())
        return rules[0] if len(rules) == 1 else lambda states: any(rule(states) for rule in rules)

    def _both(self) -> Rule:
        rules = [self._one()]
        while self._skip("AND"):
            rules.append(self._one())
        return rules[0] if len(rules) == 1 else lambda states: all(rule(states) for rule in rules)

    def _one(self) -> Rule:
        if self._skip("NOT"):
            negated = self._one()
            return lambda states: not negated(states)
        if self._skip("("):
            rule = self._either()
            if not self._skip(")"):
                raise self._error(self._next())
            return rule
        if self._skip("TRUE"):
            return lambda _: True
        if self._skip("FALSE"):
            return lambda _: False
        if self.position == len(self.tokens) or self.tokens[self.position]["state"] is None:
            raise self._error(self._next())
        return self._state()

    def _state(self) -> Rule:
        token = self.tokens[self.position]
        self.position += 1
        wanted = AlarmState(token["state"])
        name = token["quoted"] or token["plain"]
        if name.startswith("arn:"):
            name = name.split(":", 6)[-1]
        self.names.add(name)
        return lambda states: states(name) == wanted
