from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.quality_gate import handler
from lambdas.quality_gate.claim_gate import judge_claims
from lambdas.quality_gate.events import Claimed
from lambdas.shared.decisions import all_passed
from lambdas.shared.errors import EventError

if TYPE_CHECKING:
    from tests.lambdas.conftest import Bucket, Context, Json

GOOD: dict[str, Any] = {
    "version": 1,
    "task": "regression",
    "rows": 450,
    "regression_metrics": {"rmse": {"value": 2.1}, "r2": {"value": 0.55}},
    "champion": None,
}


def claimed(tolerance: float = 0.05, **metrics: float) -> Claimed:
    return Claimed(metrics=metrics, tolerance=tolerance)


def measured(**metrics: Any) -> Json:
    return GOOD | {"regression_metrics": {name: {"value": value} for name, value in metrics.items()}}


@pytest.mark.parametrize(
    ("claim", "value", "passed"),
    [
        (2.0, 2.0, True),
        (2.0, 2.09, True),
        (2.0, 1.91, True),
        (2.0, 2.11, False),
        (2.0, 1.8, False),  # better than claimed: not what was described either
        (-0.5, -0.51, True),
        (-0.5, 0.5, False),
        (0.0, 0.0, True),
        (0.0, 0.001, False),
    ],
)
def test_a_claim_must_come_true_within_the_tolerance(claim: float, value: float, *, passed: bool) -> None:
    check = judge_claims(measured(rmse=value), claimed(rmse=claim))[0]
    assert (check.name, check.passed, check.value, check.required) == ("claimed-rmse", passed, value, claim)


def test_a_claim_that_does_not_come_true_is_told_in_words() -> None:
    reason = judge_claims(measured(rmse=3.5), claimed(rmse=2.0))[0].reason
    assert reason == "rmse is 3.5 here, 2 was claimed: 1.5 apart, at most 0.1 allowed"


@pytest.mark.parametrize("value", [None, "2.1", True, math.nan, math.inf, [], {}])
def test_a_claimed_metric_that_is_measured_as_no_number_stops(value: Any) -> None:
    check = judge_claims(measured(rmse=value), claimed(rmse=2.1))[0]
    assert not check.passed
    assert "is no number" in check.reason


def test_only_what_is_measured_too_is_compared() -> None:
    checks = judge_claims(GOOD, claimed(rmse=2.1, mape=0.3))
    assert [check.name for check in checks] == ["claimed-rmse"]
    assert all_passed(checks)


@pytest.mark.parametrize("report", [GOOD, {}, None, [], measured()])
def test_claims_of_which_none_is_measured_stop(report: Any) -> None:
    checks = judge_claims(report, claimed(auc=0.9, mape=0.3))
    assert not all_passed(checks)
    assert "none of the claimed metrics (auc, mape)" in checks[0].reason


def gate(event_of: Callable[..., Json], claims: object) -> Json:
    gates = event_of("quality_gate")["gates"]
    gates["metrics"] = {"rmse": {"ceiling": 3.0}}
    gates["champion"]["metric"] = "rmse"
    return event_of("quality_gate", gates=gates, **({} if claims is None else {"claimed": claims}))


@pytest.mark.parametrize(
    ("claims", "passed"),
    [
        (None, True),
        ({"metrics": {"rmse": 2.1, "r2": 0.55}, "tolerance": 0.05}, True),
        ({"metrics": {"rmse": 2.1, "r2": 0.9}, "tolerance": 0.05}, False),
        ({"metrics": {"rmse": 2, "r2": 0.9}, "tolerance": 1}, True),
    ],
)
def test_the_gate_stops_a_model_that_is_not_what_was_claimed(
    bucket: Bucket, event_of: Callable[..., Json], context: Context, claims: object, *, passed: bool
) -> None:
    bucket.put("churn/runs/run-1/report.json", GOOD)
    answer = handler.handle(gate(event_of, claims), context)
    assert answer["passed"] is passed
    assert passed or "r2 is 0.55 here, 0.9 was claimed" in answer["summary"]
    json.dumps(bucket.read("churn/runs/run-1/decisions/gate.json"), allow_nan=False)


@pytest.mark.parametrize(
    ("claims", "field"),
    [
        ({}, "claimed.metrics"),
        ({"metrics": {}, "tolerance": 0.05}, "claimed.metrics"),
        ({"metrics": {"rmse": "2"}, "tolerance": 0.05}, "claimed.metrics.rmse"),
        ({"metrics": {"rmse": math.nan}, "tolerance": 0.05}, "claimed.metrics.rmse"),
        ({"metrics": {"rmse": 2.0}}, "claimed.tolerance"),
        ({"metrics": {"rmse": 2.0}, "tolerance": -0.1}, "claimed.tolerance"),
        ({"metrics": {"rmse": 2.0}, "tolerance": math.nan}, "claimed.tolerance"),
        ([], "claimed"),
    ],
)
def test_a_claim_that_could_not_fail_is_refused(
    bucket: Bucket, event_of: Callable[..., Json], context: Context, claims: object, field: str
) -> None:
    bucket.put("churn/runs/run-1/report.json", GOOD)
    with pytest.raises(EventError, match=f"field '{field}'"):
        handler.handle(gate(event_of, claims), context)


@settings(max_examples=50, deadline=None)
@given(claim=st.floats(allow_nan=False, allow_infinity=False), value=st.floats(), tolerance=st.floats(0, 1))
def test_passing_means_that_the_claim_came_true(claim: float, value: float, tolerance: float) -> None:
    passed = all_passed(judge_claims(measured(rmse=value), claimed(tolerance, rmse=claim)))
    assert passed is (math.isfinite(value) and abs(value - claim) <= tolerance * max(abs(claim), 1e-9))
