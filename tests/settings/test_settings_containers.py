"""Models that bring a container: what they may say, and what is said about mistakes."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from mlops_constructs.settings import ModelSettings, SettingsError, Task, load_settings
from tests.settings.container_mistakes import CONTAINER_MISTAKES, IMAGE, VALID_CONTAINERS
from tests.settings.settings_mistakes import CHURN, ENVIRONMENTS, VALID, Mistake

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def containers(tmp_path: Path) -> Path:
    """Provide the settings of a project that has one container, which a test may spoil."""
    folder = shutil.copytree(VALID_CONTAINERS, tmp_path / "config")
    shutil.copy(VALID / ENVIRONMENTS, folder)
    shutil.copy(VALID / CHURN, folder / "models")
    (tmp_path / "cdk.json").touch()
    (tmp_path / "containers/tabular").mkdir(parents=True)
    (tmp_path / "containers/tabular/Dockerfile").write_text("FROM scratch\n")
    return folder


def change(folder: Path, model: str, old: str, new: str) -> ModelSettings:
    file = folder / f"models/{model}.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    return load_settings(folder).models[model]


IDS = [f"{number}-{mistake.path[:60]}" for number, mistake in enumerate(CONTAINER_MISTAKES)]


@pytest.mark.parametrize("mistake", CONTAINER_MISTAKES, ids=IDS)
def test_a_mistake_about_a_container_makes_one_message_that_says_everything(mistake: Mistake, containers: Path) -> None:
    file = containers / mistake.file
    text = file.read_text()
    assert text.count(mistake.old) == 1
    file.write_text(text.replace(mistake.old, mistake.new))
    line = text[: text.index(mistake.old)].count("\n") + 1 + mistake.offset
    with pytest.raises(SettingsError) as raised:
        load_settings(containers)
    assert len(raised.value.problems) == 1, str(raised.value)
    message = str(raised.value.problems[0])
    assert message.startswith(f"{file.as_posix()}:{line}: {mistake.path} ")
    assert mistake.value in raised.value.problems[0].value
    assert [words for words in mistake.says if words not in message] == []


def test_all_mistakes_about_containers_are_reported_at_once(containers: Path) -> None:
    change_of = {"ceiling: 0.6": "ceiling: 2", "id: CVE-2026-23456": "id: CVE-2026-12345", "critical: 0": "critical: x"}
    file = containers / "models/iris.yaml"
    text = file.read_text().replace(IMAGE, f"{IMAGE.partition('@')[0]}:latest")
    for old, new in change_of.items():
        text = text.replace(old, new)
    file.write_text(text.replace("metric: accuracy", "metric: auc"))
    with pytest.raises(SettingsError) as raised:
        load_settings(containers)
    assert [".".join(map(str, problem.path)) for problem in raised.value.problems] == [
        "container.image", "container.scan.maximum.critical", "container.scan.allow.1.id",
        "gates.metrics.log_loss.ceiling", "gates.champion.metric",
    ]  # fmt: skip


def test_the_label_tells_the_task(containers: Path) -> None:
    tasks = {name: model.task for name, model in load_settings(containers).models.items()}
    assert tasks == {"churn": Task.BINARY, "diabetes": Task.REGRESSION, "iris": Task.MULTICLASS}


def test_hyperparameters_of_either_recipe_are_text(containers: Path) -> None:
    models = load_settings(containers).models
    assert models["iris"].hyperparameters == {"task": "classification", "max_depth": "3", "warm_start": "false"}
    assert models["churn"].hyperparameters["eta"] == "0.1"


def test_without_a_person_who_approves_the_release_ends_before_the_approval(containers: Path) -> None:
    model = load_settings(containers).models["diabetes"]
    assert model.deployed_environments == ("dev", "staging")
    change(containers, "diabetes", "triggers:\n  schedule: rate(7 days)\n", "")
    moved = change(containers, "diabetes", "stage: repeatable", "stage: reliable")
    assert moved.deployed_environments == ("dev", "staging", "prod")


def test_a_scan_limits_the_worst_severities_unless_told_otherwise(containers: Path) -> None:
    scan = change(containers, "iris", "      critical: 0", "      critical: null").container
    assert scan is not None
    assert scan.scan.model_dump(mode="json")["maximum"] == {"critical": None, "high": 0, "medium": 10, "low": None}


def test_the_settings_of_a_container_survive_the_way_through_json(containers: Path) -> None:
    for model in load_settings(containers).models.values():
        dumped = json.loads(json.dumps(model.model_dump(mode="json")))
        assert type(model).model_validate(dumped) == model
    assert dumped["container"]["scan"]["allow"][0]["expires"] == "2026-12-31"


def test_settings_that_stand_apart_from_a_project_are_not_compared_with_its_folders(containers: Path) -> None:
    (containers.parent / "cdk.json").unlink()
    (containers.parent / "containers/tabular/Dockerfile").unlink()
    assert "diabetes" in load_settings(containers).models


def test_an_image_of_ones_own_may_need_chips_that_xgboost_cannot_use(containers: Path) -> None:
    assert "ml.trn1.32xlarge" in load_settings(containers).models["iris"].training.instance_types


def test_a_container_can_learn_two_classes_too(containers: Path) -> None:
    model = change(containers, "iris", ", virginica]", "]")
    assert model.task is Task.BINARY


@pytest.mark.parametrize("name", ["a--b", "iris--"])
def test_a_name_that_no_image_repository_can_have_is_refused(name: str, containers: Path) -> None:
    text = (containers / "models/diabetes.yaml").read_text()
    (containers / f"models/{name}.yaml").write_text(text.replace("name: diabetes", f"name: {name}"))
    with pytest.raises(SettingsError, match="name") as raised:
        load_settings(containers)
    assert len(raised.value.problems) == 1
