"""A decision: checks with their reasons, and a summary that a manager can read."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One question, its answer, and why."""

    name: str
    passed: bool
    reason: str
    value: float | str | None = None
    required: float | str | None = None

    def document(self) -> dict[str, Any]:
        """Return the check as JSON; a value that JSON cannot hold becomes null (the reason has it in words)."""
        fields = asdict(self)
        if isinstance(self.value, float) and not math.isfinite(self.value):
            fields["value"] = None
        return fields


def all_passed(checks: Sequence[Check]) -> bool:
    """Return whether every check passed; nothing checked is not passed."""
    return bool(checks) and all(check.passed for check in checks)


def summarize(subject: str, checks: Sequence[Check]) -> str:
    """Return one line: what failed and why, or that all passed and with which values."""
    if not checks:
        return f"{subject} failed: nothing was checked"
    failed = [check for check in checks if not check.passed]
    if failed:
        reasons = "; ".join(check.reason for check in failed)
        return clip(f"{subject} failed ({len(failed)} of {len(checks)} checks): {reasons}")
    return clip(f"{subject} passed ({len(checks)} checks): " + "; ".join(check.reason for check in checks))
