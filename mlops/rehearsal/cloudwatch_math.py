"""Metric math of CloudWatch: expressions over time series, one value for each period.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NoReturn

Series = Mapping[int, float]
"""Values by the beginning of their period; a period without data is not there."""
Value = Any
"""A number, a series, or a list of series."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^(),\[\]<>]))"
)
_LEVELS: tuple[dict[str, Callable[[float, float], float]], ...] = (
    {"||": lambda a, b: float(bool(a) or bool(b))},
    {"&&": lambda a, b: float(bool(a) and bool(b))},
    {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.truediv},
    {"^": operator.pow},
)
_ALIASES = {"AND": "&&", "OR": "||"}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_MAPPED: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
FUNCTIONS = (*_AGGREGATES, *_MAPPED, "FILL", "IF", "METRICS", "PERIOD")
"""What is known here of metric math; https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
has more."""


class ExpressionError(ValueError):
    """An expression that CloudWatch would refuse."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression is evaluated on: the beginnings of the periods, and the series by their ids."""

    times: Sequence[int]
    period: int
    series: Callable[[str], Series]
    metrics: Sequence[str] = ()
    """The ids of those series that are metrics themselves."""


def evaluate(expression: str, context: Context) -> dict[int, float]:
    """Return the series that an expression gives; a number is the same in every period.

    Raises:
        ExpressionError: CloudWatch would refuse the expression.
        NotImplementedError: CloudWatch has a function of this name, the emulation has not.

    """
    value = _parse(expression)(context)
    if isinstance(value, list):
        if len(value) != 1:
            msg = f"expression {expression!r} gives {len(value)} time series, where one is needed"
            raise ExpressionError(msg)
        value = value[0]
    if isinstance(value, Mapping):
        return dict(value)
    return dict.fromkeys(context.times, float(value)) if math.isfinite(value) else {}


def names(expression: str) -> set[str]:
    """Return the ids that an expression refers to.

    Raises:
        ExpressionError: CloudWatch would refuse the expression.
        NotImplementedError: CloudWatch has a function of this name, the emulation has not.

    """
    parser = _Parser(expression)
    parser.whole()
    return parser.names


_Node = Callable[[Context], Value]


@functools.lru_cache(maxsize=256)
def _parse(expression: str) -> _Node:
    return _Parser(expression).whole()


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: list[str] = field(default_factory=list)
    position: int = 0
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        place = 0
        text = self.text.rstrip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                self._refuse(f"{text[place:].lstrip()[0]!r} has no meaning")
            token = found.group().strip()
            self.tokens.append(_ALIASES.get(token, token))
            place = found.end()

    def whole(self) -> _Node:
        node = self._binary(0)
        if self.position < len(self.tokens):
            self._refuse(f"{self.tokens[self.position]!r} was not expected")
        return node

    def _refuse(self, reason: str) -> NoReturn:
        msg = f"Error in expression '{self.text}': {reason}"
        raise ExpressionError(msg)

    def _next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _take(self, expected: str | None = None) -> str:
        token = self._next()
        if not token or (expected is not None and token != expected):
            self._refuse(f"{expected or 'a value'} is missing before {token!r}")
        self.position += 1
        return token

    def _binary(self, level: int) -> _Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._next() in _LEVELS[level]:
            function, right = _LEVELS[level][self._take()], self._binary(level + 1)
            left = _applied(function, left, right)
        return left

    def _unary(self) -> _Node:
        if self._next() == "-":
            self._take()
            return _applied(operator.mul, lambda _: -1.0, self._unary())
        return self._atom()

    def _atom(self) -> _Node:
        token = self._take()
        if token == "(":  # noqa: S105 - a parenthesis
            node = self._binary(0)
            self._take(")")
            return node
        if token == "[":  # noqa: S105 - a bracket
            return _array(self._arguments("]"))
        if token[0].isdigit() or token[0] == ".":
            number = float(token)
            return lambda _: number
        if self._next() == "(":
            return self._call(token)
        if not token[0].isalpha():
            self._refuse(f"{token!r} was not expected")
        self.names.add(token)
        return lambda context: context.series(token)

    def _arguments(self, closing: str) -> list[_Node]:
        nodes: list[_Node] = []
        while self._next() != closing:
            if nodes:
                self._take(",")
            nodes.append(self._binary(0))
        self._take(closing)
        return nodes

    def _call(self, name: str) -> _Node:
        if name not in FUNCTIONS:
            if name.isupper():
                msg = f"metric math: {name} in '{self.text}'; {', '.join(FUNCTIONS)} are emulated"
                raise NotImplementedError(msg)
            self._refuse(f"there is no function {name}")
        self._take("(")
        if name == "FILL":
            return self._fill()
        nodes = self._arguments(")")
        wanted = {"IF": 3, "METRICS": 0}.get(name, 1)
        if len(nodes) != wanted:
            self._refuse(f"{name} takes {wanted} arguments, not {len(nodes)}")
        if name == "METRICS":
            return lambda context: [context.series(one) for one in context.metrics]
        if name == "PERIOD":
            return lambda context: float(context.period)
        if name == "IF":
            return lambda context: _choose(*(node(context) for node in nodes), times=context.times)
        if name in _AGGREGATES:
            return lambda context: _aggregate(_AGGREGATES[name], nodes[0](context), context.times)
        return lambda context: _mapped(_MAPPED[name], nodes[0](context))

    def _fill(self) -> _Node:
        filled = self._binary(0)
        self._take(",")
        if self._next() in ("REPEAT", "LINEAR"):
            how = {"REPEAT": _repeated, "LINEAR": _linear}[self._take()]
            self._take(")")
            return lambda context: _filled(filled(context), lambda series: how(series, context.times))
        value = self._binary(0)
        self._take(")")
        return lambda context: _filled(
            filled(context), lambda series: {**_spread(value(context), context.times), **series}
        )


