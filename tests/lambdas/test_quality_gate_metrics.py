from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.quality_gate import handler
from lambdas.quality_gate.metric_gate import judge_metrics
from lambdas.shared.decisions import all_passed
from lambdas.shared.gates import MetricGates

if TYPE_CHECKING:
    from lambdas.shared.decisions import Check
    from tests.lambdas.conftest import Bucket, Context, Json

KEY = "churn/runs/run-1/report.json"
GATES = MetricGates.model_validate(
    {
        "metrics": {"auc": {"floor": 0.8}, "log_loss": {"ceiling": 0.5}},
        "champion": {"metric": "auc", "margin": 0.01, "confidence": 0.95},
    }
)
COMPARISON = {
    "metric": "auc",
    "difference": 0.03,
    "low": 0.02,
    "high": 0.04,
    "confidence": 0.95,
    "resamples": 1000,
}
GOOD: dict[str, Any] = {
    "version": 1,
    "task": "binary",
    "rows": 450,
    "binary_classification_metrics": {"auc": {"value": 0.87}, "log_loss": {"value": 0.31}, "f1": {"value": 0.7}},
    "champion": {"binary_classification_metrics": {}, "comparison": COMPARISON},
}


def report(**metrics: Any) -> Json:
    document = copy.deepcopy(GOOD)
    document["binary_classification_metrics"] |= {name: {"value": value} for name, value in metrics.items()}
    return document


def compared(**changes: Any) -> Json:
    return copy.deepcopy(GOOD) | {"champion": {"comparison": COMPARISON | changes}}


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


def test_a_model_that_reaches_everything_passes() -> None:
    assert failed(judge_metrics(GOOD, GATES)) == []


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        ({"auc": 0.7999}, "auc"),
        ({"log_loss": 0.51}, "log_loss"),
        ({"auc": math.nan}, "auc"),
        ({"log_loss": math.nan}, "log_loss"),
        ({"log_loss": -math.inf}, "log_loss"),
        ({"auc": math.inf}, "auc"),
        ({"auc": 1.2}, "auc"),
        ({"log_loss": -0.1}, "log_loss"),
        ({"auc": "0.9"}, "auc"),
        ({"auc": None}, "auc"),
        ({"auc": True}, "auc"),
        ({"auc": [0.9]}, "auc"),
        ({"auc": 10**400}, "auc"),
    ],
)
def test_a_metric_that_misses_or_is_no_number_stops(metrics: Json, name: str) -> None:
    assert failed(judge_metrics(report(**metrics), GATES)) == [name]


GROUPS = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}


def gates(champion: str, margin: float = 0.0, **metrics: Json) -> MetricGates:
    document = {"metrics": metrics, "champion": {"metric": champion, "margin": margin, "confidence": 0.95}}
    return MetricGates.model_validate(document)


@pytest.mark.parametrize(
    ("task", "metrics", "bounds", "name"),
    [
        ("multiclass", {"accuracy": 0.9, "f1": 0.89}, {"accuracy": {"floor": 0.85}, "f1": {"floor": 0.85}}, None),
        ("multiclass", {"accuracy": 0.9, "f1": 0.84}, {"accuracy": {"floor": 0.85}, "f1": {"floor": 0.85}}, "f1"),
        ("regression", {"rmse": 55.1, "r2": 0.45}, {"rmse": {"ceiling": 60}, "r2": {"floor": 0.4}}, None),
        ("regression", {"rmse": 61.0, "r2": 0.45}, {"rmse": {"ceiling": 60}, "r2": {"floor": 0.4}}, "rmse"),
        ("regression", {"rmse": 1.0, "r2": -3.0}, {"rmse": {"ceiling": 60}, "r2": {"floor": 0.4}}, "r2"),
        ("regression", {"rmse": 1.0, "r2": 1.01}, {"rmse": {"ceiling": 60}, "r2": {"floor": 0.4}}, "r2"),
        ("regression", {"rmse": -1.0, "r2": 0.9}, {"rmse": {"ceiling": 60}, "r2": {"floor": 0.4}}, "rmse"),
    ],
)
def test_the_metrics_of_each_task_are_judged(task: str, metrics: Json, bounds: Json, name: str | None) -> None:
    values = {each: {"value": value} for each, value in metrics.items()}
    document = {"version": 1, "task": task, "rows": 88, GROUPS[task]: values, "champion": None}
    assert failed(judge_metrics(document, gates(next(iter(bounds)), **bounds))) == ([name] if name else [])


@pytest.mark.parametrize("task", ["multiclass", "regression", "ranking", None, [], {}, 5])
def test_metrics_of_another_task_are_not_taken(task: Any) -> None:
    assert failed(judge_metrics(GOOD | {"task": task}, GATES)) == ["auc", "log_loss"]


@pytest.mark.parametrize(
    ("low", "high", "passed", "words"),
    [
        (0.01, 0.05, True, "is better than"),
        (-0.09, 0.03, True, "is not much worse than"),
        (-0.10, 0.03, False, "is perhaps much worse than"),
        (-0.30, -0.12, False, "is much worse than"),
    ],
)
def test_with_a_margin_below_zero_a_model_may_be_worse_but_not_by_more(
    low: float, high: float, words: str, *, passed: bool
) -> None:
    document = compared(metric="auc", low=low, high=high, difference=(low + high) / 2)
    check = judge_metrics(document, gates("auc", -0.1, auc={"floor": 0.8}))[-1]
    assert check.passed is passed
    assert words in check.reason


