"""The metrics of the emulated CloudWatch: what was measured, when, and the statistics of it.

As CloudWatch does, it keeps what was measured by the minute, or by the second for metrics of high resolution. Of each
minute every value is kept, so that percentiles are exact; CloudWatch's own are approximations.
"""

from __future__ import annotations

import math
import re
import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from mlops.rehearsal.clock import CLOCK

STANDARD, HIGH = 60, 1
"""The resolutions of metrics, in seconds."""
SIMPLE_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_TINY = 1e-9  # 14 % of 50 is a little more than 7 in floating point
_EXTENDED = re.compile(r"(?P<kind>p|tm)(?P<percent>\d{1,3}(?:\.\d{1,10})?)")

Dimensions = tuple[tuple[str, str], ...]


class Metric(NamedTuple):
    """What identifies a metric; dimensions are part of it, in the order of their names."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions = ()


@dataclass(frozen=True, slots=True)
class StatisticSet:
    """Several values of which only this much is known."""

    count: float
    total: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a statistic, for the period that begins `at` (seconds since 1970), from so many samples."""

    at: int
    value: float
    samples: float


@dataclass(slots=True)
class _Bucket:
    """What was measured in one minute, or second: each value with its number, and what all of them give."""

    values: dict[float, float] = field(default_factory=dict)
    sets: list[StatisticSet] = field(default_factory=list)
    count: float = 0.0
    total: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf

    def add(self, count: float, total: float, minimum: float, maximum: float) -> None:
        self.count += count
        self.total += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)


@dataclass(slots=True)
class _Series:
    """The values of a metric in one unit; `starts` are the keys of `buckets`, in order."""

    buckets: dict[int, _Bucket] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)

    def at(self, start: int) -> _Bucket:
        bucket = self.buckets.get(start)
        if bucket is None:
            bucket = self.buckets[start] = _Bucket()
            if not self.starts or start > self.starts[-1]:
                self.starts.append(start)
            else:
                insort(self.starts, start)
        return bucket

    def between(self, start: int, end: int) -> Iterator[_Bucket]:
        for position in range(bisect_left(self.starts, start), bisect_left(self.starts, end)):
            yield self.buckets[self.starts[position]]


def check_statistic(statistic: str) -> None:
    """Raise ValueError for a statistic that is not known here."""
    found = _EXTENDED.fullmatch(statistic)
    if statistic not in SIMPLE_STATISTICS and (found is None or float(found["percent"]) > 100):  # noqa: PLR2004 - per cent
        msg = f"statistic {statistic!r}: give one of {', '.join(SIMPLE_STATISTICS)}, p0 to p100, tm0 to tm100"
        raise ValueError(msg)


