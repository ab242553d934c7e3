"""The condition block of a policy statement: pure functions of the policy and the context of a request.

Written after "IAM JSON policy elements: Condition operators" of the IAM user guide. An operator that is not known here
raises UnknownOperatorError: the caller decides in which direction that is safe.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

ContextValue = str | Sequence[str]
Context = Mapping[str, ContextValue]
"""Condition keys in lower case and their values; a list is a multivalued key."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ARN_PARTS = 6


class UnknownOperatorError(ValueError):
    """A policy uses a condition operator that this evaluator does not know."""


class UnknownVariableError(ValueError):
    """A policy variable has no value in this request: the statement cannot match."""


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as a list of one."""
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def resolve(text: str, context: Context) -> str:
    """Put the values of variables such as ${aws:PrincipalAccount} into `text`, their wildcards taken literally."""

    def value(match: re.Match[str]) -> str:
        name, _, default = match.group(1).partition(",")
        name = name.strip()
        if name in ("*", "?", "$"):
            return _LITERAL[name]
        found = context.get(name.lower())
        if isinstance(found, str):
            return found.replace("*", _LITERAL["*"]).replace("?", _LITERAL["?"])
        if default:
            return default.strip().strip("'")
        msg = f"policy variable {match.group(0)} has no value in this request"
        raise UnknownVariableError(msg)

    return _VARIABLE.sub(value, text) if "${" in text else text


# Private-use characters stand for wildcards that are meant literally.
_LITERAL = {"*": "\ue000", "?": "\ue001", "$": "$"}


@functools.lru_cache(maxsize=8192)
def _pattern(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    parts = {"*": ".*", "?": ".", _LITERAL["*"]: re.escape("*"), _LITERAL["?"]: re.escape("?")}
    text = "".join(parts.get(character) or re.escape(character) for character in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether `value` matches `pattern`, in which * and ? are wildcards."""
    return _pattern(pattern, ignore_case=ignore_case).fullmatch(value) is not None


def arn_like(pattern: str, value: str) -> bool:
    """Whether an ARN matches a pattern, compared part by part: a wildcard does not reach over a colon."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", _ARN_PARTS - 1), value.split(":", _ARN_PARTS - 1)
    if len(given) != _ARN_PARTS:
        return like(pattern, value)
    if len(wanted) != _ARN_PARTS:
        return False
    return all(like(part, found) for part, found in zip(wanted, given, strict=True))


def conditions_match(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether every condition of a statement's block holds.

    Raises:
        UnknownOperatorError: an operator is not known.

    """
    return all(
        _condition_holds(operator, key, as_list(values), context)
        for operator, keys in block.items()
        for key, values in keys.items()
    )


def _condition_holds(operator: str, key: str, values: list[Any], context: Context) -> bool:
    qualifier, _, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    negated, compare = _operator(base, operator)
    if qualifier and qualifier.lower() not in ("foranyvalue", "forallvalues"):
        msg = f"condition operator {operator!r} is not known to the rehearsal's IAM evaluator"
        raise UnknownOperatorError(msg)
    given = context.get(key.lower())
    if base.lower() == "null":
        return (given is None or not as_list(given)) == (str(values[0]).lower() == "true")
    if given is None or not as_list(given):
        # A missing key: a negated operator and ...IfExists hold, ForAllValues holds for the empty set.
        return (
            qualifier.lower() == "forallvalues"
            or (qualifier.lower() != "foranyvalue" and (negated or name.endswith("IfExists")))
            or name.endswith("IfExists")
        )
    wanted = [resolve(_text(value), context) for value in values]
    holds = [_holds_for(item, wanted, compare, negated=negated) for item in as_list(given)]
    return all(holds) if qualifier.lower() == "forallvalues" else any(holds)


def _holds_for(item: str, wanted: list[str], compare: Callable[[str, str], bool], *, negated: bool) -> bool:
    return any(compare(value, item) for value in wanted) != negated


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _operator(base: str, shown: str) -> tuple[bool, Callable[[str, str], bool]]:
    lowered = base.lower()
    if lowered in _COMPARISONS:
        return False, _COMPARISONS[lowered]
    positive = _NEGATIONS.get(lowered)
    if positive is not None:
        return True, _COMPARISONS[positive]
    msg = f"condition operator {shown!r} is not known to the rehearsal's IAM evaluator"
    raise UnknownOperatorError(msg)


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(wanted: str, given: str) -> bool:
        try:
            return compare(float(given), float(wanted))
        except ValueError:
            return False

    return holds


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _date(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(wanted: str, given: str) -> bool:
        try:
            return compare(_moment(given), _moment(wanted))
        except ValueError:
            return False

    return holds


def _address(wanted: str, given: str) -> bool:
    try:
        return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)
    except (ValueError, TypeError):
        return False


def _equal(wanted: str, given: str) -> bool:
    return wanted.replace(_LITERAL["*"], "*").replace(_LITERAL["?"], "?") == given


def _binary(wanted: str, given: str) -> bool:
    try:
        return base64.b64decode(wanted) == base64.b64decode(given)
    except ValueError:
        return False


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": _equal,
    "stringequalsignorecase": lambda wanted, given: _equal(wanted.lower(), given.lower()),
    "stringlike": like,
    "arnequals": arn_like,
    "arnlike": arn_like,
    "bool": lambda wanted, given: wanted.lower() == given.lower(),
    "null": lambda _wanted, _given: False,  # decided before any comparison
    "binaryequals": _binary,
    "ipaddress": _address,
    "numericequals": _number(lambda given, wanted: given == wanted),
    "numericlessthan": _number(lambda given, wanted: given < wanted),
    "numericlessthanequals": _number(lambda given, wanted: given <= wanted),
    "numericgreaterthan": _number(lambda given, wanted: given > wanted),
    "numericgreaterthanequals": _number(lambda given, wanted: given >= wanted),
    "dateequals": _date(lambda given, wanted: given == wanted),
    "datelessthan": _date(lambda given, wanted: given < wanted),
    "datelessthanequals": _date(lambda given, wanted: given <= wanted),
    "dategreaterthan": _date(lambda given, wanted: given > wanted),
    "dategreaterthanequals": _date(lambda given, wanted: given >= wanted),
}
_NEGATIONS = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}
