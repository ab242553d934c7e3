"""The claims: does a model that was handed over measure here what its maker says?

A model that measures something else, better or worse, is not the model, the data or the evaluation that was described.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.shared.decisions import Check
from lambdas.shared.metrics import finite, json_object, metrics_of
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from lambdas.quality_gate.events import Claimed

_SMALLEST = 1e-9
"""Of a claimed value: zero has no shares."""


def judge_claims(report: object, claimed: Claimed) -> list[Check]:
    """Return a check for each claimed metric that `report` (evaluation.json) has too; that is at least one."""
    measured = metrics_of(json_object(report))
    both = {name: value for name, value in claimed.metrics.items() if name in measured}
    if not both:
        names, others = clip(", ".join(claimed.metrics), length=120), clip(", ".join(measured), length=120) or "nothing"
        reason = f"none of the claimed metrics ({names}) was measured here ({others})"
        return [Check(name="claimed", passed=False, reason=reason)]
    return [_claim(name, value, measured[name], claimed.tolerance) for name, value in both.items()]


def _claim(name: str, claim: float, entry: Any, tolerance: float) -> Check:
    given = json_object(entry).get("value")
    value = finite(given)
    if value is None:
        reason = f"{claim:g} was claimed for {name}, but what was measured is no number: {clip(repr(given), length=40)}"
        return Check(name=f"claimed-{name}", passed=False, required=claim, reason=reason)
    difference, allowed = abs(value - claim), tolerance * max(abs(claim), _SMALLEST)
    reason = (
        f"{name} is {value:.6g} here, {claim:.6g} was claimed: {difference:.3g} apart, at most {allowed:.3g} allowed"
    )
    return Check(name=f"claimed-{name}", passed=difference <= allowed, value=value, required=claim, reason=reason)
