"""Trained models and jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier

from tabular import export
from tests.tabular.tabular_world import Job, as_csv, iris


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A folder /opt/ml of its own."""
    return Job(tmp_path / "ml")


@pytest.fixture(scope="session")
def iris_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with the answers of three classes, as `train` writes it."""
    folder = tmp_path_factory.mktemp("iris") / "model"
    features, labels = iris()["train"]
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(features.astype(np.float32), labels)
    export.write(model, folder)
    return folder


@pytest.fixture(scope="session")
def number_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest of 12 trees that predicts a number from 3."""
    folder = tmp_path_factory.mktemp("number") / "model"
    chance = np.random.default_rng(5)
    rows = chance.normal(size=(300, 3)).astype(np.float32)
    export.write(RandomForestRegressor(12, random_state=0).fit(rows, rows.sum(axis=1)), folder)
    return folder


@pytest.fixture
def iris_job(job: Job) -> Job:
    """A job with iris in its channels."""
    parts = iris()
    text = {name: as_csv(*parts[name]) for name in ("train", "validation")}
    job.give({"task": "classification", "estimator": "decision_tree", "max_depth": "3", "seed": "1"}, **text)
    return job
