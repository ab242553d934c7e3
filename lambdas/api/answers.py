"""What a model answers, as the predictions that the API returns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdas.api.catalogue import Model

_CSV = "text/csv"


class UnusableAnswerError(Exception):
    """The endpoint answered with something that is no prediction for each row."""


def read(model: Model, body: bytes, content_type: str, *, rows: int) -> list[float] | list[dict[str, float]]:
    """Return a prediction for each of `rows`: a number, or for several classes the probability of each by its name.

    Raises:
        UnusableAnswerError: the answer is not CSV with a line for each row.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind != _CSV:
        msg = f"the model answered with content type {kind[:80] or '(none)'}, not {_CSV}"
        raise UnusableAnswerError(msg)
    several = model.task == "multiclass"
    text = body.decode(errors="replace").strip()
    lines = (text if several else text.replace(",", "\n")).split()
    if len(lines) != rows:
        msg = f"the model answered {len(lines):,} rows instead of {rows:,}"
        raise UnusableAnswerError(msg)
    if not several:
        return [_number(line) for line in lines]
    return [_by_class(model, line) for line in lines]


def level(predictions: list[float] | list[dict[str, float]]) -> float:
    """Return what the distribution of predictions is watched by: their mean, or the mean of the largest probability."""
    values = [value if isinstance(value, float) else max(value.values()) for value in predictions]
    return math.fsum(values) / len(values)


def _by_class(model: Model, line: str) -> dict[str, float]:
    values = [_number(cell) for cell in line.split(",")]
    if len(values) != len(model.classes):
        msg = f"the model answered {len(values)} values for {len(model.classes)} classes"
        raise UnusableAnswerError(msg)
    return dict(zip(model.classes, values, strict=True))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = "the model answered with something that is no number"
        raise UnusableAnswerError(msg)
    return value
