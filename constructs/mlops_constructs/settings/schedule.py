"""When a workflow starts by itself: the expressions of EventBridge, `rate(...)` and `cron(...)`.

Source: "Setting a schedule pattern for scheduled rules (legacy)" of the Amazon EventBridge user guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mlops_constructs.settings.section import PATTERNS

SCHEDULE_PATTERN: Final = r"^(rate|cron)\(.+\)$"
PATTERNS[SCHEDULE_PATTERN] = "rate(7 days), or cron(minutes hours day-of-month month day-of-week year) in UTC"

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_RATE: Final = re.compile(r"^rate\((?P<value>[0-9]{1,9}) (?P<unit>minute|hour|day)(?P<plural>s?)\)$", re.ASCII)
_CRON: Final = re.compile(r"^cron\((?P<fields>.*)\)$")
_ANY: Final = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One of the six parts of a cron expression."""

    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()
    """The names of the numbers, from `first` on."""
    special: str = ""
    """Further forms that are allowed, as a regular expression."""
    steps: bool = True
    """Whether every nth value can be chosen."""

    @property
    def allowed(self) -> str:
        words = f" or {self.words[0]} to {self.words[-1]}" if self.words else ""
        return f"{self.name} {self.first} to {self.last}{words}"

    def accepts(self, text: str) -> bool:
        """Tell whether every member of the list in this part can stand there."""
        return all(self._accepts_one(each) for each in text.upper().split(","))

    def _accepts_one(self, text: str) -> bool:
        if self.special and re.fullmatch(self.special, text, re.ASCII):
            return all(self._number(each) is not None for each in re.findall(r"[0-9]+", text.partition("#")[0]))
        span, slash, step = text.partition("/")
        if slash and not (self.steps and re.fullmatch(r"[1-9][0-9]{0,3}", step, re.ASCII)):
            return False
        if span == "*":
            return True
        low, dash, high = span.partition("-")
        numbers = [self._number(low), self._number(high)] if dash else [self._number(low)]
        return None not in numbers

    def _number(self, text: str) -> int | None:
        if text in self.words:
            return self.first + self.words.index(text)
        if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII):
            return None
        return int(text) if self.first <= int(text) <= self.last else None


_FIELDS: Final = (
    _Field(name="minutes", first=0, last=59),
    _Field(name="hours", first=0, last=23),
    _Field(name="day-of-month", first=1, last=31, special=r"\?|L|LW|[0-9]{1,2}W"),
    _Field(name="month", first=1, last=12, words=_MONTHS),
    _Field(
        name="day-of-week", first=1, last=7, words=_DAYS, steps=False,
        special=rf"\?|L|[0-9]L|({'|'.join(_DAYS)})(L|#[1-5])|[0-9]#[1-5]",
    ),
    _Field(name="year", first=1970, last=2199),
)  # fmt: skip
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Why EventBridge would refuse an expression."""

    message: str
    allowed: str
    remedy: str


def misfit(expression: str) -> Misfit | None:
    """Say why EventBridge would refuse an expression; None where it accepts it."""
    allowed = PATTERNS[SCHEDULE_PATTERN]
    if expression.startswith("rate("):
        return _misfit_of_rate(expression)
    if (cron := _CRON.fullmatch(expression)) is not None:
        return _misfit_of_cron(cron["fields"].split())
    words = expression.split()
    if len(words) == len(_FIELDS) - 1:  # as in a crontab
        remedy = "write 'cron(...)' around six parts: the sixth is the year, and one of the two days is '?'"
        return Misfit(message="is the line of a crontab", allowed=allowed, remedy=remedy)
    return Misfit(message="is not a schedule", allowed=allowed, remedy="write such as rate(7 days)")


def _misfit_of_rate(expression: str) -> Misfit | None:
    rate = _RATE.fullmatch(expression)
    allowed = "rate(1 day), or rate(<number> <minutes, hours or days>)"
    if rate is None or int(rate["value"]) == 0:
        return Misfit(message="is not a rate", allowed=allowed, remedy="write such as rate(7 days)")
    plural = "" if int(rate["value"]) == 1 else "s"
    if rate["plural"] != plural:
        remedy = f"write rate({int(rate['value'])} {rate['unit']}{plural})"
        return Misfit(message="has the unit in the wrong number", allowed=allowed, remedy=remedy)
    return None


def _misfit_of_cron(parts: list[str]) -> Misfit | None:
    names = " ".join(field.name for field in _FIELDS)
    if len(parts) != len(_FIELDS):
        message = f"has {len(parts)} parts"
        return Misfit(message=message, allowed=f"six parts: {names}", remedy="write such as cron(0 6 ? * MON *)")
    for field, part in zip(_FIELDS, parts, strict=True):
        if not field.accepts(part):
            message = f"has a {field.name} part that EventBridge does not know"
            return Misfit(message=message, allowed=field.allowed, remedy=f"change the part {part[:40]!r}")
    if (parts[_DAY_OF_MONTH] == _ANY) == (parts[_DAY_OF_WEEK] == _ANY):
        allowed = "'?' as one of the two, day-of-month and day-of-week, and only one"
        remedy = "write such as cron(0 6 ? * MON *), or cron(0 6 1 * ? *)"
        return Misfit(message="does not choose between the two kinds of day", allowed=allowed, remedy=remedy)
    return None
