"""The data gate: is the raw data good enough to train with?

It does not trust the verdict in the report: it decides again from the counts and the violations, and both must agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lambdas.shared.decisions import Check
from lambdas.shared.events import Document
from lambdas.shared.text import clip, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambdas.shared.gates import DataGate

RULES = {
    "schema": "the columns are those of the settings",
    "type": "every value has the type of its column",
    "missing-label": "every row has a label",
    "missing-value": "no value is missing where one is required",
    "range": "every number is within its range",
    "category": "every category is a known one",
    "class-balance": "both classes occur often enough",
    "duplicates": "few rows repeat other rows",
    "row-count": "there are enough rows",
}
"""Rules that the preparation checks, and what it means when nothing violates them."""

_SHOWN_MESSAGE = 250
Count = Annotated[int, Field(ge=0)]


class Violation(Document):
    """A rule that the data breaks."""

    rule: str
    column: str | None = None
    rows: list[int]
    count: Count
    message: str


class Label(Document):
    """Rows of each class."""

    negative: Count
    positive: Count


class Profile(Document):
    """Facts about the data, as far as the gate uses them."""

    label: Label


class Splits(Document):
    """Rows of each part."""

    train: Count
    validation: Count
    test: Count


class DataReport(Document):
    """The report of the preparation (validation.json)."""

    version: Annotated[int, Field(ge=1, le=1)]
    rows: Count
    passed: bool
    violations: list[Violation]
    profile: Profile
    splits: Splits | None


def judge_data(report: DataReport, gate: DataGate) -> list[Check]:
    """Return the checks of the data that `report` describes."""
    return [
        *_rules(report.violations),
        _row_count(report, gate),
        _class_share(report.profile.label, gate),
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


def _class_share(label: Label, gate: DataGate) -> Check:
    total = label.negative + label.positive
    share = min(label.negative, label.positive) / total if total else 0.0
    return Check(
        name="class-share",
        passed=0 < share >= gate.minimum_class_share,
        value=share,
        required=gate.minimum_class_share,
        reason=f"the rarer class has {share:.1%} of the rows, at least {gate.minimum_class_share:.1%} required",
    )


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
