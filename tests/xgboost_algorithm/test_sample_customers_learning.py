"""What the algorithm learns from the made-up customers, with the real training program and the configured gates."""

from __future__ import annotations

import csv
import io
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from mlops.rehearsal import sample_customers
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.xgboost_algorithm.native import Booster, Matrix
from tests.xgboost_algorithm.training_job import Job

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config" / "models" / "churn.yaml").read_text())


@dataclass
class Trained:
    booster: Booster
    held_out: NDArray[np.float32]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        with Matrix.dense(array("f", features.tobytes()), columns=features.shape[1]) as matrix:
            return np.array(self.booster.predict(matrix))


def encode(text: str) -> NDArray[np.float32]:
    """Label first, categories one-hot, blanks as NaN."""
    table = list(csv.DictReader(io.StringIO(text)))
    columns = {name: column for name, column in CONFIG["data"]["columns"].items() if column["type"] != "ignore"}
    label = columns.pop(CONFIG["data"]["label"])
    encoded = [[float(row["churned"] == label["categories"][1]) for row in table]]
    for name, column in columns.items():
        if column["type"] == "category":
            encoded += [[float(row[name] == category) for row in table] for category in column["categories"]]
        else:
            encoded.append([float(row[name] or "nan") for row in table])
    return np.array(encoded, dtype=np.float32).T.copy()


def as_text(rows: NDArray[np.float32]) -> str:
    return "".join(",".join("" if np.isnan(cell) else f"{cell:g}" for cell in row) + "\n" for row in rows)


def train(folder: Path, text: str) -> Trained:
    rows = encode(text)
    first, second = int(len(rows) * 0.7), int(len(rows) * 0.85)
    hyperparameters = {name: str(value) for name, value in CONFIG["algorithm"]["hyperparameters"].items()}
    job = Job(folder, hyperparameters)
    job.add("train", as_text(rows[:first]))
    job.add("validation", as_text(rows[first:second]))
    outcome = job.run()
    assert outcome.code == 0, outcome.log
    booster = Booster()
    booster.load(job.model.read_bytes())
    return Trained(booster, rows[second:])


def auc(labels: NDArray[np.float32], scores: NDArray[np.float64]) -> float:
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    positive = labels == 1
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(labels) - count)))


def advantage(challenger: Trained, champion: Trained) -> tuple[float, float, float]:
    """(low, difference, high) of the AUC on the challenger's held-out rows, by a paired bootstrap."""
    labels, features = challenger.held_out[:, 0], np.ascontiguousarray(challenger.held_out[:, 1:])
    new, old = challenger.predict(features), champion.predict(features)
    random = np.random.default_rng(7)
    differences = []
    for _ in range(1000):
        chosen = random.integers(0, len(labels), len(labels))
        differences.append(auc(labels[chosen], new[chosen]) - auc(labels[chosen], old[chosen]))
    low, high = np.quantile(differences, (0.025, 0.975))
    return float(low), auc(labels, new) - auc(labels, old), float(high)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Trained]:
    folder = tmp_path_factory.mktemp("versions")
    return {version: train(folder / str(version), sample_customers.extract(version=version)) for version in (1, 2)}


@pytest.mark.parametrize("version", [1, 2])
def test_every_version_passes_the_configured_floors(versions: dict[int, Trained], version: int) -> None:
    gates: dict[str, Any] = CONFIG["gates"]["metrics"]
    trained = versions[version]
    labels = trained.held_out[:, 0]
    scores = trained.predict(np.ascontiguousarray(trained.held_out[:, 1:]))
    hits = ((scores > 0.5) & (labels == 1)).sum()
    assert auc(labels, scores) >= gates["auc"]["floor"]
    assert 2 * hits / ((scores > 0.5).sum() + labels.sum()) >= gates["f1"]["floor"]
    assert ((scores > 0.5) == labels).mean() >= gates["accuracy"]["floor"]
    assert -np.log(np.where(labels == 1, scores, 1 - scores)).mean() <= gates["log_loss"]["ceiling"]


@pytest.mark.parametrize("seed", [2, 3])
def test_eight_thousand_customers_teach_a_good_but_not_a_perfect_model(tmp_path: Path, seed: int) -> None:
    trained = train(tmp_path, sample_customers.generate(8000, seed=seed))
    scores = trained.predict(np.ascontiguousarray(trained.held_out[:, 1:]))
    assert 0.88 <= auc(trained.held_out[:, 0], scores) <= 0.94


def test_the_second_version_beats_the_first_beyond_doubt(versions: dict[int, Trained]) -> None:
    low, difference, high = advantage(versions[2], versions[1])
    assert 0.01 < low < difference < high


@pytest.mark.parametrize("version", [1, 2])
def test_a_worse_challenger_beats_no_champion(tmp_path: Path, versions: dict[int, Trained], version: int) -> None:
    worse = train(tmp_path, sample_customers.extract(version=version, fault=Fault.WORSE_CHALLENGER))
    assert all(advantage(worse, champion)[0] <= 0 for champion in versions.values())
