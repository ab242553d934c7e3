"""What a metric alarm makes of its datapoints: the state, and the reason in CloudWatch's words.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, whose tables are tests.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlops.rehearsal.cloudwatch_metrics import Point, moment_of

EXTRA_PERIODS = 2
"""So many periods more than an alarm evaluates are looked at, for when some are missing; as in the tables of AWS."""
COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
MISSING_DATA = ("missing", "ignore", "breaching", "notBreaching")
_SIGNIFICANT = 10
"""A percentile is significant from 10 / (1 - p) samples on, for p of at least one half, and from 10 / p below."""


class AlarmState(StrEnum):
    """The states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """When a metric alarm alarms: `to_alarm` of `periods` datapoints compare with `value` as `comparison` says."""

    comparison: str
    value: float
    periods: int
    to_alarm: int
    period: int
    """The length of a period in seconds."""
    missing: str = "missing"
    statistic: str = ""
    """What the reason data call it; empty for an expression."""
    low_samples: str | None = None
    """"ignore" where a percentile of too few samples changes nothing."""

    def breached(self, point: Point) -> bool:
        """Whether a datapoint is beyond the threshold."""
        return COMPARISONS[self.comparison][0](point.value, self.value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that follows from the datapoints; None where the alarm stays as it is."""

    state: AlarmState | None
    evaluated: tuple[Point, ...] = ()
    """The datapoints that decided, the latest first."""
    filled: int = 0
    """How many missing datapoints the treatment of missing data replaced."""


def judge(threshold: Threshold, points: Sequence[Point | None]) -> Verdict:
    """Judge the datapoints of the evaluation range, the earliest first, None where one is missing."""
    ages = {point.at: age for age, point in enumerate(reversed(points), 1) if point is not None}
    real = tuple(point for point in reversed(points) if point is not None)
    if len(real) >= threshold.periods:
        evaluated, filled = real[: threshold.periods], 0
    else:
        evaluated, filled = real, threshold.periods - len(real)
    if _insignificant(threshold, evaluated):
        return Verdict(None, evaluated, filled)
    breaching = [point for point in evaluated if threshold.breached(point)]
    state: AlarmState | None
    if filled and threshold.missing in ("breaching", "notBreaching"):
        count = len(breaching) + (filled if threshold.missing == "breaching" else 0)
        state = AlarmState.ALARM if count >= threshold.to_alarm else AlarmState.OK
    elif len(breaching) >= threshold.to_alarm:
        state = AlarmState.ALARM
    elif not filled or len(breaching) < len(evaluated):
        state = AlarmState.OK
    elif threshold.missing == "ignore":
        state = None
    elif not evaluated:
        state = AlarmState.INSUFFICIENT_DATA
    else:
        # Nothing but breaching and missing datapoints: it takes as long as it would take with all of them.
        old_enough = ages[evaluated[-1].at] >= threshold.to_alarm
        state = AlarmState.ALARM if old_enough else AlarmState.OK
    return Verdict(state, evaluated, filled)


def _insignificant(threshold: Threshold, evaluated: Sequence[Point]) -> bool:
    if threshold.low_samples != "ignore" or not threshold.statistic.startswith("p") or not evaluated:
        return False
    share = float(threshold.statistic[1:]) / 100
    tail = 1 - share if share >= 0.5 else share  # noqa: PLR2004 - the median
    return tail > 0 and min(point.samples for point in evaluated) * tail < _SIGNIFICANT * (1 - 1e-9)


def reason(threshold: Threshold, verdict: Verdict, *, before: str) -> str:
    """Return the reason of a state in the words of CloudWatch."""
    state, count = verdict.state, len(verdict.evaluated)
    if state is AlarmState.INSUFFICIENT_DATA:
        return f"Insufficient Data: {_datapoints(threshold.periods)} {_were(threshold.periods)} unknown."
    if not count:
        treated = threshold.missing[0].upper() + threshold.missing[1:]
        periods = f"{threshold.periods} period{_s(threshold.periods)}"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} and "
            f"{threshold.periods} missing datapoint{_s(threshold.periods)} {_were(threshold.periods)} "
            f"treated as [{treated}]."
        )
    breaching = [point for point in verdict.evaluated if threshold.breached(point)]
    shown = breaching if state is AlarmState.ALARM and breaching else list(verdict.evaluated)
    values = ", ".join(f"{point.value} ({moment_of(point.at):%d/%m/%y %H:%M:%S})" for point in shown)
    negation = "" if state is AlarmState.ALARM else "not "
    treated = f" and {_datapoints(verdict.filled)} {_were(verdict.filled)} missing" if verdict.filled else ""
    return (
        f"Threshold Crossed: {len(shown)} out of the last {count} datapoints [{values}] {_were(len(shown))} "
        f"{negation}{COMPARISONS[threshold.comparison][1]} the threshold ({threshold.value}){treated} "
        f"(minimum {_datapoints(threshold.to_alarm)} for {before} -> {state} transition)."
    )


def reason_data(threshold: Threshold, verdict: Verdict, *, now: datetime) -> str:
    """Return the reason of a state for programs: the JSON that CloudWatch keeps beside the text."""
    evaluated = list(verdict.evaluated)
    data: dict[str, Any] = {"version": "1.0", "queryDate": timestamp(now)}
    if evaluated:
        data["startDate"] = timestamp(moment_of(evaluated[-1].at))
    if threshold.statistic:
        data["statistic"] = threshold.statistic
    data |= {
        "period": threshold.period,
        "recentDatapoints": [point.value for point in reversed(evaluated)],
        "threshold": threshold.value,
        "evaluatedDatapoints": [_document(point) for point in evaluated],
    }
    return json.dumps(data)


def _document(point: Point) -> Mapping[str, Any]:
    return {"timestamp": timestamp(moment_of(point.at)), "sampleCount": point.samples, "value": point.value}


def timestamp(moment: datetime) -> str:
    """Return a time as CloudWatch writes it into events and reasons."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+0000"


def _datapoints(count: int) -> str:
    return f"{count} datapoint{_s(count)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
