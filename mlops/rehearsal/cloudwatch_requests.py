"""What CloudWatch refuses of an alarm when it is put; all of it at once.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mlops.rehearsal import cloudwatch_queries, cloudwatch_rules
from mlops.rehearsal.cloudwatch_metrics import SIMPLE_STATISTICS, check_statistic
from mlops.rehearsal.cloudwatch_verdicts import COMPARISONS, MISSING_DATA

_HOUR, _DAY, _WEEK = 3600, 86_400, 604_800
_OF_ONE_METRIC = ("Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_NOT_EMULATED = (
    "WarmUpConfiguration", "EvaluationCriteria", "EvaluationInterval", "ActionConfiguration", "ActionsSuppressor",
)  # fmt: skip
_ANOMALY = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")


class RefusedAlarmError(ValueError):
    """An alarm that CloudWatch would refuse."""


def check_alarm(request: Mapping[str, Any]) -> None:
    """Refuse an alarm that CloudWatch refuses.

    Raises:
        RefusedAlarmError: it is wrong; the message has everything that is.
        NotImplementedError: it is right, but not emulated.

    """
    unknown = [name for name in _NOT_EMULATED if request.get(name) is not None]
    if "WallClockWindow" in (request.get("EvaluationWindow") or {}):
        unknown.append("WallClockWindow")
    if unknown:
        msg = f"alarm {request['AlarmName']}: {', '.join(unknown)}"
        raise NotImplementedError(msg)
    problems = list(_problems_of_rule(request["AlarmRule"]) if request.get("AlarmRule") else _problems(request))
    if problems:
        raise RefusedAlarmError(" ".join(problems))


def is_json(text: str) -> bool:
    """Whether a text is a JSON document."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _problems_of_rule(rule: str) -> Iterator[str]:
    try:
        cloudwatch_rules.children(rule)
    except cloudwatch_rules.RuleError as error:
        yield f"{error}."


def _problems(request: Mapping[str, Any]) -> Iterator[str]:
    periods = request.get("EvaluationPeriods")
    if not periods:
        yield "The parameter EvaluationPeriods is required."
        return
    to_alarm = request.get("DatapointsToAlarm")
    if to_alarm is not None and to_alarm > periods:
        yield f"DatapointsToAlarm ({to_alarm}) must not be greater than EvaluationPeriods ({periods})."
    yield from _problems_of_threshold(request)
    missing = request.get("TreatMissingData")
    if missing not in (None, *MISSING_DATA):
        yield f"TreatMissingData {missing!r} is not valid: give one of {', '.join(MISSING_DATA)}."
    low = request.get("EvaluateLowSampleCountPercentile")
    if low not in (None, "evaluate", "ignore"):
        yield f"Option {low} is not supported. Supported options are evaluate and ignore."
    yield from _problems_of_queries(request) if request.get("Metrics") else _problems_of_metric(request)
    for seconds in _periods(request):
        limit = _DAY if seconds < _HOUR else _WEEK
        if seconds * periods > limit:
            days = f"{limit // _DAY} day{'' if limit == _DAY else 's'}"
            yield f"Metrics cannot be checked across more than {days} (EvaluationPeriods * Period must be <= {limit})."


def _periods(request: Mapping[str, Any]) -> set[int]:
    if not request.get("Metrics"):
        return {int(request["Period"])} if request.get("Period") else set()
    return {int(one["MetricStat"]["Period"]) for one in request["Metrics"] if "MetricStat" in one}


def _problems_of_threshold(request: Mapping[str, Any]) -> Iterator[str]:
    comparison = request.get("ComparisonOperator")
    if comparison in _ANOMALY:
        if not request.get("ThresholdMetricId"):
            yield f"ComparisonOperator {comparison} needs ThresholdMetricId."
        return
    if comparison not in COMPARISONS:
        yield f"ComparisonOperator {comparison!r} is not valid: give one of {', '.join(COMPARISONS)}."
    if request.get("Threshold") is None:
        yield "The parameter Threshold is required for alarms on a static threshold."


def _problems_of_metric(request: Mapping[str, Any]) -> Iterator[str]:
    for name in ("Namespace", "MetricName", "Period"):
        if request.get(name) is None:
            yield f"The parameter {name} is required."
    period = request.get("Period")
    if period is not None and period not in (10, 20, 30) and (period <= 0 or period % 60):
        yield f"The period {period} must be 10, 20, 30 or a multiple of 60."
    statistic, extended = request.get("Statistic"), request.get("ExtendedStatistic")
    if (statistic is None) == (extended is None):
        yield "Either Statistic or ExtendedStatistic must be given."
    elif statistic is not None and statistic not in SIMPLE_STATISTICS:
        yield f"Statistic {statistic!r} is not valid: give one of {', '.join(SIMPLE_STATISTICS)}."
    elif extended is not None:
        try:
            check_statistic(extended)
        except ValueError as error:
            yield f"{error}."


def _problems_of_queries(request: Mapping[str, Any]) -> Iterator[str]:
    both = [name for name in _OF_ONE_METRIC if request.get(name)]
    if both:
        yield f"With Metrics, {', '.join(both)} must not be given."
    queries = request["Metrics"]
    returned = [one["Id"] for one in queries if one.get("ReturnData", True)]
    if request.get("ThresholdMetricId"):
        return  # one of the expressions is a band, which is not evaluated
    if len(returned) != 1:
        yield f"Exactly one element of Metrics must have ReturnData true, got {len(returned)}."
    try:
        cloudwatch_queries.check(queries)
    except cloudwatch_queries.QueryError as error:
        yield str(error)
