"""The calls of CloudWatch's API that are about metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from mlops.rehearsal import cloudwatch_queries
from mlops.rehearsal.cloudwatch_metrics import (
    METRICS,
    SIMPLE_STATISTICS,
    STANDARD,
    Metric,
    StatisticSet,
    check_statistic,
    moment_of,
)  # fmt: skip
from mlops.rehearsal.cloudwatch_time import aware, on_the_clock, shift_of_range

_MOST_DATAPOINTS = 1440
_PAGE = 500


def _put_metric_data(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    from moto.cloudwatch.exceptions import InvalidParameterValue  # noqa: PLC0415 - moto is imported late

    data = request.get("MetricData") or []
    for number, one in enumerate(data, 1):
        backend._validate_parameters_put_metric_data(one, number)  # noqa: SLF001 - moto's own check
    for one in data:
        metric = cloudwatch_queries.metric_of(
            {**one, "Namespace": request["Namespace"]}, account=backend.account_id, region=backend.region_name
        )
        try:
            METRICS.record(
                metric,
                _values(one),
                sets=_sets(one),
                unit=one.get("Unit") or "None",
                at=on_the_clock(one["Timestamp"]) if one.get("Timestamp") else None,
                resolution=int(one.get("StorageResolution") or STANDARD),
            )
        except ValueError as error:
            raise InvalidParameterValue(str(error)) from error
    return {}


def _values(datum: Mapping[str, Any]) -> dict[float, float]:
    if datum.get("StatisticValues"):
        return {}
    given = datum.get("Values") or [datum.get("Value", 0.0)]
    counts = datum.get("Counts") or [1.0] * len(given)
    values: dict[float, float] = {}
    for value, count in zip(given, counts, strict=True):
        values[float(value)] = values.get(float(value), 0.0) + float(count)
    return values


def _sets(datum: Mapping[str, Any]) -> list[StatisticSet]:
    given = datum.get("StatisticValues")
    if not given:
        return []
    return [StatisticSet(*(float(given[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")))]


def _get_metric_data(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    queries = request["MetricDataQueries"]
    cloudwatch_queries.check(queries)
    start, end, moved = _range(request)
    shortest = min(cloudwatch_queries.periods(queries).values())
    found = cloudwatch_queries.answer(
        queries,
        account=backend.account_id,
        region=backend.region_name,
        start=_rounded(start, shortest),
        end=int(end.timestamp()),
    )
    results = []
    for query in queries:
        if not query.get("ReturnData", True):
            continue
        points = list(found[query["Id"]].points)
        if request.get("ScanBy") != "TimestampAscending":
            points.reverse()
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or _label(query),
                "Timestamps": [moment_of(point.at) - moved for point in points],
                "Values": [point.value for point in points],
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results, "Messages": []}


def _label(query: Mapping[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"])


def _range(request: Mapping[str, Any]) -> tuple[datetime, datetime, timedelta]:
    """Return the beginning and the end of what is asked for on the emulated clock, and how far both were moved."""
    start, end = aware(request["StartTime"]), aware(request["EndTime"])
    if start >= end:
        msg = "The parameter StartTime must be less than the parameter EndTime."
        raise ValueError(msg)
    moved = shift_of_range(end)
    return start + moved, end + moved, moved


def _rounded(start: datetime, period: int) -> int:
    seconds = int(start.timestamp())
    return seconds - seconds % (min(STANDARD, period))


def _get_metric_statistics(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    from moto.cloudwatch.exceptions import InvalidParameterCombination  # noqa: PLC0415 - moto is imported late

    statistics, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
    if bool(statistics) == bool(extended):
        message = "Must specify either Statistics or ExtendedStatistics"
        raise InvalidParameterCombination(message)
    for statistic in extended:
        check_statistic(statistic)
    period = int(request["Period"])
    if not cloudwatch_queries.valid_period(period):
        msg = f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, got {period}."
        raise ValueError(msg)
    start, end, moved = _range(request)
    times = range(_rounded(start, period), int(end.timestamp()), period)
    if len(times) > _MOST_DATAPOINTS:
        message = (
            f"You have requested up to {len(times):,} datapoints, which exceeds the limit of {_MOST_DATAPOINTS:,}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
        raise InvalidParameterCombination(message)
    metric = cloudwatch_queries.metric_of(request, account=backend.account_id, region=backend.region_name)
    unit = request.get("Unit")
    datapoints: dict[int, dict[str, Any]] = {}
    for statistic in (*statistics, *extended):
        for point in METRICS.points(metric, statistic, starts=times, period=period, unit=unit):
            shown = datapoints.setdefault(point.at, {"Unit": unit or METRICS.unit(metric)})
            target = shown if statistic in SIMPLE_STATISTICS else shown.setdefault("ExtendedStatistics", {})
            target[statistic] = point.value
    shown_points = [{"Timestamp": moment_of(at) - moved, **shown} for at, shown in sorted(datapoints.items())]
    return {"Label": request["MetricName"], "Datapoints": shown_points}


def _list_metrics(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    found = [one for one in METRICS.known(backend.account_id, backend.region_name) if _wanted(one, request)]
    begin = int(request.get("NextToken") or 0)
    page = [
        {
            "Namespace": one.namespace,
            "MetricName": one.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in one.dimensions],
        }
        for one in found[begin : begin + _PAGE]
    ]
    more = {"NextToken": str(begin + _PAGE)} if begin + _PAGE < len(found) else {}
    return {"Metrics": page, **more}


def _wanted(metric: Metric, request: Mapping[str, Any]) -> bool:
    dimensions = dict(metric.dimensions)
    return (
        request.get("Namespace") in (None, metric.namespace)
        and request.get("MetricName") in (None, metric.name)
        and all(
            one["Name"] in dimensions and one.get("Value") in (None, dimensions[one["Name"]])
            for one in request.get("Dimensions") or ()
        )
    )


HANDLERS: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "put_metric_data": _put_metric_data,
    "get_metric_data": _get_metric_data,
    "get_metric_statistics": _get_metric_statistics,
    "list_metrics": _list_metrics,
}
