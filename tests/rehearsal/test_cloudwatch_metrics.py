from __future__ import annotations

import math
import statistics
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rehearsal.cloudwatch_metrics import HIGH, Metric, Metrics, StatisticSet

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
METRIC = Metric("1", "eu-west-1", "N", "Latency", (("a", "1"), ("b", "2")))
VALUES = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=60)


def put(metrics: Metrics, value: float, *, at: datetime = NOON, name: str = "Latency", unit: str = "None") -> None:
    metrics.put("1", "eu-west-1", "N", name, {"b": "2", "a": "1"}, value, unit=unit, at=at)


def get(metrics: Metrics, statistic: str, *, minutes: int = 1, unit: str | None = None) -> float | None:
    dimensions = {"a": "1", "b": "2"}
    end = NOON + timedelta(minutes=minutes)
    return metrics.statistic("1", "eu-west-1", "N", "Latency", dimensions, statistic, start=NOON, end=end, unit=unit)


@given(VALUES, st.integers(1, 100))
def test_statistics_are_those_of_the_values(values: list[float], percent: int) -> None:
    metrics = Metrics()
    for value in values:
        put(metrics, value)
    ordered = sorted(values)
    assert get(metrics, "SampleCount") == len(values)
    assert get(metrics, "Sum") == sum(values)
    assert get(metrics, "Average") == pytest.approx(statistics.fmean(values))
    assert get(metrics, "Minimum") == ordered[0]
    assert get(metrics, "Maximum") == ordered[-1]
    rank = math.ceil(round(percent * len(values) / 100, 9))
    assert get(metrics, f"p{percent}") == ordered[max(rank, 1) - 1]
    assert get(metrics, "tm100") == pytest.approx(statistics.fmean(values))


def test_a_percentile_is_exact_where_floating_point_is_not() -> None:
    metrics = Metrics()
    for value in range(1, 51):
        put(metrics, float(value))
    assert get(metrics, "p14") == 7.0


def test_a_trimmed_mean_leaves_the_largest_out() -> None:
    metrics = Metrics()
    for value in (*range(1, 10), 1000):
        put(metrics, float(value))
    assert get(metrics, "tm90") == 5.0
    assert get(metrics, "tm99") == pytest.approx((45 + 0.9 * 1000) / 9.9)


@given(st.lists(st.tuples(st.integers(0, 599), st.integers(0, 9).map(float)), max_size=60), st.sampled_from([60, 180]))
def test_every_value_is_in_the_period_of_its_minute(data: list[tuple[int, float]], period: int) -> None:
    metrics = Metrics()
    for second, value in data:
        put(metrics, value, at=NOON + timedelta(seconds=second))
    begin = int(NOON.timestamp())
    points = metrics.points(METRIC, "Sum", starts=range(begin, begin + 600, period), period=period)
    sums: dict[int, float] = {}
    for second, value in data:
        sums[begin + second - second % period] = sums.get(begin + second - second % period, 0.0) + value
    assert {point.at: point.value for point in points} == sums


def test_without_data_there_is_no_value() -> None:
    metrics = Metrics()
    put(metrics, 1.0, name="Another")
    metrics.put("2", "eu-west-1", "N", "Latency", {"a": "1", "b": "2"}, 1.0, at=NOON)
    metrics.put("1", "eu-west-1", "N", "Latency", {"a": "1"}, 1.0, at=NOON)
    assert get(metrics, "Sum") is None
    assert [metric.account for metric in metrics.known("1", "eu-west-1")] == ["1", "1"]
    metrics.reset()
    assert metrics.known("1", "eu-west-1") == []


def test_units_are_kept_apart() -> None:
    metrics = Metrics()
    put(metrics, 1.0, unit="Seconds")
    put(metrics, 5.0, unit="Milliseconds")
    assert get(metrics, "Sum") == 6.0
    assert get(metrics, "Sum", unit="Milliseconds") == 5.0
    assert get(metrics, "Sum", unit="Count") is None
    assert metrics.unit(METRIC) == "Seconds"


def test_a_metric_of_high_resolution_is_kept_by_the_second() -> None:
    metrics, begin = Metrics(), int(NOON.timestamp())
    for second in (3, 14, 15):
        metrics.record(METRIC, {1.0: 2.0}, at=NOON + timedelta(seconds=second), resolution=HIGH)
    points = metrics.points(METRIC, "Sum", starts=range(begin, begin + 60, 10), period=10)
    assert [(point.at - begin, point.value, point.samples) for point in points] == [(0, 2.0, 2.0), (10, 4.0, 4.0)]


def test_statistic_sets_add_to_everything_but_percentiles() -> None:
    metrics = Metrics()
    put(metrics, 1.0)
    metrics.record(METRIC, {}, sets=[StatisticSet(4, 20, 2, 9)], at=NOON)
    found = {name: get(metrics, name) for name in ("SampleCount", "Sum", "Average", "Minimum", "Maximum", "p50")}
    assert found == {"SampleCount": 5, "Sum": 21, "Average": 4.2, "Minimum": 1, "Maximum": 9, "p50": None}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="N/Latency: the value must be finite"):
        put(Metrics(), value)


@pytest.mark.parametrize("statistic", ["Median", "p101", "p", "TM(1%:99%)"])
def test_an_unknown_statistic_is_refused(statistic: str) -> None:
    with pytest.raises(ValueError, match=r"give one of SampleCount, Average"):
        get(Metrics(), statistic)


def test_threads_lose_nothing() -> None:
    metrics = Metrics()

    def many() -> None:
        for number in range(2000):
            put(metrics, float(number % 7), at=NOON + timedelta(seconds=number % 120))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get(metrics, "SampleCount", minutes=2) == 8000
