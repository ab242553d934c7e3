"""What a batch has to be before anybody sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.shared.answers import is_possible
from lambdas.shared.decisions import Check
from lambdas.shared.text import clip, count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambdas.run_batch.events import File
    from lambdas.shared.metrics import Task


def check_file(file: File, asked: Iterable[str], answers: Iterable[str], *, width: int, task: Task) -> Check:
    """Check that every row of a file has one answer, and one that the model can give."""
    rows = sum(1 for line in asked if line.strip())
    given, wrong, first = 0, 0, ""
    for line in answers:
        given += 1
        if not is_possible(line, width, task):
            wrong += 1
            first = first or f"line {given}: {clip(line, length=40)!r}"
    told = f"{file.key} has {count(rows, 'row')} and {count(given, 'answer')}"
    if wrong:
        told += f", of which {wrong:,} cannot be an answer of the model ({first})"
    return Check(name=file.key, passed=given == rows and not wrong, value=given, required=rows, reason=told)
