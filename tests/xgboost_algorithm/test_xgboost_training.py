from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.xgboost_algorithm.training_job import Job, csv, libsvm, rows, wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_good_job_ends_with_0_and_leaves_one_model_and_no_failure(job: Job) -> None:
    outcome = job.run()
    assert (outcome.code, outcome.failure) == (0, None)
    assert [file.name for file in job.model.parent.iterdir()] == ["xgboost-model"]


def test_every_round_writes_a_metric_line_in_the_form_that_the_metric_definitions_expect(job: Job) -> None:
    job.add("validation", csv(rows(100, seed=2)))
    job.hyperparameters["eval_metric"] = "auc,logloss"
    lines = job.run().metric_lines
    number = r"\d\.\d{5}"
    form = rf"\[\d\]\ttrain-auc:{number}\ttrain-logloss:{number}\tvalidation-auc:{number}\tvalidation-logloss:{number}"
    assert len(lines) == 8
    assert all(re.fullmatch(form, line) for line in lines)


def test_the_metrics_of_the_container_are_measured_like_scikit_learn_does(job: Job) -> None:
    from sklearn import metrics  # noqa: PLC0415 - seconds

    from mlops.rehearsal.xgboost_algorithm.metrics import measure  # noqa: PLC0415

    job.hyperparameters["eval_metric"] = "accuracy,f1,f1_binary,balanced_accuracy,precision,recall"
    assert job.run().metric_lines[0].startswith("[0]\ttrain-logloss:0.")
    labels = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    guesses = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    found = measure(
        ["accuracy", "f1", "f1_binary", "balanced_accuracy", "precision", "recall_macro"],
        labels,
        [guess - 0.5 for guess in guesses],
    )
    assert list(found.values()) == pytest.approx(
        [
            metrics.accuracy_score(labels, guesses),
            metrics.f1_score(labels, guesses, average="macro"),
            metrics.f1_score(labels, guesses),
            metrics.balanced_accuracy_score(labels, guesses),
            metrics.precision_score(labels, guesses),
            metrics.recall_score(labels, guesses, average="macro"),
        ]
    )


def test_the_model_is_the_one_that_the_python_package_trains(job: Job, tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415
    import xgboost  # noqa: PLC0415 - seconds

    job.hyperparameters |= {"subsample": "0.7", "colsample_bytree": "0.6", "scale_pos_weight": "2"}
    assert job.run().code == 0
    table = np.array(rows(400, seed=1), dtype=np.float32)
    matrix = xgboost.DMatrix(table[:, 1:], label=table[:, 0])
    parameters = {name: value for name, value in job.hyperparameters.items() if name != "num_round"}
    expected = xgboost.train(parameters, matrix, 8).predict(matrix)
    model = tmp_path / "model.ubj"
    model.write_bytes(job.model.read_bytes())
    assert xgboost.Booster(model_file=model).predict(matrix).tolist() == expected.tolist()


def test_early_stopping_ends_the_training_and_keeps_the_best_round(job: Job) -> None:
    job.add("validation", csv(rows(60, seed=2)))
    job.hyperparameters |= {
        "num_round": "200",
        "eta": "0.9",
        "eval_metric": "auc,logloss",
        "early_stopping_rounds": "3",
    }
    outcome = job.run()
    losses = [float(line.rpartition(":")[2]) for line in outcome.metric_lines]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3
    assert f"Stored trained model of {best + 1} rounds" in outcome.log


def test_early_stopping_without_validation_data_trains_every_round_as_the_container_does(job: Job) -> None:
    job.hyperparameters |= {"early_stopping_rounds": "1", "eval_metric": "auc"}
    outcome = job.run()
    assert len(outcome.metric_lines) == 8
    assert "early_stopping_rounds has no effect" in outcome.log


def test_all_mistakes_in_hyperparameters_and_channels_are_reported_at_once(job: Job) -> None:
    job.hyperparameters = {"eta": "2", "max_dept": "3", "objective": "binary:logistic"}
    job.channels["test"] = dict(job.channels["train"])
    outcome = job.run()
    assert outcome.code == 1
    assert outcome.failure is not None
    assert outcome.failure.splitlines() == [
        "UserError: 4 problems",
        "Hyperparameter eta: 2 is out of range; allowed: a number at least 0 and at most 1",
        "Extraneous hyperparameter found: max_dept (did you mean max_depth?)",
        "Missing required hyperparameter: num_round",
        "Extraneous channel found: test",
    ]
    assert not job.model.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,0.5,2\n0,abc,1\n", "file 'data.csv' row 2: 'abc' in column 2 is not a number"),
        ("1,0.5,2\n,0.1,1\n0,1,1\n", "file 'data.csv' row 2: the label is blank"),
        ("churn,a,b\n1,2,3\n", "row 1: 'churn' in column 1 is not a number (the algorithm takes CSV without a header)"),
        ("1,0.5,2\n0,1\n", "file 'data.csv' row 2: 2 columns where 3 are expected"),
        ("1\n0\n", "Could not determine delimiter on line 1"),
        ("2,0.5,2\n0,1,5\n0,2,5\n0,3,5\n", "label must be in [0,1] for logistic regression"),
        ("", "No data in training channel path"),
    ],
)
def test_damaged_csv_is_refused_by_file_and_row(tmp_path: Path, text: str, reason: str) -> None:
    job = Job(tmp_path)
    job.add("train", text)
    outcome = job.run()
    assert outcome.code == 1
    assert reason in (outcome.failure or "")
    assert (outcome.failure or "").startswith("UserError: ")