class Metrics:
    """Every datapoint of the emulated accounts; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[Metric, dict[str, _Series]] = {}

    def put(  # noqa: PLR0917 - what identifies a metric, from the outside to the inside
        self,
        account: str,
        region: str,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        value: float,
        *,
        unit: str = "None",
        at: datetime | None = None,
    ) -> None:
        """Record one value, now on the emulated clock unless `at` says when.

        Raises:
            ValueError: the value is not finite.

        """
        metric = Metric(account, region, namespace, name, tuple(sorted(dimensions.items())))
        self.record(metric, {value: 1.0}, unit=unit, at=at)

    def record(
        self,
        metric: Metric,
        values: Mapping[float, float],
        *,
        sets: Iterable[StatisticSet] = (),
        unit: str = "None",
        at: datetime | None = None,
        resolution: int = STANDARD,
    ) -> None:
        """Record `values`, each so many times, and statistic sets; now on the emulated clock unless `at` says when.

        Raises:
            ValueError: a value is not finite.

        """
        for value in values:
            if not math.isfinite(value):
                msg = f"metric {metric.namespace}/{metric.name}: the value must be finite, got {value}"
                raise ValueError(msg)
        moment = int(CLOCK.timestamp() if at is None else at.timestamp())
        with self._lock:
            by_unit = self._series.get(metric)
            if by_unit is None:
                by_unit = self._series[metric] = {}
            series = by_unit.get(unit)
            if series is None:
                series = by_unit[unit] = _Series()
            bucket = series.at(moment - moment % resolution)
            for value, count in values.items():
                bucket.values[value] = bucket.values.get(value, 0.0) + count
                bucket.add(count, value * count, value, value)
            for one in sets:
                bucket.sets.append(one)
                bucket.add(one.count, one.total, one.minimum, one.maximum)

    def statistic(  # noqa: PLR0917 - as above
        self,
        account: str,
        region: str,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        statistic: str,
        *,
        start: datetime,
        end: datetime,
        unit: str | None = None,
    ) -> float | None:
        """Return one statistic of what was measured from `start` to before `end`, None without any data.

        Both are times of the emulated clock; what counts is the beginning of the minute in which something was
        measured. Statistics are Sum, Average, Minimum, Maximum, SampleCount, pNN, and tmNN (the mean of the smallest
        NN per cent).

        Raises:
            ValueError: the statistic is not known.

        """
        metric = Metric(account, region, namespace, name, tuple(sorted(dimensions.items())))
        begin, finish = int(start.timestamp()), math.ceil(end.timestamp())
        found = self.points(metric, statistic, starts=[begin], period=max(finish - begin, 1), unit=unit)
        return found[0].value if found else None

    def points(
        self, metric: Metric, statistic: str, *, starts: Sequence[int], period: int, unit: str | None = None
    ) -> list[Point]:
        """Return a statistic for the periods that begin at `starts` (seconds since 1970) and have data.

        Raises:
            ValueError: the statistic is not known.

        """
        check_statistic(statistic)
        with self._lock:
            by_unit = self._series.get(metric, {})
            chosen = list(by_unit.values()) if unit is None else [by_unit[unit]] if unit in by_unit else []
            whole = statistic not in SIMPLE_STATISTICS
            merged = [
                _merge((one for series in chosen for one in series.between(at, at + period)), whole=whole)
                for at in starts
            ]
        computed = ((at, _compute(bucket, statistic), bucket.count) for at, bucket in zip(starts, merged, strict=True))
        return [Point(at, found, count) for at, found, count in computed if found is not None]

    def known(self, account: str, region: str) -> list[Metric]:
        """Return every metric of an account and region that has data, in order."""
        with self._lock:
            return sorted(metric for metric in self._series if (metric.account, metric.region) == (account, region))

    def unit(self, metric: Metric) -> str:
        """Return the unit in which a metric was measured first."""
        with self._lock:
            return next(iter(self._series.get(metric, {})), "None")

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._series.clear()


def _merge(buckets: Iterable[_Bucket], *, whole: bool) -> _Bucket:
    """Return several buckets as one; with each value only where the `whole` of them is needed."""
    merged = _Bucket()
    for bucket in buckets:
        merged.add(bucket.count, bucket.total, bucket.minimum, bucket.maximum)
        if whole:
            for value, count in bucket.values.items():
                merged.values[value] = merged.values.get(value, 0.0) + count
            merged.sets.extend(bucket.sets)
    return merged


def _compute(bucket: _Bucket, statistic: str) -> float | None:
    """Return the statistic, None where it cannot be told."""
    if bucket.count <= 0:
        return None
    if statistic not in SIMPLE_STATISTICS:
        return _extended(bucket, statistic)
    return {
        "SampleCount": bucket.count,
        "Sum": bucket.total,
        "Average": bucket.total / bucket.count,
        "Minimum": bucket.minimum,
        "Maximum": bucket.maximum,
    }[statistic]


def _extended(bucket: _Bucket, statistic: str) -> float | None:
    # Of a statistic set CloudWatch knows percentiles only where all of its values are the same.
    values = dict(bucket.values)
    for one in bucket.sets:
        if one.minimum != one.maximum:
            return None
        values[one.minimum] = values.get(one.minimum, 0.0) + one.count
    found = _EXTENDED.fullmatch(statistic)
    share = float(found["percent"]) / 100 if found else 0.0
    ordered, samples = sorted(values.items()), sum(values.values())
    if found is not None and found["kind"] == "tm":
        return _trimmed_mean(ordered, share * samples)
    seen = 0.0
    for value, count in ordered:
        seen += count
        if seen >= share * samples - _TINY:
            return value
    return ordered[-1][0]


def _trimmed_mean(ordered: Sequence[tuple[float, float]], kept: float) -> float:
    total, left = 0.0, kept
    for value, count in ordered:
        taken = min(count, left)
        total, left = total + value * taken, left - taken
    return total / kept if kept > 0 else ordered[0][0]


def moment_of(at: int) -> datetime:
    """Return seconds since 1970 as a time."""
    return datetime.fromtimestamp(at, UTC)


METRICS = Metrics()
"""The metrics of this process: one emulated AWS at a time."""
