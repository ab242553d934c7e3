"""The rows that are sent: the same ones every time, with both classes in the proportion of the test set."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.shared.errors import EventError
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAYLOAD_LIMIT = 5 * 1024 * 1024
"""InvokeEndpoint takes 6 MB; what is left is for whoever counts differently."""

_HEADER = "row,label,probability"


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What the evaluation predicted for each row of the test set, in the order of the rows."""

    labels: Sequence[int]
    probabilities: Sequence[float]

    def only(self, positions: Iterable[int]) -> Predictions:
        """Return the predictions at `positions`."""
        chosen = list(positions)
        return Predictions(
            labels=[self.labels[position] for position in chosen],
            probabilities=[self.probabilities[position] for position in chosen],
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the test set that is sent."""

    line: int
    features: str
    label: int
    probability: float


def read_predictions(lines: Iterable[str]) -> Predictions:
    """Read predictions.csv."""
    labels, probabilities = bytearray(), array("d")
    for number, line in enumerate(lines):
        if number == 0:
            if line.strip() != _HEADER:
                msg = f"the predictions must begin with the header {_HEADER!r}, got {clip(line, length=80)!r}"
                raise EventError(msg)
            continue
        row, label, probability = _prediction(line, number)
        if row != number:
            msg = f"the predictions must be in the order of the test set: line {number + 1} is for row {row}"
            raise EventError(msg)
        labels.append(label)
        probabilities.append(probability)
    if not labels:
        msg = "the predictions are empty"
        raise EventError(msg)
    return Predictions(labels=labels, probabilities=probabilities)


def choose(labels: Sequence[int], wanted: int) -> list[int]:
    """Return about `wanted` positions, spread evenly over each class, at least one of each; all if there are fewer."""
    if len(labels) <= wanted:
        return list(range(len(labels)))
    chosen: list[int] = []
    for label in (0, 1):
        places = [position for position, each in enumerate(labels) if each == label]
        share = min(len(places), max(1, round(wanted * len(places) / len(labels))))
        if places:
            chosen += [places[(2 * step + 1) * len(places) // (2 * share)] for step in range(share)]
    return sorted(chosen)


def read_rows(lines: Iterable[str], predictions: Predictions, wanted: int) -> list[Row]:
    """Read the chosen rows of test.csv (label first, no header), and check that the predictions belong to it."""
    chosen = frozenset(choose(predictions.labels, wanted))
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
    return _within_limit(rows)


def payload(rows: Sequence[Row]) -> bytes:
    """Return the body of a request."""
    return "\n".join(row.features for row in rows).encode()


def _within_limit(rows: list[Row]) -> list[Row]:
    while len(payload(rows)) > PAYLOAD_LIMIT:
        if len(rows) == 1:
            msg = f"row {rows[0].line} of the test set alone is longer than a request may be ({PAYLOAD_LIMIT:,} bytes)"
            raise EventError(msg)
        positions = choose([row.label for row in rows], len(rows) // 2)
        rows = [rows[position] for position in positions] if len(positions) < len(rows) else rows[:1]
    return rows


def _prediction(line: str, number: int) -> tuple[int, int, float]:
    try:
        row, label, probability = line.split(",")
        parsed = int(row), int(label), float(probability)
    except ValueError:
        parsed = None
    if parsed is None or parsed[1] not in {0, 1} or not 0 <= parsed[2] <= 1:
        msg = f"line {number + 1} of the predictions is not 'row,label,probability': {clip(line, length=80)!r}"
        raise EventError(msg)
    return parsed


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
            f" the prediction is for {expected}"
        )
        raise EventError(msg)
    probability = predictions.probabilities[position]
    return Row(line=position + 1, features=features, label=expected, probability=probability)