def test_csv_without_a_content_type_is_taken_for_libsvm_and_refused(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.add("train", csv(rows(20, seed=1)), content_type=None)
    expected = "' of file 'data.csv' is not 'LIBSVM' format. Please ensure the file is in 'LIBSVM' format."
    assert (job.run().failure or "").replace("...", "").endswith(expected)


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        (
            "application/json",
            "UserError: channel 'train': application/json is not an accepted ContentType: csv, libsvm",
        ),
        ("text/csv;label_size=2", "Optional parameter label_size must be equal to 1"),
        ("application/x-parquet", "PlatformError: channel 'train' holds parquet; this runner reads text/csv and"),
    ],
)
def test_a_content_type_that_cannot_be_read_fails_the_job(job: Job, content_type: str, reason: str) -> None:
    job.channels["train"]["ContentType"] = content_type
    assert reason in (job.run().failure or "")


def test_distributed_training_is_refused(job: Job) -> None:
    job.resources["hosts"] = ["algo-1", "algo-2"]
    assert "PlatformError: this runner trains on one host, but the job has 2" in (job.run().failure or "")


def test_a_missing_train_channel_is_named(tmp_path: Path) -> None:
    assert Job(tmp_path).run().failure == "UserError: Missing required channel: train"


def test_csv_and_libsvm_of_the_same_rows_give_the_same_model(
    job: Job, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Job(tmp_path_factory.mktemp("libsvm"))
    other.add("train", libsvm(rows(400, seed=1)), content_type="text/libsvm")
    assert (job.run().code, other.run().code) == (0, 0)
    assert job.model.read_bytes() == other.model.read_bytes()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found_in_the_first_line(job: Job, tmp_path: Path, delimiter: str) -> None:
    expected = job.run()
    other = Job(tmp_path / "other")
    other.add("train", csv(rows(400, seed=1), delimiter))
    assert other.run().metric_lines == expected.metric_lines


def test_csv_weights_take_the_second_column_out_of_the_features(job: Job) -> None:
    job.add("train", csv([[row[0], 2.5, *row[1:]] for row in rows(400, seed=1)]))
    job.hyperparameters["csv_weights"] = "1"
    assert "Train matrix has 400 rows and 4 columns" in job.run().log


def test_all_files_of_a_channel_are_read_but_hidden_ones(job: Job) -> None:
    job.add("train", csv(rows(50, seed=3)), name="more.csv")
    job.add("train", "not data", name=".part")
    job.add("train", "not data", name="_SUCCESS")
    assert "Train matrix has 450 rows" in job.run().log


def test_a_job_continues_from_its_checkpoint_and_keeps_the_last_five(job: Job) -> None:
    job.checkpoints = {"LocalPath": "/opt/ml/checkpoints"}
    job.hyperparameters["num_round"] = "7"
    assert len(job.run().metric_lines) == 7
    kept = sorted(file.name for file in (job.base / "checkpoints").iterdir())
    assert kept == [f"xgboost-checkpoint.{number}" for number in range(2, 7)]
    job.hyperparameters["num_round"] = "10"
    resumed = job.run()
    assert [line.partition("\t")[0] for line in resumed.metric_lines] == ["[7]", "[8]", "[9]"]
    assert "Stored trained model of 10 rounds" in resumed.log


def test_continuing_gives_the_model_of_an_uninterrupted_training(job: Job, tmp_path: Path) -> None:
    whole = Job(tmp_path / "whole", dict(job.hyperparameters))
    whole.add("train", csv(rows(400, seed=1)))
    job.checkpoints = {"LocalPath": "/opt/ml/checkpoints"}
    job.hyperparameters["num_round"] = "5"
    job.run()
    job.hyperparameters["num_round"] = "8"
    assert job.run().metric_lines == whole.run().metric_lines[5:]


@pytest.mark.parametrize(("save", "saved"), [("true", True), ("false", False)])
def test_sigterm_ends_the_training_early_and_saves_what_was_asked_for(job: Job, *, save: str, saved: bool) -> None:
    job.checkpoints = {"LocalPath": "/opt/ml/checkpoints"}
    job.hyperparameters |= {"num_round": "100000", "save_model_on_termination": save}
    process = job.start()
    wait_until(lambda: list((job.base / "checkpoints").glob("xgboost-checkpoint.*")))
    process.terminate()
    outcome = job.outcome(process)
    assert (outcome.code, outcome.failure) == (0, None)
    assert job.model.exists() is saved
