"""The program `train` as SageMaker starts it: exit status, failure file, metrics, SIGTERM and checkpoints."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from tabular.model import Model
from tests.tabular.tabular_world import SECONDS, Job, as_csv, iris

SLOW = {"task": "classification", "estimator": "random_forest", "n_estimators": "4000", "seed": "3"}


def test_iris_is_learned(iris_job: Job) -> None:
    done = iris_job.train()
    assert done.returncode == 0, done.stderr
    assert not iris_job.failure
    features, labels = iris()["test"]
    answers = Model(iris_job.base / "model").predict(features.astype(np.float32))
    assert (answers.argmax(axis=1) == labels).mean() > 0.9
    metrics = dict(line.split("=") for line in done.stdout.splitlines() if line.startswith("validation:"))
    assert metrics.keys() == {"validation:accuracy", "validation:f1", "validation:log_loss"}
    assert float(metrics["validation:accuracy"]) > 0.9


def test_a_number_is_learned_without_a_validation_channel(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    features, labels = load_diabetes(return_X_y=True)
    job.give({"task": "regression", "n_estimators": "30", "max_depth": "4"}, train=as_csv(features, labels))
    (job.base / "input/data/validation").rmdir()
    assert job.train_here() == 0
    assert [line.partition("=")[0] for line in capsys.readouterr().out.splitlines()[-2:]] == ["train:rmse", "train:mae"]
    answers = Model(job.base / "model").predict(features.astype(np.float32))[:, 0]
    assert 1 - ((answers - labels) ** 2).sum() / ((labels - labels.mean()) ** 2).sum() > 0.4


def test_a_job_that_cannot_be_done_ends_with_1_and_says_why_where_sagemaker_reads_it(job: Job) -> None:
    job.give({"task": "guess", "n_estimators": "x" * 2000}, train="1,2\n")
    done = job.train()
    assert done.returncode == 1
    assert job.failure.startswith("2 hyperparameters are wrong: task is ")
    assert len((job.base / "output/failure").read_bytes()) <= 1024
    assert not list((job.base / "model").iterdir())


def test_both_channels_are_judged_before_the_job_fails(job: Job) -> None:
    job.give({"task": "regression"}, train="", validation="1,x\n")
    assert job.train_here() == 1
    assert "the channel train is empty" in job.failure
    assert "validation/validation.csv: row 1, column 2" in job.failure


def test_an_error_that_nobody_thought_of_is_told_too(iris_job: Job) -> None:
    folder = iris_job.base / "model"
    folder.rmdir()
    folder.write_text("in the way")
    assert iris_job.train_here() == 1
    assert iris_job.failure.startswith("the training broke down: ")


def stopped(job: Job) -> tuple[int, float]:
    """Start `train`, send SIGTERM after its first rounds; return its status and how long it took to end."""
    command, environment = job.command("train", PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, env=environment, cwd=job.base, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("trees="):
                break
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        return process.wait(SECONDS), time.monotonic() - begin


def test_a_stopped_training_goes_on_from_its_checkpoint_to_the_same_model(
    iris_job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = iris_job.base / "checkpoints"
    checkpoints.mkdir()
    text = {name: as_csv(*iris()[name]) for name in ("train", "validation")}
    iris_job.give(SLOW | {"n_estimators": "300"}, **text)
    status, seconds = stopped(iris_job)
    assert status == 128 + signal.SIGTERM
    assert seconds < 20
    assert [path.name for path in checkpoints.iterdir()] == ["tabular.checkpoint"]
    assert not list((iris_job.base / "model").iterdir())
    assert not iris_job.failure
    continued = iris_job.train()
    assert continued.returncode == 0, continued.stderr
    assert "trees are there" in continued.stdout
    first = (iris_job.base / "model/leaves.npy").read_bytes()
    (checkpoints / "tabular.checkpoint").write_bytes(b"x" * 100)
    assert iris_job.train_here() == 0
    assert "is damaged: the training starts anew" in capsys.readouterr().out
    assert (iris_job.base / "model/leaves.npy").read_bytes() == first


def test_without_a_folder_for_checkpoints_it_ends_all_the_same(iris_job: Job) -> None:
    text = {name: as_csv(*iris()[name]) for name in ("train", "validation")}
    iris_job.give(SLOW, **text)
    status, seconds = stopped(iris_job)
    assert status == 128 + signal.SIGTERM
    assert seconds < 20


def test_a_checkpoint_of_other_hyperparameters_is_not_used(iris_job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    (iris_job.base / "checkpoints").mkdir()
    (iris_job.base / "checkpoints/tabular.checkpoint").write_bytes(bytes(32) + hashlib.sha256(b"").digest())
    assert iris_job.train_here() == 0
    assert "is of other hyperparameters, rows or versions" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_failure_file_that_cannot_be_written_is_no_second_failure(job: Job) -> None:
    job.give({})
    (job.base / "output").chmod(0o500)
    done = job.train()
    assert done.returncode == 1
    assert "the failure file cannot be written" in done.stderr


def test_the_program_needs_no_writable_folder_but_its_own(iris_job: Job) -> None:
    before = sorted(path for path in Path(iris_job.base).rglob("*"))
    assert iris_job.train_here() == 0
    new = {path.relative_to(iris_job.base).parts[0] for path in Path(iris_job.base).rglob("*") if path not in before}
    assert new == {"model"}