def _array(nodes: Sequence[_Node]) -> _Node:
    def array(context: Context) -> list[Series]:
        values = [node(context) for node in nodes]
        return [one for value in values for one in (value if isinstance(value, list) else [value])]

    return array


def _applied(function: Callable[[float, float], float], left: _Node, right: _Node) -> _Node:
    return lambda context: _apply(function, left(context), right(context))


def _apply(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply an operator number by number; where either has no data, or there is no result, there is no data."""
    if isinstance(left, list) and isinstance(right, list):
        msg = "arrays of time series cannot be combined with each other"
        raise ExpressionError(msg)
    if isinstance(left, list):
        return [_apply(function, one, right) for one in left]
    if isinstance(right, list):
        return [_apply(function, left, one) for one in right]
    if not isinstance(left, Mapping) and not isinstance(right, Mapping):
        return _result(function, left, right)
    times = [
        at for at in (left if isinstance(left, Mapping) else right) if not isinstance(right, Mapping) or at in right
    ]
    computed = {at: _result(function, _at(left, at), _at(right, at)) for at in times}
    return {at: value for at, value in computed.items() if math.isfinite(value)}


def _at(value: Value, at: int) -> float:
    return float(value[at] if isinstance(value, Mapping) else value)


def _result(function: Callable[[float, float], float], left: float, right: float) -> float:
    try:
        return float(function(left, right))
    except (ZeroDivisionError, OverflowError, TypeError):  # a root of a negative number is complex
        return math.nan


def _mapped(function: Callable[[float], float], value: Value) -> Value:
    if isinstance(value, list):
        return [_mapped(function, one) for one in value]
    if isinstance(value, Mapping):
        return {at: float(function(one)) for at, one in value.items()}
    return float(function(value))


def _aggregate(function: Callable[[list[float]], float], value: Value, times: Sequence[int]) -> Value:
    """Reduce one series to a number, and several to one series of what is there in each period."""
    if isinstance(value, list):
        there = {at: [float(one[at]) for one in value if at in one] for at in times}
        return {at: function(values) for at, values in there.items() if values}
    if isinstance(value, Mapping):
        return function(list(value.values())) if value else {}
    return value


def _choose(condition: Value, yes: Value, no: Value, *, times: Sequence[int]) -> Value:
    if isinstance(condition, list) or isinstance(yes, list) or isinstance(no, list):
        msg = "IF takes time series and numbers, no arrays"
        raise ExpressionError(msg)
    if not isinstance(condition, Mapping):
        return yes if condition else no
    chosen = {at: yes if condition[at] else no for at in times if at in condition}
    return {at: _at(value, at) for at, value in chosen.items() if not isinstance(value, Mapping) or at in value}


def _filled(value: Value, fill: Callable[[Series], Series]) -> Value:
    if isinstance(value, list):
        return [fill(one) for one in value]
    return fill(value) if isinstance(value, Mapping) else value


def _spread(value: Value, times: Sequence[int]) -> Series:
    return value if isinstance(value, Mapping) else dict.fromkeys(times, float(value))


def _repeated(series: Series, times: Sequence[int]) -> Series:
    filled: dict[int, float] = {}
    last: float | None = None
    for at in times:
        last = series.get(at, last)
        if last is not None:
            filled[at] = last
    return filled


def _linear(series: Series, times: Sequence[int]) -> Series:
    filled, known = dict(series), sorted(series)
    for before, after in pairwise(known):
        slope = (series[after] - series[before]) / (after - before)
        filled |= {at: series[before] + slope * (at - before) for at in times if before < at < after}
    return filled
