"""Metrics of answers against labels, as the evaluation defines them; plain Python, for a few thousand rows.

Answers stand in one flat sequence, as many for each label as the model gives: one, or one for each class.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lambdas.shared.metrics import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Numbers = Sequence[float]

THRESHOLD = 0.5
_SMALLEST = 2.0**-52
"""How near to 0 and 1 a probability counts in the log loss (scikit-learn: the precision of a float64)."""


def auc(labels: Numbers, scores: Numbers) -> float:
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


def accuracy(labels: Numbers, scores: Numbers) -> float:
    """Return the share of rows on the right side of the threshold."""
    right = sum((score > THRESHOLD) == bool(label) for label, score in zip(labels, scores, strict=True))
    return right / len(labels)


def f1(labels: Numbers, scores: Numbers) -> float:
    """Return the harmonic mean of precision and recall."""
    said = [score > THRESHOLD for score in scores]
    hits = sum(1 for label, yes in zip(labels, said, strict=True) if label and yes)
    total = sum(labels) + sum(said)
    return 2 * hits / total if total else 0.0


def log_loss(labels: Numbers, scores: Numbers) -> float:
    """Return the mean negative log-likelihood."""
    clipped = (min(max(score, _SMALLEST), 1 - _SMALLEST) for score in scores)
    losses = (-math.log(score if label else 1 - score) for label, score in zip(labels, clipped, strict=True))
    return math.fsum(losses) / len(labels)


def class_accuracy(labels: Numbers, answers: Numbers) -> float:
    """Return the share of rows whose own class has got the largest probability."""
    return sum(label == said for label, said in zip(labels, _said(labels, answers), strict=True)) / len(labels)


def class_f1(labels: Numbers, answers: Numbers) -> float:
    """Return the mean of the f1 of all classes; NaN when a class is missing."""
    classes = len(answers) // len(labels)
    hits, true, said = [0] * classes, [0] * classes, [0] * classes
    for label, answer in zip(labels, _said(labels, answers), strict=True):
        true[int(label)] += 1
        said[answer] += 1
        hits[answer] += label == answer
    if not all(true):
        return math.nan
    return math.fsum(2 * hit / (had + got) for hit, had, got in zip(hits, true, said, strict=True)) / classes


def class_log_loss(labels: Numbers, answers: Numbers) -> float:
    """Return the mean negative log-likelihood of several classes, whose probabilities are made to add up to 1."""
    losses = (
        -math.log(min(max(row[int(label)] / math.fsum(row), _SMALLEST), 1 - _SMALLEST))
        for label, row in zip(labels, _rows(labels, answers), strict=True)
    )
    return math.fsum(losses) / len(labels)


def rmse(labels: Numbers, answers: Numbers) -> float:
    """Return the root of the mean squared error."""
    return math.sqrt(_squares(labels, answers) / len(labels))


def mae(labels: Numbers, answers: Numbers) -> float:
    """Return the mean absolute error."""
    return math.fsum(abs(label - answer) for label, answer in zip(labels, answers, strict=True)) / len(labels)


def r2(labels: Numbers, answers: Numbers) -> float:
    """Return the share of the variance that is explained; NaN when there is none."""
    mean = math.fsum(labels) / len(labels)
    variation = math.fsum((label - mean) ** 2 for label in labels)
    return 1 - _squares(labels, answers) / variation if variation else math.nan


def _squares(labels: Numbers, answers: Numbers) -> float:
    return math.fsum((label - answer) ** 2 for label, answer in zip(labels, answers, strict=True))


def _rows(labels: Numbers, answers: Numbers) -> Iterator[Numbers]:
    classes = len(answers) // len(labels)
    return (answers[start : start + classes] for start in range(0, len(answers), classes))


def _said(labels: Numbers, answers: Numbers) -> list[int]:
    """Return the class with the largest probability of each row, the first of equal ones."""
    return [max(range(len(row)), key=row.__getitem__) for row in _rows(labels, answers)]


MEASURES: Mapping[Task, Mapping[str, Callable[[Numbers, Numbers], float]]] = {
    Task.BINARY: {"auc": auc, "f1": f1, "accuracy": accuracy, "log_loss": log_loss},
    Task.MULTICLASS: {"f1": class_f1, "accuracy": class_accuracy, "log_loss": class_log_loss},
    Task.REGRESSION: {"rmse": rmse, "mae": mae, "r2": r2},
}
"""By the names that gates use."""
