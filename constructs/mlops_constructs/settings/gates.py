"""What stops a model on its way to production: the section `gates` of a model file."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from mlops_constructs.settings.data import Task
from mlops_constructs.settings.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metric(StrEnum):
    """What is measured on the test rows."""

    AUC = "auc"
    F1 = "f1"
    ACCURACY = "accuracy"
    LOG_LOSS = "log_loss"
    RMSE = "rmse"
    MAE = "mae"
    R2 = "r2"


METRICS: Final[Mapping[Task, tuple[Metric, ...]]] = {
    Task.BINARY: (Metric.AUC, Metric.F1, Metric.ACCURACY, Metric.LOG_LOSS),
    Task.MULTICLASS: (Metric.F1, Metric.ACCURACY, Metric.LOG_LOSS),
    Task.REGRESSION: (Metric.RMSE, Metric.MAE, Metric.R2),
}
"""What is measured for each task; the f1 of several classes is the mean of theirs."""

SMALLER_IS_BETTER: Final = frozenset({Metric.LOG_LOSS, Metric.RMSE, Metric.MAE})
"""The metrics that have a ceiling; the others have a floor."""

UNBOUNDED: Final = frozenset({Metric.RMSE, Metric.MAE})
"""The metrics in the unit of the label, which no fixed range fits."""


class DataGate(Section):
    """When data is good enough to train with."""

    minimum_rows: Annotated[int, Field(ge=100, le=10**12)] = 2000
    """The smallest number of rows."""
    minimum_class_share: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """The smallest share of rows that the rarest class must have (where the label is a category)."""
    maximum_duplicate_share: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """The largest share of rows that may be copies of other rows."""


class MetricGate(Section):
    """The value that a metric has to reach."""

    floor: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The smallest value that passes (auc, f1, accuracy, r2)."""
    ceiling: Annotated[float, Field(gt=0)] | None = None
    """The largest value that passes (log_loss, rmse, mae)."""


class ChampionGate(Section):
    """When a new model is better than the one in service, measured on the same rows."""

    metric: Metric = Metric.AUC
    """The metric that is compared."""
    margin: float = 0.0
    """By how much the new model must be better; below zero, by how much it may be worse."""
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95
    """How certain the difference must be."""
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """How often the rows are drawn anew to find the interval of the difference."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7
    """Which of the possible draws."""


class VerifyGate(Section):
    """When a deployed endpoint is as good as the model that was evaluated."""

    rows: Annotated[int, Field(ge=1, le=10_000)] = 200
    """How many labelled rows are sent."""
    maximum_latency_ms: Annotated[int, Field(ge=1, le=60_000)] = 1000
    """The longest time that an answer may take, in milliseconds."""
    tolerance: Annotated[float, Field(gt=0, le=0.01)] = 1e-4
    """By how much an answer may differ from the evaluation."""


class Gates(Section):
    """Everything that can stop a model."""

    data: DataGate = DataGate()
    """When data is good enough to train with."""
    metrics: Annotated[dict[Metric, MetricGate], Field(min_length=1)]
    """The values that metrics have to reach."""
    champion: ChampionGate = ChampionGate()
    """When a new model is better than the one in service."""
    verify: VerifyGate = VerifyGate()
    """When a deployed endpoint is as good as the model that was evaluated."""
