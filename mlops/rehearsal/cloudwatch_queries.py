"""Queries of CloudWatch for metric data: metrics and expressions on them, as alarms and GetMetricData write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.rehearsal import cloudwatch_math
from mlops.rehearsal.cloudwatch_metrics import METRICS, STANDARD, Metric, Point, check_statistic

Query = Mapping[str, Any]
"""A MetricDataQuery of the API."""
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


class QueryError(ValueError):
    """Queries that CloudWatch would refuse; the message names everything that is wrong."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a query gives: a value for each period that has data, the earliest first; `period` in seconds."""

    points: tuple[Point, ...]
    period: int


def metric_of(document: Mapping[str, Any], *, account: str, region: str) -> Metric:
    """Return the metric that an API document names by Namespace, MetricName and Dimensions."""
    dimensions = sorted((one["Name"], one["Value"]) for one in document.get("Dimensions") or ())
    return Metric(account, region, document["Namespace"], document["MetricName"], tuple(dimensions))


def of_alarm(specification: Mapping[str, Any]) -> Sequence[Query]:
    """Return the queries of a metric alarm as it was put: its own, or the one of its only metric."""
    if specification.get("Metrics"):
        return list(specification["Metrics"])
    metric = {name: specification[name] for name in ("Namespace", "MetricName", "Dimensions") if name in specification}
    statistic = specification.get("Statistic") or specification.get("ExtendedStatistic")
    unit = {"Unit": specification["Unit"]} if specification.get("Unit") else {}
    stat = {"Metric": metric, "Period": specification["Period"], "Stat": statistic, **unit}
    return [{"Id": "m1", "MetricStat": stat}]


def check(queries: Sequence[Query]) -> None:
    """Refuse queries that CloudWatch refuses.

    Raises:
        QueryError: something is wrong with them.
        NotImplementedError: they are right, but not emulated.

    """
    problems: list[str] = []
    ids = [str(query["Id"]) for query in queries]
    problems += [f"The id {one} is used more than once." for one in sorted({one for one in ids if ids.count(one) > 1})]
    for query in queries:
        name = str(query["Id"])
        if not _ID.fullmatch(name):
            problems.append(f"The id {name} must begin with a lowercase letter and have only letters, digits and _.")
        if ("MetricStat" in query) == ("Expression" in query):
            problems.append(f"The query {name} must have either MetricStat or Expression.")
        elif "MetricStat" in query:
            problems += _problems_of_metric(name, query)
        else:
            problems += _problems_of_expression(name, str(query["Expression"]), ids)
    if not problems:
        problems += [f"The expression {one} refers to itself." for one in _circles(queries)]
    if problems:
        raise QueryError(" ".join(problems))
    _check_periods(queries)


def _check_periods(queries: Sequence[Query]) -> None:
    lengths = periods(queries)
    for query in queries:
        if "Expression" not in query:
            continue
        name, used = str(query["Id"]), cloudwatch_math.names(query["Expression"])
        others = sorted(one for one in used if lengths[one] != lengths[name])
        if others:
            msg = f"expression {name} has a period of {lengths[name]} s, but {others[0]} of {lengths[others[0]]} s"
            raise NotImplementedError(msg)


def _problems_of_metric(name: str, query: Query) -> list[str]:
    if query.get("AccountId"):
        msg = f"the query {name} reads metrics of account {query['AccountId']}: cross-account metrics"
        raise NotImplementedError(msg)
    stat = query["MetricStat"]
    problems = []
    try:
        check_statistic(stat["Stat"])
    except ValueError as error:
        problems.append(f"The query {name}: {error}.")
    if not valid_period(int(stat["Period"])):
        problems.append(f"The period {stat['Period']} of {name} must be 1, 5, 10, 20, 30 or a multiple of 60.")
    return problems


def _problems_of_expression(name: str, expression: str, ids: Sequence[str]) -> list[str]:
    if expression.lstrip().upper().startswith("SELECT"):
        msg = f"the query {name} is a query of Metrics Insights"
        raise NotImplementedError(msg)
    try:
        unknown = sorted(cloudwatch_math.names(expression) - set(ids))
    except cloudwatch_math.ExpressionError as error:
        return [str(error)]
    return [f"The expression {name} refers to {one}, which no query has as its id." for one in unknown]


def valid_period(seconds: int) -> bool:
    """Whether CloudWatch knows periods of so many seconds."""
    return seconds in (1, 5, 10, 20, 30) or (seconds > 0 and seconds % STANDARD == 0)


def _circles(queries: Sequence[Query]) -> list[str]:
    uses = {str(one["Id"]): cloudwatch_math.names(one["Expression"]) for one in queries if "Expression" in one}

    def reachable(name: str) -> set[str]:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            new = uses.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    return [name for name in uses if name in reachable(name)]


def periods(queries: Sequence[Query]) -> dict[str, int]:
    """Return the period of every query in seconds; that of an expression is the longest of what it uses."""
    longest = max([int(one["MetricStat"]["Period"]) for one in queries if "MetricStat" in one], default=STANDARD)
    return {
        str(one["Id"]): int(one["MetricStat"]["Period"] if "MetricStat" in one else one.get("Period") or longest)
        for one in queries
    }


def answer(queries: Sequence[Query], *, account: str, region: str, start: int, end: int) -> dict[str, Found]:
    """Return what each query gives for the periods from `start` to before `end`, in seconds since 1970.

    Raises:
        ExpressionError: an expression gives what CloudWatch refuses.

    """
    by_id, lengths = {str(one["Id"]): one for one in queries}, periods(queries)
    found: dict[str, Found] = {}

    def points(name: str) -> Found:
        if name not in found:
            query, period = by_id[name], lengths[name]
            times = range(start, end, period)
            if "MetricStat" in query:
                stat = query["MetricStat"]
                metric = metric_of(stat["Metric"], account=account, region=region)
                values = METRICS.points(metric, stat["Stat"], starts=times, period=period, unit=stat.get("Unit"))
                found[name] = Found(tuple(values), period)
            else:
                found[name] = Found(tuple(_expressed(query, times, period)), period)
        return found[name]

    def _expressed(query: Query, times: range, period: int) -> list[Point]:
        samples: dict[int, float] = {}

        def series(name: str) -> dict[int, float]:
            used = points(name)
            for point in used.points:
                samples[point.at] = min(samples.get(point.at, point.samples), point.samples)
            return {point.at: point.value for point in used.points}

        metrics = [name for name, one in by_id.items() if "MetricStat" in one]
        context = cloudwatch_math.Context(times, period, series, metrics)
        values = cloudwatch_math.evaluate(query["Expression"], context)
        return [Point(at, value, samples.get(at, 0.0)) for at, value in sorted(values.items())]

    for name in by_id:
        points(name)
    return found
