"""The data gate: is the raw data good enough to train with?

It does not trust the verdict in the report: it decides again from the counts and the violations, and both must agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lambdas.shared.decisions import Check
from lambdas.shared.events import Document, Text, read
from lambdas.shared.metrics import Task
from lambdas.shared.text import clip, count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambdas.shared.gates import DataGate

RULES = {
    "schema": "the columns are those of the settings",
    "type": "every value has the type of its column",
    "missing-label": "every row has a label",
    "missing-value": "no value is missing where one is required",
    "range": "every number is within its range",
    "category": "every category is a known one",
    "class-balance": "every class occurs often enough, or the numbers to predict differ",
    "duplicates": "few rows repeat other rows",
    "row-count": "there are enough rows",
}
"""Rules that the preparation checks, and what it means when nothing violates them."""

_SHOWN_MESSAGE = 250
_TWO = 2
Count = Annotated[int, Field(ge=0)]


class Violation(Document):
    """A rule that the data breaks."""

    rule: str
    column: str | None = None
    rows: list[int]
    count: Count
    message: str


Classes = Annotated[dict[Text, Count], Field(min_length=2)]
"""Rows of each class; of two, under the names negative and positive."""


class Numbers(Document):
    """How numbers to predict spread; nothing where no row has one."""

    minimum: float | None
    maximum: float | None


class ClassProfile(Document):
    """Facts about data with classes, as far as the gate uses them."""

    label: Classes


class NumberProfile(Document):
    """Facts about data with numbers to predict, as far as the gate uses them."""

    label: Numbers


class Splits(Document):
    """Rows of each part."""

    train: Count
    validation: Count
    test: Count


class DataReport(Document):
    """The report of the preparation (validation.json), whatever is to be predicted."""

    version: Annotated[int, Field(ge=1, le=1)]
    task: Annotated[Task, Field(strict=False)]
    rows: Count
    passed: bool
    violations: list[Violation]
    splits: Splits | None


class ClassReport(DataReport):
    """The report on data with classes."""

    profile: ClassProfile


class NumberReport(DataReport):
    """The report on data with numbers to predict."""

    profile: NumberProfile


def read_report(document: object, *, what: str) -> ClassReport | NumberReport:
    """Return the report of the preparation.

    Raises:
        EventError: the document is no such report.
    """
    if read(DataReport, document, what=what).task is Task.REGRESSION:
        return read(NumberReport, document, what=what)
    return read(ClassReport, document, what=what)


def judge_data(report: ClassReport | NumberReport, gate: DataGate) -> list[Check]:
    """Return the checks of the data that `report` describes."""
    return [
        *_rules(report.violations),
        _row_count(report, gate),
        _label(report, gate),
        _splits(report),
        _agreement(report),
    ]


def _rules(violations: Sequence[Violation]) -> list[Check]:
    found: dict[str, list[Violation]] = {rule: [] for rule in RULES}
    for violation in violations:
        found.setdefault(violation.rule, []).append(violation)
    return [_rule(rule, broken) for rule, broken in found.items()]


def _rule(rule: str, broken: Sequence[Violation]) -> Check:
    if not broken:
        return Check(name=rule, passed=True, value=0, required=0, reason=RULES[rule])
    messages = "; ".join(_in_words(violation) for violation in broken)
    total = sum(max(violation.count, 1) for violation in broken)
    return Check(name=rule, passed=False, value=total, required=0, reason=f"{clip(rule, length=40)}: {messages}")


def _in_words(violation: Violation) -> str:
    message = clip(violation.message, length=_SHOWN_MESSAGE)
    first = violation.rows[:3]
    if not first or all(str(row) in message for row in first):
        return message
    lines = ", ".join(str(row) for row in first)
    return f"{message} ({'line' if violation.count == 1 else 'first lines'} {lines})"


def _row_count(report: DataReport, gate: DataGate) -> Check:
    return Check(
        name="rows",
        passed=report.rows >= gate.minimum_rows,
        value=report.rows,
        required=gate.minimum_rows,
        reason=f"{count(report.rows, 'row')}, at least {gate.minimum_rows:,} required",
    )


def _label(report: ClassReport | NumberReport, gate: DataGate) -> Check:
    if isinstance(report, NumberReport):
        return _numbers(report.profile.label)
    return _class_share(report.profile.label, gate)


def _class_share(label: Mapping[str, int], gate: DataGate) -> Check:
    total = sum(label.values())
    share = min(label.values()) / total if total else 0.0
    rarest = "rarer" if len(label) == _TWO else "rarest"
    return Check(
        name="class-share",
        passed=0 < share >= gate.minimum_class_share,
        value=share,
        required=gate.minimum_class_share,
        reason=f"the {rarest} class has {share:.1%} of the rows, at least {gate.minimum_class_share:.1%} required",
    )


def _numbers(label: Numbers) -> Check:
    if label.minimum is None or label.maximum is None or label.minimum >= label.maximum:
        return Check(name="label-range", passed=False, reason="the numbers to predict do not differ")
    shown = f"{label.minimum:g} to {label.maximum:g}"
    return Check(name="label-range", passed=True, value=shown, reason=f"the numbers to predict go from {shown}")


def _splits(report: DataReport) -> Check:
    if report.splits is None:
        return Check(name="splits", passed=False, reason="the data was not divided into train, validation and test")
    parts = {"train": report.splits.train, "validation": report.splits.validation, "test": report.splits.test}
    words = ", ".join(f"{rows:,} {name}" for name, rows in parts.items())
    complete = all(parts.values()) and sum(parts.values()) <= report.rows
    return Check(name="splits", passed=complete, value=words, reason=f"rows of the parts: {words}")


def _agreement(report: DataReport) -> Check:
    agreed = report.passed == (not report.violations)
    verdict = "passed" if report.passed else "not passed"
    reason = f"the report says {verdict} and lists {count(len(report.violations), 'violation')}"
    return Check(name="report", passed=agreed, value=verdict, reason=reason)
