"""The documents that a run writes, as its report reads them: data report, evaluation, decisions, verifications.

Each model reads its document as it is: `DataReport.model_validate(json)`. What a later version adds is ignored.
"""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

METRICS = AliasChoices(
    "binary_classification_metrics", "multiclass_classification_metrics", "regression_metrics", "metrics"
)
"""Where the metrics of each task stand, with the names that SageMaker's model quality reports have."""


class Part(BaseModel):
    """A frozen piece of a record; fields that a later version of a document adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Violation(Part):
    """One rule that the data breaks."""

    rule: str
    message: str
    column: str | None = None
    rows: tuple[int, ...] = ()
    count: int = 0


class Histogram(Part):
    """Counts between edges; one edge more than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class ColumnProfile(Part):
    """What one column of the data holds."""

    type: str
    count: int = 0
    missing: int = 0
    distinct: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    top: tuple[tuple[Any, int], ...] = ()
    histogram: Histogram | None = None


class Profile(Part):
    """What the data holds, column by column."""

    columns: dict[str, ColumnProfile] = {}
    label: dict[str, float] | None = None


class DataReport(Part):
    """The document validation.json of the preparation job."""

    rows: int
    passed: bool
    violations: tuple[Violation, ...] = ()
    profile: Profile | None = None
    splits: dict[str, int] | None = None


class Feature(Part):
    """One column of the matrix that the model is trained on."""

    name: str
    column: str
    encoding: str
    category: str | None = None


class Metric(Part):
    """A metric of a model with its interval."""

    value: float
    standard_deviation: float | None = None
    low: float | None = None
    high: float | None = None


class Comparison(Part):
    """How much better the challenger is than the champion; more than zero means better, also for a loss."""

    metric: str
    difference: float
    low: float
    high: float
    confidence: float = 0.95
    resamples: int | None = None


class Champion(Part):
    """The model in service, judged on the same rows."""

    metrics: dict[str, Metric] = Field(validation_alias=METRICS)
    comparison: Comparison | None = None


class ConfusionMatrix(Part):
    """What was predicted, and what was so."""

    true_negative: int
    false_positive: int
    false_negative: int
    true_positive: int
    threshold: float = 0.5


class ClassMatrix(Part):
    """How often each class (row) was taken for each class (column)."""

    categories: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Roc(Part):
    """The receiver operating characteristic."""

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


class Evaluation(Part):
    """The document evaluation.json of the evaluation job."""

    rows: int
    metrics: dict[str, Metric] = Field(validation_alias=METRICS)
    champion: Champion | None = None
    confusion_matrix: ConfusionMatrix | ClassMatrix | None = None
    residuals: Histogram | None = None
    roc: Roc | None = None


class Check(Part):
    """One check of a gate or of a verification."""

    name: str
    passed: bool
    reason: str = ""
    value: Any = None
    required: Any = None


class Decision(Part):
    """A document below decisions/: what a gate decided and why."""

    gate: str
    passed: bool
    checks: tuple[Check, ...] = ()
    summary: str = ""


class Verification(Part):
    """A document below deployments/: whether the endpoint of an environment serves what was asked for."""

    environment: str
    passed: bool
    checks: tuple[Check, ...] = ()
    summary: str = ""
    endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("endpointName", "endpoint_name", "endpoint")
    )
