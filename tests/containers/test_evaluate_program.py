"""The program `evaluate`, run as the archive that a processing job gets, with a model of two classes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics

import evaluate
from binary_measures import curve
from job import JobError

if TYPE_CHECKING:
    from tests.containers.processing_job import Document, Job


@pytest.fixture
def ready(job: Job, prepared: Job, good_answers: str) -> Job:
    """A job whose inputs are there: test rows and the answers of a challenger, no champion."""
    job.put("test/test.csv", prepared.base / "output" / "test" / "test.csv")
    job.put("challenger/test.csv.out", good_answers)
    return job


def evaluated(job: Job) -> Document:
    """Run evaluate in this process and return its report."""
    evaluate.run(job.parsed_settings(), job.base)
    return job.report("evaluation/evaluation.json")


def reason(job: Job) -> str:
    """Return why evaluate cannot do its work."""
    with pytest.raises(JobError) as caught:
        evaluate.run(job.parsed_settings(), job.base)
    return str(caught.value)


def test_metrics_are_those_that_scikit_learn_computes(ready: Job, good_answers: str, prepared: Job) -> None:
    result = ready.run("evaluate")
    assert result.returncode == 0, result.stderr
    report = ready.report("evaluation/evaluation.json")
    labels, scores = prepared.cells("test")[:, 0], np.array(good_answers.split(), dtype=float)
    values = {name: each["value"] for name, each in report["binary_classification_metrics"].items()}
    assert values == pytest.approx(
        {
            "auc": metrics.roc_auc_score(labels, scores),
            "f1": metrics.f1_score(labels, scores > 0.5),
            "accuracy": metrics.accuracy_score(labels, scores > 0.5),
            "log_loss": metrics.log_loss(labels, scores),
        }
    )
    assert (report["task"], report["rows"]) == ("binary", len(labels))
    assert report["champion"] is None


def test_every_value_lies_in_its_interval(ready: Job) -> None:
    for metric in evaluated(ready)["binary_classification_metrics"].values():
        assert metric["low"] <= metric["value"] <= metric["high"]
        assert 0 < metric["standard_deviation"] < 0.2


def test_confusion_matrix_and_curve_agree_with_the_metrics(ready: Job) -> None:
    report = evaluated(ready)
    matrix, roc = report["confusion_matrix"], report["roc"]
    right = matrix["true_negative"] + matrix["true_positive"]
    assert right / report["rows"] == pytest.approx(report["binary_classification_metrics"]["accuracy"]["value"])
    false, true = roc["false_positive_rate"], roc["true_positive_rate"]
    assert len(false) == len(true) <= 101
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)
    area = metrics.auc(false, true)
    assert area == pytest.approx(report["binary_classification_metrics"]["auc"]["value"], abs=0.01)


def test_a_long_curve_is_thinned_and_keeps_its_area() -> None:
    chance = np.random.default_rng(1)
    labels = (chance.random(5000) < 0.2).astype(float)
    scores = chance.random(5000) * 0.5 + labels * chance.random(5000) * 0.5
    thinned = curve(labels, scores)
    false, true = thinned["false_positive_rate"], thinned["true_positive_rate"]
    assert 50 <= len(false) <= 101
    assert metrics.auc(false, true) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=0.002)


def test_predictions_name_every_test_row_in_order(ready: Job, prepared: Job) -> None:
    evaluated(ready)
    header, *lines = (ready.base / "output/evaluation/predictions.csv").read_text(encoding="ascii").splitlines()
    rows = [line.split(",") for line in lines]
    assert header == "row,label,probability"
    assert [row[0] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    assert [row[1] for row in rows] == [line[0] for line in prepared.lines("test")]
    assert all(0 <= float(row[2]) <= 1 for row in rows)


def test_a_better_challenger_has_a_difference_above_zero(ready: Job, poor_answers: str) -> None:
    ready.put("champion/test.csv.out", poor_answers)
    result = ready.run("evaluate")
    assert result.returncode == 0, result.stderr
    champion = ready.report("evaluation/evaluation.json")["champion"]
    compared = champion["comparison"]
    assert 0 < compared["low"] < compared["difference"] < compared["high"]
    assert (compared["metric"], compared["confidence"], compared["resamples"]) == ("auc", 0.95, 200)
    assert set(champion["binary_classification_metrics"]) == {"auc", "f1", "accuracy", "log_loss"}


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_a_worse_challenger_has_a_difference_below_zero(
    ready: Job, good_answers: str, poor_answers: str, metric: str
) -> None:
    ready.put("challenger/test.csv.out", poor_answers)
    ready.put("champion/test.csv.out", good_answers)
    ready.settings["gates"]["champion"]["metric"] = metric
    compared = evaluated(ready)["champion"]["comparison"]
    assert compared["low"] < compared["difference"] < compared["high"] < 0


def test_the_same_model_is_a_tie_without_spread(ready: Job, good_answers: str) -> None:
    ready.put("champion/test.csv.out", good_answers)
    compared = evaluated(ready)["champion"]["comparison"]
    assert (compared["difference"], compared["low"], compared["high"]) == (0.0, 0.0, 0.0)


def test_two_runs_write_the_same_report(ready: Job, poor_answers: str) -> None:
    ready.put("champion/test.csv.out", poor_answers)
    assert evaluated(ready) == evaluated(ready)


def test_a_champion_that_did_not_answer_every_row_is_an_error_that_says_what_to_do(ready: Job) -> None:
    ready.put("champion/test.csv.out", "0.5\n" * 7)
    result = ready.run("evaluate")
    assert result.returncode == 1
    assert "the champion was asked 300 rows and answered 7" in ready.message
    assert "a name of its own" in ready.message
    assert "Traceback" not in result.stderr
    assert not (ready.base / "output/evaluation/evaluation.json").exists()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b"], "with c"),
        (["a", "b", "c", "d"], "without d"),
        (["b", "a", "c"], "the same ones in another order"),
    ],
)
def test_features_are_compared_by_name_where_both_lists_are_there(
    ready: Job, good_answers: str, names: list[str], words: str
) -> None:
    ready.put("champion/test.csv.out", good_answers)
    ready.put("report/features.json", json.dumps({"features": [{"name": name} for name in "abc"]}))
    ready.put("champion-report/features.json", json.dumps({"features": [{"name": name} for name in names]}))
    assert words in reason(ready)


def test_equal_features_are_no_obstacle(ready: Job, prepared: Job, good_answers: str) -> None:
    ready.put("champion/test.csv.out", good_answers)
    for folder in ("report", "champion-report"):
        ready.put(f"{folder}/features.json", prepared.base / "output/report/features.json")
    assert evaluated(ready)["champion"] is not None


def test_a_metric_of_another_task_cannot_be_compared(ready: Job, good_answers: str) -> None:
    ready.put("champion/test.csv.out", good_answers)
    ready.settings["gates"]["champion"]["metric"] = "rmse"
    assert reason(ready) == (
        "gates.champion.metric is 'rmse', which this task does not have; it has auc, f1, accuracy, log_loss"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no rows"),
        ("0,1,2\n0,3,4\n", "at least one row of each"),
        ("0,1,2\n2,3,4\n", "must be 0 and 1"),
        ("churned,age\n1,2\n", "not a file of encoded rows"),
        ("0\n1\n", "no rows with a label and features"),
    ],
)
def test_test_rows_that_cannot_be_used_are_an_error_that_says_why(ready: Job, content: str, words: str) -> None:
    ready.put("test/test.csv", content)
    assert words in reason(ready)


def test_missing_inputs_are_named(job: Job, prepared: Job) -> None:
    assert "cannot read the test rows" in reason(job)
    job.put("test/test.csv", prepared.base / "output/test/test.csv")
    assert "the answers of the challenger cannot be read" in reason(job)
