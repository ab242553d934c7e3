"""Resampling of the test rows: how far a metric, or the difference of two models, could be chance.

The method is the percentile interval of the nonparametric bootstrap (B. Efron and R. J. Tibshirani, An Introduction to
the Bootstrap, Chapman & Hall 1993, chapters 6, 8 and 13). Rows are drawn with replacement within each class, so that
every resample has all classes (stratified: the two-sample problem of chapter 8; where the label is a number, all rows
are one stratum), and the same draws are used for both models (paired): what is easy or hard about the drawn rows
cancels out of the difference.

A resample is kept as the number of times each row was drawn. Every metric is then a weighted sum, so that all
resamples are computed at once by a few matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from measures import Answers, Measures, Metric, Vector

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a quantity varies over the resamples."""

    standard_deviation: float
    low: float
    high: float


def spread(values: Vector, *, confidence: float) -> Spread:
    """Summarize the resampled `values` by their standard deviation and percentile interval."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Spread(standard_deviation=deviation, low=float(low), high=float(high))


def resample(
    measures: Measures, labels: Vector, models: Sequence[Answers], *, resamples: int, seed: int
) -> list[dict[Metric, Vector]]:
    """Return, for each model's answers, every metric on each of `resamples` draws of the rows."""
    parts = [measures.resampled(labels, answers) for answers in models]
    blocks: list[list[dict[Metric, Vector]]] = [[] for _ in models]
    sizes = [len(rows) for rows in measures.strata(labels)]
    for drawn in draws(sizes, resamples=resamples, seed=seed):
        for found, part in zip(blocks, parts, strict=True):
            found.append(part.metrics(drawn))
    return [{metric: np.concatenate([block[metric] for block in found]) for metric in found[0]} for found in blocks]


def draws(sizes: Sequence[int], *, resamples: int, seed: int) -> Iterator[list[Vector]]:
    """Yield, in blocks that fit in memory, how often each row of each stratum is drawn (resample by row)."""
    random = np.random.default_rng(seed)
    size = max(1, _CELLS_AT_ONCE // sum(sizes))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        yield [_counts(random, count, rows) for rows in sizes]


def _counts(random: np.random.Generator, resamples: int, rows: int) -> Vector:
    drawn = random.integers(0, rows, size=(resamples, rows))
    drawn += np.arange(resamples)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(np.float64)
