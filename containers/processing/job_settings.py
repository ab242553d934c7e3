"""The part of a model's settings that the programs use, read from the file that the pipeline hands to the job."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from job import JobError, Words, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TWO = 2


class Task(Words):
    """What a model predicts, which the label tells."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Kind(Words):
    """What a column holds."""

    NUMBER = "number"
    INTEGER = "integer"
    CATEGORY = "category"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the raw data, as the model's settings declare it."""

    name: str
    kind: Kind
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    missing: bool = False
    """Whether a cell may be blank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How the rows are divided."""

    train: float
    validation: float
    test: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataGate:
    """What the data as a whole must satisfy."""

    minimum_rows: int
    minimum_class_share: float
    maximum_duplicate_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How challenger and champion are compared."""

    metric: str
    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """Everything that the two programs need to know."""

    columns: tuple[Column, ...]
    label: Column
    shares: Shares
    gate: DataGate
    comparison: Comparison

    @property
    def task(self) -> Task:
        """What the model predicts: one of two categories, one of several, or a number."""
        if self.label.kind is not Kind.CATEGORY:
            return Task.REGRESSION
        return Task.BINARY if len(self.label.categories) == TWO else Task.MULTICLASS

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that the model learns from, in the declared order."""
        return tuple(each for each in self.columns if each.kind is not Kind.IGNORE and each.name != self.label.name)


def read_settings(path: Path) -> JobSettings:
    """Read the settings from the JSON document at `path`."""
    document = read_json(path)
    try:
        return _settings(document)
    except KeyError as error:
        msg = f"{path.name} lacks the setting {error.args[0]!r}"
        raise JobError(msg) from error
    except (TypeError, ValueError, AttributeError) as error:
        msg = f"{path.name} does not hold the settings of a model: {error}"
        raise JobError(msg) from error


def _settings(document: Mapping[str, Any]) -> JobSettings:
    data, gates = document["data"], document["gates"]
    columns = tuple(column_of(name, values) for name, values in data["columns"].items())
    labels = [each for each in columns if each.name == data["label"]]
    if not labels or labels[0].kind is Kind.IGNORE:
        msg = f"the label {data['label']!r} must be a column of type category, number or integer"
        raise ValueError(msg)
    if labels[0].kind is Kind.CATEGORY and len(labels[0].categories) < TWO:
        msg = f"the label {data['label']!r} must have two categories (the negative one first) or more"
        raise ValueError(msg)
    split, gate, champion = data["split"], gates["data"], gates["champion"]
    shares = Shares(train=split["train"], validation=split["validation"], test=split["test"], seed=split["seed"])
    parts = (shares.train, shares.validation, shares.test)
    if min(parts) <= 0 or not math.isclose(sum(parts), 1.0, abs_tol=1e-6):
        msg = f"the shares of data.split must be above 0 and add up to 1, got {parts}"
        raise ValueError(msg)
    settings = JobSettings(
        columns=columns,
        label=labels[0],
        shares=shares,
        gate=DataGate(
            minimum_rows=gate["minimum_rows"],
            minimum_class_share=gate["minimum_class_share"],
            maximum_duplicate_share=gate["maximum_duplicate_share"],
        ),
        comparison=Comparison(
            metric=champion["metric"],
            confidence=champion["confidence"],
            resamples=champion["resamples"],
            seed=champion["seed"],
        ),
    )
    if not settings.features:
        msg = "data.columns declares no column that the model can learn from"
        raise ValueError(msg)
    return settings


def column_document(column: Column) -> dict[str, Any]:
    """Return a column in the form of the settings."""
    return {
        "type": column.kind,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "categories": list(column.categories),
        "missing": column.missing,
    }


def column_of(name: str, values: Mapping[str, Any]) -> Column:
    """Return the column `name` as the settings declare it."""
    return Column(
        name=name,
        kind=Kind(values["type"]),
        minimum=values.get("minimum"),
        maximum=values.get("maximum"),
        categories=tuple(values.get("categories") or ()),
        missing=bool(values.get("missing")),
    )
