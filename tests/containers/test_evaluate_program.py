"""The program `evaluate`, run as the archive that a processing job gets."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xgboost
from sklearn import metrics

import evaluate
from job import JobError
from model_archive import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.containers.processing_job import Document, Job


@pytest.fixture
def ready(job: Job, prepared: Job, good_model: Path) -> Job:
    """A job whose inputs are there: test rows and a challenger, no champion."""
    job.put("test/test.csv", prepared.base / "output" / "test" / "test.csv")
    job.put("challenger/model.tar.gz", good_model)
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


def archive_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_metrics_are_those_that_scikit_learn_computes(ready: Job, good_model: Path, prepared: Job) -> None:
    result = ready.run("evaluate")
    assert result.returncode == 0, result.stderr
    report = ready.report("evaluation/evaluation.json")
    matrix = xgboost.DMatrix(f"{prepared.base / 'output/test/test.csv'}?format=csv&label_column=0")
    labels, scores = matrix.get_label(), load_model(good_model, role="challenger").predict(matrix).astype(float)
    values = {name: each["value"] for name, each in report["binary_classification_metrics"].items()}
    assert values == pytest.approx(
        {
            "auc": metrics.roc_auc_score(labels, scores),
            "f1": metrics.f1_score(labels, scores > 0.5),
            "accuracy": metrics.accuracy_score(labels, scores > 0.5),
            "log_loss": metrics.log_loss(labels, scores),
        }
    )
    assert report["rows"] == len(labels)
    assert report["champion"] is None


def test_every_value_lies_in_its_interval(ready: Job) -> None:
    for metric in evaluated(ready)["binary_classification_metrics"].values():
        assert metric["low"] <= metric["value"] <= metric["high"]
        assert 0 < metric["standard_deviation"] < 0.2


def test_confusion_matrix_and_curve_agree_with_the_metrics(ready: Job) -> None:
    report = evaluated(ready)
    matrix, curve = report["confusion_matrix"], report["roc"]
    right = matrix["true_negative"] + matrix["true_positive"]
    assert right / report["rows"] == pytest.approx(report["binary_classification_metrics"]["accuracy"]["value"])
    false, true = curve["false_positive_rate"], curve["true_positive_rate"]
    assert len(false) == len(true) <= 101
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)
    area = metrics.auc(false, true)
    assert area == pytest.approx(report["binary_classification_metrics"]["auc"]["value"], abs=0.01)


def test_a_long_curve_is_thinned_and_keeps_its_area() -> None:
    chance = np.random.default_rng(1)
    labels = (chance.random(5000) < 0.2).astype(np.int64)
    scores = chance.random(5000) * 0.5 + labels * chance.random(5000) * 0.5
    curve = evaluate.curve(labels, scores)
    false, true = curve["false_positive_rate"], curve["true_positive_rate"]
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


def test_a_better_challenger_has_a_difference_above_zero(ready: Job, poor_model: Path) -> None:
    ready.put("champion/model.tar.gz", poor_model)
    result = ready.run("evaluate")
    assert result.returncode == 0, result.stderr
    champion = ready.report("evaluation/evaluation.json")["champion"]
    compared = champion["comparison"]
    assert 0 < compared["low"] < compared["difference"] < compared["high"]
    assert (compared["metric"], compared["confidence"], compared["resamples"]) == ("auc", 0.95, 200)
    assert set(champion["binary_classification_metrics"]) == {"auc", "f1", "accuracy", "log_loss"}


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_a_worse_challenger_has_a_difference_below_zero(
    ready: Job, good_model: Path, poor_model: Path, metric: str
) -> None:
    ready.put("challenger/model.tar.gz", poor_model)
    ready.put("champion/model.tar.gz", good_model)
    ready.settings["gates"]["champion"]["metric"] = metric
    compared = evaluated(ready)["champion"]["comparison"]
    assert compared["low"] < compared["difference"] < compared["high"] < 0


def test_the_same_model_is_a_tie_without_spread(ready: Job, good_model: Path) -> None:
    ready.put("champion/model.tar.gz", good_model)
    compared = evaluated(ready)["champion"]["comparison"]
    assert (compared["difference"], compared["low"], compared["high"]) == (0.0, 0.0, 0.0)


def test_two_runs_write_the_same_report(ready: Job, poor_model: Path) -> None:
    ready.put("champion/model.tar.gz", poor_model)
    assert evaluated(ready) == evaluated(ready)


def test_rounds_after_the_best_one_are_not_used(ready: Job, train: Callable[..., Path], tmp_path: Path) -> None:
    model = load_model(train(rounds=30), role="challenger")
    model.set_attr(best_iteration="4")
    model.save_model(tmp_path / "model.ubj")
    best = archive_of({"xgboost-model": (tmp_path / "model.ubj").read_bytes()})
    ready.put("challenger/model.tar.gz", best)
    ready.put("champion/model.tar.gz", train(rounds=5))
    assert evaluated(ready)["champion"]["comparison"]["difference"] == 0.0


def test_a_champion_with_other_features_is_an_error_that_says_what_to_do(ready: Job, tmp_path: Path) -> None:
    values, labels = np.random.default_rng(0).random((50, 3)), np.arange(50) % 2
    xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(values, labels), 2).save_model(
        tmp_path / "other.ubj"
    )
    ready.put("champion/model.tar.gz", archive_of({"xgboost-model": (tmp_path / "other.ubj").read_bytes()}))
    result = ready.run("evaluate")
    assert result.returncode == 1
    assert "the champion was trained on 3 features, but the test rows have 5" in ready.message
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
    ready: Job, good_model: Path, names: list[str], words: str
) -> None:
    ready.put("champion/model.tar.gz", good_model)
    ready.put("report/features.json", json.dumps({"features": [{"name": name} for name in "abc"]}))
    ready.put("champion-report/features.json", json.dumps({"features": [{"name": name} for name in names]}))
    assert words in reason(ready)


def test_equal_features_are_no_obstacle(ready: Job, prepared: Job, good_model: Path) -> None:
    ready.put("champion/model.tar.gz", good_model)
    for folder in ("report", "champion-report"):
        ready.put(f"{folder}/features.json", prepared.base / "output/report/features.json")
    assert evaluated(ready)["champion"] is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"no archive", "the archive of the challenger cannot be unpacked", id="not an archive"),
        pytest.param(archive_of({"model.pkl": b""}), "holds no file 'xgboost-model'", id="another file"),
        pytest.param(archive_of({"../xgboost-model": b"x"}), "holds no file 'xgboost-model'", id="outside"),
        pytest.param(archive_of({"/xgboost-model": b"x"}), "holds no file 'xgboost-model'", id="absolute"),
        pytest.param(archive_of({"xgboost-model": b"junk"}), "not one that XGBoost", id="not a model"),
        pytest.param(archive_of({"xgboost-model": b""}), "not one that XGBoost", id="an empty model"),
    ],
)
def test_an_archive_that_cannot_be_used_is_an_error_that_says_why(ready: Job, content: bytes, words: str) -> None:
    ready.put("challenger/model.tar.gz", content)
    assert words in reason(ready)


def test_a_link_in_the_archive_is_not_followed(ready: Job, tmp_path: Path) -> None:
    link = tarfile.TarInfo("xgboost-model")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with tarfile.open(tmp_path / "link.tar.gz", "w:gz") as tar:
        tar.addfile(link)
    ready.put("challenger/model.tar.gz", tmp_path / "link.tar.gz")
    assert "holds no file 'xgboost-model'" in reason(ready)


def test_a_model_that_answers_no_probability_is_refused(ready: Job, train: Callable[..., Path]) -> None:
    ready.put("challenger/model.tar.gz", train(rounds=3, objective="binary:logitraw"))
    assert "objective binary:logistic" in reason(ready)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no rows"),
        ("0,1,2\n0,3,4\n", "at least one row of each"),
        ("0,1,2\n2,3,4\n", "must be 0 and 1"),
        ("churned,age\n1,2\n", "not a file of encoded rows"),
        ("0,1,2\n1,3\n", "not a file of encoded rows"),
        ("0\n1\n", "no rows with a label and features"),
    ],
)
def test_test_rows_that_cannot_be_used_are_an_error_that_says_why(ready: Job, content: str, words: str) -> None:
    ready.put("test/test.csv", content)
    assert words in reason(ready)


def test_missing_inputs_are_named(job: Job, prepared: Job) -> None:
    assert "cannot read the test rows" in reason(job)
    job.put("test/test.csv", prepared.base / "output/test/test.csv")
    assert "the challenger has no model archive" in reason(job)
