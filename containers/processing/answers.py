"""The answers of a model to the test rows, as its own serving container gave them in a batch transform job.

One line for each row: the probability of the second class; the probabilities of all classes, between commas; or a
number.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import numpy as np

from findings import shown
from job import JobError
from job_settings import Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from measures import Answers

SUM_TOLERANCE = 1e-3
"""How far probabilities may miss 1 together: containers write them with a few digits."""
_LARGEST = float(np.finfo(np.float32).max)


def read_answers(path: Path, *, role: str, task: Task, classes: int, rows: int) -> Answers:
    """Read the answers at `path` to so many `rows`; `role` names the model in messages.

    Raises:
        JobError: the answers are not of this task, or not one for each row.
    """
    width = classes if task is Task.MULTICLASS else 1
    values = array("d")
    for line, text in _lines(path, role):
        cells = text.split(",")
        fault = _count_fault(len(cells), task, width) or _fault([*map(_number, cells)], cells, task)
        if fault:
            msg = f"line {line} of the answers of the {role} {fault}"
            raise JobError(msg)
        values.extend(map(float, cells))
    answered = len(values) // width
    if answered != rows:
        msg = f"the {role} was asked {rows:,} rows and answered {answered:,}; every row needs one line, in its order"
        raise JobError(msg)
    found = np.array(values, dtype=np.float64)
    return found.reshape(rows, width) if task is Task.MULTICLASS else found


def _lines(path: Path, role: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line; blank ones come from joining batches that already end a line."""
    try:
        with path.open(encoding="utf-8", errors="replace") as handle:
            for line, text in enumerate(handle, start=1):
                if text.strip():
                    yield line, text.strip()
    except OSError as error:
        msg = f"the answers of the {role} cannot be read: {path}: {error.strerror}"
        raise JobError(msg) from error


def _number(cell: str) -> float:
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def _count_fault(cells: int, task: Task, width: int) -> str | None:
    if cells == width:
        return None
    one = {
        Task.BINARY: "the probability of the second category alone",
        Task.MULTICLASS: f"{width} probabilities between commas, one for each category",
        Task.REGRESSION: "one number",
    }
    return f"has {cells} {'value' if cells == 1 else 'values'}; a model of this task answers {one[task]}"


def _fault(values: list[float], cells: list[str], task: Task) -> str | None:
    for value, cell in zip(values, cells, strict=True):
        if task is Task.REGRESSION:
            if not abs(value) <= _LARGEST:
                return f"is no number that 32 bits can hold: {shown(cell)}"
        elif not 0 <= value <= 1:
            return f"is no probability within 0 and 1: {shown(cell)}"
    total = math.fsum(values)
    if task is Task.MULTICLASS and abs(total - 1) > SUM_TOLERANCE:
        return f"has probabilities that add up to {total:.6g} instead of 1"
    return None
