"""Candidates as data scientists make them: with the programs of the pipeline, measured by its gates."""

from __future__ import annotations

import json
import tarfile
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evaluate
from job_settings import read_settings
from mlops.rehearsal import sample_data
from mlops.rehearsal.candidate import CandidateError, CandidateFiles, make_candidate
from mlops.rehearsal.faults import Fault
from mlops.rehearsal.xgboost_algorithm.native import Booster, Matrix
from mlops_constructs.settings import ModelSettings, load_settings
from tests.handover.handover_world import CONFIG


@dataclass
class Made:
    """A candidate and the folder in which it was made."""

    files: CandidateFiles
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.files.metrics.read_text())
        return read

    def labels(self) -> Any:
        return np.loadtxt(self.folder / "prepare/output/test/test.csv", delimiter=",", usecols=0)

    def answers_to(self, other: Made) -> Any:
        """What its model answers to the test rows of another candidate."""
        rows = np.loadtxt(other.folder / "prepare/output/score/test.csv", delimiter=",", dtype=np.float32)
        booster = Booster()
        with tarfile.open(self.files.model) as archive:
            [member] = archive.getmembers()
            content = archive.extractfile(member)
            assert content is not None
            booster.load(content.read())
        with Matrix.dense(array("f", rows.tobytes()), columns=rows.shape[1]) as matrix:
            return np.array(booster.predict(matrix))


def make(model: ModelSettings, folder: Path, *, version: int, fault: Fault | None = None) -> Made:
    return Made(make_candidate(model, sample_data.extract(model, version=version, fault=fault), folder), folder)


@pytest.fixture(scope="module")
def versions(abalone: ModelSettings, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Made]:
    folder = tmp_path_factory.mktemp("versions")
    return {version: make(abalone, folder / str(version), version=version) for version in (1, 2)}


def comparison(challenger: Made, champion: Made) -> dict[str, Any]:
    """The comparison of the pipeline: both models on the challenger's test rows."""
    settings = read_settings(challenger.folder / "settings.json")
    answers = challenger.answers_to(challenger), champion.answers_to(challenger)
    compared: dict[str, Any] = evaluate.evaluation(challenger.labels(), *answers, settings)["champion"]["comparison"]
    return compared


@pytest.mark.parametrize("version", [1, 2])
def test_every_version_passes_the_configured_gates(
    versions: dict[int, Made], abalone: ModelSettings, version: int
) -> None:
    measured = {name: each["value"] for name, each in versions[version].report["regression_metrics"].items()}
    for metric, gate in abalone.gates.metrics.items():
        assert gate.floor is None or measured[metric] >= gate.floor
        assert gate.ceiling is None or measured[metric] <= gate.ceiling


@pytest.mark.parametrize("version", [1, 2])
def test_the_model_is_good_but_not_perfect(versions: dict[int, Made], version: int) -> None:
    assert 0.55 <= versions[version].report["regression_metrics"]["r2"]["value"] <= 0.85


def test_what_was_measured_is_what_the_model_in_the_archive_answers(versions: dict[int, Made]) -> None:
    made = versions[2]
    error = np.sqrt(np.mean((made.labels() - made.answers_to(made)) ** 2))
    assert made.report["regression_metrics"]["rmse"]["value"] == pytest.approx(error, rel=1e-6)
    assert made.report["rows"] == 900


def test_the_second_version_beats_the_first_beyond_doubt(versions: dict[int, Made]) -> None:
    compared = comparison(versions[2], versions[1])
    assert compared["metric"] == "rmse"
    assert 0.2 < compared["low"] < compared["difference"] < compared["high"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_worse_challenger_passes_the_floors_and_beats_no_champion(
    versions: dict[int, Made], abalone: ModelSettings, tmp_path: Path, version: int
) -> None:
    worse = make(abalone, tmp_path, version=version, fault=Fault.WORSE_CHALLENGER)
    test_every_version_passes_the_configured_gates({version: worse}, abalone, version)
    assert all(comparison(worse, champion)["low"] < -0.1 for champion in versions.values())


def test_equal_data_gives_equal_files(versions: dict[int, Made], abalone: ModelSettings, tmp_path: Path) -> None:
    again = make(abalone, tmp_path, version=1).files
    first = versions[1].files
    pairs = ((again.model, first.model), (again.data, first.data), (again.metrics, first.metrics))
    assert all(one.read_bytes() == other.read_bytes() for one, other in pairs)


def test_data_that_breaks_a_rule_makes_no_candidate(abalone: ModelSettings, tmp_path: Path) -> None:
    with pytest.raises(CandidateError, match="the label 'rings' is blank in 1 row"):
        make(abalone, tmp_path, version=1, fault=Fault.BLANK_LABEL)


def test_a_training_that_fails_says_why(abalone: ModelSettings, tmp_path: Path) -> None:
    algorithm = abalone.algorithm
    assert algorithm is not None
    wrong = algorithm.model_copy(update={"hyperparameters": {"num_round": 0}})
    with pytest.raises(CandidateError, match="num_round: 0 is out of range"):
        make(abalone.model_copy(update={"algorithm": wrong}), tmp_path, version=1)


def test_a_container_of_ones_own_makes_no_candidate_here(tmp_path: Path) -> None:
    iris = load_settings(CONFIG, models=["iris"]).models["iris"]
    with pytest.raises(CandidateError, match="a container of its own"):
        make(iris, tmp_path, version=1)
