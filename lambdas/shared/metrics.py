"""Metrics in the report of an evaluation (evaluation.json)."""

from __future__ import annotations

import math
from typing import Any

from lambdas.shared.errors import EventError

METRICS = "binary_classification_metrics"


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


def reported(report: object) -> dict[str, float]:
    """Return the metrics of `report` that are numbers.

    Raises:
        EventError: there are none, so this is no report of an evaluation.
    """
    listed = json_object(json_object(report).get(METRICS))
    values = {name: finite(json_object(entry).get("value")) for name, entry in listed.items()}
    found = {name: value for name, value in values.items() if value is not None}
    if not found:
        msg = f"the report of the evaluation has no metric under '{METRICS}'"
        raise EventError(msg)
    return found
