"""Metrics of probabilities against labels, as the evaluation defines them; plain Python, for a few thousand rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

THRESHOLD = 0.5
_SMALLEST = 2.0**-52
"""How near to 0 and 1 a probability counts in the log loss (scikit-learn: the precision of a float64)."""


def auc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Return the area under the ROC curve by ranks, ties counted half; NaN when a class is missing."""
    positives = sum(labels)
    negatives = len(labels) - positives
    if not positives or not negatives:
        return math.nan
    order = sorted(range(len(scores)), key=scores.__getitem__)
    ranks, start = 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and scores[order[end]] == scores[order[start]]:
            end += 1
        tied = sum(labels[position] for position in order[start:end])
        ranks += tied * (start + 1 + end) / 2
        start = end
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def accuracy(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Return the share of rows on the right side of the threshold."""
    right = sum((score > THRESHOLD) == bool(label) for label, score in zip(labels, scores, strict=True))
    return right / len(labels)


def f1(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Return the harmonic mean of precision and recall."""
    said = [score > THRESHOLD for score in scores]
    hits = sum(1 for label, yes in zip(labels, said, strict=True) if label and yes)
    total = sum(labels) + sum(said)
    return 2 * hits / total if total else 0.0


def log_loss(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Return the mean negative log-likelihood."""
    clipped = (min(max(score, _SMALLEST), 1 - _SMALLEST) for score in scores)
    losses = (-math.log(score if label else 1 - score) for label, score in zip(labels, clipped, strict=True))
    return math.fsum(losses) / len(labels)


MEASURES: Mapping[str, Callable[[Sequence[int], Sequence[float]], float]] = {
    "auc": auc,
    "f1": f1,
    "accuracy": accuracy,
    "log_loss": log_loss,
}
"""By the names that gates use."""
