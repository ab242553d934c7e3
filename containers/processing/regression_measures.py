"""The measures of a model that answers a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from measures import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measures import Answers, Indices, Vector

BINS = 20
SHOWN_PAIRS = 200
_DIGITS = 1e-14
"""Labels that differ by less, in relation to the largest one, are the same number after rounding."""


class RegressionMeasures:
    """Root of the mean squared error, mean absolute error, and the share of the variance that is explained."""

    group = "regression_metrics"
    header = "row,label,prediction"

    def check_labels(self, labels: Vector) -> str | None:
        """Return what is wrong with the labels of the test rows."""
        if not np.all(np.isfinite(labels)):
            return "must be numbers"
        return None if labels.min() < labels.max() else "must differ: at least two values"

    def strata(self, labels: Vector) -> list[Indices]:
        """Return all rows as one stratum."""
        return [np.arange(len(labels))]

    def values(self, labels: Vector, answers: Answers) -> dict[Metric, float]:
        """Return the metrics of the answers."""
        from sklearn import metrics  # noqa: PLC0415 - takes long, and the checks of the inputs come first

        return {
            Metric.RMSE: float(np.sqrt(metrics.mean_squared_error(labels, answers))),
            Metric.MAE: metrics.mean_absolute_error(labels, answers),
            Metric.R2: metrics.r2_score(labels, answers),
        }

    def resampled(self, labels: Vector, answers: Answers) -> _Parts:
        """Prepare the answers for the computation of many resamples."""
        return _Parts(labels, answers)

    def charts(self, labels: Vector, answers: Answers) -> dict[str, Any]:
        """Return how the residuals (label minus answer) spread, and pairs of label and answer."""
        counts, edges = np.histogram(labels - answers, bins=BINS)
        kept = np.unique(np.linspace(0, len(labels) - 1, SHOWN_PAIRS).astype(np.int64))
        return {
            "residuals": {"edges": edges.tolist(), "counts": counts.tolist()},
            "actual_predicted": np.column_stack([labels[kept], answers[kept]]).tolist(),
        }


class _Parts:
    """What one model contributes to the metrics, row by row."""

    def __init__(self, labels: Vector, answers: Answers) -> None:
        self._label = labels
        self._digits = _DIGITS * np.abs(labels).max()
        self._error = np.abs(labels - answers)

    def metrics(self, drawn: Sequence[Vector]) -> dict[Metric, Vector]:
        (counts,) = drawn
        rows = counts.shape[1]
        squared = counts @ self._error**2
        # Around the mean of each resample: a difference of large sums would drown small variation in their digits.
        deviation = self._label - (counts @ self._label / rows)[:, None]
        variation = np.einsum("ij,ij->i", counts, deviation**2)
        # Without variation among the drawn labels, scikit-learn calls right answers 1 and all others 0.
        flat = variation <= rows * self._digits**2
        unexplained = np.divide(squared, variation, out=(squared > 0).astype(np.float64), where=~flat)
        return {
            Metric.RMSE: np.sqrt(squared / rows),
            Metric.MAE: counts @ self._error / rows,
            Metric.R2: 1 - unexplained,
        }
