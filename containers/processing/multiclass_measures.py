"""The measures of a model of several classes, which answers a probability for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from measures import SMALLEST, Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measures import Answers, Indices, Vector

MATRIX_CATEGORIES = 100
"""A larger matrix could neither be read nor drawn; it is left out."""


class MulticlassMeasures:
    """The mean f1 of the classes, accuracy and log loss; the class with the largest probability is the answer."""

    group = "multiclass_classification_metrics"

    def __init__(self, categories: Sequence[str]) -> None:
        """Take the names of the classes."""
        self._categories = list(categories)
        self._places = list(range(len(categories)))
        self.header = ",".join(["row", "label", *(f"probability_{place}" for place in self._places)])

    def check_labels(self, labels: Vector) -> str | None:
        """Return what is wrong with the labels of the test rows."""
        if set(labels.tolist()) == set(map(float, self._places)):
            return None
        return f"must be 0 to {len(self._places) - 1}, with at least one row of each"

    def strata(self, labels: Vector) -> list[Indices]:
        """Return the rows of each class."""
        return [np.flatnonzero(labels == place) for place in self._places]

    def values(self, labels: Vector, answers: Answers) -> dict[Metric, float]:
        """Return the metrics of the answers."""
        from sklearn import metrics  # noqa: PLC0415 - takes long, and the checks of the inputs come first

        said, true = answers.argmax(axis=1), labels.astype(np.int64)
        return {
            Metric.F1: metrics.f1_score(true, said, labels=self._places, average="macro", zero_division=0),
            Metric.ACCURACY: metrics.accuracy_score(true, said),
            Metric.LOG_LOSS: metrics.log_loss(true, _exact(answers), labels=self._places),
        }

    def resampled(self, labels: Vector, answers: Answers) -> _Parts:
        """Prepare the answers for the computation of many resamples."""
        return _Parts([_Class.of(place, answers[rows]) for place, rows in enumerate(self.strata(labels))])

    def charts(self, labels: Vector, answers: Answers) -> dict[str, Any]:
        """Return the confusion matrix: one row for each true class, one column for each answer."""
        classes = len(self._places)
        if classes > MATRIX_CATEGORIES:
            return {"confusion_matrix": None}
        pairs = labels.astype(np.int64) * classes + answers.argmax(axis=1)
        counts = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        return {"confusion_matrix": {"categories": self._categories, "counts": counts.tolist()}}


def _exact(answers: Answers) -> Answers:
    """Return probabilities that add up to 1 beyond the few digits in which they were written."""
    exact: Answers = answers / answers.sum(axis=1, keepdims=True)
    return exact


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """What the rows of one class contribute, row by row."""

    hits: Vector
    """1 for each row that is taken for what it is."""
    loss: Vector
    order: Indices
    """The rows by the class that they are taken for."""
    said: Indices
    """The classes that rows of this class are taken for."""
    starts: Indices
    """Where the rows of each of them begin in that order."""

    @classmethod
    def of(cls, place: int, answers: Answers) -> _Class:
        said = answers.argmax(axis=1)
        order = np.argsort(said, kind="stable")
        found, starts = np.unique(said[order], return_index=True)
        loss = -np.log(np.clip(_exact(answers)[:, place], SMALLEST, 1 - SMALLEST))
        return cls(hits=(said == place).astype(np.float64), loss=loss, order=order, said=found, starts=starts)


class _Parts:
    """What one model contributes to the metrics, class by class."""

    def __init__(self, classes: Sequence[_Class]) -> None:
        self._classes = classes

    def metrics(self, drawn: Sequence[Vector]) -> dict[Metric, Vector]:
        resamples, rows = len(drawn[0]), sum(each.shape[1] for each in drawn)
        hits = np.empty((resamples, len(self._classes)))
        said = np.zeros_like(hits)
        loss = np.zeros(resamples)
        for place, (part, counts) in enumerate(zip(self._classes, drawn, strict=True)):
            hits[:, place] = counts @ part.hits
            said[:, part.said] += np.add.reduceat(counts[:, part.order], part.starts, axis=1)
            loss += counts @ part.loss
        true = np.array([each.shape[1] for each in drawn])
        return {
            Metric.F1: (2 * hits / (true + said)).mean(axis=1),
            Metric.ACCURACY: hits.sum(axis=1) / rows,
            Metric.LOG_LOSS: loss / rows,
        }
