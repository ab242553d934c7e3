"""The programs as the archive that a job gets, prepared data, and models trained on it."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import xgboost

from tests.containers.processing_job import Job, as_csv, customers

if TYPE_CHECKING:
    from collections.abc import Callable

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
    finished = Job(tmp_path_factory.mktemp("prepared"), archive)
    finished.put("raw/data.csv", as_csv(customers(2000)))
    result = finished.run("prepare")
    assert result.returncode == 0, result.stderr
    return finished


@pytest.fixture(scope="session")
def train(prepared: Job, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train a model on the prepared rows, as the built-in algorithm reads them, and archive it."""

    def train_model(*, rounds: int, **parameters: object) -> Path:
        folder = tmp_path_factory.mktemp("model")
        source = prepared.base / "output" / "train" / "train.csv"
        matrix = xgboost.DMatrix(f"{source}?format=csv&label_column=0")
        settings = {"objective": "binary:logistic", "nthread": 1, "seed": 1, **parameters}
        booster = xgboost.train(settings, matrix, num_boost_round=rounds)
        booster.save_model(folder / "model.ubj")
        with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
            tar.add(folder / "model.ubj", "xgboost-model")
        return folder / "model.tar.gz"

    return train_model


@pytest.fixture(scope="session")
def good_model(train: Callable[..., Path]) -> Path:
    return train(rounds=30, max_depth=3, eta=0.2)


@pytest.fixture(scope="session")
def poor_model(train: Callable[..., Path]) -> Path:
    """A model of a single shallow tree."""
    return train(rounds=1, max_depth=1)
