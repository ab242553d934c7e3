"""What a model is measured by: the metrics, and what each task has to bring along to compute them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from job import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

Vector = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Answers = npt.NDArray[np.float64]
"""One number a row, or a row of probabilities: one for each class."""

SMALLEST = float(np.finfo(np.float64).eps)
"""How near to 0 and 1 a probability counts in the log loss (as in scikit-learn)."""


class Metric(Words):
    """A metric of the evaluation report."""

    AUC = "auc"
    F1 = "f1"
    ACCURACY = "accuracy"
    LOG_LOSS = "log_loss"
    RMSE = "rmse"
    MAE = "mae"
    R2 = "r2"

    @property
    def lower_is_better(self) -> bool:
        """Whether a better model has the lower value."""
        return self in {Metric.LOG_LOSS, Metric.RMSE, Metric.MAE}


class Resampled(Protocol):
    """What one model contributes to the metrics, row by row."""

    def metrics(self, drawn: Sequence[Vector]) -> dict[Metric, Vector]:
        """Return each metric for all resamples, given how often each row of each stratum was drawn."""


class Measures(Protocol):
    """How the answers to one kind of question are measured."""

    group: str
    """Under this name the metrics stand in the report; it is SageMaker's name in its model quality reports."""
    header: str
    """The first line of predictions.csv."""

    def check_labels(self, labels: Vector) -> str | None:
        """Return what is wrong with the labels of the test rows."""

    def strata(self, labels: Vector) -> list[Indices]:
        """Return the rows of each stratum: rows are drawn within theirs, so that every resample has the same ones."""

    def values(self, labels: Vector, answers: Answers) -> dict[Metric, float]:
        """Return the metrics of the answers."""

    def resampled(self, labels: Vector, answers: Answers) -> Resampled:
        """Prepare the answers for the computation of many resamples."""

    def charts(self, labels: Vector, answers: Answers) -> dict[str, Any]:
        """Return what the report draws."""
