"""Metrics in the report of an evaluation (evaluation.json)."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambdas.shared.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Task(StrEnum):
    """What a model predicts: one of two classes, one of several, or a number."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


GROUPS: Mapping[Task, str] = {
    Task.BINARY: "binary_classification_metrics",
    Task.MULTICLASS: "multiclass_classification_metrics",
    Task.REGRESSION: "regression_metrics",
}
"""Under which name the metrics of a task stand."""

SHARES = frozenset({"auc", "f1", "accuracy", "r2"})
"""Metrics that are 1 at most."""

SIGNED = frozenset({"r2"})
"""Metrics that may be below 0: worse than always answering the mean."""


def finite(value: object) -> float | None:
    """Return `value` as a number, or None when it is anything else; true, text and NaN are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def json_object(value: object) -> dict[str, Any]:
    """Return `value` if it is an object of JSON, otherwise an empty one: then everything looked for is missing."""
    return value if isinstance(value, dict) else {}


def metrics_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of `report` by name, as they are; none if it does not say what the model predicts."""
    task = report.get("task")
    # Not `task in GROUPS`: what stands there may be a list or an object, which have no hash.
    group = next((name for each, name in GROUPS.items() if each == task), None)
    return json_object(report.get(group)) if group else {}


def reported(report: object, task: Task) -> dict[str, float]:
    """Return the metrics of `report` that are numbers.

    Raises:
        EventError: there are none, so this is no report of an evaluation.
    """
    listed = json_object(json_object(report).get(GROUPS[task]))
    values = {name: finite(json_object(entry).get("value")) for name, entry in listed.items()}
    found = {name: value for name, value in values.items() if value is not None}
    if not found:
        msg = f"the report of the evaluation has no metric under '{GROUPS[task]}'"
        raise EventError(msg)
    return found
