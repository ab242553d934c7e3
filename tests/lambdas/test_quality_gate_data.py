from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.quality_gate import handler
from lambdas.quality_gate.data_gate import RULES, ClassReport, judge_data, read_report
from lambdas.shared.decisions import all_passed
from lambdas.shared.errors import EventError, StorageError
from lambdas.shared.gates import DataGate

if TYPE_CHECKING:
    from tests.lambdas.conftest import Bucket, Context, Json

KEY = "churn/runs/run-1/report.json"
GATE = DataGate(minimum_rows=2000, minimum_class_share=0.05, maximum_duplicate_share=0.01)
GOOD: dict[str, Any] = {
    "version": 1,
    "task": "binary",
    "rows": 3000,
    "passed": True,
    "violations": [],
    "profile": {"columns": {}, "label": {"negative": 2500, "positive": 500}},
    "splits": {"train": 2100, "validation": 450, "test": 450},
}
BLANK_LABEL = {
    "rule": "missing-label",
    "column": "churned",
    "rows": [57],
    "count": 1,
    "message": "the label 'churned' is blank in 1 row: line 57; give each of these rows its label, or remove it",
}


def report(**changes: Any) -> Json:
    return copy.deepcopy(GOOD) | changes


@pytest.fixture
def decide(bucket: Bucket, event_of: Callable[..., Json], context: Context) -> Callable[[Any], Json]:
    def run(document: Any) -> Json:
        bucket.put(KEY, document)
        result: Json = handler.handle(event_of("quality_gate", gate="data"), context)
        return result

    return run


def test_good_data_passes_and_the_decision_is_written(decide: Callable[[Any], Json], bucket: Bucket) -> None:
    answer = decide(GOOD)
    decision = bucket.read("churn/runs/run-1/decisions/gate.json")
    assert answer["passed"] is decision["passed"] is True
    assert answer["decisionUri"] == "s3://mlops-artifacts/churn/runs/run-1/decisions/gate.json"
    assert decision["summary"] == answer["summary"]
    assert {"name", "passed", "value", "required", "reason"} == set(decision["checks"][0])
    assert (decision["version"], decision["gate"]) == (1, "data")


def test_a_blank_label_stops_and_the_row_is_named(decide: Callable[[Any], Json]) -> None:
    answer = decide(report(passed=False, violations=[BLANK_LABEL], splits=None))
    assert answer["passed"] is False
    assert "missing-label: the label 'churned' is blank in 1 row: line 57" in answer["summary"]


def test_rows_that_the_message_does_not_name_are_added(decide: Callable[[Any], Json]) -> None:
    violation = BLANK_LABEL | {"message": "blank", "rows": [3, 9, 12, 40], "count": 4}
    assert "blank (first lines 3, 9, 12)" in decide(report(passed=False, violations=[violation]))["summary"]


@pytest.mark.parametrize("rule", [*RULES, "a rule of tomorrow"])
@pytest.mark.parametrize("passed", [True, False])
def test_one_violation_of_any_rule_stops_whatever_the_report_concludes(rule: str, *, passed: bool) -> None:
    document = report(passed=passed, violations=[BLANK_LABEL | {"rule": rule, "count": 0}])
    checks = judge_data(ClassReport.model_validate(document), GATE)
    assert rule in {check.name for check in checks if not check.passed}


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"rows": 1999, "splits": {"train": 1, "validation": 1, "test": 1}}, "rows"),
        ({"profile": {"label": {"negative": 2990, "positive": 10}}}, "class-share"),
        ({"profile": {"label": {"negative": 0, "positive": 0}}}, "class-share"),
        ({"splits": None}, "splits"),
        ({"splits": {"train": 2100, "validation": 450, "test": 0}}, "splits"),
        ({"splits": {"train": 2100, "validation": 450, "test": 9000}}, "splits"),
        ({"passed": False}, "report"),
    ],
)
def test_each_fact_of_its_own_stops(changes: Json, check: str) -> None:
    checks = judge_data(ClassReport.model_validate(report(**changes)), GATE)
    assert [each.name for each in checks if not each.passed] == [check]


