"""Resampling of the test rows: how far a metric, or the difference of two models, could be chance.

The method is the percentile interval of the nonparametric bootstrap (B. Efron and R. J. Tibshirani, An Introduction to
the Bootstrap, Chapman & Hall 1993, chapters 6, 8 and 13). Rows are drawn with replacement within each class, so that
every resample has both classes (stratified: the two-sample problem of chapter 8), and the same draws are used for both
models (paired): what is easy or hard about the drawn rows cancels out of the difference.

A resample is kept as the number of times each row was drawn. Every metric is then a weighted sum, so that all
resamples are computed at once by a few matrix products; the area under the curve is the weighted Mann-Whitney count.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Vector = npt.NDArray[np.float64]

THRESHOLD = 0.5
_CELLS_AT_ONCE = 4_000_000


class Metric(StrEnum):
    """A metric of the evaluation report."""

    AUC = "auc"
    F1 = "f1"
    ACCURACY = "accuracy"
    LOG_LOSS = "log_loss"

    @property
    def lower_is_better(self) -> bool:
        """Whether a better model has the lower value."""
        return self is Metric.LOG_LOSS


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
    labels: npt.NDArray[np.int64], models: Sequence[Vector], *, resamples: int, seed: int
) -> list[dict[Metric, Vector]]:
    """Return, for each model's probabilities, every metric on each of `resamples` draws of the rows."""
    positive, negative = labels == 1, labels == 0
    parts = [_Parts.of(scores[positive], scores[negative]) for scores in models]
    values = [{metric: np.empty(resamples) for metric in Metric} for _ in models]
    at = 0
    for drawn in draws(int(positive.sum()), int(negative.sum()), resamples=resamples, seed=seed):
        block = slice(at, at + len(drawn[0]))
        for each, part in zip(values, parts, strict=True):
            for metric, found in part.metrics(*drawn).items():
                each[metric][block] = found
        at = block.stop
    return values


def draws(positive: int, negative: int, *, resamples: int, seed: int) -> Iterator[tuple[Vector, Vector]]:
    """Yield, in blocks that fit in memory, how often each positive and each negative row is drawn."""
    random = np.random.default_rng(seed)
    size = max(1, _CELLS_AT_ONCE // (positive + negative))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        yield _counts(random, count, positive), _counts(random, count, negative)


def _counts(random: np.random.Generator, resamples: int, rows: int) -> Vector:
    drawn = random.integers(0, rows, size=(resamples, rows))
    drawn += np.arange(resamples)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What one model contributes to the metrics, row by row."""

    hits: Vector
    """1 for each positive row that is found."""
    alarms: Vector
    """1 for each negative row that is taken for positive."""
    positive_loss: Vector
    negative_loss: Vector
    order: npt.NDArray[np.int64]
    """The negative rows by rising score."""
    below: npt.NDArray[np.int64]
    """For each positive row, how many negative rows score less."""
    upto: npt.NDArray[np.int64]
    """For each positive row, how many negative rows score less or the same."""

    @classmethod
    def of(cls, positive: Vector, negative: Vector) -> _Parts:
        order = np.argsort(negative, kind="stable")
        rising = negative[order]
        tiny = np.finfo(np.float64).eps
        return cls(
            hits=(positive > THRESHOLD).astype(np.float64),
            alarms=(negative > THRESHOLD).astype(np.float64),
            positive_loss=-np.log(np.clip(positive, tiny, 1 - tiny)),
            negative_loss=-np.log(1 - np.clip(negative, tiny, 1 - tiny)),
            order=order,
            below=np.searchsorted(rising, positive, side="left"),
            upto=np.searchsorted(rising, positive, side="right"),
        )

    def metrics(self, positive: Vector, negative: Vector) -> dict[Metric, Vector]:
        """Return each metric for all resamples, given how often each row was drawn (resample by row)."""
        positives, negatives = positive.shape[1], negative.shape[1]
        found, loss = positive @ self.hits, positive @ self.positive_loss + negative @ self.negative_loss
        alarms = negative @ self.alarms
        running = np.zeros((len(negative), negatives + 1))
        np.cumsum(negative[:, self.order], axis=1, out=running[:, 1:])
        ranked_below = (running[:, self.below] + running[:, self.upto]) / 2
        return {
            Metric.AUC: np.einsum("ij,ij->i", positive, ranked_below) / (positives * negatives),
            Metric.F1: 2 * found / (found + alarms + positives),
            Metric.ACCURACY: (found + negatives - alarms) / (positives + negatives),
            Metric.LOG_LOSS: loss / (positives + negatives),
        }
