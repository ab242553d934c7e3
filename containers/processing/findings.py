"""The rules that the data breaks: collected over the whole file, so that one run names every mistake."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from job import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_LIMIT = 10
EXAMPLE_LIMIT = 3
VALUE_LIMIT = 40


class Rule(Words):
    """A rule that data can break."""

    SCHEMA = "schema"
    TYPE = "type"
    MISSING_LABEL = "missing-label"
    MISSING_VALUE = "missing-value"
    RANGE = "range"
    CATEGORY = "category"
    CLASS_BALANCE = "class-balance"
    DUPLICATES = "duplicates"
    ROW_COUNT = "row-count"


@dataclass(slots=True, kw_only=True)
class _Violation:
    fault: str
    remedy: str
    rows: list[int] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    count: int = 0

    def message(self) -> str:
        if not self.examples:
            return f"{self.fault}; {self.remedy}"
        hidden = self.count - len(self.examples)
        places = ", ".join(self.examples) + (f" and {hidden:,} more" if hidden else "")
        rows = "1 row" if self.count == 1 else f"{self.count:,} rows"
        return f"{self.fault} in {rows}: {places}; {self.remedy}"


class Findings:
    """The violations found so far; places with the same fault are gathered under one violation."""

    def __init__(self) -> None:
        """Begin without any."""
        self._violations: dict[tuple[Rule, str | None, str], _Violation] = {}

    def __bool__(self) -> bool:
        """Tell whether any rule is broken."""
        return bool(self._violations)

    def add(self, rule: Rule, fault: str, remedy: str, *, column: str | None = None) -> None:
        """Record a fault of the file or of a column as a whole."""
        self._violation(rule, fault, remedy, column).count = 1

    def add_rows(  # noqa: D417 - the others are the parts of the sentence
        self,
        rule: Rule,
        fault: str,
        remedy: str,
        *,
        lines: Sequence[int],
        seen: Sequence[str] = (),
        column: str | None = None,
    ) -> None:
        """Record the same fault in several rows.

        Args:
            lines: where each row starts in the file, counted from 1 as an editor does; the header is line 1.
            seen: what stands there, for each line; left out where nothing stands there.

        """
        if not lines:
            return
        violation = self._violation(rule, fault, remedy, column)
        violation.count += len(lines)
        violation.rows += lines[: ROW_LIMIT - len(violation.rows)]
        room = EXAMPLE_LIMIT - len(violation.examples)
        for index, line in enumerate(lines[:room]):
            violation.examples.append(f"line {line} has {seen[index]}" if seen else f"line {line}")

    def document(self) -> list[dict[str, Any]]:
        """Return the violations in the form of validation.json."""
        return [
            {"rule": rule, "column": column, "rows": each.rows, "count": each.count, "message": each.message()}
            for (rule, column, _), each in self._violations.items()
        ]

    def _violation(self, rule: Rule, fault: str, remedy: str, column: str | None) -> _Violation:
        return self._violations.setdefault((rule, column, fault), _Violation(fault=fault, remedy=remedy))


def shown(value: str) -> str:
    """Show a cell in quotes, shortened; bytes that are not UTF-8 and control characters become escapes."""
    return repr(value if len(value) <= VALUE_LIMIT else value[:VALUE_LIMIT] + "...")
