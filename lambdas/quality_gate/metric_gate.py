"""The metric gate: does the model reach every floor, and does it beat the one in service?

Metrics are found by name. One that is missing, not a number or impossible stops the run, as does an unclear champion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.shared.decisions import Check
from lambdas.shared.metrics import SHARES, SIGNED, finite, json_object, metrics_of
from lambdas.shared.text import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.shared.gates import Bound, ChampionGate, MetricGates


def judge_metrics(report: object, gates: MetricGates, *, champion_exists: bool | None = None) -> list[Check]:
    """Return the checks of the model that `report` (evaluation.json) describes."""
    document = json_object(report)
    values = metrics_of(document)
    return [
        _rows(document),
        *(_metric(name, values, bound) for name, bound in gates.metrics.items()),
        _champion(document, gates.champion, exists=champion_exists),
    ]


def _rows(document: Mapping[str, Any]) -> Check:
    rows = document.get("rows")
    passed = document.get("version") == 1 and isinstance(rows, int) and not isinstance(rows, bool) and rows > 0
    reason = f"measured on {rows:,} held-out rows" if passed else "the report does not say on how many rows it rests"
    return Check(name="rows", passed=passed, value=rows if passed else None, reason=reason)


def _metric(name: str, values: Mapping[str, Any], bound: Bound) -> Check:
    required = bound.floor if bound.floor is not None else bound.ceiling
    if name not in values:
        reason = f"{name} is required but missing from the report"
        return Check(name=name, passed=False, required=required, reason=reason)
    given = json_object(values[name]).get("value")
    value = finite(given)
    if value is None:
        shown = clip(repr(given), length=40)
        return Check(name=name, passed=False, required=required, reason=f"{name} is not a number: {shown}")
    if (value < 0 and name not in SIGNED) or (value > 1 and name in SHARES):
        reason = f"{name} is {value:g}, which is impossible"
        return Check(name=name, passed=False, value=value, required=required, reason=reason)
    passed = bound.met_by(value)
    reason = f"{name} is {_shown(value, required)}, {bound} required"
    return Check(name=name, passed=passed, value=value, required=required, reason=reason)


def _shown(value: float, required: float | None) -> str:
    """Round for reading, but never so far that a miss looks like a hit."""
    short = f"{value:.4f}"
    return short if required is None or (float(short) < required) == (value < required) else repr(value)


def _champion(document: Mapping[str, Any], gate: ChampionGate, *, exists: bool | None) -> Check:
    if "champion" not in document:
        return _refused("the report does not say whether there is a model in service to compare with")
    report = document["champion"]
    if report is None and exists:
        return _refused("a model is in service, but the report has no comparison with it")
    if report is None:
        reason = "no model is in service yet: the required values alone decide"
        return Check(name="champion", passed=True, required=gate.margin, reason=reason)
    if exists is False:
        return _refused("no model is in service, but the report compares with one")
    return _comparison(json_object(json_object(report).get("comparison")), gate)


def _comparison(comparison: Mapping[str, Any], gate: ChampionGate) -> Check:
    metric = comparison.get("metric")
    if metric != gate.metric:
        return _refused(f"the comparison with the model in service is by {metric!r}, {gate.metric!r} is required")
    if comparison.get("confidence") != gate.confidence:
        shown = clip(repr(comparison.get("confidence")), length=40)
        return _refused(f"the comparison with the model in service has confidence {shown}, not {gate.confidence:g}")
    numbers = {name: finite(comparison.get(name)) for name in ("difference", "low", "high")}
    difference, low, high = numbers["difference"], numbers["low"], numbers["high"]
    if difference is None or low is None or high is None or low > high:
        return _refused("the comparison with the model in service has no usable interval")
    passed = low > gate.margin
    certain = f"by {difference:+.4f} {gate.metric} ({gate.confidence:.0%} interval {low:+.4f} to {high:+.4f}"
    verdict = _verdict(low, high, gate.margin)
    reason = f"the new model is {verdict} the one in service {certain}; more than {gate.margin:+.4f} required)"
    return Check(name="champion", passed=passed, value=low, required=gate.margin, reason=reason)


def _verdict(low: float, high: float, margin: float) -> str:
    """Put an interval of differences into words; with a margin below zero, a model may be worse by that much."""
    if low > max(margin, 0.0):
        return "better than"
    if margin >= 0:
        return "worse than" if high < 0 else "not clearly better than"
    if low > margin:
        return "not much worse than"
    return "much worse than" if high <= margin else "perhaps much worse than"


def _refused(reason: str) -> Check:
    return Check(name="champion", passed=False, reason=clip(reason, length=200))
