"""The measures of a model of two classes, which answers the probability of the second one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from measures import SMALLEST, Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measures import Answers, Indices, Vector

THRESHOLD = 0.5
CURVE_POINTS = 101


class BinaryMeasures:
    """Area under the curve, f1, accuracy and log loss."""

    group = "binary_classification_metrics"
    header = "row,label,probability"

    def check_labels(self, labels: Vector) -> str | None:
        """Return what is wrong with the labels of the test rows."""
        both = set(labels.tolist()) == {0.0, 1.0}
        return None if both else "must be 0 and 1, with at least one row of each"

    def strata(self, labels: Vector) -> list[Indices]:
        """Return the rows of the positive class and those of the negative one."""
        return [np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)]

    def values(self, labels: Vector, answers: Answers) -> dict[Metric, float]:
        """Return the metrics of the answers."""
        from sklearn import metrics  # noqa: PLC0415 - takes long, and the checks of the inputs come first

        said, true = (answers > THRESHOLD).astype(np.int64), labels.astype(np.int64)
        return {
            Metric.AUC: metrics.roc_auc_score(true, answers),
            Metric.F1: metrics.f1_score(true, said, zero_division=0),
            Metric.ACCURACY: metrics.accuracy_score(true, said),
            Metric.LOG_LOSS: metrics.log_loss(true, answers, labels=[0, 1]),
        }

    def resampled(self, labels: Vector, answers: Answers) -> _Parts:
        """Prepare the answers for the computation of many resamples."""
        return _Parts.of(answers[labels == 1], answers[labels == 0])

    def charts(self, labels: Vector, answers: Answers) -> dict[str, Any]:
        """Return the confusion matrix and the ROC curve."""
        said, true = answers > THRESHOLD, labels == 1
        matrix = {
            "threshold": THRESHOLD,
            "true_negative": int(np.sum(~said & ~true)),
            "false_positive": int(np.sum(said & ~true)),
            "false_negative": int(np.sum(~said & true)),
            "true_positive": int(np.sum(said & true)),
        }
        return {"confusion_matrix": matrix, "roc": curve(labels, answers)}


def curve(labels: Vector, scores: Vector) -> dict[str, list[float]]:
    """Return the ROC curve, thinned to points that are evenly spread along it; both ends are kept."""
    from sklearn import metrics  # noqa: PLC0415 - see above

    false, true, _ = metrics.roc_curve(labels, scores)
    if len(false) > CURVE_POINTS:
        along = np.concatenate([[0.0], np.cumsum(np.diff(false) + np.diff(true))])
        places = np.searchsorted(along, np.linspace(0.0, along[-1], CURVE_POINTS))
        kept = np.unique(np.clip(places, 0, len(along) - 1))
        false, true = false[kept], true[kept]
    return {"false_positive_rate": false.tolist(), "true_positive_rate": true.tolist()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What one model contributes to the metrics, row by row; the area is the weighted Mann-Whitney count."""

    hits: Vector
    """1 for each positive row that is found."""
    alarms: Vector
    """1 for each negative row that is taken for positive."""
    positive_loss: Vector
    negative_loss: Vector
    order: Indices
    """The negative rows by rising score."""
    below: Indices
    """For each positive row, how many negative rows score less."""
    upto: Indices
    """For each positive row, how many negative rows score less or the same."""

    @classmethod
    def of(cls, positive: Vector, negative: Vector) -> _Parts:
        order = np.argsort(negative, kind="stable")
        rising = negative[order]
        return cls(
            hits=(positive > THRESHOLD).astype(np.float64),
            alarms=(negative > THRESHOLD).astype(np.float64),
            positive_loss=-np.log(np.clip(positive, SMALLEST, 1 - SMALLEST)),
            negative_loss=-np.log(1 - np.clip(negative, SMALLEST, 1 - SMALLEST)),
            order=order,
            below=np.searchsorted(rising, positive, side="left"),
            upto=np.searchsorted(rising, positive, side="right"),
        )

    def metrics(self, drawn: Sequence[Vector]) -> dict[Metric, Vector]:
        positive, negative = drawn
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