SPREAD = {"minimum": 1.5, "maximum": 40.0, "mean": 20.0, "std": 3.5}


@pytest.mark.parametrize(
    ("task", "label", "name", "passed"),
    [
        ("multiclass", {"a": 1000, "b": 1000, "c": 1000}, "class-share", True),
        ("multiclass", {"a": 2000, "b": 900, "c": 100}, "class-share", False),
        ("multiclass", {"a": 2000, "b": 1000, "c": 0}, "class-share", False),
        ("regression", SPREAD, "label-range", True),
        ("regression", SPREAD | {"minimum": 40.0}, "label-range", False),
        ("regression", dict.fromkeys(SPREAD), "label-range", False),
    ],
)
def test_a_label_of_any_task_is_judged(task: str, label: Json, name: str, *, passed: bool) -> None:
    document = report(task=task, profile={"label": label})
    checks = {each.name: each.passed for each in judge_data(read_report(document, what="the report"), GATE)}
    assert checks[name] is passed
    assert [each for each, good in checks.items() if not good] == ([] if passed else [name])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 2}, "version"),
        ({"rows": "3000"}, "rows"),
        ({"rows": -1}, "rows"),
        ({"violations": None}, "violations"),
        ({"violations": [{"rule": "type"}]}, r"violations\.0\.rows"),
        ({"profile": {}}, r"profile\.label"),
        ({"profile": {"label": {"negative": 1}}}, r"profile\.label"),
        ({"profile": {"label": {"negative": 1, "positive": -1}}}, r"profile\.label\.positive"),
        ({"profile": {"label": {"negative": 1, "positive": 0.5}}}, r"profile\.label\.positive"),
        ({"task": "ranking"}, "task"),
        ({"task": None}, "task"),
        ({"task": "regression"}, r"profile\.label\.minimum"),
        ({"passed": "yes"}, "passed"),
    ],
)
def test_a_report_that_is_not_one_is_an_error_naming_the_field(
    decide: Callable[[Any], Json], changes: Json, field: str
) -> None:
    with pytest.raises(EventError, match=rf"the report s3://.*field '{field}'"):
        decide(report(**changes))


@pytest.mark.parametrize("document", ["", "[]", "null", "{", "5"])
def test_a_document_that_is_no_report_is_an_error(decide: Callable[[Any], Json], document: str) -> None:
    with pytest.raises((EventError, StorageError)):
        decide(document)


@pytest.mark.usefixtures("bucket")
def test_a_missing_report_is_an_error(event_of: Callable[..., Json], context: Context) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        handler.handle(event_of("quality_gate", gate="data"), context)


def test_an_unknown_gate_is_refused(event_of: Callable[..., Json], context: Context) -> None:
    with pytest.raises(EventError, match="field 'gate'"):
        handler.handle(event_of("quality_gate", gate="bias"), context)


def test_a_thousand_violations_make_a_summary_that_fits(decide: Callable[[Any], Json]) -> None:
    violations = [BLANK_LABEL | {"rule": "type", "column": f"c{n}", "message": "ü" * 500} for n in range(1000)]
    assert len(decide(report(passed=False, violations=violations))["summary"]) <= 900


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(min_value=0, max_value=5000),
    negative=st.integers(min_value=0, max_value=5000),
    positive=st.integers(min_value=0, max_value=5000),
    rules=st.lists(st.sampled_from([*RULES, "other"]), max_size=3),
    passed=st.booleans(),
)
def test_nothing_passes_that_breaks_a_requirement(
    rows: int, negative: int, positive: int, rules: list[str], *, passed: bool
) -> None:
    document = report(
        rows=rows,
        passed=passed,
        violations=[BLANK_LABEL | {"rule": rule} for rule in rules],
        profile={"label": {"negative": negative, "positive": positive}},
        splits={"train": rows, "validation": 0, "test": 0} if rows % 2 else {"train": 1, "validation": 1, "test": 1},
    )
    good = all_passed(judge_data(ClassReport.model_validate(document), GATE))
    assert not good or (rows >= 2000 and not rules and passed and min(negative, positive) * 20 >= negative + positive)
