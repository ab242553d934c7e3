"""Checks of what an endpoint answers to labelled rows."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from lambdas.shared.decisions import Check
from lambdas.shared.text import clip, count
from lambdas.verify_endpoint.measures import MEASURES
from lambdas.verify_endpoint.runtime import ANSWER_LIMIT, CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambdas.shared.gates import Bound
    from lambdas.verify_endpoint.runtime import Reply
    from lambdas.verify_endpoint.sample import Predictions, Row

_OK = 200
_SHARES = frozenset({"auc", "f1", "accuracy"})


def check_response(reply: Reply) -> Check:
    """Check the status."""
    reason = f"the endpoint answers with status {reply.status}"
    return Check(name="response", passed=reply.status == _OK, value=reply.status, required=_OK, reason=reason)


def check_content_type(reply: Reply) -> Check:
    """Check that the answer is what it has to be, parameters such as the character set aside."""
    kind = reply.content_type.split(";")[0].strip().lower()
    shown = clip(reply.content_type, length=80) or "missing"
    reason = f"the content type of the answer is {shown}, {CONTENT_TYPE} required"
    return Check(name="content-type", passed=kind == CONTENT_TYPE, value=shown, required=CONTENT_TYPE, reason=reason)


def values_of(reply: Reply) -> list[str]:
    """Return the values in the answer, which stand on lines or between commas."""
    text = reply.body[:ANSWER_LIMIT].decode(errors="replace").strip()
    return re.split(r"\s*[,\n]\s*", text) if text else []


def check_row_count(values: Sequence[str], rows: Sequence[Row]) -> Check:
    """Check that every row has got one answer."""
    reason = f"{count(len(rows), 'row')} sent, {count(len(values), 'answer')} received"
    passed = len(values) == len(rows) > 0
    return Check(name="row-count", passed=passed, value=len(values), required=len(rows), reason=reason)


def check_range(values: Sequence[str], rows: Sequence[Row]) -> Check:
    """Check that every answer is a probability."""
    wrong = [(row.line, value) for row, value in zip(rows, values, strict=True) if not 0 <= number(value) <= 1]
    if not wrong:
        return Check(name="range", passed=True, value=0, required=0, reason="every answer is within 0 and 1")
    line, value = wrong[0]
    reason = (
        f"{count(len(wrong), 'answer is', plural='answers are')} no probability within 0 and 1,"
        f" first for row {line}: {clip(value, length=40)!r}"
    )
    return Check(name="range", passed=False, value=len(wrong), required=0, reason=reason)


def number(text: str) -> float:
    """Return `text` as a number; NaN, which is within no range, when it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def check_predictions(answers: Sequence[float], rows: Sequence[Row], tolerance: float) -> Check:
    """Check that the endpoint answers what the evaluation predicted."""
    gaps = [abs(answer - row.probability) for answer, row in zip(answers, rows, strict=True)]
    worst = max(range(len(gaps)), key=gaps.__getitem__)
    far = sum(1 for gap in gaps if not gap <= tolerance)
    reason = f"the answers equal the evaluation within {gaps[worst]:.2g}"
    if far:
        reason = (
            f"{far:,} of {count(len(rows), 'answer')} differ from the evaluation by more than {tolerance:g},"
            f" most for row {rows[worst].line}: {answers[worst]:.6g} instead of {rows[worst].probability:.6g}"
        )
    return Check(name="predictions", passed=not far, value=gaps[worst], required=tolerance, reason=reason)


def check_metric(
    name: str, bound: Bound, *, answers: Sequence[float], rows: Sequence[Row], predictions: Predictions
) -> Check:
    """Check that the answers reach what the gate requires.

    A few hundred rows are not the test set: a good model may miss a floor on them by chance. How far they lead astray
    is known exactly, because the evaluation has predicted all rows: that difference is added to the measured value.
    """
    required = bound.floor if bound.floor is not None else bound.ceiling
    check_name = f"metric-{name}"
    measure = MEASURES.get(name)
    if measure is None:
        reason = f"the metric {clip(name, length=40)} cannot be measured here; known: {', '.join(MEASURES)}"
        return Check(name=check_name, passed=False, required=required, reason=reason)
    labels = [row.label for row in rows]
    measured = measure(labels, answers)
    chance = measure(predictions.labels, predictions.probabilities) - measure(labels, [row.probability for row in rows])
    value = measured + chance
    if not math.isfinite(value):
        reason = f"{name} cannot be measured on {count(len(rows), 'row')}: both classes are needed"
        return Check(name=check_name, passed=False, required=required, reason=reason)
    if name in _SHARES:
        value = min(max(value, 0.0), 1.0)
    reason = f"{name} is {value:.4f}, {bound} required"
    return Check(name=check_name, passed=bound.met_by(value), value=value, required=required, reason=reason)