def test_a_metric_exactly_at_its_bound_passes() -> None:
    assert failed(judge_metrics(report(auc=0.8, log_loss=0.5), GATES)) == []


def test_a_metric_that_is_missing_from_the_report_stops_and_is_named() -> None:
    document = report()
    del document["binary_classification_metrics"]["auc"]
    check = next(check for check in judge_metrics(document, GATES) if not check.passed)
    assert check.reason == "auc is required but missing from the report"


@pytest.mark.parametrize("metrics", [None, [], {}, {"auc": 0.9}, {"auc": {}}, {"AUC": {"value": 0.9}}])
def test_metrics_in_another_form_stop(metrics: Any) -> None:
    assert {"auc", "log_loss"} <= set(failed(judge_metrics(GOOD | {"binary_classification_metrics": metrics}, GATES)))


def test_a_near_miss_is_not_rounded_to_a_hit() -> None:
    check = next(check for check in judge_metrics(report(auc=0.79999999), GATES) if not check.passed)
    assert check.reason == "auc is 0.79999999, at least 0.8 required"


@pytest.mark.parametrize("low", [0.01, 0.0, -0.05])
def test_a_tie_and_a_difference_within_the_margin_keep_the_champion(low: float) -> None:
    assert failed(judge_metrics(compared(low=low), GATES)) == ["champion"]


def test_an_equal_model_is_not_called_worse() -> None:
    check = judge_metrics(compared(difference=0.0, low=0.0, high=0.0), GATES)[-1]
    assert check.reason.startswith("the new model is not clearly better than the one in service")


def test_a_difference_above_the_margin_replaces_the_champion() -> None:
    assert failed(judge_metrics(compared(low=0.0100001), GATES)) == []


def test_a_worse_model_is_called_worse() -> None:
    check = judge_metrics(compared(difference=-0.05, low=-0.08, high=-0.02), GATES)[-1]
    assert check.reason.startswith("the new model is worse than the one in service by -0.0500 auc")


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "f1"},
        {"metric": None},
        {"confidence": 0.5},
        {"low": math.nan},
        {"low": None},
        {"low": "0.02"},
        {"high": math.nan},
        {"low": 0.05, "high": 0.04},
        {"difference": None},
    ],
)
def test_a_comparison_that_is_not_the_one_asked_for_stops(changes: Json) -> None:
    assert failed(judge_metrics(compared(**changes), GATES)) == ["champion"]


@pytest.mark.parametrize("champion", [{}, {"comparison": None}, [], "none", 0, False])
def test_a_champion_without_comparison_stops(champion: Any) -> None:
    assert failed(judge_metrics(GOOD | {"champion": champion}, GATES)) == ["champion"]


def test_a_report_that_is_silent_about_the_champion_stops() -> None:
    assert failed(judge_metrics({k: v for k, v in GOOD.items() if k != "champion"}, GATES)) == ["champion"]


def test_without_a_champion_the_floors_decide_and_the_reason_says_so() -> None:
    checks = judge_metrics(GOOD | {"champion": None}, GATES)
    assert failed(checks) == []
    assert checks[-1].reason == "no model is in service yet: the required values alone decide"
    assert failed(judge_metrics(report(auc=0.1) | {"champion": None}, GATES)) == ["auc"]


@pytest.mark.parametrize(("champion", "exists"), [(None, True), (GOOD["champion"], False)])
def test_a_report_that_contradicts_what_is_in_service_stops(champion: Any, *, exists: bool) -> None:
    assert failed(judge_metrics(GOOD | {"champion": champion}, GATES, champion_exists=exists)) == ["champion"]


@pytest.mark.parametrize("changes", [{"rows": 0}, {"rows": None}, {"rows": True}, {"version": 2}])
def test_a_report_without_rows_stops(changes: Json) -> None:
    assert failed(judge_metrics(GOOD | changes, GATES)) == ["rows"]


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.none(), st.lists(st.integers()), st.text(), st.dictionaries(st.text(), st.floats())))
def test_no_other_document_passes(document: Any) -> None:
    assert not all_passed(judge_metrics(document, GATES))


@settings(max_examples=50, deadline=None)
@given(auc=st.floats(), loss=st.floats(), low=st.floats(), high=st.floats())
def test_passing_means_that_every_requirement_holds(auc: float, loss: float, low: float, high: float) -> None:
    document = report(auc=auc, log_loss=loss) | {"champion": {"comparison": COMPARISON | {"low": low, "high": high}}}
    expected = 0.8 <= auc <= 1 and 0 <= loss <= 0.5 and 0.01 < low <= high < math.inf
    assert all_passed(judge_metrics(document, GATES)) is expected


def test_nan_in_the_report_stops_with_a_decision_that_is_json(
    bucket: Bucket, event_of: Callable[..., Json], context: Context
) -> None:
    bucket.put(KEY, report(auc=math.nan))
    answer = handler.handle(event_of("quality_gate"), context)
    assert answer["passed"] is False
    assert "auc is not a number: nan" in answer["summary"]
    json.dumps(bucket.read("churn/runs/run-1/decisions/gate.json"), allow_nan=False)


def test_a_champion_that_exists_can_be_told_by_the_event(
    bucket: Bucket, event_of: Callable[..., Json], context: Context
) -> None:
    bucket.put(KEY, GOOD | {"champion": None})
    assert handler.handle(event_of("quality_gate"), context)["passed"] is True
    assert handler.handle(event_of("quality_gate", championExists=True), context)["passed"] is False
