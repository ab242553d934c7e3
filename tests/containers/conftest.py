"""The programs as the archive that a job gets, prepared data, and the answers of models trained on it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xgboost
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.containers.processing_job import (
    Job,
    as_csv,
    customers,
    diabetes_settings,
    flowers,
    iris_settings,
    model_settings,
    patients,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from tests.containers.processing_job import Document

PROCESSING = Path(__file__).parents[2] / "containers" / "processing"


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs as one archive, without a folder inside."""
    path = tmp_path_factory.mktemp("archive") / "processing.zip"
    with zipfile.ZipFile(path, "w") as target:
        for file in PROCESSING.glob("*.py"):
            target.write(file, file.name)
    return path


@pytest.fixture
def job(tmp_path: Path, archive: Path) -> Job:
    return Job(tmp_path, archive)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Job:
    """A finished run of prepare."""
    return finished(tmp_path_factory.mktemp("prepared"), archive, model_settings(), as_csv(customers(2000)))


def answers_of(values: npt.ArrayLike) -> str:
    """Return answers as a batch transform job collects them: one line for each row."""
    table = np.asarray(values)
    return "".join(",".join(map(repr, row)) + "\n" for row in table.reshape(len(table), -1).tolist())


@pytest.fixture(scope="session")
def ask(prepared: Job) -> Callable[..., str]:
    """Train a model on the prepared rows, as the built-in algorithm reads them, and return its answers."""

    def train_and_ask(*, rounds: int, **parameters: object) -> str:
        source = prepared.base / "output" / "train" / "train.csv"
        matrix = xgboost.DMatrix(f"{source}?format=csv&label_column=0")
        settings = {"objective": "binary:logistic", "nthread": 1, "seed": 1, **parameters}
        booster = xgboost.train(settings, matrix, num_boost_round=rounds)
        return answers_of(booster.predict(xgboost.DMatrix(prepared.cells("score", "test"))))

    return train_and_ask


@pytest.fixture(scope="session")
def good_answers(ask: Callable[..., str]) -> str:
    return ask(rounds=30, max_depth=3, eta=0.2)


@pytest.fixture(scope="session")
def poor_answers(ask: Callable[..., str]) -> str:
    """Those of a model of a single shallow tree."""
    return ask(rounds=1, max_depth=1)


@dataclass(frozen=True)
class Asked:
    """Two models of scikit-learn that learned from prepared rows, and their answers to the test rows."""

    job: Job
    good: str
    poor: str


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Asked:
    """A model of three classes, and one that always answers their shares."""
    job = finished(tmp_path_factory.mktemp("iris"), archive, iris_settings(), flowers())
    rows, features = job.cells("train"), job.cells("score", "test")
    models = (LogisticRegression(max_iter=1000), DummyClassifier(strategy="prior"))
    return Asked(job, *(answers_of(each.fit(rows[:, 1:], rows[:, 0]).predict_proba(features)) for each in models))


@pytest.fixture(scope="session")
def diabetes(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Asked:
    """A model of a number, and one that always answers the mean."""
    job = finished(tmp_path_factory.mktemp("diabetes"), archive, diabetes_settings(), patients())
    rows, features = job.cells("train"), job.cells("score", "test")
    models = (LinearRegression(), DummyRegressor())
    return Asked(job, *(answers_of(each.fit(rows[:, 1:], rows[:, 0]).predict(features)) for each in models))


def finished(folder: Path, archive: Path, settings: Document, raw: str) -> Job:
    """Return a finished run of prepare."""
    job = Job(folder, archive)
    job.settings = settings
    job.put("raw/data.csv", raw)
    result = job.run("prepare")
    assert result.returncode == 0, result.stderr
    return job
