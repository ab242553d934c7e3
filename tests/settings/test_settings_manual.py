"""A model at stage manual: its data are described and checked, and it asks for nothing of a pipeline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with cfn-lint, without type information
import pytest
import yaml

from mlops_constructs.settings import Settings, SettingsError, Task, load_settings, schema
from tests.settings.settings_mistakes import CHURN, VALID, VALID_MANUAL

FILE = "models/abalone.yaml"
ABALONE = (VALID_MANUAL / FILE).read_text()


def load(folder: Path, text: str = ABALONE) -> Settings:
    (folder / FILE).write_text(text)
    return load_settings(folder)


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(folder, text)
    return [str(problem) for problem in raised.value.problems]


def is_valid(model: dict[str, Any]) -> bool:
    validator = jsonschema.Draft202012Validator(json.loads(schema.schemas()["model.json"]))
    return bool(validator.is_valid(model))


def test_a_model_at_stage_manual_needs_its_data_alone(folder: Path) -> None:
    model = load(folder).manual["abalone"]
    assert (model.stage, model.task, model.data.split.seed) == ("manual", Task.REGRESSION, 42)


def test_a_model_at_stage_manual_is_none_of_those_that_have_a_pipeline(folder: Path) -> None:
    settings = load(folder)
    assert (list(settings.models), list(settings.manual)) == (["churn"], ["abalone"])


def test_a_project_may_have_models_at_stage_manual_alone(folder: Path) -> None:
    (folder / CHURN).unlink()
    assert load(folder).models == {}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("label: rings", "label: ring", "data.label is not a column"),
        (
            "type: integer, minimum: 1",
            "type: integer, minimum: 0.5",
            "data.columns.rings.minimum belongs to an integer",
        ),
        ("  key: abalone/data.csv\n", "", "data.key is missing"),
        ("name: abalone", "name: oyster", "name is not the name of the file"),
        ("stage: manual", "stage: manuel", "did you mean manual?"),
    ],
)
def test_what_is_there_is_checked(old: str, new: str, words: str, folder: Path) -> None:
    assert any(words in problem for problem in problems_of(folder, ABALONE.replace(old, new)))


def test_the_data_cannot_be_left_out(folder: Path) -> None:
    (problem,) = problems_of(folder, ABALONE.partition("data:")[0])
    assert "data is missing" in problem


def test_sections_for_later_may_stand_there_and_are_checked(folder: Path) -> None:
    later = "training:\n  instance_types: [ml.m5.large]\n"
    assert "abalone" in load(folder, ABALONE + later).manual
    (problem,) = problems_of(folder, ABALONE + later + "  volume_gb: 0\n")
    assert "training.volume_gb is too small" in problem


def test_a_misspelt_section_is_named(folder: Path) -> None:
    (problem,) = problems_of(folder, ABALONE + "trainning:\n  instance_types: [ml.m5.large]\n")
    assert "did you mean training?" in problem


def test_moving_up_says_what_has_to_be_added(folder: Path) -> None:
    problems = problems_of(folder, ABALONE.replace("stage: manual", "stage: repeatable"))
    missing = {problem.split(": ")[1].split()[0] for problem in problems}
    assert missing == {"source", "training", "processing", "gates", "serving", "deploy", "algorithm"}


def test_the_whole_file_of_a_later_stage_is_one_of_this_stage(tmp_path: Path) -> None:
    """So that moving up is adding sections and changing one word."""
    folder = shutil.copytree(VALID, tmp_path / "config")
    text = (folder / CHURN).read_text()
    (folder / CHURN).write_text(text.replace("stage: reliable", "stage: manual"))
    model = load_settings(folder).manual["churn"]
    assert model.data == load_settings(VALID).models["churn"].data


def test_editors_ask_each_stage_for_what_it_needs() -> None:
    model = yaml.safe_load(ABALONE)
    assert is_valid(model)
    assert not is_valid(model | {"stage": "repeatable"})
    assert not is_valid({name: value for name, value in model.items() if name != "data"})
    assert not is_valid(model | {"training": {}})
