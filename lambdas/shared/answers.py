"""Checks of what an endpoint answers to labelled rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from lambdas.shared.decisions import Check, all_passed
from lambdas.shared.endpoint_calls import CONTENT_TYPE, CallError, numbers, values_of
from lambdas.shared.labelled_rows import payload
from lambdas.shared.measures import MEASURES
from lambdas.shared.metrics import SHARES, SIGNED, Task
from lambdas.shared.text import clip, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambdas.shared.endpoint_calls import Reply
    from lambdas.shared.gates import Bound, VerifyGates
    from lambdas.shared.labelled_rows import Predictions, Row

ANSWER_CHECKS = ("response", "content-type", "row-count", "range", "predictions")
NOT_CHECKED = "not checked, because an earlier check failed"
_OK = 200
_SUM_TOLERANCE = 1e-3
"""How far probabilities may miss 1 together, as in the evaluation."""
_LARGEST = (2 - 2.0**-23) * 2.0**127
"""Of the 32-bit numbers with which models compute, as in the evaluation."""


class Caller(Protocol):
    """Sends rows to the endpoint."""

    def call(self, body: bytes) -> Reply:
        """Send `body`, or raise CallError."""


def check_answers(caller: Caller, rows: Sequence[Row], predictions: Predictions, gates: VerifyGates) -> list[Check]:
    """Send all `rows` at once and return the checks of the answer, up to the first that leaves nothing to check."""
    try:
        reply = caller.call(payload(rows))
    except CallError as error:
        return [Check(name="response", passed=False, reason=f"the endpoint does not answer: {error}")]
    checks = [check_response(reply), check_content_type(reply)]
    if not all_passed(checks):
        return checks
    values = values_of(reply, predictions.task)
    checks.append(check_row_count(values, rows))
    if not checks[-1].passed:
        return checks
    checks.append(check_range(values, rows, predictions.task))
    if not checks[-1].passed:
        return checks
    answered = [numbers(value) for value in values]
    checks.append(check_predictions(answered, rows, gates.verify.tolerance))
    return checks + [
        check_metric(name, bound, answers=answered, rows=rows, predictions=predictions)
        for name, bound in gates.metrics.items()
    ]


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


def check_row_count(values: Sequence[str], rows: Sequence[Row]) -> Check:
    """Check that every row has got one answer."""
    reason = f"{count(len(rows), 'row')} sent, {count(len(values), 'answer')} received"
    passed = len(values) == len(rows) > 0
    return Check(name="row-count", passed=passed, value=len(values), required=len(rows), reason=reason)


def check_range(values: Sequence[str], rows: Sequence[Row], task: Task) -> Check:
    """Check that every answer is one that a model of this task can give."""
    wrong = [
        (row.line, value)
        for row, value in zip(rows, values, strict=True)
        if not _possible(numbers(value), len(row.answer), task)
    ]
    if not wrong:
        fine = "every answer is a number" if task is Task.REGRESSION else "every answer is within 0 and 1"
        return Check(name="range", passed=True, value=0, required=0, reason=fine)
    line, value = wrong[0]
    what = {
        Task.BINARY: "no probability within 0 and 1",
        Task.MULTICLASS: f"not {len(rows[0].answer)} probabilities that add up to 1",
        Task.REGRESSION: "no number",
    }
    reason = (
        f"{count(len(wrong), 'answer is', plural='answers are')} {what[task]},"
        f" first for row {line}: {clip(value, length=40)!r}"
    )
    return Check(name="range", passed=False, value=len(wrong), required=0, reason=reason)


def is_possible(text: str, width: int, task: Task) -> bool:
    """Whether a model of this task, which gives `width` numbers for a row, can have answered `text`."""
    return _possible(numbers(text), width, task)


def _possible(values: Sequence[float], width: int, task: Task) -> bool:
    if len(values) != width:
        return False
    if task is Task.REGRESSION:
        return all(abs(value) <= _LARGEST for value in values)
    within = all(0 <= value <= 1 for value in values)
    return within and (task is Task.BINARY or abs(math.fsum(values) - 1) <= _SUM_TOLERANCE)


def check_predictions(answers: Sequence[Sequence[float]], rows: Sequence[Row], tolerance: float) -> Check:
    """Check that the endpoint answers what the evaluation found.

    The tolerance is that of a probability; of numbers above 1 it is their share, because digits are what gets lost.
    """
    gaps, places = [], []
    for values, row in zip(answers, rows, strict=True):
        each = [abs(a - b) / max(1.0, abs(b)) for a, b in zip(values, row.answer, strict=True)]
        places.append(max(range(len(each)), key=each.__getitem__))
        gaps.append(each[places[-1]])
    worst = max(range(len(gaps)), key=gaps.__getitem__)
    far = sum(1 for gap in gaps if not gap <= tolerance)
    reason = f"the answers equal the evaluation within {gaps[worst]:.2g}"
    if far:
        got, expected = (each[places[worst]] for each in (answers[worst], rows[worst].answer))
        reason = (
            f"{far:,} of {count(len(rows), 'answer')} differ from the evaluation by more than {tolerance:g},"
            f" most for row {rows[worst].line}: {got:.6g} instead of {expected:.6g}"
        )
    return Check(name="predictions", passed=not far, value=gaps[worst], required=tolerance, reason=reason)


def check_metric(
    name: str, bound: Bound, *, answers: Sequence[Sequence[float]], rows: Sequence[Row], predictions: Predictions
) -> Check:
    """Check that the answers reach what the gate requires.

    A few hundred rows are not the test set: a good model may miss a floor on them by chance. How far they lead astray
    is known exactly, because the evaluation has the answers to all rows: that difference is added to the measured
    value.
    """
    required = bound.floor if bound.floor is not None else bound.ceiling
    check_name = f"metric-{name}"
    known = MEASURES[predictions.task]
    measure = known.get(name)
    if measure is None:
        reason = f"the metric {clip(name, length=40)} cannot be measured here; known: {', '.join(known)}"
        return Check(name=check_name, passed=False, required=required, reason=reason)
    labels = [row.label for row in rows]
    measured = measure(labels, _flat(answers))
    chance = measure(predictions.labels, predictions.answers) - measure(labels, _flat([row.answer for row in rows]))
    value = measured + chance
    if not math.isfinite(value):
        needed = "different labels" if predictions.task is Task.REGRESSION else "rows of every class"
        reason = f"{name} cannot be measured on {count(len(rows), 'row')}: {needed} are needed"
        return Check(name=check_name, passed=False, required=required, reason=reason)
    value = min(value, 1.0) if name in SHARES else value
    value = max(value, 0.0) if name not in SIGNED else value
    reason = f"{name} is {value:.4f}, {bound} required"
    return Check(name=check_name, passed=bound.met_by(value), value=value, required=required, reason=reason)


def _flat(answers: Sequence[Sequence[float]]) -> list[float]:
    return [value for row in answers for value in row]
