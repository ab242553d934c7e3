"""The program `evaluate` with a model of three classes: iris, answered by models of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics

import evaluate
from job import JobError

if TYPE_CHECKING:
    import numpy.typing as npt

    from tests.containers.conftest import Asked
    from tests.containers.processing_job import Document, Job

GROUP = "multiclass_classification_metrics"


@pytest.fixture
def ready(job: Job, iris: Asked) -> Job:
    job.settings = iris.job.settings
    job.put("test/test.csv", iris.job.base / "output" / "test" / "test.csv")
    job.put("challenger/test.csv.out", iris.good)
    return job


def evaluated(job: Job) -> Document:
    evaluate.run(job.parsed_settings(), job.base)
    return job.report("evaluation/evaluation.json")


def table(answers: str) -> npt.NDArray[np.float64]:
    return np.array([line.split(",") for line in answers.splitlines()], dtype=float)


def test_metrics_are_those_that_scikit_learn_computes(ready: Job, iris: Asked) -> None:
    result = ready.run("evaluate")
    assert result.returncode == 0, result.stderr
    report = ready.report("evaluation/evaluation.json")
    labels, answers = iris.job.cells("test")[:, 0], table(iris.good)
    assert {name: each["value"] for name, each in report[GROUP].items()} == pytest.approx(
        {
            "f1": metrics.f1_score(labels, answers.argmax(axis=1), average="macro"),
            "accuracy": metrics.accuracy_score(labels, answers.argmax(axis=1)),
            "log_loss": metrics.log_loss(labels, answers),
        }
    )
    assert (report["task"], report["rows"], report["champion"]) == ("multiclass", 30, None)
    assert "roc" not in report


def test_every_value_lies_in_its_interval(ready: Job, iris: Asked) -> None:
    ready.put("champion/test.csv.out", iris.poor)
    report = evaluated(ready)
    digits = 1e-12  # without spread, the three are the same sum in another order
    for group in (report[GROUP], report["champion"][GROUP]):
        for metric in group.values():
            assert metric["low"] - digits <= metric["value"] <= metric["high"] + digits


def test_the_confusion_matrix_has_a_row_for_each_true_class(ready: Job, iris: Asked) -> None:
    matrix = evaluated(ready)["confusion_matrix"]
    labels = iris.job.cells("test")[:, 0]
    assert matrix["categories"] == ["setosa", "versicolor", "virginica"]
    assert matrix["counts"] == metrics.confusion_matrix(labels, table(iris.good).argmax(axis=1)).tolist()
    assert [sum(row) for row in matrix["counts"]] == [10, 10, 10]


@pytest.mark.parametrize("metric", ["accuracy", "f1", "log_loss"])
def test_a_better_challenger_has_a_difference_above_zero(ready: Job, iris: Asked, metric: str) -> None:
    ready.settings["gates"]["champion"]["metric"] = metric
    ready.put("champion/test.csv.out", iris.poor)
    compared = evaluated(ready)["champion"]["comparison"]
    assert compared["metric"] == metric
    assert 0 < compared["low"] <= compared["difference"] <= compared["high"]


def test_the_same_answers_are_a_tie_without_spread(ready: Job, iris: Asked) -> None:
    ready.put("champion/test.csv.out", iris.good)
    compared = evaluated(ready)["champion"]["comparison"]
    assert (compared["difference"], compared["low"], compared["high"]) == (0.0, 0.0, 0.0)


def test_predictions_have_a_probability_for_each_class(ready: Job, iris: Asked) -> None:
    evaluated(ready)
    header, *lines = (ready.base / "output/evaluation/predictions.csv").read_text(encoding="ascii").splitlines()
    rows = np.array([line.split(",") for line in lines], dtype=float)
    assert header == "row,label,probability_0,probability_1,probability_2"
    assert rows[:, 0].tolist() == list(range(1, 31))
    assert rows[:, 1].tolist() == iris.job.cells("test")[:, 0].tolist()
    assert rows[:, 2:] == pytest.approx(table(iris.good))
    assert lines[0].split(",")[1] in {"0", "1", "2"}


def test_a_model_that_answers_the_class_alone_is_refused_with_what_it_should_answer(ready: Job) -> None:
    ready.put("challenger/test.csv.out", "2\n" * 30)
    with pytest.raises(JobError, match=r"line 1 of the answers of the challenger has 1 value; .* 3 probabilities"):
        evaluated(ready)


@pytest.mark.parametrize("labels", ["0,1\n1,1\n", "0,1\n1,1\n2,1\n3,1\n", "0,1\n1,1\n1.5,1\n"])
def test_test_rows_of_other_classes_are_refused(ready: Job, labels: str) -> None:
    ready.put("test/test.csv", labels)
    with pytest.raises(JobError, match="must be 0 to 2, with at least one row of each"):
        evaluated(ready)
