"""The rows that are sent: the same ones every time, with all classes in the proportion of the test set."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.shared.errors import EventError
from lambdas.shared.metrics import Task
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PREDICTIONS_LIMIT = 64 * 1024 * 1024
TEST_SET_LIMIT = 1024 * 1024 * 1024
"""Only the rows that are sent are kept of it."""
PAYLOAD_LIMIT = 5 * 1024 * 1024
"""InvokeEndpoint takes 6 MB; what is left is for whoever counts differently."""

_VALUES = {
    Task.BINARY: "probability",
    Task.MULTICLASS: "probability_0,probability_1,...",
    Task.REGRESSION: "prediction",
}
_CLASSES = 2


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What the evaluation found for each row of the test set, in the order of the rows."""

    task: Task
    labels: Sequence[float]
    """A number to predict, or the place of a class."""
    answers: Sequence[float]
    """As many for each row as the model gives."""

    @property
    def width(self) -> int:
        """How many values the model answers for a row."""
        return len(self.answers) // len(self.labels)

    @property
    def classes(self) -> Sequence[float]:
        """What rows are chosen by: their class; numbers to predict are all of one kind."""
        return [0.0] * len(self.labels) if self.task is Task.REGRESSION else self.labels

    def answer(self, position: int) -> Sequence[float]:
        """Return the answer to the row at `position`."""
        return self.answers[position * self.width : (position + 1) * self.width]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the test set that is sent."""

    line: int
    features: str
    label: float
    answer: Sequence[float]


def read_predictions(lines: Iterable[str], task: Task) -> Predictions:
    """Read predictions.csv."""
    labels, answers = array("d"), array("d")
    width = 0
    for number, line in enumerate(lines):
        if number == 0:
            width = _width(line, task)
            continue
        row, label, values = _prediction(line, number, task, width)
        if row != number:
            msg = f"the predictions must be in the order of the test set: line {number + 1} is for row {row}"
            raise EventError(msg)
        labels.append(label)
        answers.extend(values)
    if not labels:
        msg = "the predictions are empty"
        raise EventError(msg)
    return Predictions(task=task, labels=labels, answers=answers)


def choose(classes: Sequence[float], wanted: int) -> list[int]:
    """Return about `wanted` positions, spread evenly over each class, at least one of each; all if there are fewer."""
    if len(classes) <= wanted:
        return list(range(len(classes)))
    places: dict[float, list[int]] = {}
    for position, each in enumerate(classes):
        places.setdefault(each, []).append(position)
    chosen: list[int] = []
    for found in places.values():
        share = min(len(found), max(1, round(wanted * len(found) / len(classes))))
        chosen += [found[(2 * step + 1) * len(found) // (2 * share)] for step in range(share)]
    return sorted(chosen)


def read_rows(lines: Iterable[str], predictions: Predictions, wanted: int) -> list[Row]:
    """Read the chosen rows of test.csv (label first, no header), and check that the predictions belong to it."""
    chosen = frozenset(choose(predictions.classes, wanted))
    rows: list[Row] = []
    total = 0
    for position, line in enumerate(lines):
        total += 1
        if position < len(predictions.labels):
            row = _row(line, position, predictions)
            if position in chosen:
                rows.append(row)
    if total != len(predictions.labels):
        msg = f"the test set has {total:,} rows, the predictions have {len(predictions.labels):,}"
        raise EventError(msg)
    return _within_limit(rows, predictions)


def payload(rows: Sequence[Row]) -> bytes:
    """Return the body of a request."""
    return "\n".join(row.features for row in rows).encode()


def _within_limit(rows: list[Row], predictions: Predictions) -> list[Row]:
    classes = predictions.classes
    while len(payload(rows)) > PAYLOAD_LIMIT:
        if len(rows) == 1:
            msg = f"row {rows[0].line} of the test set alone is longer than a request may be ({PAYLOAD_LIMIT:,} bytes)"
            raise EventError(msg)
        positions = choose([classes[row.line - 1] for row in rows], len(rows) // 2)
        rows = [rows[position] for position in positions] if len(positions) < len(rows) else rows[:1]
    return rows


def _width(header: str, task: Task) -> int:
    """Return how many values follow row and label, from the first line."""
    names = header.strip().split(",")
    values = names[2:]
    several = [f"probability_{place}" for place in range(max(len(values), _CLASSES))]
    if names[:2] != ["row", "label"] or values != (several if task is Task.MULTICLASS else [_VALUES[task]]):
        wanted, got = f"row,label,{_VALUES[task]}", clip(header, length=80)
        msg = f"the predictions must begin with the header {wanted!r}, got {got!r}"
        raise EventError(msg)
    return len(values)


def _prediction(line: str, number: int, task: Task, width: int) -> tuple[int, float, list[float]]:
    try:
        row, label, *values = line.split(",")
        parsed = int(row), float(label), [float(value) for value in values]
    except ValueError:
        parsed = None
    if parsed is None or not _possible(parsed[1], parsed[2], task, width):
        msg = f"line {number + 1} of the predictions is not 'row,label,{_VALUES[task]}': {clip(line, length=80)!r}"
        raise EventError(msg)
    return parsed


def _possible(label: float, values: Sequence[float], task: Task, width: int) -> bool:
    if len(values) != width:
        return False
    if task is Task.REGRESSION:
        return all(map(math.isfinite, (label, *values)))
    return label in range(max(width, _CLASSES)) and all(0 <= value <= 1 for value in values)


def _row(line: str, position: int, predictions: Predictions) -> Row:
    label, _, features = line.partition(",")
    expected = predictions.labels[position]
    try:
        matches = float(label) == expected
    except ValueError:
        matches = False
    if not matches or not features:
        msg = (
            f"the predictions are not of this test set: row {position + 1} has the label {clip(label, length=40)!r},"
            f" the prediction is for {expected:g}"
        )
        raise EventError(msg)
    return Row(line=position + 1, features=features, label=expected, answer=predictions.answer(position))
