"""The program `evaluate` with a model that predicts a number: diabetes, answered by models of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics

import evaluate
from job import JobError
from tests.containers.conftest import answers_of

if TYPE_CHECKING:
    from tests.containers.conftest import Asked
    from tests.containers.processing_job import Document, Job

GROUP = "regression_metrics"


@pytest.fixture
def ready(job: Job, diabetes: Asked) -> Job:
    job.settings = diabetes.job.settings
    job.put("test/test.csv", diabetes.job.base / "output" / "test" / "test.csv")
    job.put("challenger/test.csv.out", diabetes.good)
    return job


def evaluated(job: Job) -> Document:
    evaluate.run(job.parsed_settings(), job.base)
    return job.report("evaluation/evaluation.json")


def test_metrics_are_those_that_scikit_learn_computes(ready: Job, diabetes: Asked) -> None:
    result = ready.run("evaluate")
    assert result.returncode == 0, result.stderr
    report = ready.report("evaluation/evaluation.json")
    labels, answers = diabetes.job.cells("test")[:, 0], np.array(diabetes.good.split(), dtype=float)
    assert {name: each["value"] for name, each in report[GROUP].items()} == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(labels, answers),
            "mae": metrics.mean_absolute_error(labels, answers),
            "r2": metrics.r2_score(labels, answers),
        }
    )
    assert (report["task"], report["rows"], report["champion"]) == ("regression", len(labels), None)
    assert not {"roc", "confusion_matrix"} & set(report)


def test_every_value_lies_in_its_interval(ready: Job) -> None:
    for metric in evaluated(ready)[GROUP].values():
        assert metric["low"] < metric["value"] < metric["high"]
        assert metric["standard_deviation"] > 0


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_a_better_challenger_has_a_difference_above_zero_whichever_way_the_metric_goes(
    ready: Job, diabetes: Asked, metric: str
) -> None:
    ready.settings["gates"]["champion"]["metric"] = metric
    ready.put("champion/test.csv.out", diabetes.poor)
    champion = evaluated(ready)["champion"]
    assert 0 < champion["comparison"]["low"] < champion["comparison"]["difference"] < champion["comparison"]["high"]
    assert set(champion[GROUP]) == {"rmse", "mae", "r2"}


def test_a_worse_challenger_has_a_difference_below_zero(ready: Job, diabetes: Asked) -> None:
    ready.put("challenger/test.csv.out", diabetes.poor)
    ready.put("champion/test.csv.out", diabetes.good)
    compared = evaluated(ready)["champion"]["comparison"]
    assert compared["low"] < compared["difference"] < compared["high"] < 0


def test_residuals_are_label_minus_answer(ready: Job, diabetes: Asked) -> None:
    report = evaluated(ready)
    labels, answers = diabetes.job.cells("test")[:, 0], np.array(diabetes.good.split(), dtype=float)
    residuals = report["residuals"]
    assert sum(residuals["counts"]) == len(labels)
    assert len(residuals["edges"]) == len(residuals["counts"]) + 1
    assert (residuals["edges"][0], residuals["edges"][-1]) == pytest.approx(
        ((labels - answers).min(), (labels - answers).max())
    )
    assert np.array(report["actual_predicted"]) == pytest.approx(np.column_stack([labels, answers]))


def test_at_most_two_hundred_pairs_are_shown(ready: Job) -> None:
    labels = np.arange(1000) / 10
    ready.put("test/test.csv", "".join(f"{label},1\n" for label in labels))
    ready.put("challenger/test.csv.out", answers_of(labels + 1))
    pairs = evaluated(ready)["actual_predicted"]
    assert len(pairs) == 200
    assert (pairs[0][0], pairs[-1][0]) == (0.0, 99.9)


def test_right_answers_to_every_row_are_measured_as_such(ready: Job, diabetes: Asked) -> None:
    ready.put("challenger/test.csv.out", answers_of(diabetes.job.cells("test")[:, 0]))
    report = evaluated(ready)
    assert {name: metric["value"] for name, metric in report[GROUP].items()} == {"rmse": 0.0, "mae": 0.0, "r2": 1.0}


def test_predictions_keep_label_and_answer_as_numbers(ready: Job, diabetes: Asked) -> None:
    evaluated(ready)
    header, *lines = (ready.base / "output/evaluation/predictions.csv").read_text(encoding="ascii").splitlines()
    rows = np.array([line.split(",") for line in lines], dtype=float)
    assert header == "row,label,prediction"
    assert rows[:, 1].tolist() == diabetes.job.cells("test")[:, 0].tolist()
    assert rows[:, 2] == pytest.approx(np.array(diabetes.good.split(), dtype=float))


@pytest.mark.parametrize(("labels", "words"), [("5,1\n5,2\n", "must differ"), ("nan,1\n5,2\n", "must be numbers")])
def test_labels_that_nothing_can_be_measured_with_are_refused(ready: Job, labels: str, words: str) -> None:
    ready.put("test/test.csv", labels)
    with pytest.raises(JobError, match=words):
        evaluated(ready)
